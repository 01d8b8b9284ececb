#pragma once
// Sentences for a terminal.

#include <string>
#include <string_view>

namespace turnpike::client {

// Words of a server must not steer the terminal: C0 and C1 control characters become question marks.
std::string to_printable(std::string text);
// Breaks at spaces; every line but the first begins with `indent` spaces.
std::string wrap(std::string_view text, std::size_t indent);

}  // namespace turnpike::client
