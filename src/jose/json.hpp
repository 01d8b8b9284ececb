#pragma once
// JSON from strangers: limited in size, depth and number of values, and without a name that occurs twice in
// one object, as two readers of such a text see two different texts.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace turnpike::jose {

struct JsonLimits {
  std::size_t bytes_max = 0;
  std::size_t depth_max = 0;   // an object or list is at depth 1, what stands in it at depth 2
  std::size_t values_max = 0;  // objects, lists and what stands in them
};

// Nothing for text that is not JSON (RFC 8259), or beyond the limits.
std::optional<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits);

// The text at this name, or null where there is none or something else.
const std::string* find_text(const nlohmann::json& object, std::string_view name);

}  // namespace turnpike::jose
