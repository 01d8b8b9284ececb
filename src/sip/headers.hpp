#pragma once
// What a message says, read when asked: the typed headers of RFC 3261 section 20 and its extensions. An error
// names the header and is `missing` where there is none.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sip/message.hpp"
#include "sip/values.hpp"

namespace turnpike::sip {

Parsed<Uri> request_uri(const Message& message);
Parsed<Via> top_via(const Message& message);
Parsed<NameAddr> from(const Message& message);
Parsed<NameAddr> to(const Message& message);
Parsed<CSeq> cseq(const Message& message);
Parsed<std::string_view> call_id(const Message& message);
Parsed<std::uint8_t> max_forwards(const Message& message);
Parsed<std::uint32_t> expires(const Message& message);      // seconds
Parsed<std::uint32_t> min_expires(const Message& message);  // seconds
Parsed<MediaType> content_type(const Message& message);
Parsed<ParameterizedValue> event(const Message& message);
Parsed<ParameterizedValue> subscription_state(const Message& message);
Parsed<RAck> rack(const Message& message);
Parsed<Params> charging_vector(const Message& message);

// The first row of Authorization, Proxy-Authorization, WWW-Authenticate or Proxy-Authenticate.
Parsed<Credentials> credentials(const Message& message, HeaderName name);
// The row with this scheme and realm; rows that are malformed or of other schemes do not count.
std::optional<Credentials> find_credentials(const Message& message, HeaderName name, std::string_view scheme,
                                            std::string_view realm);

// Contact, Route, Record-Route, Path, Service-Route, P-Associated-URI, P-Asserted-Identity and their like,
// one after the other over all rows. Nothing at the end, an error where a member is malformed.
class NameAddrCursor {
 public:
  NameAddrCursor(const Message& message, HeaderName name)
      : values_(message, name), name_(name), limits_(message.limits()) {}
  std::optional<Parsed<NameAddr>> next();

 private:
  ValueCursor values_;
  HeaderName name_;
  Limits limits_;
};
Parsed<NameAddr> first_name_addr(const Message& message, HeaderName name);

// "Contact: *", RFC 3261 section 10.2.2.
bool has_wildcard_contact(const Message& message);
// RFC 3261 section 10.2.1.1: the parameter, else Expires, else the default; 3600 for what is malformed.
std::uint32_t contact_expires(const Message& message, const NameAddr& contact, std::uint32_t seconds_default);

// Retry-After, RFC 3261 section 20.33, whatever comment and parameters stand behind. Nothing where it is
// missing or no number of 32 bits.
std::optional<std::chrono::seconds> retry_after(const Message& response);

// RFC 3261 section 20.1: whether Accept names the type, with or without wildcards. Without the header all
// types are taken that the method or the event package has by default: true.
bool accepts(const Message& message, std::string_view type, std::string_view subtype);
// Whether the Accept names this very type, or this wildcard, and with another quality than 0.
bool names_accepted(const Message& message, std::string_view type, std::string_view subtype);

// Require, Proxy-Require, Supported, Unsupported, Allow, Privacy: whether the token is in the list.
bool has_token(const Message& message, HeaderName name, std::string_view token);

// The first reason to refuse a message that parsed: RFC 3261 sections 8.1.1, 8.2, 16.3 and 18.3. A request is
// answered with it, a response is dropped. What a receiver does not have to understand is not looked at.
std::optional<ParseError> find_defect(const Message& message);

}  // namespace turnpike::sip
