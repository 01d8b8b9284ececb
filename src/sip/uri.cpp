#include "sip/uri.hpp"

#include <algorithm>

#include "base/address.hpp"

namespace turnpike::sip {
namespace {

// One character of an escaped text. RFC 3261 section 19.1.4: an escape is the character that it stands for,
// unless that one is reserved.
struct Unit {
  char character = 0;
  bool is_reserved_escape = false;
  bool operator==(const Unit&) const = default;
};

Unit take_unit(std::string_view& text) {
  constexpr std::string_view reserved = ";/?:@&=+$,";
  if (text.front() == '%') {
    if (const auto decoded = parse_hex_pair(text.substr(1))) {
      text.remove_prefix(3);
      return {*decoded, reserved.find(*decoded) != std::string_view::npos};
    }
  }
  const Unit unit{text.front(), false};
  text.remove_prefix(1);
  return unit;
}

bool is_same_escaped(std::string_view a, std::string_view b, bool ignore_case) {
  while (!a.empty() && !b.empty()) {
    Unit from_a = take_unit(a);
    Unit from_b = take_unit(b);
    if (ignore_case) {
      from_a.character = lower(from_a.character);
      from_b.character = lower(from_b.character);
    }
    if (from_a != from_b) return false;
  }
  return a.empty() && b.empty();
}

std::optional<Param> find_same_name(const Params& params, std::string_view name) {
  std::optional<Param> found;
  params.for_each([&](const Param& param) {
    if (!found && is_same_escaped(param.name, name, true)) found = param;
  });
  return found;
}

bool has_same_value(const Param& a, const Param& b, bool ignore_case) {
  if (a.value.has_value() != b.value.has_value()) return false;
  return !a.value || is_same_escaped(*a.value, *b.value, ignore_case);
}

// These are never ignored; transport is among them by the examples of the section.
bool distinguishes_alone(const Param& param) {
  return param.is_named("user") || param.is_named("ttl") || param.is_named("method") ||
         param.is_named("maddr") || param.is_named("transport");
}

bool params_of_one_match(const Params& one, const Params& other) {
  bool match = true;
  one.for_each([&](const Param& param) {
    const auto same = find_same_name(other, param.name);
    match = match && (same ? has_same_value(param, *same, true) : !distinguishes_alone(param));
  });
  return match;
}

// Each of `one` is in `other`.
bool is_contained(const Params& one, const Params& other, bool ignore_case) {
  bool contained = true;
  one.for_each([&](const Param& param) {
    const auto same = find_same_name(other, param.name);
    contained = contained && same && has_same_value(param, *same, ignore_case);
  });
  return contained;
}

bool is_visual_separator(char character) {
  return character == '-' || character == '.' || character == '(' || character == ')';
}

// RFC 3966 section 4: visual separators do not count.
bool is_same_number(std::string_view a, std::string_view b) {
  const auto without_separators = [](std::string_view text) {
    std::string number = to_lower(text);
    std::erase_if(number, is_visual_separator);
    return number;
  };
  return without_separators(a) == without_separators(b);
}

bool is_number(std::string_view text) {
  const bool is_global = text.starts_with('+');
  if (is_global) text.remove_prefix(1);
  bool has_digit = false;
  for (const char character : text) {
    // A local number may hold what a keypad has.
    const bool is_digit =
        is_in(character, char_digit) ||
        (!is_global && std::string_view{"abcdefABCDEF*#"}.find(character) != std::string_view::npos);
    if (!is_digit && !is_visual_separator(character)) return false;
    has_digit = has_digit || is_digit;
  }
  return has_digit;
}

bool is_other_scheme(std::string_view scheme) {
  return std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return is_in(c, char_alpha | char_digit) || c == '+' || c == '-' || c == '.';
  });
}

bool is_domain_character(char character) { return is_in(character, char_host) && character != ':'; }

}  // namespace

std::optional<std::string_view> take_host(Scanner& scanner) {
  const std::string_view text = scanner.rest();
  std::size_t size = 0;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const auto address = IpAddress::parse(text.substr(1, end - 1));
    if (!address || address->is_v4()) return std::nullopt;
    size = end + 1;
  } else {
    while (size < text.size() && is_domain_character(text[size])) ++size;
    if (size == 0 || text.front() == '.') return std::nullopt;
  }
  scanner.skip(size);
  return text.substr(0, size);
}

std::optional<std::uint16_t> take_port(Scanner& scanner) {
  const auto port = parse_number(scanner.take(char_digit), 65535);
  if (!port || *port == 0) return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

// Filled where it is returned: it is large enough for copies to show.
std::optional<Uri> Uri::parse(std::string_view text, const Limits& limits) {
  std::optional<Uri> uri{std::in_place};
  uri->text_ = text;
  Scanner scanner{text};
  const std::string_view scheme = scanner.take(char_token);  // more than a scheme holds, but no ":"
  bool is_good = !scheme.empty() && is_in(scheme.front(), char_alpha) && scanner.accept(':');
  if (is_good && (equal_ignoring_case(scheme, "sip") || equal_ignoring_case(scheme, "sips"))) {
    uri->scheme_ = scheme.size() == 3 ? Scheme::sip : Scheme::sips;
    is_good = uri->read_sip(scanner, limits);
  } else if (is_good && equal_ignoring_case(scheme, "tel")) {
    uri->scheme_ = Scheme::tel;
    is_good = uri->read_tel(scanner, limits);
  } else if (is_good) {
    is_good = is_other_scheme(scheme) && !scanner.at_end() && is_escaped_text(scanner.rest(), char_uri);
  }
  if (!is_good) uri.reset();
  return uri;
}

bool Uri::read_sip(Scanner& scanner, const Limits& limits) {
  if (!read_user(scanner)) return false;
  const auto host = take_host(scanner);
  if (!host) return false;
  host_ = *host;
  if (scanner.accept(':')) {
    port_ = take_port(scanner);
    if (!port_) return false;
  }
  const auto params = Params::take(scanner, ParamStyle::uri, limits.params_max);
  if (!params) return false;
  params_ = *params;
  if (scanner.accept('?')) {
    const auto headers = Params::take(scanner, ParamStyle::uri_headers, limits.params_max);
    if (!headers || headers->empty()) return false;
    headers_ = *headers;
  }
  return scanner.at_end();
}

// The user may hold ";" and "?", so that only the "@" tells it from a host.
bool Uri::read_user(Scanner& scanner) {
  const std::string_view rest = scanner.rest();
  const std::size_t at = rest.find('@');
  if (at == std::string_view::npos) return true;
  const std::string_view info = rest.substr(0, at);
  const std::size_t colon = info.find(':');
  user_ = info.substr(0, colon);
  if (user_.empty() || !is_escaped_text(user_, char_user)) return false;
  if (colon != std::string_view::npos) {
    password_ = info.substr(colon + 1);
    if (!is_escaped_text(*password_, char_user)) return false;
  }
  scanner.skip(at + 1);
  return true;
}

bool Uri::read_tel(Scanner& scanner, const Limits& limits) {
  const std::string_view rest = scanner.rest();
  user_ = rest.substr(0, rest.find(';'));
  if (!is_number(user_)) return false;
  scanner.skip(user_.size());
  const auto params = Params::take(scanner, ParamStyle::uri, limits.params_max);
  if (!params || !scanner.at_end()) return false;
  params_ = *params;
  return true;
}

bool Uri::is_equivalent_to(const Uri& other) const {
  if (scheme_ != other.scheme_) return false;
  if (scheme_ == Scheme::other) return text_ == other.text_;
  if (scheme_ == Scheme::tel)
    return is_same_number(user_, other.user_) && is_contained(params_, other.params_, true) &&
           is_contained(other.params_, params_, true);
  // A component that is left out does not match its default.
  if (!is_same_escaped(user_, other.user_, false) || port_ != other.port_) return false;
  if (password_.has_value() != other.password_.has_value()) return false;
  if (password_ && !is_same_escaped(*password_, *other.password_, false)) return false;
  if (!equal_ignoring_case(host_, other.host_)) return false;
  return params_of_one_match(params_, other.params_) && params_of_one_match(other.params_, params_) &&
         is_contained(headers_, other.headers_, false) && is_contained(other.headers_, headers_, false);
}

std::string escaped_user(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string user;
  for (const char character : text) {
    if (is_in(character, char_user)) {
      user += character;
      continue;
    }
    const auto byte = static_cast<unsigned char>(character);
    user += '%';
    user += hex[byte >> 4U];
    user += hex[byte & 15U];
  }
  return user;
}

std::string unescaped(std::string_view text) {
  std::string result;
  while (!text.empty()) result += take_unit(text).character;
  return result;
}

}  // namespace turnpike::sip
