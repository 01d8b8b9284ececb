#include "sip/hop.hpp"

#include "sip/text.hpp"

namespace turnpike::sip {
namespace {

constexpr std::uint16_t port_default = 5060;

}  // namespace

std::string_view to_string(Transport transport) { return transport == Transport::udp ? "UDP" : "TCP"; }

std::string Hop::to_string() const {
  return (transport == Transport::udp ? "udp:" : "tcp:") + host + ':' + std::to_string(port);
}

std::optional<Hop> hop_of(const Uri& uri) {
  if (!uri.is_sip()) return std::nullopt;
  const auto transport = uri.params().value("transport");
  const bool is_tcp = transport && equal_ignoring_case(*transport, "tcp");
  return Hop{.transport = is_tcp ? Transport::tcp : Transport::udp,
             .host = std::string{uri.host()},
             .port = uri.port().value_or(port_default)};
}

}  // namespace turnpike::sip
