#include "jose/algorithm.hpp"

#include <array>
#include <utility>

namespace turnpike::jose {
namespace {

constexpr std::array<std::pair<std::string_view, Algorithm>, 4> names{{{"RS256", Algorithm::rs256},
                                                                       {"PS256", Algorithm::ps256},
                                                                       {"ES256", Algorithm::es256},
                                                                       {"HS256", Algorithm::hs256}}};

}  // namespace

std::optional<Algorithm> parse_algorithm(std::string_view name) {
  for (const auto& [text, algorithm] : names)
    if (text == name) return algorithm;
  return std::nullopt;
}

std::string_view to_string(Algorithm algorithm) {
  for (const auto& [text, value] : names)
    if (value == algorithm) return text;
  return {};
}

}  // namespace turnpike::jose
