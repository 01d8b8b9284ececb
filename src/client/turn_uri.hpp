#pragma once
// turn: URIs (RFC 7065) as far as they name something that we can reach: UDP. Errors are whole sentences for
// the person who typed the URI.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace turnpike::client {

inline constexpr std::uint16_t turn_port_default = 3478;

struct TurnUri {
  std::string host;  // a name or an IP literal, without brackets
  std::uint16_t port = turn_port_default;
  bool operator==(const TurnUri&) const = default;
  [[nodiscard]] std::string to_string() const;
};

std::expected<TurnUri, std::string> parse_turn_uri(std::string_view text);

}  // namespace turnpike::client
