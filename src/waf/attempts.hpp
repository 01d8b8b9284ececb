#pragma once
// What is remembered of failures to log in, and when they lock: one rule for all ledgers.

#include <cstdint>

#include "base/time.hpp"
#include "waf/ledger.hpp"

namespace turnpike::waf {

struct Attempts {
  std::uint32_t failures = 0;
  WallTime last_at{};
  WallTime forgotten_at{};
  WallTime locked_until{};
};

// Until when the key is locked after one more failure; a time that is over: it is not.
WallTime add_failure(Attempts& attempts, const AttemptRule& rule, WallTime now);

}  // namespace turnpike::waf
