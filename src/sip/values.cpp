#include "sip/values.hpp"

#include <algorithm>
#include <utility>

namespace turnpike::sip {
namespace {

// display-name: a quoted string or tokens, before "<".
std::optional<std::string_view> take_display(Scanner& scanner) {
  if (scanner.sees('"')) return scanner.take_quoted();
  const char* start = scanner.position();
  const char* end = start;
  while (!scanner.take(char_token).empty()) {
    end = scanner.position();
    scanner.skip_white();
  }
  return std::string_view{start, static_cast<std::size_t>(end - start)};
}

bool ends_after_params(Scanner& scanner, Params& params, const Limits& limits) {
  const auto taken = Params::take(scanner, ParamStyle::header, limits.params_max);
  if (!taken) return false;
  params = *taken;
  scanner.skip_white();
  return scanner.at_end();
}

// RFC 3261 section 20.10: without brackets, ";" begins the header's own parameters, and a URI that holds a
// comma or a question mark has brackets.
bool read_bare(std::string_view text, const Limits& limits, NameAddr& address) {
  const std::size_t end = text.find(';');
  address.uri_text = trimmed(text.substr(0, end));
  if (address.uri_text.find_first_of(",?") != std::string_view::npos) return false;
  const auto uri = Uri::parse(address.uri_text, limits);
  if (!uri) return false;
  address.uri = *uri;
  Scanner scanner{text.substr(std::min(end, text.size()))};
  return ends_after_params(scanner, address.params, limits);
}

bool read_bracketed(std::string_view text, const Limits& limits, NameAddr& address) {
  Scanner scanner{text};
  const auto display = take_display(scanner);
  if (!display) return false;
  address.display = *display;
  scanner.skip_white();
  if (!scanner.accept('<')) return false;
  const std::size_t end = scanner.rest().find('>');
  if (end == std::string_view::npos) return false;
  address.uri_text = scanner.rest().substr(0, end);
  const auto uri = Uri::parse(address.uri_text, limits);
  if (!uri) return false;
  address.uri = *uri;
  scanner.skip(end + 1);
  return ends_after_params(scanner, address.params, limits);
}

bool read_via(std::string_view text, const Limits& limits, Via& via) {
  Scanner scanner{text};
  if (!scanner.accept_word("SIP") || !scanner.accept_separator('/')) return false;
  if (!scanner.accept_word("2.0") || !scanner.accept_separator('/')) return false;
  via.transport = scanner.take(char_token);
  if (via.transport.empty() || !scanner.sees_any(char_white)) return false;
  scanner.skip_white();
  const auto host = take_host(scanner);
  if (!host) return false;
  via.host = *host;
  if (scanner.accept_separator(':')) {
    via.port = take_port(scanner);
    if (!via.port) return false;
  }
  return ends_after_params(scanner, via.params, limits);
}

bool is_token68(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  return consists_of(text, char_token68);
}

}  // namespace

std::optional<NameAddr> NameAddr::parse(std::string_view text, const Limits& limits) {
  // A bracket within a quoted parameter opens nothing.
  const bool is_bracketed = text.starts_with('"') || text.find('<') < text.find('"');
  std::optional<NameAddr> address{std::in_place};  // filled where it is returned, as other large values are
  address->text = text;
  if (!(is_bracketed ? read_bracketed(text, limits, *address) : read_bare(text, limits, *address)))
    address.reset();
  return address;
}

std::optional<Via> Via::parse(std::string_view text, const Limits& limits) {
  std::optional<Via> via{std::in_place};
  via->text = text;
  if (!read_via(text, limits, *via)) via.reset();
  return via;
}

bool Via::has_rfc3261_branch() const {
  const auto found = branch();
  return found && found->size() > branch_cookie.size() &&
         equal_ignoring_case(found->substr(0, branch_cookie.size()), branch_cookie);
}

std::optional<CSeq> CSeq::parse(std::string_view text) {
  Scanner scanner{text};
  const auto number = parse_number(scanner.take(char_digit), INT32_MAX);
  if (!number || !scanner.sees_any(char_white)) return std::nullopt;
  scanner.skip_white();
  CSeq cseq{.number = static_cast<std::uint32_t>(*number)};
  cseq.method_text = scanner.rest();
  if (!is_token(cseq.method_text)) return std::nullopt;
  cseq.method = find_method(cseq.method_text);
  return cseq;
}

std::optional<RAck> RAck::parse(std::string_view text) {
  Scanner scanner{text};
  const auto number = parse_number(scanner.take(char_digit), UINT32_MAX);
  if (!number || !scanner.sees_any(char_white)) return std::nullopt;
  scanner.skip_white();
  const auto cseq = CSeq::parse(scanner.rest());
  if (!cseq) return std::nullopt;
  return RAck{static_cast<std::uint32_t>(*number), *cseq};
}

std::optional<ParameterizedValue> ParameterizedValue::parse(std::string_view text, const Limits& limits) {
  ParameterizedValue parsed;
  Scanner scanner{text};
  if (scanner.sees('"')) {
    const auto taken = scanner.take_quoted();
    if (!taken) return std::nullopt;
    parsed.value = *taken;
  } else {
    parsed.value = scanner.take(char_value);
  }
  if (parsed.value.empty() || !ends_after_params(scanner, parsed.params, limits)) return std::nullopt;
  return parsed;
}

std::optional<MediaType> MediaType::parse(std::string_view text, const Limits& limits) {
  MediaType media;
  Scanner scanner{text};
  media.type = scanner.take(char_token);
  if (media.type.empty() || !scanner.accept_separator('/')) return std::nullopt;
  media.subtype = scanner.take(char_token);
  if (media.subtype.empty() || !ends_after_params(scanner, media.params, limits)) return std::nullopt;
  return media;
}

std::optional<Credentials> Credentials::parse(std::string_view text, const Limits& limits) {
  Credentials credentials;
  Scanner scanner{text};
  credentials.scheme = scanner.take(char_token);
  if (credentials.scheme.empty() || !scanner.sees_any(char_white)) return std::nullopt;
  scanner.skip_white();
  if (is_token68(scanner.rest())) {
    credentials.token68 = scanner.rest();
    return credentials;
  }
  const auto params = Params::parse(scanner.rest(), ParamStyle::auth, limits.params_max);
  if (!params || params->empty()) return std::nullopt;
  credentials.params = *params;
  return credentials;
}

std::optional<std::string> Credentials::text(std::string_view name) const {
  const auto param = params.find(name);
  return param ? std::optional{param->text()} : std::nullopt;
}

std::optional<std::string> Credentials::bearer_token() const {
  if (!is_bearer()) return std::nullopt;
  if (!token68.empty()) return std::string{token68};
  auto token = text("access_token");
  return token && !token->empty() ? token : std::nullopt;
}

std::optional<std::uint32_t> parse_seconds(std::string_view text) {
  const auto seconds = parse_number(text, UINT32_MAX);
  return seconds ? std::optional{static_cast<std::uint32_t>(*seconds)} : std::nullopt;
}

std::optional<std::string_view> take_list_member(std::string_view& list) {
  if (list.data() == nullptr) return std::nullopt;
  if (list.find(',') == std::string_view::npos) return trimmed(std::exchange(list, {}));
  std::size_t at = 0;
  bool is_in_brackets = false;
  bool is_quoted = false;
  for (; at < list.size(); ++at) {
    const char character = list[at];
    if (is_quoted) {
      if (character == '\\') ++at;
      is_quoted = character != '"';
    } else if (is_in_brackets) {
      is_in_brackets = character != '>';
    } else if (character == '"') {
      is_quoted = true;
    } else if (character == '<') {
      is_in_brackets = true;
    } else if (character == ',') {
      break;
    }
  }
  const std::string_view member = trimmed(list.substr(0, at));
  list = at < list.size() ? list.substr(at + 1) : std::string_view{};
  return member;
}

std::optional<std::string_view> ValueCursor::next() {
  while (true) {
    if (is_in_row_) {
      const auto member = take_list_member(rest_);
      if (member) return member;
      is_in_row_ = false;
      ++row_;
    }
    const auto found = message_->find_row(name_, row_);
    if (!found) {
      row_ = message_->header_count();
      return std::nullopt;
    }
    row_ = *found;
    rest_ = message_->header(row_).value;
    is_in_row_ = true;
  }
}

}  // namespace turnpike::sip
