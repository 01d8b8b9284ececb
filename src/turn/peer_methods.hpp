#pragma once
// CreatePermission (RFC 8656 section 10.2) and ChannelBind (section 12.2): which peers an allocation talks
// to.

#include <cstdint>
#include <expected>
#include <vector>

#include "turn/core.hpp"

namespace turnpike::turn {

class PeerMethods {
 public:
  explicit PeerMethods(Core& core) : core_(&core) {}

  Outcome create_permission(const Exchange& exchange, const stun::Message& request, Allocation& allocation,
                            Now now);
  Outcome bind_channel(const Exchange& exchange, const stun::Message& request, Allocation& allocation,
                       Now now);

 private:
  [[nodiscard]] std::expected<std::vector<IpAddress>, Rejection> read_peers(
      const stun::Message& request) const;
  [[nodiscard]] Outcome may_permit(const Allocation& allocation, const std::vector<IpAddress>& peers) const;

  Core* core_;
};

}  // namespace turnpike::turn
