#pragma once
// What a username is, who issued it, and whether it would be accepted now: for `turnpike explain`.

#include <expected>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "credentials/registry.hpp"

namespace turnpike::program {

struct Explanation {
  std::string username;
  std::expected<credentials::Grant, credentials::Refusal> grant =
      std::unexpected(credentials::Refusal::unknown_user);
  [[nodiscard]] bool is_valid() const { return grant.has_value(); }
};
Explanation explain(const credentials::Registry& registry, std::string_view username, WallTime wall);

// Several lines: what it looks like, what it grants, the verdict and why.
std::string format_explanation(const Explanation& explanation, WallTime wall);
// Why a credential is refused, in words for a person.
std::string_view explain_refusal(credentials::Refusal refusal);

}  // namespace turnpike::program
