#pragma once
// Percent-encoding (RFC 3986 section 2.1), as paths and forms have it.

#include <optional>
#include <string>
#include <string_view>

namespace turnpike {

// "%41+b" as a form's value or a path's segment has it; nothing where an escape is none.
std::optional<std::string> decode_percent(std::string_view text, bool plus_is_space);
// Everything but the unreserved characters of RFC 3986 section 2.3 is escaped.
std::string encode_percent(std::string_view text);
// The Authorization field of an OAuth client, whose id and secret are encoded as a form has them before they
// are joined (RFC 6749 section 2.3.1).
std::string encode_basic_authorization(std::string_view client_id, std::string_view client_secret);

}  // namespace turnpike
