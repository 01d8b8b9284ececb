#pragma once
// turn: and turns: URIs (RFC 7065) as a credential names them, told apart by transport.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::provisioning {

struct TurnUri {
  bool is_secure = false;        // turns:
  std::string_view host{};       // without the brackets of an IPv6 address
  std::uint16_t port = 0;        // 3478, or 5349 of turns:, where none stands
  std::string_view transport{};  // "udp" or "tcp": udp of turn: and tcp of turns:, where none stands

  // Views of the text. Nothing for every other URI: RFC 7065 has no user, no slashes and no other query.
  static std::optional<TurnUri> parse(std::string_view text);
};

// "udp" and "tcp" in any case, as the constant in lower case.
std::optional<std::string_view> find_transport(std::string_view name);

}  // namespace turnpike::provisioning
