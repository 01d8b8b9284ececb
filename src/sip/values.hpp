#pragma once
// The typed values of headers, as views. parse() takes one value without its neighbours in a list and gives
// nothing when the value does not follow its grammar; lists are cut by ValueCursor.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sip/limits.hpp"
#include "sip/message.hpp"
#include "sip/method.hpp"
#include "sip/params.hpp"
#include "sip/uri.hpp"

namespace turnpike::sip {

// From, To, Contact, Route, Record-Route, Path, Service-Route, P-Associated-URI, P-Asserted-Identity,
// P-Preferred-Identity, Refer-To: ["display"] "<" uri ">" params, or uri params.
struct NameAddr {
  std::string_view display{};   // as it stands; a quoted string with its quotes
  std::string_view uri_text{};  // without brackets
  Uri uri{};
  Params params{};
  std::string_view text{};

  static std::optional<NameAddr> parse(std::string_view text, const Limits& limits = {});
  [[nodiscard]] std::optional<std::string_view> tag() const { return params.value("tag"); }
};

// "SIP/2.0/WSS host:port;branch=z9hG4bK1;rport", RFC 3261 section 20.42.
struct Via {
  std::string_view transport{};
  std::string_view host{};  // of sent-by; an IPv6 address has its brackets
  std::optional<std::uint16_t> port{};
  Params params{};
  std::string_view text{};

  static std::optional<Via> parse(std::string_view text, const Limits& limits = {});
  [[nodiscard]] std::optional<std::string_view> branch() const { return params.value("branch"); }
  [[nodiscard]] std::optional<std::string_view> received() const { return params.value("received"); }
  // Whether it names a transaction as RFC 3261 section 8.1.1.7 has it: the magic cookie and more behind it.
  [[nodiscard]] bool has_rfc3261_branch() const;
};
inline constexpr std::string_view branch_cookie = "z9hG4bK";

struct CSeq {
  std::uint32_t number = 0;  // below 2^31
  Method method = Method::other;
  std::string_view method_text{};

  static std::optional<CSeq> parse(std::string_view text);
};

// A token or a quoted string with parameters: Event, Subscription-State, P-Visited-Network-ID,
// P-Access-Network-Info, Session-Expires, the members of Accept.
struct ParameterizedValue {
  std::string_view value{};  // as it stands
  Params params{};

  static std::optional<ParameterizedValue> parse(std::string_view text, const Limits& limits = {});
  [[nodiscard]] std::string text() const { return unquoted(value); }
  [[nodiscard]] bool is(std::string_view token) const { return equal_ignoring_case(value, token); }
};

// "application/sdp;charset=utf-8"
struct MediaType {
  std::string_view type{};
  std::string_view subtype{};
  Params params{};

  static std::optional<MediaType> parse(std::string_view text, const Limits& limits = {});
  [[nodiscard]] bool is(std::string_view wanted_type, std::string_view wanted_subtype) const {
    return equal_ignoring_case(type, wanted_type) && equal_ignoring_case(subtype, wanted_subtype);
  }
};

// Authorization, Proxy-Authorization, WWW-Authenticate, Proxy-Authenticate: a scheme and parameters, or, as
// RFC 6750 has it, a scheme and one token68. Authentication-Info has parameters without a scheme.
struct Credentials {
  std::string_view scheme{};
  Params params{};
  std::string_view token68{};

  static std::optional<Credentials> parse(std::string_view text, const Limits& limits = {});
  [[nodiscard]] bool is_digest() const { return equal_ignoring_case(scheme, "Digest"); }
  [[nodiscard]] bool is_bearer() const { return equal_ignoring_case(scheme, "Bearer"); }
  // The parameter without quotes; nothing when it is absent.
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  // TS 24.371: Bearer access_token="..."; RFC 8898: Bearer and the bare token.
  [[nodiscard]] std::optional<std::string> bearer_token() const;
};

// Expires, Min-Expires, and the expires parameter of a Contact: 0..2^32-1.
std::optional<std::uint32_t> parse_seconds(std::string_view text);

// RAck, RFC 3262 section 7.2.
struct RAck {
  std::uint32_t response_number = 0;
  CSeq cseq{};
  static std::optional<RAck> parse(std::string_view text);
};

// The next member of a list that is separated by commas outside of quotes and brackets; `list` loses it.
// Trimmed, and empty where the sender left one empty. Nothing at the end.
std::optional<std::string_view> take_list_member(std::string_view& list);

// The members of a header over all its rows, in order.
class ValueCursor {
 public:
  ValueCursor(const Message& message, HeaderName name) : message_(&message), name_(name) {}
  std::optional<std::string_view> next();

 private:
  const Message* message_;
  HeaderName name_;
  std::size_t row_ = 0;
  std::string_view rest_{};
  bool is_in_row_ = false;
};

}  // namespace turnpike::sip
