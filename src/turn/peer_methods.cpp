#include "turn/peer_methods.hpp"

#include <algorithm>

#include "stun/channel_data.hpp"

namespace turnpike::turn {
namespace {

using stun::AttributeType;
using stun::ErrorCode;

void say_nothing_more(stun::Writer&) {}

// RFC 5766 section 11 had the numbers up to 0x7fff, and its clients still draw from them.
bool is_channel_number(std::uint16_t number) {
  return number >= stun::channel_number_min && number <= stun::channel_number_rfc5766_max;
}

}  // namespace

// One bad peer refuses the whole request, so all are looked at before any is permitted.
Outcome PeerMethods::create_permission(const Exchange& exchange, const stun::Message& request,
                                       Allocation& allocation, Now now) {
  const auto peers = read_peers(request);
  if (!peers) return std::unexpected(peers.error());
  if (const auto allowed = may_permit(allocation, *peers); !allowed) return allowed;
  for (const IpAddress& peer : *peers) core_->permit(allocation, peer, now);
  core_->allocations.schedule(allocation);
  core_->answers.succeed(exchange, say_nothing_more);
  return {};
}

// Each address once, sorted.
std::expected<std::vector<IpAddress>, Rejection> PeerMethods::read_peers(const stun::Message& request) const {
  std::vector<IpAddress> peers;
  bool is_malformed = false;
  request.for_each([&](AttributeType type, Bytes value) {
    if (type != AttributeType::xor_peer_address) return;
    const auto peer = request.to_xor_address(value);
    if (peer)
      peers.push_back(peer->ip);
    else
      is_malformed = true;
  });
  if (is_malformed || peers.empty()) return reject(ErrorCode::bad_request);
  if (peers.size() > core_->settings.limits.peers_per_request)
    return reject(ErrorCode::insufficient_capacity);
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return peers;
}

Outcome PeerMethods::may_permit(const Allocation& allocation, const std::vector<IpAddress>& peers) const {
  for (const IpAddress& peer : peers)
    if (allocation.find_relayed(peer.family()) == nullptr)
      return reject(ErrorCode::peer_address_family_mismatch);
  for (const IpAddress& peer : peers)
    if (!core_->allows(allocation, peer)) return reject(ErrorCode::forbidden);
  const auto added = static_cast<std::size_t>(std::count_if(
      peers.begin(), peers.end(), [&](const IpAddress& peer) { return !allocation.peers.permits(peer); }));
  if (allocation.peers.permission_count() + added > core_->settings.limits.permissions_per_allocation)
    return reject(ErrorCode::insufficient_capacity);
  return {};
}

Outcome PeerMethods::bind_channel(const Exchange& exchange, const stun::Message& request,
                                  Allocation& allocation, Now now) {
  const Limits& limits = core_->settings.limits;
  const auto number = request.channel_number();
  const auto peer = request.xor_address(AttributeType::xor_peer_address);
  if (!number || !is_channel_number(*number) || !peer || peer->port == 0)
    return reject(ErrorCode::bad_request);
  if (!allocation.peers.may_bind(*number, *peer)) return reject(ErrorCode::bad_request);
  if (allocation.find_relayed(peer->ip.family()) == nullptr)
    return reject(ErrorCode::peer_address_family_mismatch);
  if (!core_->allows(allocation, *peer)) return reject(ErrorCode::forbidden);
  const bool is_full = !allocation.peers.has_channel(*number) &&
                       allocation.peers.channel_count() >= limits.channels_per_allocation;
  if (is_full) return reject(ErrorCode::insufficient_capacity);
  if (const auto allowed = may_permit(allocation, {peer->ip}); !allowed) return allowed;

  if (allocation.peers.bind(*number, *peer, now.mono + limits.channel_lifetime))
    ++core_->counters.channels_active;
  core_->permit(allocation, peer->ip, now);  // RFC 8656 section 12.2: so does a refreshed binding
  core_->allocations.schedule(allocation);
  core_->answers.succeed(exchange, say_nothing_more);
  return {};
}

}  // namespace turnpike::turn
