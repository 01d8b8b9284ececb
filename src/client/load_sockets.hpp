#pragma once
// Datagrams of the load generator in batches: recvmmsg with UDP_GRO, sendmmsg with UDP_SEGMENT. Private to
// load.

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "base/function_ref.hpp"
#include "base/native_address.hpp"
#include "client/load_packet.hpp"

namespace turnpike::client {

// Large buffers, so that what is lost is lost in the server, and UDP_GRO where the kernel has it.
void prepare_load_socket(int descriptor);

class LoadReceiver {
 public:
  LoadReceiver();
  LoadReceiver(const LoadReceiver&) = delete;
  LoadReceiver& operator=(const LoadReceiver&) = delete;

  // Hands over each datagram of one batch, GRO trains cut into their datagrams; true: more may be waiting.
  bool receive(int descriptor, FunctionRef<void(Bytes)> on_datagram);

 private:
  static constexpr std::size_t batch = 32;
  static constexpr std::size_t buffer_size = 65536;
  static constexpr std::size_t control_size = CMSG_SPACE(sizeof(int));

  std::unique_ptr<Byte[]> buffers_;
  std::array<iovec, batch> vectors_{};
  std::array<mmsghdr, batch> messages_{};
  alignas(cmsghdr) std::array<std::array<Byte, control_size>, batch> controls_{};
};

// Collects datagrams for one socket and sends them with as few system calls as it can.
class LoadSender {
 public:
  explicit LoadSender(const LoadPacketForge& forge);
  LoadSender(const LoadSender&) = delete;
  LoadSender& operator=(const LoadSender&) = delete;

  [[nodiscard]] bool has_room(std::size_t packets) const;
  // Begins a datagram, or a train of them when more than one packet is added; `to` is null on a connected
  // socket and outlives the flush.
  void open(const NativeAddress* to);
  // One packet, behind the bytes that frame it (ChannelData, a Send indication, or nothing).
  void add(Bytes prefix, const LoadPacket& packet);
  [[nodiscard]] bool empty() const { return message_count_ == 0; }
  // Returns how many packets the kernel did not take.
  std::size_t flush(int descriptor);

 private:
  static constexpr std::size_t messages_max = 64;
  static constexpr std::size_t packets_max = 512;
  static constexpr std::size_t prefix_max = 64;
  static constexpr std::size_t vectors_per_packet = 3;
  static constexpr std::size_t control_size = CMSG_SPACE(sizeof(std::uint16_t));

  struct Open {
    const NativeAddress* to = nullptr;
    std::size_t first_vector = 0;
    std::size_t packets = 0;
    std::size_t packet_size = 0;
  };
  void add_vector(const Byte* data, std::size_t size);
  void prepare(std::size_t index);

  const LoadPacketForge& forge_;
  std::vector<std::array<Byte, prefix_max + load_head_size>> fronts_;
  std::vector<iovec> vectors_;
  std::array<Open, messages_max> open_{};
  std::array<mmsghdr, messages_max> messages_{};
  alignas(cmsghdr) std::array<std::array<Byte, control_size>, messages_max> controls_{};
  std::size_t message_count_ = 0;
  std::size_t packet_count_ = 0;
  std::size_t vector_count_ = 0;
};

}  // namespace turnpike::client
