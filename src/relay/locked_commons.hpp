#pragma once
// The commons that all shards of a relay share (ADR 0003): a lock in front of their logic. Taken when an
// allocation begins or ends, never for a packet.

#include <mutex>

#include "turn/commons.hpp"

namespace turnpike::relay {

class LockedCommons final : public turn::Commons {
 public:
  // The commons behind it outlive it, and are used through it alone.
  explicit LockedCommons(turn::Commons& commons) : commons_(commons) {}

  std::optional<SocketAddress> take_port(const IpAddress& bind, turn::PortParity parity, Now now) override;
  turn::ReservationToken reserve_next(const SocketAddress& even, Now now) override;
  std::optional<SocketAddress> redeem(const turn::ReservationToken& token, Now now) override;
  void return_port(const SocketAddress& bind, Now now) override;
  std::expected<void, QuotaDenial> admit(std::string_view subject, const IpAddress& source,
                                         std::uint32_t subject_max) override;
  void release(std::string_view subject, const IpAddress& source) override;

 private:
  std::mutex mutex_;
  turn::Commons& commons_;
};

}  // namespace turnpike::relay
