#include "turn/peers.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace turnpike::turn {
namespace {

// The entry that matches, the last one found being tried first.
template <typename Entry, typename Matches>
const Entry* find_entry(const std::vector<Entry>& entries, std::uint16_t& last, Matches matches) {
  if (last < entries.size() && matches(entries[last])) return &entries[last];
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!matches(entries[i])) continue;
    last = static_cast<std::uint16_t>(i);
    return &entries[i];
  }
  return nullptr;
}

}  // namespace

const Channel* Peers::find_bound(std::uint16_t number) const {
  return find_entry(channels_, last_channel_,
                    [&](const Channel& channel) { return channel.number == number && channel.is_bound; });
}

const Channel* Peers::find_bound(const SocketAddress& peer) const {
  return find_entry(channels_, last_channel_,
                    [&](const Channel& channel) { return channel.peer == peer && channel.is_bound; });
}

bool Peers::may_bind(std::uint16_t number, const SocketAddress& peer) const {
  return std::all_of(channels_.begin(), channels_.end(), [&](const Channel& channel) {
    return (channel.number == number) == (channel.peer == peer);
  });
}

bool Peers::has_channel(std::uint16_t number) const {
  return std::any_of(channels_.begin(), channels_.end(),
                     [&](const Channel& channel) { return channel.number == number; });
}

bool Peers::permit(const IpAddress& peer, Instant until) {
  const auto found = std::find_if(permissions_.begin(), permissions_.end(),
                                  [&](const Permission& permission) { return permission.peer == peer; });
  if (found != permissions_.end()) {
    found->ends_at = until;
    return false;
  }
  permissions_.push_back({peer, until});
  set_permitted(peer, true);
  return true;
}

bool Peers::bind(std::uint16_t number, const SocketAddress& peer, Instant until) {
  const auto found = std::find_if(channels_.begin(), channels_.end(),
                                  [&](const Channel& channel) { return channel.number == number; });
  if (found == channels_.end()) {
    channels_.push_back({.peer = peer, .number = number, .is_permitted = permits(peer.ip), .ends_at = until});
    return true;
  }
  check(found->peer == peer, "a channel is bound to another peer");
  found->ends_at = until;
  return !std::exchange(found->is_bound, true);
}

std::size_t Peers::withdraw(FunctionRef<bool(const IpAddress&)> is_forbidden) {
  return std::erase_if(permissions_, [&](const Permission& permission) {
    if (!is_forbidden(permission.peer)) return false;
    set_permitted(permission.peer, false);
    return true;
  });
}

std::optional<Instant> Peers::next_deadline() const {
  std::optional<Instant> next;
  const auto consider = [&](Instant at) { next = next ? std::min(*next, at) : at; };
  for (const Permission& permission : permissions_) consider(permission.ends_at);
  for (const Channel& channel : channels_) consider(channel.ends_at);
  return next;
}

PeersExpired Peers::expire(Instant now, Duration channel_rest) {
  PeersExpired expired;
  std::erase_if(permissions_, [&](const Permission& permission) {
    if (permission.ends_at > now) return false;
    set_permitted(permission.peer, false);
    ++expired.permissions;
    return true;
  });
  for (Channel& channel : channels_) {
    if (!channel.is_bound || channel.ends_at > now) continue;
    channel.is_bound = false;
    channel.ends_at += channel_rest;
    ++expired.channels;
  }
  std::erase_if(channels_,
                [&](const Channel& channel) { return !channel.is_bound && channel.ends_at <= now; });
  return expired;
}

std::size_t Peers::bound_count() const {
  return static_cast<std::size_t>(std::count_if(channels_.begin(), channels_.end(),
                                                [](const Channel& channel) { return channel.is_bound; }));
}

const Peers::Permission* Peers::find_permission(const IpAddress& peer) const {
  return find_entry(permissions_, last_permission_,
                    [&](const Permission& permission) { return permission.peer == peer; });
}

void Peers::set_permitted(const IpAddress& peer, bool is_permitted) {
  for (Channel& channel : channels_)
    if (channel.peer.ip == peer) channel.is_permitted = is_permitted;
}

}  // namespace turnpike::turn
