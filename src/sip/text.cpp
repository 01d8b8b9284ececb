#include "sip/text.hpp"

#include <algorithm>

namespace turnpike::sip {
namespace {

constexpr std::array<std::uint16_t, 256> make_character_sets() {
  std::array<std::uint16_t, 256> sets{};
  const auto add = [&sets](std::string_view characters, unsigned set) {
    for (const char character : characters)
      sets[static_cast<unsigned char>(character)] |= static_cast<std::uint16_t>(set);
  };
  constexpr std::string_view digits = "0123456789";
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr unsigned alphanumeric = char_token | char_user | char_host | char_uri_param | char_uri_header |
                                    char_value | char_uri | char_word | char_token68;
  constexpr unsigned unreserved = char_user | char_uri_param | char_uri_header | char_uri;
  add(digits, char_digit | alphanumeric);
  add(letters, char_alpha | alphanumeric);
  add("-_.!~*'()", unreserved);
  add("-.!%*_+`'~", char_token | char_value);
  add(" \t\r\n", char_white);
  add("&=+$,;?/", char_user);
  add("-.:", char_host);
  add("_", char_host);  // no host name has it, but names in use do
  add("[]/:&+$", char_uri_param);
  add("[]/?:+$", char_uri_header);
  add(";/?:@&=+$,[]", char_uri);
  add("-.!%*_+`'~()<>:\\\"/[]?{}@", char_word);
  add("-._~+/", char_token68);
  // RFC 3261 knows token, host and quoted string. Charging headers and nonces in use hold more, and nothing
  // that ends a parameter is among it.
  add("[]:/@=&$|#^{}()", char_value);
  for (unsigned byte = 0x80; byte < 0x100; ++byte) sets[byte] |= char_value;
  return sets;
}

bool is_control(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7f;
}

}  // namespace

constinit const std::array<std::uint16_t, 256> character_sets = make_character_sets();

bool consists_of(std::string_view text, unsigned sets) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [=](char c) { return is_in(c, sets); });
}

std::string to_lower(std::string_view text) {
  std::string copy{text};
  std::transform(copy.begin(), copy.end(), copy.begin(), lower);
  return copy;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_in(text.front(), char_white)) text.remove_prefix(1);
  while (!text.empty() && is_in(text.back(), char_white)) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char character : text) {
    if (!is_in(character, char_digit)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(character - '0');
    if (value > (max - std::min(digit, max)) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value <= max ? std::optional{value} : std::nullopt;
}

std::optional<char> parse_hex_pair(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  int value = 0;
  for (const char character : text.substr(0, 2)) {
    const char small = lower(character);
    if (small >= '0' && small <= '9')
      value = value * 16 + (small - '0');
    else if (small >= 'a' && small <= 'f')
      value = value * 16 + (small - 'a' + 10);
    else
      return std::nullopt;
  }
  return static_cast<char>(value);
}

bool is_escaped_text(std::string_view text, unsigned sets) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_in(text[at], sets)) continue;
    if (text[at] != '%' || !parse_hex_pair(text.substr(at + 1))) return false;
    at += 2;
  }
  return true;
}

std::string quoted_string(std::string_view text) {
  std::string result{'"'};
  result.reserve(text.size() + 2);
  for (const char character : text) {
    if (character == '"' || character == '\\') result += '\\';
    result += is_control(character) ? ' ' : character;
  }
  return result += '"';
}

std::string unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string{text};
  text = text.substr(1, text.size() - 2);
  // Escapes and folds are rare.
  if (text.find('\\') == std::string_view::npos && text.find('\r') == std::string_view::npos)
    return std::string{text};
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) {
      result += text[++at];
    } else if (text.substr(at, 2) == "\r\n") {  // a fold is one space
      at += 1;
      while (at + 1 < text.size() && is_in(text[at + 1], char_white)) ++at;
      result += ' ';
    } else {
      result += text[at];
    }
  }
  return result;
}

bool Scanner::accept_separator_behind_white(char character) {
  const char* start = at_;
  skip_white();
  if (!accept(character)) {
    at_ = start;
    return false;
  }
  skip_white();
  return true;
}

bool Scanner::accept_word(std::string_view word) {
  if (!equal_ignoring_case(rest().substr(0, word.size()), word)) return false;
  at_ += word.size();
  return true;
}

std::optional<std::string_view> Scanner::take_quoted() {
  if (!sees('"')) return std::nullopt;
  const std::string_view text = rest();
  std::size_t end = text.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  if (text.substr(0, end).find('\\') != std::string_view::npos) {
    end = 1;
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
    if (end >= text.size()) return std::nullopt;
  }
  at_ += end + 1;
  return text.substr(0, end + 1);
}

}  // namespace turnpike::sip
