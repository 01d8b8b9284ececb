#pragma once
// What an Allocate request asks for, checked in the order of RFC 8656 section 7.2 as far as the request alone
// decides.

#include <cstdint>
#include <expected>
#include <optional>

#include "stun/message.hpp"
#include "turn/commons.hpp"
#include "turn/exchange.hpp"
#include "turn/settings.hpp"

namespace turnpike::turn {

struct AllocateRequest {
  bool wants_ipv4 = true;
  bool wants_ipv6 = false;  // both: what cannot be had is told by ADDRESS-ERROR-CODE
  PortParity parity = PortParity::any;
  std::optional<ReservationToken> token{};
  std::optional<std::uint32_t> lifetime{};
};

bool supports(const Settings& settings, AddressFamily family);

// REQUESTED-ADDRESS-FAMILY, if any; a family that nobody knows is refused with `unsupported`.
std::expected<std::optional<AddressFamily>, Rejection> read_requested_family(const stun::Message& request,
                                                                             stun::ErrorCode unsupported);
std::expected<std::optional<std::uint32_t>, Rejection> read_lifetime(const stun::Message& request);
std::expected<AllocateRequest, Rejection> read_allocate(const stun::Message& request,
                                                        const Settings& settings);

}  // namespace turnpike::turn
