#pragma once
// What the WAF publishes of itself (RFC 8414, RFC 9207, RFC 9449).

#include <string>

#include "waf/settings.hpp"

namespace turnpike::waf {

// The same document at both well-known paths: clients of OpenID Connect find the server by theirs, but there
// are no ID tokens.
std::string format_metadata(const Settings& settings);

}  // namespace turnpike::waf
