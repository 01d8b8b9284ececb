#pragma once
// How long an allocation may live: RFC 8656 sections 7.2 and 8.2, bounded by the credential as the operator's
// ExpiryMode says and by RFC 7635 section 9 for tokens.

#include <chrono>
#include <cstdint>
#include <optional>

#include "credentials/grant.hpp"
#include "turn/settings.hpp"

namespace turnpike::turn {

struct GrantedLifetime {
  std::chrono::seconds lifetime{};
  bool is_bounded_by_credential = false;
};

// `asked` is not zero, which would be a deletion. Nothing: the credential has ended.
std::optional<GrantedLifetime> grant_lifetime(std::optional<std::uint32_t> asked,
                                              const credentials::Grant& grant, bool is_token,
                                              const Settings& settings, WallTime wall);

}  // namespace turnpike::turn
