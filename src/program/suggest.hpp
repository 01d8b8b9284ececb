#pragma once
// The word that a person most likely meant.

#include <string>
#include <string_view>
#include <vector>

namespace turnpike::program {

// `; did you mean "realm"?`, or nothing when no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace turnpike::program
