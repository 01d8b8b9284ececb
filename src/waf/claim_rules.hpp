#pragma once
// Which IMS identity the claims of a provider's user make, by the rules of the configuration.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "waf/accounts.hpp"
#include "waf/provider.hpp"

namespace turnpike::waf {

// Null where there is none.
const nlohmann::json* find_claim(const nlohmann::json& claims, std::string_view name);

// A claim that is a list holds where one of its values does.
bool holds(const ClaimCondition& condition, const nlohmann::json& claims);

// What is wrong with a template, in a few words.
std::optional<std::string> find_template_problem(std::string_view text);
// Whether what stands around its claims says the domain, so that no claim can.
bool names_domain(std::string_view text);

// Nothing where no rule matches, or where the identity is none that the provider may name.
std::optional<Identity> map_claims(const Provider& provider, const nlohmann::json& claims);

}  // namespace turnpike::waf
