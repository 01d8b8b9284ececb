#pragma once
// Patterns with stars, as operators write them: "pool-*@ims.example".

#include <string_view>

namespace turnpike {

// Each "*" stands for any text, an empty one included; everything else for itself. Takes at most
// pattern.size() * text.size() steps, however the two are chosen.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace turnpike
