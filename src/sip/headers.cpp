#include "sip/headers.hpp"

#include <array>

namespace turnpike::sip {
namespace {

// Of a header that stands once.
template <typename Parse>
auto read_single(const Message& message, HeaderName name, Parse parse)
    -> Parsed<typename decltype(parse(std::string_view{}))::value_type> {
  const auto header = message.find(name);
  if (!header) return missing(name);
  auto value = parse(header->value);
  if (!value) return malformed(name);
  return *std::move(value);
}

Parsed<NameAddr> read_name_addr(const Message& message, HeaderName name) {
  return read_single(message, name,
                     [&](std::string_view text) { return NameAddr::parse(text, message.limits()); });
}

Parsed<ParameterizedValue> read_parameterized(const Message& message, HeaderName name) {
  return read_single(message, name, [&](std::string_view text) {
    return ParameterizedValue::parse(text, message.limits());
  });
}

// callid = word [ "@" word ]; what is around the "@" is not looked into.
std::optional<std::string_view> parse_call_id(std::string_view text) {
  return consists_of(text, char_word) ? std::optional{text} : std::nullopt;
}

// --- defects ----------------------------------------------------------------------------------------------

constexpr std::array mandatory{HeaderName::via, HeaderName::from, HeaderName::to, HeaderName::call_id,
                               HeaderName::cseq};
// RFC 3261 section 7.3.1 in reverse: these are no lists.
constexpr std::array single{HeaderName::from,         HeaderName::to,
                            HeaderName::call_id,      HeaderName::cseq,
                            HeaderName::max_forwards, HeaderName::content_length,
                            HeaderName::content_type, HeaderName::expires,
                            HeaderName::event,        HeaderName::subscription_state};
constexpr std::array name_addr_lists{HeaderName::contact,
                                     HeaderName::route,
                                     HeaderName::record_route,
                                     HeaderName::path,
                                     HeaderName::service_route,
                                     HeaderName::p_asserted_identity,
                                     HeaderName::p_preferred_identity,
                                     HeaderName::p_associated_uri};

using MaybeError = std::optional<ParseError>;

template <typename T>
MaybeError error_of(const Parsed<T>& parsed) {
  return parsed ? std::nullopt : MaybeError{parsed.error()};
}
template <typename T>
MaybeError error_if_present(const Parsed<T>& parsed) {
  return parsed || parsed.error().defect == Defect::missing ? std::nullopt : MaybeError{parsed.error()};
}

// Counts the rows of every name in one pass.
MaybeError find_defect_in_counts(const Message& message) {
  std::array<std::uint8_t, header_name_count> counts{};
  for (std::size_t i = 0; i < message.header_count(); ++i)
    ++counts[static_cast<std::size_t>(message.header_name(i))];
  for (const HeaderName name : mandatory)
    if (counts[static_cast<std::size_t>(name)] == 0) return ParseError{Defect::missing, name};
  for (const HeaderName name : single)
    if (counts[static_cast<std::size_t>(name)] > 1) return ParseError{Defect::repeated, name};
  return std::nullopt;
}

MaybeError find_defect_in_vias(const Message& message) {
  ValueCursor values{message, HeaderName::via};
  std::size_t count = 0;
  while (const auto value = values.next()) {
    if (++count > message.limits().values_max) return ParseError{Defect::too_many_values, HeaderName::via};
    if (!Via::parse(*value, message.limits())) return ParseError{Defect::malformed, HeaderName::via};
  }
  return std::nullopt;
}

MaybeError find_defect_in_name_addrs(const Message& message, HeaderName name) {
  if (name == HeaderName::contact && has_wildcard_contact(message)) return std::nullopt;
  NameAddrCursor values{message, name};
  std::size_t count = 0;
  while (const auto value = values.next()) {
    if (++count > message.limits().values_max) return ParseError{Defect::too_many_values, name};
    if (!*value) return value->error();
  }
  return std::nullopt;
}

MaybeError find_defect_in_request(const Message& message) {
  const auto uri = request_uri(message);
  if (!uri) return uri.error();
  if (!uri->headers().empty()) return ParseError{Defect::uri_headers_in_request};
  if (const auto error = error_if_present(max_forwards(message))) return error;
  if (cseq(message)->method_text != message.method_text()) return ParseError{Defect::method_mismatch};
  return std::nullopt;
}

}  // namespace

Parsed<Uri> request_uri(const Message& message) {
  const auto uri = Uri::parse(message.request_uri_text(), message.limits());
  if (!uri) return std::unexpected(ParseError{Defect::malformed_request_uri});
  return *uri;
}

Parsed<Via> top_via(const Message& message) {
  const auto value = ValueCursor{message, HeaderName::via}.next();
  if (!value) return missing(HeaderName::via);
  const auto via = Via::parse(*value, message.limits());
  if (!via) return malformed(HeaderName::via);
  return *via;
}

Parsed<NameAddr> from(const Message& message) { return read_name_addr(message, HeaderName::from); }
Parsed<NameAddr> to(const Message& message) { return read_name_addr(message, HeaderName::to); }
Parsed<CSeq> cseq(const Message& message) { return read_single(message, HeaderName::cseq, CSeq::parse); }
Parsed<std::string_view> call_id(const Message& message) {
  return read_single(message, HeaderName::call_id, parse_call_id);
}

Parsed<std::uint8_t> max_forwards(const Message& message) {
  return read_single(message, HeaderName::max_forwards, [](std::string_view text) {
    const auto hops = parse_number(text, 255);
    return hops ? std::optional{static_cast<std::uint8_t>(*hops)} : std::nullopt;
  });
}

Parsed<std::uint32_t> expires(const Message& message) {
  return read_single(message, HeaderName::expires, parse_seconds);
}
Parsed<std::uint32_t> min_expires(const Message& message) {
  return read_single(message, HeaderName::min_expires, parse_seconds);
}
Parsed<MediaType> content_type(const Message& message) {
  return read_single(message, HeaderName::content_type,
                     [&](std::string_view text) { return MediaType::parse(text, message.limits()); });
}
Parsed<ParameterizedValue> event(const Message& message) {
  return read_parameterized(message, HeaderName::event);
}
Parsed<ParameterizedValue> subscription_state(const Message& message) {
  return read_parameterized(message, HeaderName::subscription_state);
}
Parsed<RAck> rack(const Message& message) { return read_single(message, HeaderName::rack, RAck::parse); }
Parsed<Params> charging_vector(const Message& message) {
  return read_single(message, HeaderName::p_charging_vector, [&](std::string_view text) {
    return Params::parse(text, ParamStyle::header_list, message.limits().params_max);
  });
}

Parsed<Credentials> credentials(const Message& message, HeaderName name) {
  return read_single(message, name,
                     [&](std::string_view text) { return Credentials::parse(text, message.limits()); });
}

std::optional<Credentials> find_credentials(const Message& message, HeaderName name, std::string_view scheme,
                                            std::string_view realm) {
  for (auto row = message.find_row(name); row; row = message.find_row(name, *row + 1)) {
    const auto found = Credentials::parse(message.header(*row).value, message.limits());
    if (found && equal_ignoring_case(found->scheme, scheme) && found->text("realm") == realm) return found;
  }
  return std::nullopt;
}

std::optional<Parsed<NameAddr>> NameAddrCursor::next() {
  const auto value = values_.next();
  if (!value) return std::nullopt;
  const auto address = NameAddr::parse(*value, limits_);
  if (!address) return Parsed<NameAddr>{malformed(name_)};
  return std::optional<Parsed<NameAddr>>{std::in_place, *address};
}

Parsed<NameAddr> first_name_addr(const Message& message, HeaderName name) {
  auto first = NameAddrCursor{message, name}.next();
  if (!first) return missing(name);
  return *first;
}

bool has_wildcard_contact(const Message& message) {
  const auto row = message.find_row(HeaderName::contact);
  return row && message.header(*row).value == "*" && !message.find_row(HeaderName::contact, *row + 1);
}

std::uint32_t contact_expires(const Message& message, const NameAddr& contact,
                              std::uint32_t seconds_default) {
  constexpr std::uint32_t seconds_if_malformed = 3600;
  if (const auto param = contact.params.find("expires"))
    return parse_seconds(param->value.value_or("")).value_or(seconds_if_malformed);
  const auto header = expires(message);
  if (header) return *header;
  return header.error().defect == Defect::missing ? seconds_default : seconds_if_malformed;
}

std::optional<std::chrono::seconds> retry_after(const Message& response) {
  const auto header = response.find(HeaderName::retry_after);
  if (!header) return std::nullopt;
  const std::string_view value = trimmed(header->value);
  const auto number = parse_number(value.substr(0, value.find_first_not_of("0123456789")), UINT32_MAX);
  return number ? std::optional{std::chrono::seconds{*number}} : std::nullopt;
}

bool accepts(const Message& message, std::string_view type, std::string_view subtype) {
  if (!message.has(HeaderName::accept) || names_accepted(message, type, subtype)) return true;
  return names_accepted(message, type, "*") || names_accepted(message, "*", "*");
}

bool names_accepted(const Message& message, std::string_view type, std::string_view subtype) {
  ValueCursor types{message, HeaderName::accept};
  while (const auto member = types.next()) {
    const auto media = MediaType::parse(*member, message.limits());
    if (!media || !media->is(type, subtype)) continue;
    const std::string_view quality = media->params.value("q").value_or("1");
    return quality.find_first_not_of("0.") != std::string_view::npos;
  }
  return false;
}

bool has_token(const Message& message, HeaderName name, std::string_view token) {
  ValueCursor values{message, name};
  while (const auto value = values.next())
    if (equal_ignoring_case(*value, token)) return true;
  return false;
}

std::optional<ParseError> find_defect(const Message& message) {
  if (const auto error = find_defect_in_counts(message)) return error;
  if (const auto error = find_defect_in_vias(message)) return error;
  if (const auto error = error_of(from(message))) return error;
  if (const auto error = error_of(to(message))) return error;
  if (const auto error = error_of(call_id(message))) return error;
  if (const auto error = error_of(cseq(message))) return error;
  if (const auto error = error_of(message.body())) return error;
  if (const auto error = error_if_present(content_type(message))) return error;
  for (const HeaderName name : name_addr_lists)
    if (const auto error = find_defect_in_name_addrs(message, name)) return error;
  return message.is_request() ? find_defect_in_request(message) : std::nullopt;
}

}  // namespace turnpike::sip
