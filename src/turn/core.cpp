#include "turn/core.hpp"

#include <algorithm>

namespace turnpike::turn {

using stun::ErrorCode;

Core::Core(const Settings& chosen, credentials::Registry& sources, const credentials::NonceMint& nonces,
           Commons& shared, Random& generator)
    : settings(chosen),
      registry(sources),
      commons(shared),
      random(generator),
      policy(chosen),
      limiter(chosen.limits.unauthorized_per_second_per_source, generator.next_u64()),
      authenticator(sources, nonces),
      answers(chosen.software, effects),
      allocations(generator.next_u64()),
      deletions(generator.next_u64()) {}

void Core::refuse(const Exchange& exchange, const Rejection& rejection, Now now) {
  if (rejection.reason) ++counters.refusals[static_cast<std::size_t>(*rejection.reason)];
  const bool is_stranger = exchange.grant == nullptr;
  if (is_stranger && !limiter.admit(exchange.from.client.ip, now.mono)) {
    ++counters.challenges_suppressed;
    return;
  }
  const bool is_challenge =
      rejection.code == ErrorCode::unauthenticated || rejection.code == ErrorCode::stale_nonce;
  counters.challenges += is_challenge ? 1 : 0;
  answers.refuse(exchange, rejection.code, [&](stun::Writer& writer) {
    if (is_challenge) authenticator.add_challenge(writer, exchange.from.client, now.wall);
    if (rejection.code == ErrorCode::unknown_attribute) writer.add_unknown_attributes(rejection.unknown);
  });
  effects.push(Refused{exchange.from, exchange.method, rejection.code, rejection.reason});
}

namespace {

// A credential may narrow what the server allows, and never widens it.
bool is_among(const std::vector<IpPrefix>& allowed_peers, const IpAddress& peer) {
  if (allowed_peers.empty()) return true;
  const IpAddress canonical = peer.canonical();
  return std::any_of(allowed_peers.begin(), allowed_peers.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(canonical); });
}

}  // namespace

bool Core::allows(const Allocation& allocation, const IpAddress& peer) const {
  return policy.allows(peer) && is_among(allocation.grant->policy.allowed_peers, peer);
}

bool Core::allows(const Allocation& allocation, const SocketAddress& peer) const {
  return policy.allows(peer) && is_among(allocation.grant->policy.allowed_peers, peer.ip);
}

void Core::permit(Allocation& allocation, const IpAddress& peer, Now now) {
  if (allocation.peers.permit(peer, now.mono + settings.limits.permission_lifetime))
    ++counters.permissions_active;
}

std::uint32_t Core::allocations_max(const credentials::Grant& grant) const {
  const std::uint32_t own = grant.policy.allocations_max;
  return own != 0 ? own : settings.limits.allocations_per_subject;
}

std::uint64_t Core::bytes_per_second(const credentials::Grant& grant) const {
  const std::uint64_t own = grant.policy.bytes_per_second;
  return own != 0 ? own : settings.limits.bytes_per_second_per_allocation;
}

void Core::release_port(const RelayedAddress& relayed, Now now) {
  commons.return_port(bound(relayed), now);
  allocations.free_port_id(relayed.port);
}

void Core::end_relayed(Allocation& allocation, RelayedAddress& relayed, EndReason reason, Now now) {
  const auto count = std::count_if(allocation.relayed_by_family.begin(), allocation.relayed_by_family.end(),
                                   [](const RelayedAddress& each) { return each.number != 0; });
  if (count == 1) return end(allocation, reason, now);
  effects.push(ClosePort{relayed.port});
  release_port(relayed, now);
  relayed = {};
  allocations.schedule(allocation);
}

void Core::end(Allocation& allocation, EndReason reason, Now now) {
  for (const RelayedAddress& relayed : allocation.relayed_by_family) {
    if (relayed.number == 0) continue;
    effects.push(ClosePort{relayed.port});
    release_port(relayed, now);
  }
  commons.release(allocation.grant->subject, allocation.path.client.ip);
  counters.permissions_active -= allocation.peers.permission_count();
  counters.channels_active -= allocation.peers.bound_count();
  ++counters.allocations_ended;
  --counters.allocations_active;
  const Traffic& traffic = allocation.traffic;
  effects.push(AllocationEnded{.path = allocation.path,
                               .grant = allocation.grant,
                               .reason = reason,
                               .bytes_from_client = traffic.bytes_from_client,
                               .bytes_to_client = traffic.bytes_to_client,
                               .packets_from_client = traffic.packets_from_client,
                               .packets_to_client = traffic.packets_to_client});
  allocations.erase(allocation);
}

void Core::expire_due(Now now) {
  while (Allocation* allocation = allocations.find_due(now.mono)) expire(*allocation, now);
  deletions.on_timeout(now.mono);
}

void Core::expire(Allocation& allocation, Now now) {
  const auto reason = allocation.ends_with_credential ? EndReason::credential_expired : EndReason::expired;
  auto& [v4, v6] = allocation.relayed_by_family;
  const auto has_ended = [&](const RelayedAddress& each) {
    return each.number == 0 || each.ends_at <= now.mono;
  };
  if (has_ended(v4) && has_ended(v6)) return end(allocation, reason, now);
  for (RelayedAddress* relayed : {&v4, &v6})
    if (relayed->number != 0 && has_ended(*relayed)) end_relayed(allocation, *relayed, reason, now);
  const auto expired = allocation.peers.expire(now.mono, settings.limits.channel_rebind_delay);
  counters.permissions_active -= expired.permissions;
  counters.channels_active -= expired.channels;
  allocations.schedule(allocation);
}

}  // namespace turnpike::turn
