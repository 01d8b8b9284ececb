#include "waf/message.hpp"

#include <algorithm>

namespace turnpike::waf {
namespace {

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
}

std::optional<std::string_view> find_field(const Fields& fields, std::string_view name) {
  for (const auto& [field, value] : fields)
    if (equal_ignoring_case(field, name)) return value;
  return std::nullopt;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<std::string_view> Request::find(std::string_view name) const {
  return find_field(fields, name);
}

std::size_t Request::count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      fields, [&](const auto& field) { return equal_ignoring_case(field.first, name); }));
}

// RFC 6265 section 4.2.1; of two cookies of one name the first counts.
std::optional<std::string_view> Request::find_cookie(std::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (!equal_ignoring_case(field, "cookie")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::string_view pair = trim(rest.substr(0, rest.find(';')));
      rest.remove_prefix(
          std::min(rest.size(), rest.find(';') == std::string_view::npos ? rest.size() : rest.find(';') + 1));
      const auto equals = pair.find('=');
      if (equals != std::string_view::npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> Response::find(std::string_view name) const {
  return find_field(fields, name);
}

}  // namespace turnpike::waf
