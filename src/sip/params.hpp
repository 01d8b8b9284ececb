#pragma once
// Parameters as a view of checked text: ";tag=1;lr" of a header or a URI, "realm="a", nonce="b"" of
// credentials, "to=x&subject=y" of a URI's headers. Looking one up scans; nothing is copied.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/function_ref.hpp"
#include "sip/text.hpp"

namespace turnpike::sip {

struct Param {
  std::string_view whole;  // name, "=" and value, without the separator
  std::string_view name;
  std::optional<std::string_view> value;  // as it stands, quotes and escapes included

  [[nodiscard]] bool is_named(std::string_view other) const { return equal_ignoring_case(name, other); }
  // The value without quotes and their escapes; empty when there is none.
  [[nodiscard]] std::string text() const { return value ? unquoted(*value) : std::string{}; }
};

enum class ParamStyle : std::uint8_t {
  header,       // RFC 3261 generic-param: ";" before each, white space and quoted strings allowed
  header_list,  // the same with ";" between: P-Charging-Vector
  uri,          // uri-parameters: ";" before each
  uri_headers,  // "&" between
  auth,         // RFC 3261 auth-param: "," between, each has a value
};

class Params {
 public:
  Params() = default;
  // Takes the parameters that begin at the scanner and leaves it behind them. Nothing when one is malformed,
  // when a name stands twice (RFC 3261 section 7.3.1), or when there are more than `max`.
  static std::optional<Params> take(Scanner& scanner, ParamStyle style, std::size_t max);
  // All of the text.
  static std::optional<Params> parse(std::string_view text, ParamStyle style, std::size_t max);

  [[nodiscard]] std::optional<Param> find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name).has_value(); }
  // The value as it stands; nothing when the parameter is absent or has none.
  [[nodiscard]] std::optional<std::string_view> value(std::string_view name) const;
  void for_each(FunctionRef<void(const Param&)> visit) const;

  [[nodiscard]] std::string_view text() const { return text_; }  // with the first separator, if styled so
  [[nodiscard]] ParamStyle style() const { return style_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  Params(std::string_view text, ParamStyle style) : text_(text), style_(style) {}
  std::string_view text_;
  ParamStyle style_ = ParamStyle::header;
};

}  // namespace turnpike::sip
