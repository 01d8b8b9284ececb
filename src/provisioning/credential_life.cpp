#include "provisioning/credential_life.hpp"

#include <algorithm>

namespace turnpike::provisioning {

std::chrono::seconds find_ttl(std::chrono::seconds registration, std::optional<std::chrono::seconds> wish,
                              const LifeLimits& limits) {
  // Cut first: a sum of what a stranger has written may not fit.
  const auto until = std::clamp(registration, std::chrono::seconds{0}, limits.cap);
  const auto grace = until > long_registration ? limits.grace_of_long : limits.grace;
  const auto ttl = std::clamp(until + grace, limits.floor, std::max(limits.floor, limits.cap));
  return wish ? std::clamp(*wish, std::min(limits.floor, ttl), ttl) : ttl;
}

std::chrono::seconds find_refresh(std::chrono::seconds life) {
  return life > long_registration ? life - renewal_lead : life / 2;
}

}  // namespace turnpike::provisioning
