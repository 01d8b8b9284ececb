#pragma once
// What the shards of one relay own together: relay ports, quotas and reservations (RFC 8656 sections 7.2 and
// 7.1). Touched once per allocation, never per packet. PlainCommons is the logic, for one thread;
// the relay puts a lock in front of it.

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "base/address.hpp"
#include "base/time.hpp"

namespace turnpike::turn {

using ReservationToken = std::array<Byte, 8>;

enum class PortParity : std::uint8_t { any, even, even_with_next_free };

class Commons {
 public:
  virtual ~Commons() = default;

  // A random free port of a relay address, not handed out during the reuse delay. Nothing: none is left.
  virtual std::optional<SocketAddress> take_port(const IpAddress& bind, PortParity parity, Now now) = 0;
  // The port next to an even one that take_port gave with even_with_next_free, now held by a token.
  virtual ReservationToken reserve_next(const SocketAddress& even, Now now) = 0;
  // Consumes the token. Nothing: unknown, expired, or used.
  virtual std::optional<SocketAddress> redeem(const ReservationToken& token, Now now) = 0;
  // `used` ports rest for the reuse delay; those that could not be bound (`used` false) too, since somebody
  // else has them.
  virtual void return_port(const SocketAddress& bind, Now now) = 0;

  // Counts one more allocation of the subject, from the source address, and in total; all or nothing.
  enum class QuotaDenial : std::uint8_t { subject, source, total };
  virtual std::expected<void, QuotaDenial> admit(std::string_view subject, const IpAddress& source,
                                                 std::uint32_t subject_max) = 0;
  virtual void release(std::string_view subject, const IpAddress& source) = 0;
};

}  // namespace turnpike::turn
