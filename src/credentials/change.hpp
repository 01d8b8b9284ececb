#pragma once
// What an issuer changes at a relay that runs.

#include <cstddef>
#include <string>
#include <variant>

#include "base/time.hpp"
#include "credentials/grant.hpp"
#include "credentials/pushed_table.hpp"

namespace turnpike::credentials {

struct Extension {
  std::string username{};
  WallTime expires_at{};
};
using Change = std::variant<PushedCredential, Extension, Revocation>;

struct ChangeResult {
  PushOutcome outcome = PushOutcome::done;
  std::size_t allocations_ended = 0;
  bool operator==(const ChangeResult&) const = default;
};

}  // namespace turnpike::credentials
