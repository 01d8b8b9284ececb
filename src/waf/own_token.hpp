#pragma once
// Tokens that we have issued, shown to us again.

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "waf/grants.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

struct OwnToken {
  Issued issued{};
  nlohmann::json claims{};  // of a registration token; null for TURN
};

// Nothing for what we have not signed, what has ended or was revoked, and what a user has who is disabled.
std::optional<OwnToken> find_own_token(const Visit& visit, std::string_view text);
// A TURN token in either form: base64 or base64url of it, or a browser's username.
std::optional<OwnToken> find_turn_token(const Visit& visit, std::string_view text);

}  // namespace turnpike::waf
