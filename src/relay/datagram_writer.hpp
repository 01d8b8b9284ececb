#pragma once
// Batched send. Equal datagrams for one address become one train (UDP_SEGMENT): the kernel walks its UDP path
// once for all of them. Everything is sent by flush(); until then the payloads must stay where they are.
//
//   a train:  [segment][segment]...[segment][last, may be shorter]      <= 64 segments, < 65000 bytes

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/native_address.hpp"
#include "relay/relay_ports.hpp"
#include "turn/types.hpp"

namespace turnpike::relay {

inline constexpr std::size_t train_segments_max = 64;
inline constexpr std::size_t train_bytes_max = 65000;

// Decides what may join a train; a shorter datagram may join, and ends it.
class TrainShape {
 public:
  explicit TrainShape(std::size_t first_bytes) : segment_bytes_(first_bytes), total_bytes_(first_bytes) {}
  [[nodiscard]] bool takes(std::size_t bytes) const {
    return !ended_ && bytes > 0 && bytes <= segment_bytes_ && count_ < train_segments_max &&
           total_bytes_ + bytes < train_bytes_max;
  }
  void add(std::size_t bytes) {
    ended_ = bytes < segment_bytes_;
    total_bytes_ += bytes;
    ++count_;
  }
  [[nodiscard]] std::size_t segment_bytes() const { return segment_bytes_; }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::size_t segment_bytes_;
  std::size_t total_bytes_;
  std::size_t count_ = 1;
  bool ended_ = false;
};

// Datagrams from relay ports to peers: each port is a socket of its own, so one system call a train.
class PeerWriter {
 public:
  PeerWriter(RelayPorts& ports, const SegmentOffload& offload) : ports_(ports), offload_(offload) {}
  void add(const turn::Forward& forward);
  void flush();  // also before a port is closed: another one may take its descriptor
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  static constexpr std::uint32_t none = 0xffffffff;
  struct Datagram {
    Bytes payload;
    std::uint32_t next = none;
  };
  struct Group {
    SocketAddress peer;
    TrainShape shape;
    std::uint32_t first, last;  // datagrams_, linked
    turn::RelayPortId port;
    bool dont_fragment;
  };
  void send(const Group& group);
  bool send_train(int fd, const Group& group, NativeAddress to);
  void send_one(int fd, const NativeAddress& to, Bytes payload);

  RelayPorts& ports_;
  SegmentOffload offload_;
  std::vector<Datagram> datagrams_;
  std::vector<Group> groups_;
  std::uint64_t dropped_ = 0;
};

// Datagrams from one listener to clients: many addresses in one sendmmsg.
class ClientWriter {
 public:
  ClientWriter(int fd, const SegmentOffload& offload);
  ClientWriter(ClientWriter&&) = default;
  [[nodiscard]] bool is_full() const { return parts_.size() >= capacity; }
  void add(const turn::Deliver& deliver);               // flushes by itself when full
  void add(const SocketAddress& to, ByteVector bytes);  // keeps the bytes until they are sent
  void flush();
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  static constexpr std::size_t capacity = 512;  // datagrams
  struct Part {
    std::array<Byte, 52> prefix;
    std::uint8_t prefix_size;
    std::uint8_t padding;
    Bytes payload;
    [[nodiscard]] std::size_t size() const { return prefix_size + payload.size() + padding; }
  };
  struct Group {
    SocketAddress to;
    TrainShape shape;
    std::uint32_t first;  // parts_
  };
  struct Control {
    alignas(cmsghdr) std::array<Byte, CMSG_SPACE(sizeof(std::uint16_t))> bytes;
  };
  void append(const SocketAddress& to, const Part& part);
  void build_messages();
  void send_messages();
  void send_one_by_one(const Group& group);

  int fd_;
  SegmentOffload offload_;
  std::vector<Part> parts_;
  std::vector<Group> groups_;
  std::vector<ByteVector> kept_;
  std::vector<iovec> vectors_;
  std::vector<NativeAddress> names_;
  std::vector<Control> controls_;
  std::vector<mmsghdr> messages_;
  std::uint64_t dropped_ = 0;
};

}  // namespace turnpike::relay
