#pragma once
// What the claims of an accepted token mean: the IMS identities of its holder (TS 24.371, TS 33.203 annex X).
// Pure.

#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "epcscf/effects.hpp"

namespace turnpike::service {

// Neither specification names the claims: they are the operator's.
struct IdentityRules {
  std::string impi_claim = "impi";    // a text
  std::string impus_claim = "impus";  // a text or a list of texts
  std::string wwsf_claim = "wwsf";    // a text; may be absent
  std::string pool_claim = "pool";    // true: lent from the pool of its WWSF; may be absent
  // Private identities that the issuer may speak for; "*" stands for any text. Empty: all.
  std::vector<std::string> impis{};
};

enum class IdentityProblem : std::uint8_t { impi, impus, wwsf, pool, foreign_impi };
std::string_view to_string(IdentityProblem problem);

std::expected<epcscf::TokenIdentity, IdentityProblem> read_identity(const nlohmann::json& payload,
                                                                    const IdentityRules& rules,
                                                                    std::string_view issuer,
                                                                    WallTime expires_at);

}  // namespace turnpike::service
