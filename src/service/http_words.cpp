// What an HTTP request says, without sockets.

#include <algorithm>

#include "service/http_server.hpp"
#include "sip/text.hpp"

namespace turnpike::service {

std::optional<std::string> decode_percent(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%') {
      const auto character = sip::parse_hex_pair(text.substr(at + 1));
      if (!character) return std::nullopt;
      decoded += *character;
      at += 2;
    } else {
      decoded += plus_is_space && text[at] == '+' ? ' ' : text[at];
    }
  }
  return decoded;
}

std::string encode_percent(std::string_view text) {
  // RFC 3986 section 2.3.
  const auto is_unreserved = [](char c) {
    return sip::is_in(c, sip::char_digit | sip::char_alpha) || std::string_view{"-._~"}.contains(c);
  };
  std::string encoded;
  for (const char character : text) {
    if (is_unreserved(character)) {
      encoded += character;
    } else {
      encoded += '%';
      const auto byte = static_cast<Byte>(character);
      encoded += to_hex({&byte, 1});
    }
  }
  return encoded;
}

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
