#include "turn/allocation.hpp"

#include <algorithm>

namespace turnpike::turn {

std::optional<Instant> Allocation::next_deadline() const {
  std::optional<Instant> next = peers.next_deadline();
  for (const RelayedAddress& relayed : relayed_by_family)
    if (relayed.number != 0) next = next ? std::min(*next, relayed.ends_at) : relayed.ends_at;
  return next;
}

}  // namespace turnpike::turn
