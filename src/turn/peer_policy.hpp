#pragma once
// Which addresses a client may reach through the relay. Closed are, unless the operator opens them, all
// special-purpose ranges (RFC 6890 and the registries of IANA that it founds) and all of IPv6 outside of
// 2000::/3. Closed for good are port 0 and the server itself, but for its relay ports: two clients of one
// relay may talk to each other, and nobody reaches its listeners or what else runs beside them. Who relays
// from a loopback address and opens it has a machine to try things on: its ports are open but the listeners'.
//
// An IPv4-mapped address is that IPv4 address. Other addresses that carry an IPv4 address (IPv4-compatible,
// IPv4-translated, NAT64 with its well-known prefix, 6to4, Teredo with server and client) must be allowed
// themselves and must not carry one that is not. NAT64 prefixes of an operator's own cannot be recognised:
// what they lead to is for his `deny` to say.
//
// settings.peers.deny stands above settings.peers.allow, and that above the closed ranges. A listener on an
// unspecified address (0.0.0.0, ::) does not say which addresses are the server's own; the relay addresses
// do.

#include <cstdint>
#include <vector>

#include "base/address.hpp"
#include "turn/prefix_set.hpp"
#include "turn/settings.hpp"

namespace turnpike::turn {

class PeerPolicy {
 public:
  explicit PeerPolicy(const Settings& settings);

  [[nodiscard]] bool allows(const IpAddress& peer) const;  // CreatePermission, which knows no port
  [[nodiscard]] bool allows(
      const SocketAddress& peer) const;  // ChannelBind, Send, and what arrives from peers

 private:
  // Of one canonical address, whatever it carries.
  [[nodiscard]] bool may_be_peer(const IpAddress& address) const;
  [[nodiscard]] bool may_be_peer(const IpAddress& address, std::uint16_t port) const;
  [[nodiscard]] bool is_relay_port(std::uint16_t port) const;

  PrefixSet closed_;
  PrefixSet allowed_;
  PrefixSet denied_;
  std::vector<IpAddress> relays_;     // sorted, bound and advertised
  std::vector<IpAddress> listeners_;  // sorted, without those that are relays too
  std::vector<std::uint16_t> listener_ports_;
  std::uint16_t port_min_;
  std::uint16_t port_max_;
};

}  // namespace turnpike::turn
