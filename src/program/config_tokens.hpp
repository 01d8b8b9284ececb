#pragma once
// [epcscf.tokens]: which tokens the eP-CSCF takes for a registration, and from whom; [api.tokens] has the
// same for the credential API. For config.cpp alone.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "epcscf/settings.hpp"
#include "program/config_sections.hpp"
#include "service/token_settings.hpp"

namespace turnpike::program {

using WwsfOrigins = std::map<std::string, std::vector<std::string>>;  // by the name of the WWSF

struct TokensConfig {
  service::TokenSettings checks{};
  epcscf::BearerSettings bearer{};
  WwsfOrigins wwsf_origins{};
};
// Nothing where the section is absent. Relative paths start at `folder`.
std::optional<TokensConfig> read_tokens(TableReader table, const std::filesystem::path& folder,
                                        SecretReader& secrets, std::vector<Problem>& problems);

// The section as it is in force, in TOML. Secrets are masked.
std::string format_tokens(std::string_view section, const service::TokenSettings& checks,
                          const epcscf::BearerSettings& bearer, const WwsfOrigins& origins);
// In a few lines for a person.
std::string describe_tokens(const EpcscfConfig& epcscf);

}  // namespace turnpike::program
