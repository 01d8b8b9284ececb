#pragma once
// Text inside of HTML and XML.

#include <string>
#include <string_view>

namespace turnpike {

// For element content and quoted attribute values of both. Control characters become spaces: XML 1.0 has no
// way to write most of them.
std::string escape_markup(std::string_view text);

}  // namespace turnpike
