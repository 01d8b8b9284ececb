#include "relay/locked_commons.hpp"

namespace turnpike::relay {

std::optional<SocketAddress> LockedCommons::take_port(const IpAddress& bind, turn::PortParity parity,
                                                      Now now) {
  const std::scoped_lock lock{mutex_};
  return commons_.take_port(bind, parity, now);
}

turn::ReservationToken LockedCommons::reserve_next(const SocketAddress& even, Now now) {
  const std::scoped_lock lock{mutex_};
  return commons_.reserve_next(even, now);
}

std::optional<SocketAddress> LockedCommons::redeem(const turn::ReservationToken& token, Now now) {
  const std::scoped_lock lock{mutex_};
  return commons_.redeem(token, now);
}

void LockedCommons::return_port(const SocketAddress& bind, Now now) {
  const std::scoped_lock lock{mutex_};
  commons_.return_port(bind, now);
}

std::expected<void, turn::Commons::QuotaDenial> LockedCommons::admit(std::string_view subject,
                                                                     const IpAddress& source,
                                                                     std::uint32_t subject_max) {
  const std::scoped_lock lock{mutex_};
  return commons_.admit(subject, source, subject_max);
}

void LockedCommons::release(std::string_view subject, const IpAddress& source) {
  const std::scoped_lock lock{mutex_};
  commons_.release(subject, source);
}

}  // namespace turnpike::relay
