#pragma once
// Where a message goes next: RFC 3261 section 16.6 step 7, RFC 3263. The shell resolves names.

#include <cstdint>
#include <string>
#include <string_view>

#include "sip/uri.hpp"

namespace turnpike::sip {

enum class Transport : std::uint8_t { udp, tcp };
std::string_view to_string(Transport transport);  // "UDP", "TCP": as in Via

struct Hop {
  Transport transport = Transport::udp;
  std::string host{};  // a name, "192.0.2.1" or "[2001:db8::1]"
  std::uint16_t port = 5060;
  [[nodiscard]] std::string to_string() const;  // "udp:192.0.2.1:5060"
  auto operator<=>(const Hop&) const = default;
};

// Of a sip URI: its host, port (5060 without one) and transport parameter (udp without one; what is neither
// udp nor tcp counts as udp). Of other URIs nothing.
std::optional<Hop> hop_of(const Uri& uri);

}  // namespace turnpike::sip
