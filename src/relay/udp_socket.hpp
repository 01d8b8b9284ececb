#pragma once
// The kernel's UDP sockets as the relay uses them: listeners shared by shards, and relay ports.

#include <expected>
#include <optional>
#include <system_error>

#include "base/address.hpp"
#include "stun/attribute.hpp"

namespace turnpike::relay {

template <typename T>
using Result = std::expected<T, std::error_code>;

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { close(); }
  [[nodiscard]] int value() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  void close();

 private:
  int release();
  int fd_ = -1;
};

// What this kernel can do for trains of equal datagrams; found out once.
struct SegmentOffload {
  bool receive = false;  // UDP_GRO
  bool send = false;     // UDP_SEGMENT
};
SegmentOffload probe_segment_offload();

// Refuses an address that anybody, also another process that shares ports, listens on already.
Result<void> claim_address(const SocketAddress& address);
// SO_REUSEPORT, buffers of 4 MB in both directions where the kernel grants them, UDP_GRO. Port 0 picks a free
// one.
Result<FileDescriptor> open_listener(const SocketAddress& address, const SegmentOffload& offload);
// A relay port is never shared; ICMP errors are queued on it; DF is clear unless asked for.
Result<FileDescriptor> open_relay_port(const SocketAddress& address, const SegmentOffload& offload);
Result<SocketAddress> local_address(int fd);

void set_dont_fragment(int fd, bool v4, bool dont_fragment);

// One entry of a socket's error queue that came as ICMP; nothing when the queue is empty.
struct IcmpError {
  SocketAddress peer;
  stun::IcmpValue icmp;
};
std::optional<IcmpError> take_icmp_error(int fd);

}  // namespace turnpike::relay
