#pragma once
// [[waf.providers]] and [[waf.jwt_issuers]]: who else logs users in, and who vouches for them. For
// config_waf.cpp alone.

#include <filesystem>
#include <string>
#include <vector>

#include "program/config_sections.hpp"
#include "service/waf_node.hpp"

namespace turnpike::program {

// Relative paths start at `folder`.
void read_waf_issuers(TableReader& table, service::WafNodeSettings& node, const std::filesystem::path& folder,
                      SecretReader& secrets, std::vector<Problem>& problems);
// In TOML. Secrets are masked.
std::string format_waf_issuers(const service::WafNodeSettings& node);
// In a few lines for a person; nothing where there are none.
std::string describe_waf_issuers(const service::WafNodeSettings& node);

}  // namespace turnpike::program
