#include "waf/attempts.hpp"

#include <algorithm>

namespace turnpike::waf {

WallTime add_failure(Attempts& attempts, const AttemptRule& rule, WallTime now) {
  if (now >= attempts.forgotten_at) attempts = {};
  ++attempts.failures;
  attempts.last_at = now;
  if (attempts.failures >= rule.failures_max) {
    auto lock = rule.lock;
    for (auto more = attempts.failures - rule.failures_max; more > 0 && lock < rule.lock_max; --more)
      lock *= 2;
    attempts.locked_until = now + std::min(lock, rule.lock_max);
  }
  attempts.forgotten_at = std::max(now, attempts.locked_until) + rule.memory;
  return attempts.locked_until;
}

}  // namespace turnpike::waf
