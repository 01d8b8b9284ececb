#pragma once
// Everything an operator may set about the engine, each with its default, and every limit in one struct.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "turn/types.hpp"

namespace turnpike::turn {

// What happens to a running allocation when its credential expires (docs/operating.md).
enum class ExpiryMode : std::uint8_t {
  lenient,  // looked at in Allocate only
  bounded,  // Refresh goes on until expiry + Limits::expiry_slack
  strict,   // no lifetime reaches beyond the expiry
};

struct Limits {
  std::uint32_t allocations_per_subject = 10;
  std::uint32_t allocations_per_source = 1000;  // per client IP address
  std::uint32_t allocations_total = 100000;
  std::uint32_t permissions_per_allocation = 128;
  std::uint32_t channels_per_allocation = 128;
  std::uint32_t peers_per_request = 16;  // XOR-PEER-ADDRESS in one CreatePermission
  std::chrono::seconds allocation_lifetime_default{600};
  std::chrono::seconds allocation_lifetime_max{3600};
  std::chrono::seconds permission_lifetime{300};
  std::chrono::seconds channel_lifetime{600};
  std::chrono::seconds channel_rebind_delay{
      300};  // after expiry, before number or peer may be bound elsewhere
  std::chrono::seconds reservation_lifetime{30};
  std::chrono::seconds relay_port_reuse_delay{120};
  std::chrono::seconds expiry_slack{4 * 3600};            // ExpiryMode::bounded
  std::uint32_t unauthorized_per_second_per_source = 50;  // 401 and 438 answers; beyond: silence
  std::uint64_t bytes_per_second_per_allocation = 0;      // 0: no limit
  std::uint32_t port_attempts = 16;                       // ports tried for one allocation before 508
};

struct PeerPolicySettings {
  std::vector<IpPrefix> allow;  // opens what the built-in list closes
  std::vector<IpPrefix> deny;   // closes what is otherwise open; stands above allow
};

struct Settings {
  std::vector<SocketAddress> listeners;  // index = ListenerId
  std::vector<RelayAddress> relay_addresses;
  std::uint16_t relay_port_min = 49152;
  std::uint16_t relay_port_max = 65535;
  PeerPolicySettings peers;
  Limits limits;
  ExpiryMode expiry = ExpiryMode::bounded;
  bool password_algorithms = true;  // RFC 8489 SHA-256 negotiation
  std::string software;             // SOFTWARE in authenticated answers; empty: none
};

}  // namespace turnpike::turn
