#include "turn/allocate_request.hpp"

#include <algorithm>

namespace turnpike::turn {
namespace {

using stun::AttributeType;
using stun::ErrorCode;

constexpr std::uint8_t udp = 17;  // IANA's protocol number
constexpr std::size_t family_size = 4;

bool is_known(std::uint8_t family) {
  return family == static_cast<std::uint8_t>(AddressFamily::ipv4) ||
         family == static_cast<std::uint8_t>(AddressFamily::ipv6);
}

Outcome read_transport(const stun::Message& request) {
  const auto transport = request.requested_transport();
  if (!transport) return reject(ErrorCode::bad_request);
  if (*transport != udp) return reject(ErrorCode::unsupported_transport_protocol);
  return {};
}

Outcome read_families(const stun::Message& request, const Settings& settings, AllocateRequest& wanted) {
  const auto requested = read_requested_family(request, ErrorCode::address_family_not_supported);
  if (!requested) return std::unexpected(requested.error());
  const auto additional = request.address_family(AttributeType::additional_address_family);
  if (additional.is_absent()) {
    const AddressFamily family = requested->value_or(AddressFamily::ipv4);
    if (!supports(settings, family)) return reject(ErrorCode::address_family_not_supported);
    wanted.wants_ipv4 = family == AddressFamily::ipv4;
    wanted.wants_ipv6 = family == AddressFamily::ipv6;
    return {};
  }
  if (*requested) return reject(ErrorCode::bad_request);
  // RFC 8656 section 18.11: the only value is IPv6, in addition to IPv4.
  if (!additional || *additional != AddressFamily::ipv6) return reject(ErrorCode::bad_request);
  wanted.wants_ipv6 = true;
  return {};
}

Outcome read_port(const stun::Message& request, AllocateRequest& wanted) {
  const auto even = request.even_port();
  if (even.is_malformed()) return reject(ErrorCode::bad_request);
  if (even.is_absent()) return {};
  // RFC 8656 section 7.2: one token cannot reserve two ports.
  if (*even && wanted.wants_ipv4 && wanted.wants_ipv6) return reject(ErrorCode::bad_request);
  wanted.parity = *even ? PortParity::even_with_next_free : PortParity::even;
  return {};
}

// A token stands for a port whose properties were settled when it was reserved.
Outcome read_token(const stun::Message& request, AllocateRequest& wanted) {
  const auto token = request.reservation_token();
  if (token.is_malformed()) return reject(ErrorCode::bad_request);
  if (token.is_absent()) return {};
  for (const auto type : {AttributeType::even_port, AttributeType::requested_address_family,
                          AttributeType::additional_address_family})
    if (request.has(type)) return reject(ErrorCode::bad_request);
  wanted.token = *token;
  return {};
}

}  // namespace

bool supports(const Settings& settings, AddressFamily family) {
  return std::any_of(settings.relay_addresses.begin(), settings.relay_addresses.end(),
                     [&](const RelayAddress& address) { return address.bind.family() == family; });
}

std::expected<std::optional<AddressFamily>, Rejection> read_requested_family(const stun::Message& request,
                                                                             ErrorCode unsupported) {
  const auto value = request.find(AttributeType::requested_address_family);
  if (!value) return std::nullopt;
  if (value->size() != family_size) return reject(ErrorCode::bad_request);
  if (!is_known(value->front())) return reject(unsupported);
  return static_cast<AddressFamily>(value->front());
}

std::expected<std::optional<std::uint32_t>, Rejection> read_lifetime(const stun::Message& request) {
  const auto lifetime = request.u32(AttributeType::lifetime);
  if (lifetime.is_malformed()) return reject(ErrorCode::bad_request);
  if (lifetime.is_absent()) return std::nullopt;
  return *lifetime;
}

std::expected<AllocateRequest, Rejection> read_allocate(const stun::Message& request,
                                                        const Settings& settings) {
  AllocateRequest wanted;
  if (const auto read = read_transport(request); !read) return std::unexpected(read.error());
  if (const auto read = read_token(request, wanted); !read) return std::unexpected(read.error());
  if (!wanted.token) {
    if (const auto read = read_families(request, settings, wanted); !read)
      return std::unexpected(read.error());
    if (const auto read = read_port(request, wanted); !read) return std::unexpected(read.error());
  }
  const auto lifetime = read_lifetime(request);
  if (!lifetime) return std::unexpected(lifetime.error());
  wanted.lifetime = *lifetime;
  return wanted;
}

}  // namespace turnpike::turn
