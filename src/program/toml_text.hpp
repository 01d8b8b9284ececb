#pragma once
// Values as TOML spells them.

#include <string>
#include <string_view>
#include <vector>

namespace turnpike::program {

std::string quote(std::string_view text);  // a basic string
std::string quote_all(const std::vector<std::string>& texts);

}  // namespace turnpike::program
