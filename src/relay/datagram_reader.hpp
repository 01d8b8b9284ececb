#pragma once
// Batched receive: recvmmsg into buffers of 64 kB, each of which may hold a train of equal datagrams that the
// kernel joined (UDP_GRO). A train is cut into its datagrams before anybody parses a byte.

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "base/bytes.hpp"
#include "base/native_address.hpp"

namespace turnpike::relay {

// Memory for received datagrams: the first page of each buffer is resident from the start, the others when
// trains have filled them. What was received stays valid until its buffer is read into again.
class ReceiveArena {
 public:
  static constexpr std::size_t buffer_bytes = 65536;
  explicit ReceiveArena(std::size_t buffers);
  ~ReceiveArena();
  ReceiveArena(const ReceiveArena&) = delete;
  ReceiveArena& operator=(const ReceiveArena&) = delete;
  Byte* buffer(std::size_t index) { return memory_ + index * stride; }
  [[nodiscard]] std::size_t size() const { return buffers_; }

 private:
  // Not a power of two: else the first bytes of all buffers would fight for one set of the cache.
  static constexpr std::size_t stride = buffer_bytes + 3 * 64;
  std::size_t buffers_;
  std::size_t bytes_;
  Byte* memory_;
};

struct Train {
  Bytes bytes;
  std::size_t segment_bytes = 0;  // each datagram but the last, which may be shorter
  const NativeAddress* from = nullptr;

  template <typename Visit>
  void for_each_datagram(Visit visit) const {
    for (std::size_t at = 0; at < bytes.size(); at += segment_bytes)
      visit(bytes.subspan(at, std::min(segment_bytes, bytes.size() - at)));
    if (bytes.empty()) visit(bytes);
  }
};

class DatagramReader {
 public:
  explicit DatagramReader(std::size_t buffers);

  [[nodiscard]] std::size_t free_buffers() const { return arena_.size() - used_; }
  // Reads at most `max` trains (and at most free_buffers()) and returns how many came; fewer than asked
  // means that the socket was empty, or that an error stands in it. They stay until release_all().
  std::size_t read(int fd, std::size_t max);
  [[nodiscard]] Train train(std::size_t index_of_last_read) const;
  void release_all();

 private:
  // Space for the segment size, and for nothing else that a socket option could add.
  static constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(int));
  struct Slot {
    NativeAddress from;
    iovec vector{};
    alignas(cmsghdr) std::array<Byte, control_bytes> control{};
  };
  ReceiveArena arena_;
  std::vector<Slot> slots_;
  std::vector<mmsghdr> messages_;
  std::size_t used_ = 0;
  std::size_t first_of_last_read_ = 0;
};

}  // namespace turnpike::relay
