#pragma once
// What [waf] and the relays of the configuration make of a WAF.

#include <expected>
#include <string>

#include "base/secret.hpp"
#include "program/config.hpp"
#include "service/waf_node.hpp"
#include "waf/settings.hpp"

namespace turnpike::program {

// With the TURN server of [credentials.token], where there is one.
waf::Settings make_waf_settings(const Config& config);
service::WafNodeSettings make_waf_node_settings(const Config& config);
// Encrypts what the database must not show.
Secret make_waf_storage_key(const WafConfig& waf);

}  // namespace turnpike::program
