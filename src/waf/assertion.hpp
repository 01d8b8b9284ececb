#pragma once
// Signed assertions that are used once (RFC 7523 section 3): of clients about themselves, of other issuers
// about users.

#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "jose/algorithm.hpp"
#include "jose/key_set.hpp"
#include "jose/token.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

struct AssertionRules {
  std::string_view issuer{};
  const jose::KeySet& keys;
  jose::AlgorithmSet algorithms = jose::public_key_algorithms;
  std::string_view path{};  // of the endpoint, which may be its audience instead of the issuer
};

// What it says; or what is wrong with it, in a few words.
std::expected<nlohmann::json, std::string> accept_assertion(Visit& visit, jose::UnverifiedToken token,
                                                            const AssertionRules& rules);

}  // namespace turnpike::waf
