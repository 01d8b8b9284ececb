#pragma once
// RFC 3629: whether text is well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).

#include <string_view>

namespace turnpike {

bool is_utf8(std::string_view text);

}  // namespace turnpike
