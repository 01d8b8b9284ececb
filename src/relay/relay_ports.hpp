#pragma once
// The sockets of a shard's relay ports, one slot each, named by the engine. A slot is 12 bytes.

#include <cstdint>
#include <vector>

#include "relay/udp_socket.hpp"
#include "turn/types.hpp"

namespace turnpike::relay {

struct RelaySocket {
  static constexpr std::uint32_t no_group = 0xffffffff;

  FileDescriptor descriptor;
  std::uint32_t group = no_group;  // PeerWriter: the newest train of this port in the batch
  bool is_v4 = true;
  bool dont_fragment = false;  // as the socket option stands
  bool is_queued = false;      // Shard: stands among those to be read
  bool has_errors = false;     // Shard: its error queue has to be read
};

class RelayPorts {
 public:
  explicit RelayPorts(const SegmentOffload& offload) : offload_(offload) {}

  // Returns the descriptor.
  Result<int> open(turn::RelayPortId port, const SocketAddress& bind);
  void close(turn::RelayPortId port);
  // Gives the memory of the slots behind the last open one back.
  void forget_closed();
  // Nothing for a port that is not open.
  RelaySocket* find(turn::RelayPortId port) {
    if (port >= sockets_.size() || !sockets_[port].descriptor.is_open()) return nullptr;
    return &sockets_[port];
  }

 private:
  SegmentOffload offload_;
  std::vector<RelaySocket> sockets_;
};

}  // namespace turnpike::relay
