#include "turn/allocate.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::ErrorCode;

namespace {

constexpr std::array families{AddressFamily::ipv4, AddressFamily::ipv6};

}  // namespace

Outcome AllocateMethod::on_request(const Exchange& exchange, const stun::Message& request,
                                   const Authentication& authentication, Allocation* existing, Now now) {
  if (existing != nullptr) {
    const bool is_repeated =
        existing->allocate.is_for(exchange.id) && existing->grant->username == authentication.grant->username;
    if (!is_repeated) return reject(ErrorCode::allocation_mismatch);
    answer(exchange, *existing);
    return {};
  }
  const auto wanted = read_allocate(request, core_->settings);
  if (!wanted) return std::unexpected(wanted.error());
  const auto lifetime = grant_lifetime(wanted->lifetime, *authentication.grant, authentication.is_by_token,
                                       core_->settings, now.wall);
  if (!lifetime) return std::unexpected(Rejection{ErrorCode::unauthenticated, credentials::Refusal::expired});
  if (const auto admitted = admit(*authentication.grant, exchange.from); !admitted) return admitted;
  return begin(exchange, *wanted, *lifetime, authentication.is_by_token, now);
}

Outcome AllocateMethod::admit(const credentials::Grant& grant, const ClientPath& from) {
  if (core_->is_draining || core_->is_shut_down) return reject(ErrorCode::allocation_quota_reached);
  const auto admitted = core_->commons.admit(grant.subject, from.client.ip, core_->allocations_max(grant));
  if (!admitted) return reject(ErrorCode::allocation_quota_reached);
  return {};
}

// A token is redeemed after the quota has admitted, so that a client that has to wait keeps its reservation.
Outcome AllocateMethod::begin(const Exchange& exchange, const AllocateRequest& wanted,
                              const GrantedLifetime& lifetime, bool is_token, Now now) {
  std::optional<SocketAddress> reserved;
  if (wanted.token) {
    reserved = core_->commons.redeem(*wanted.token, now);
    if (!reserved) {
      core_->commons.release(exchange.grant->subject, exchange.from.client.ip);
      return reject(ErrorCode::insufficient_capacity);
    }
  }
  Allocation& allocation =
      core_->allocations.insert(exchange.from, exchange.grant, core_->bytes_per_second(*exchange.grant));
  allocation.is_token = is_token;
  Opening opening{.exchange = exchange,
                  .allocation = &allocation,
                  .parity = wanted.parity,
                  .lifetime = lifetime,
                  .to_open = {wanted.wants_ipv4, wanted.wants_ipv6},
                  .is_dual = wanted.wants_ipv4 && wanted.wants_ipv6};
  if (!reserved) {
    proceed(std::move(opening), now);
    return {};
  }
  opening.family = reserved->ip.is_v4() ? 0 : 1;
  opening.to_open = {};
  opening.is_redeemed = true;
  ask_for_port(std::move(opening), *reserved);
  return {};
}

void AllocateMethod::proceed(Opening opening, Now now) {
  for (opening.family = 0; opening.family < families.size(); ++opening.family)
    if (opening.to_open[opening.family] && take_port(opening, now)) return;
  finish(opening, now);
}

// Asks every relay address of the family, from a random one on, until one has a port. False: none has.
bool AllocateMethod::take_port(Opening& opening, Now now) {
  const auto& addresses = core_->settings.relay_addresses;
  const auto count = static_cast<std::uint32_t>(addresses.size());
  const std::uint32_t first = count > 1 ? core_->random.below(count) : 0;
  for (std::uint32_t i = 0; i < count && opening.attempts < core_->settings.limits.port_attempts; ++i) {
    const RelayAddress& address = addresses[(first + i) % count];
    if (address.bind.family() != families[opening.family]) continue;
    const auto port = core_->commons.take_port(address.bind, opening.parity, now);
    if (!port) continue;
    ask_for_port(std::move(opening), *port);
    return true;
  }
  opening.to_open[opening.family] = false;
  opening.attempts = 0;
  return false;
}

void AllocateMethod::ask_for_port(Opening opening, const SocketAddress& bind) {
  const auto& addresses = core_->settings.relay_addresses;
  const auto found = std::find_if(addresses.begin(), addresses.end(),
                                  [&](const RelayAddress& address) { return address.bind == bind.ip; });
  check(found != addresses.end(), "a port of an address that is no relay address");
  const RelayPortId port = core_->allocations.take_port_id(*opening.allocation);
  opening.allocation->relayed_by_family[opening.family] = {
      .port = port, .number = bind.port, .address = static_cast<std::uint16_t>(found - addresses.begin())};
  openings_.insert_or_assign(port, std::move(opening));
  core_->effects.push(OpenPort{port, bind});
}

void AllocateMethod::on_port_opened(Allocation& allocation, RelayPortId port, bool opened, Now now) {
  auto node = openings_.extract(port);
  if (node.empty()) return;
  Opening opening = std::move(node.mapped());
  if (opened) {
    opening.to_open[opening.family] = false;
    opening.attempts = 0;
  } else {
    RelayedAddress& relayed = allocation.relayed_by_family[opening.family];
    core_->release_port(relayed, now);
    relayed = {};
    ++opening.attempts;
  }
  proceed(std::move(opening), now);
}

// RFC 8656 section 7.2: an allocation of both families has what can be had, and is told what cannot.
std::uint16_t AllocateMethod::missing_family_error(const Allocation& allocation) const {
  for (const AddressFamily family : families) {
    if (allocation.find_relayed(family) != nullptr) continue;
    return static_cast<std::uint16_t>(supports(core_->settings, family)
                                          ? ErrorCode::insufficient_capacity
                                          : ErrorCode::address_family_not_supported);
  }
  return 0;
}

void AllocateMethod::finish(const Opening& opening, Now now) {
  Allocation& allocation = *opening.allocation;
  if (allocation.first_relayed() == nullptr) return give_up(opening, {ErrorCode::insufficient_capacity}, now);
  if (core_->is_shut_down) return give_up(opening, {ErrorCode::allocation_quota_reached}, now);
  // Revoked while its ports were being opened.
  if (core_->registry.is_revoked(*allocation.grant, now.wall))
    return give_up(opening, {ErrorCode::unauthenticated, credentials::Refusal::revoked}, now);

  allocation.is_open = true;
  allocation.allocate = {opening.exchange.id, static_cast<std::uint32_t>(opening.lifetime.lifetime.count()),
                         true};
  allocation.ends_with_credential = opening.lifetime.is_bounded_by_credential;
  for (RelayedAddress& relayed : allocation.relayed_by_family)
    if (relayed.number != 0) relayed.ends_at = now.mono + opening.lifetime.lifetime;
  if (opening.is_dual) allocation.additional_family_error = missing_family_error(allocation);
  if (opening.parity == PortParity::even_with_next_free)
    allocation.reservation = core_->commons.reserve_next(core_->bound(*allocation.first_relayed()), now);
  core_->allocations.schedule(allocation);
  ++core_->counters.allocations_created;
  ++core_->counters.allocations_active;
  answer(opening.exchange, allocation);
  core_->effects.push(AllocationCreated{.path = allocation.path,
                                        .grant = allocation.grant,
                                        .relayed = core_->advertised(*allocation.first_relayed()),
                                        .lifetime = opening.lifetime.lifetime});
}

void AllocateMethod::give_up(const Opening& opening, const Rejection& rejection, Now now) {
  Allocation& allocation = *opening.allocation;
  for (const RelayedAddress& relayed : allocation.relayed_by_family) {
    if (relayed.number == 0) continue;
    core_->effects.push(ClosePort{relayed.port});
    core_->release_port(relayed, now);
  }
  core_->commons.release(allocation.grant->subject, allocation.path.client.ip);
  core_->allocations.erase(allocation);
  core_->refuse(opening.exchange, rejection, now);
}

void AllocateMethod::answer(const Exchange& exchange, const Allocation& allocation) {
  core_->answers.succeed(exchange, [&](stun::Writer& writer) {
    for (const AddressFamily family : families)
      if (const RelayedAddress* relayed = allocation.find_relayed(family))
        writer.add_xor_address(AttributeType::xor_relayed_address, core_->advertised(*relayed));
    writer.add_u32(AttributeType::lifetime, allocation.allocate.lifetime);
    if (allocation.reservation) writer.add(AttributeType::reservation_token, *allocation.reservation);
    if (allocation.additional_family_error != 0) {
      const bool has_ipv4 = allocation.find_relayed(AddressFamily::ipv4) != nullptr;
      writer.add_address_error(has_ipv4 ? AddressFamily::ipv6 : AddressFamily::ipv4,
                               static_cast<ErrorCode>(allocation.additional_family_error));
    }
    writer.add_xor_address(AttributeType::xor_mapped_address, exchange.from.client);
  });
}

}  // namespace turnpike::turn
