#pragma once
// What the methods of one engine share: its surroundings, its allocations and what it says.

#include "base/random.hpp"
#include "base/source_limiter.hpp"
#include "turn/allocation_table.hpp"
#include "turn/answers.hpp"
#include "turn/authenticator.hpp"
#include "turn/commons.hpp"
#include "turn/effect_queue.hpp"
#include "turn/engine.hpp"
#include "turn/exchange.hpp"
#include "turn/peer_policy.hpp"
#include "turn/recent_deletions.hpp"
#include "turn/settings.hpp"

namespace turnpike::turn {

struct Core {
  Core(const Settings& chosen, credentials::Registry& sources, const credentials::NonceMint& nonces,
       Commons& shared, Random& generator);

  // Answers with an error, or not at all where a stranger has had enough of them.
  void refuse(const Exchange& exchange, const Rejection& rejection, Now now);

  // By the server's policy and the credential's.
  [[nodiscard]] bool allows(const Allocation& allocation, const IpAddress& peer) const;
  [[nodiscard]] bool allows(const Allocation& allocation, const SocketAddress& peer) const;

  void permit(Allocation& allocation, const IpAddress& peer, Now now);
  [[nodiscard]] std::uint32_t allocations_max(const credentials::Grant& grant) const;
  [[nodiscard]] std::uint64_t bytes_per_second(const credentials::Grant& grant) const;

  // Gives the port back to the commons and its name to the next.
  void release_port(const RelayedAddress& relayed, Now now);
  // Closes the relayed address; the allocation ends with its last one.
  void end_relayed(Allocation& allocation, RelayedAddress& relayed, EndReason reason, Now now);
  void end(Allocation& allocation, EndReason reason, Now now);
  // Everything that is due: nobody looks at what has expired.
  void expire_due(Now now);

  [[nodiscard]] SocketAddress bound(const RelayedAddress& relayed) const {
    return {settings.relay_addresses[relayed.address].bind, relayed.number};
  }
  [[nodiscard]] SocketAddress advertised(const RelayedAddress& relayed) const {
    return {settings.relay_addresses[relayed.address].advertised, relayed.number};
  }

  const Settings& settings;
  credentials::Registry& registry;
  Commons& commons;
  Random& random;
  PeerPolicy policy;
  SourceLimiter limiter;
  Authenticator authenticator;
  Counters counters;
  EffectQueue effects;
  Answers answers;
  AllocationTable allocations;
  RecentDeletions deletions;
  bool is_draining = false;
  bool is_shut_down = false;

 private:
  void expire(Allocation& allocation, Now now);
};

}  // namespace turnpike::turn
