#pragma once
// The hot path: RFC 8656 sections 11 and 12. A packet passes in either direction only with a permission for
// the peer's address. Nothing is copied, nothing is allocated, and whatever may not pass is dropped silently.

#include <optional>

#include "turn/core.hpp"

namespace turnpike::turn {

class DataPath {
 public:
  explicit DataPath(Core& core) : core_(&core) {}

  std::optional<Forward> on_channel_data(const ClientPath& from, Bytes datagram, Now now);
  std::optional<Forward> on_send_indication(const ClientPath& from, const stun::Message& indication, Now now);
  std::optional<Deliver> on_peer_datagram(RelayPortId at, const SocketAddress& from, Bytes datagram, Now now);
  void on_peer_icmp(RelayPortId at, const SocketAddress& peer, const stun::IcmpValue& icmp, Now now);

 private:
  Allocation* find_open(const ClientPath& from);
  std::optional<Forward> forward(Allocation& allocation, const SocketAddress& peer, Bytes payload,
                                 bool dont_fragment, Now now);
  void write_data_indication(Deliver& deliver, const SocketAddress& peer, std::size_t size);

  Core* core_;
};

}  // namespace turnpike::turn
