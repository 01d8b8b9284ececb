#pragma once
// An http or https URL (RFC 9110 section 4.2) in the parts that a client needs.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike {

struct HttpUrl {
  bool is_secure = true;  // https
  std::string host{};     // a name in lower case, or an address without brackets
  std::uint16_t port = 443;
  std::string target{};  // path and query, from its "/" on

  // Nothing for another scheme, user names (which hide where a URL leads), control characters and spaces. A
  // fragment is dropped.
  static std::optional<HttpUrl> parse(std::string_view text);

  // Where a reference of a document that came from here leads (RFC 3986 section 5.2): a Location, an action.
  [[nodiscard]] std::optional<HttpUrl> resolve(std::string_view reference) const;

  // "localhost", 127.0.0.0/8 or ::1: no network between us and the other side.
  [[nodiscard]] bool is_loopback() const;
  // What is sent as Host: with brackets around an IPv6 address, without the scheme's own port.
  [[nodiscard]] std::string authority() const;
  // Connections to equal origins are interchangeable: "https://host:443".
  [[nodiscard]] std::string origin() const;
  [[nodiscard]] std::string to_string() const;
  bool operator==(const HttpUrl&) const = default;
};

}  // namespace turnpike
