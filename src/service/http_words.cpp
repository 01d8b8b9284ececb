// What an HTTP request says, without sockets.

#include <algorithm>

#include "base/percent.hpp"
#include "service/http_server.hpp"
#include "sip/text.hpp"

namespace turnpike::service {

std::string_view ServedRequest::path() const { return std::string_view{target}.substr(0, target.find('?')); }

std::optional<std::string> ServedRequest::find_query(std::string_view name) const {
  const auto question = target.find('?');
  if (question == std::string::npos) return std::nullopt;
  std::string_view rest = std::string_view{target}.substr(question + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    return decode_percent(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
  }
  return std::nullopt;
}

std::optional<std::string_view> ServedRequest::find(std::string_view name) const {
  const auto found = std::ranges::find_if(
      fields, [name](const auto& field) { return sip::equal_ignoring_case(field.first, name); });
  return found == fields.end() ? std::nullopt : std::optional<std::string_view>{found->second};
}

}  // namespace turnpike::service
