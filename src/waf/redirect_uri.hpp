#pragma once
// Where the answers to authorization requests go (RFC 6749 section 3.1.2, RFC 8252, RFC 9700 section 4.1).

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace turnpike::waf {

// To the letter; of a registered http://127.0.0.1/... or http://[::1]/... any port (RFC 8252 section 7.3).
bool matches_redirect_uri(std::string_view registered, std::string_view asked);

// What is wrong with one that shall be registered; nothing: https with a host, http to a loopback address, or
// a private-use scheme with a dot (RFC 8252 section 7.1), and no fragment.
std::optional<std::string> find_redirect_uri_problem(std::string_view uri);

// With these parameters behind those that it has; those that are empty are left out.
std::string add_parameters(std::string_view uri,
                           std::span<const std::pair<std::string_view, std::string_view>> parameters);
// The same as a form's body (RFC 6749 appendix B).
std::string format_parameters(std::span<const std::pair<std::string_view, std::string_view>> parameters);

}  // namespace turnpike::waf
