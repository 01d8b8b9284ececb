#include "turn/plain_commons.hpp"

#include <algorithm>

#include "base/browser_ports.hpp"
#include "base/check.hpp"
#include "base/source_key.hpp"

namespace turnpike::turn {

namespace {

// A peer in a browser could not send to the others.
FreePorts usable_ports(const Settings& settings) {
  FreePorts ports{settings.relay_port_min, settings.relay_port_max};
  for (std::uint32_t port = settings.relay_port_min; port <= settings.relay_port_max; ++port)
    if (const auto number = static_cast<std::uint16_t>(port);
        ports.contains(number) && is_blocked_by_browsers(number))
      ports.remove(number);
  return ports;
}

}  // namespace

PlainCommons::PlainCommons(const Settings& settings, Random& random)
    : limits_(settings.limits), random_(&random), sources_(0, AddressHash{random.next_u64()}) {
  for (const RelayAddress& relay : settings.relay_addresses)
    if (find_pool(relay.bind) == nullptr)
      pools_.push_back({.bind = relay.bind, .free = usable_ports(settings)});
}

// --- ports ------------------------------------------------------------------------------------------------

std::optional<SocketAddress> PlainCommons::take_port(const IpAddress& bind, PortParity parity, Now now) {
  expire(now);
  Pool* pool = find_pool(bind);
  if (pool == nullptr) return std::nullopt;
  const auto choices = static_cast<std::uint32_t>(pool->free.count(parity));
  if (choices == 0) return std::nullopt;

  const std::uint16_t port = pool->free.select(parity, random_->below(choices));
  pool->free.remove(port);
  pool->taken.set(port);
  if (parity == PortParity::even_with_next_free) {
    const auto next = static_cast<std::uint16_t>(port + 1);
    pool->free.remove(next);
    pool->reserved.set(next);
    pool->awaiting_token.insert(port);
  }
  return SocketAddress{bind, port};
}

ReservationToken PlainCommons::reserve_next(const SocketAddress& even, Now now) {
  Pool& pool = pool_of(even.ip);
  check(pool.awaiting_token.erase(even.port) == 1, "a successor was reserved that is not held");
  const SocketAddress next{even.ip, static_cast<std::uint16_t>(even.port + 1)};
  ReservationToken token = random_->draw<8>();
  while (!reservations_.emplace(token, next).second) token = random_->draw<8>();
  reservation_ends_.push_back({now.mono + limits_.reservation_lifetime, token});
  return token;
}

std::optional<SocketAddress> PlainCommons::redeem(const ReservationToken& token, Now now) {
  expire(now);
  const auto found = reservations_.find(token);
  if (found == reservations_.end()) return std::nullopt;
  const SocketAddress address = found->second;
  reservations_.erase(found);
  Pool& pool = pool_of(address.ip);
  pool.reserved.reset(address.port);
  pool.taken.set(address.port);
  return address;
}

void PlainCommons::return_port(const SocketAddress& bind, Now now) {
  expire(now);
  Pool& pool = pool_of(bind.ip);
  check(pool.taken.test(bind.port), "a port was returned that is not taken");
  pool.taken.reset(bind.port);
  pool.resting.push_back({now.mono + limits_.relay_port_reuse_delay, bind.port});
  if (pool.awaiting_token.erase(bind.port) == 1)
    release_reserved(pool, static_cast<std::uint16_t>(bind.port + 1));
}

PlainCommons::PortCounts PlainCommons::count_ports(const IpAddress& bind, Now now) {
  expire(now);
  const Pool& pool = pool_of(bind);
  return {.free = pool.free.count(PortParity::any),
          .taken = pool.taken.count(),
          .resting = pool.resting.size(),
          .reserved = pool.reserved.count()};
}

PlainCommons::Pool* PlainCommons::find_pool(const IpAddress& bind) {
  const auto found =
      std::find_if(pools_.begin(), pools_.end(), [&](const Pool& pool) { return pool.bind == bind; });
  return found == pools_.end() ? nullptr : &*found;
}

PlainCommons::Pool& PlainCommons::pool_of(const IpAddress& bind) {
  Pool* pool = find_pool(bind);
  check(pool != nullptr, "a port of an address that is no relay address");
  return *pool;
}

// What has rested long enough is free, and so is what a token has held for too long.
void PlainCommons::expire(Now now) {
  for (Pool& pool : pools_) {
    while (!pool.resting.empty() && pool.resting.front().until <= now.mono) {
      pool.free.insert(pool.resting.front().port);
      pool.resting.pop_front();
    }
  }
  while (!reservation_ends_.empty() && reservation_ends_.front().until <= now.mono) {
    const auto found = reservations_.find(reservation_ends_.front().token);
    if (found != reservations_.end()) {  // not redeemed
      release_reserved(pool_of(found->second.ip), found->second.port);
      reservations_.erase(found);
    }
    reservation_ends_.pop_front();
  }
}

// Nobody has used it, so it need not rest.
void PlainCommons::release_reserved(Pool& pool, std::uint16_t port) {
  pool.reserved.reset(port);
  pool.free.insert(port);
}

// --- quotas -----------------------------------------------------------------------------------------------

std::expected<void, Commons::QuotaDenial> PlainCommons::admit(std::string_view subject,
                                                              const IpAddress& source,
                                                              std::uint32_t subject_max) {
  const IpAddress key = source_key(source);
  const auto of_subject = subjects_.find(subject);
  const auto of_source = sources_.find(key);
  const std::uint32_t most = subject_max == 0 ? limits_.allocations_per_subject : subject_max;
  if ((of_subject == subjects_.end() ? 0 : of_subject->second) >= most)
    return std::unexpected(QuotaDenial::subject);
  if ((of_source == sources_.end() ? 0 : of_source->second) >= limits_.allocations_per_source)
    return std::unexpected(QuotaDenial::source);
  if (admitted_ >= limits_.allocations_total) return std::unexpected(QuotaDenial::total);

  ++(of_subject == subjects_.end() ? subjects_[std::string{subject}] : of_subject->second);
  ++sources_[key];
  ++admitted_;
  return {};
}

void PlainCommons::release(std::string_view subject, const IpAddress& source) {
  const auto of_subject = subjects_.find(subject);
  const auto of_source = sources_.find(source_key(source));
  check(of_subject != subjects_.end() && of_source != sources_.end(), "a release without an admission");
  if (--of_subject->second == 0) subjects_.erase(of_subject);
  if (--of_source->second == 0) sources_.erase(of_source);
  --admitted_;
}

}  // namespace turnpike::turn
