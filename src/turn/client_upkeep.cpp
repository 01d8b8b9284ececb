#include "turn/client_upkeep.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "stun/channel_data.hpp"

namespace turnpike::turn {
namespace {

// A permission lives 300 s; each ChannelBind renews its peer's permission too, so that both are asked for
// again in time for all retransmissions (RFC 8656 sections 9 and 12).
constexpr std::chrono::seconds renewal{240};

template <typename Range>
std::optional<Instant> earliest_held(const Range& range, std::optional<Instant> earliest, auto is_held) {
  for (const auto& entry : range)
    if (is_held(entry) && (!earliest || entry.due < *earliest)) earliest = entry.due;
  return earliest;
}

std::uint16_t number_of(std::size_t place) {
  return static_cast<std::uint16_t>(stun::channel_number_min + place);
}

}  // namespace

void ClientUpkeep::want_permission(const SocketAddress& peer) {
  if (!find_permission(peer.ip)) permissions_.push_back({.peer = peer});
}

ClientChannel ClientUpkeep::want_channel(const SocketAddress& peer) {
  const auto found = std::find_if(channels_.begin(), channels_.end(),
                                  [&](const Channel& channel) { return channel.peer == peer; });
  const auto place = static_cast<std::size_t>(found - channels_.begin());
  if (found == channels_.end()) {
    check(number_of(place) <= stun::channel_number_max, "an allocation has at most 4096 channels");
    channels_.push_back({.peer = peer});
  } else if (found->state == State::dropped) {
    found->state = State::wanted;
  }
  return {peer, number_of(place)};
}

void ClientUpkeep::note_permissions_asked(const std::vector<SocketAddress>& peers) {
  for (const SocketAddress& peer : peers)
    if (Permission* permission = find_permission(peer.ip)) permission->state = State::asked;
}

void ClientUpkeep::note_channel_asked(std::uint16_t number) {
  if (Channel* channel = find_channel(number)) channel->state = State::asked;
}

void ClientUpkeep::keep_permissions(const std::vector<SocketAddress>& peers, Instant now) {
  for (const SocketAddress& peer : peers) {
    Permission* permission = find_permission(peer.ip);
    if (!permission) continue;
    permission->state = State::held;
    permission->due = now + renewal;
  }
}

void ClientUpkeep::keep_channel(std::uint16_t number, Instant now) {
  Channel* channel = find_channel(number);
  if (!channel) return;
  channel->state = State::held;
  channel->is_bound = true;
  channel->due = now + renewal;
}

void ClientUpkeep::drop_permissions(const std::vector<SocketAddress>& peers) {
  std::erase_if(permissions_, [&](const Permission& permission) {
    return std::any_of(peers.begin(), peers.end(),
                       [&](const SocketAddress& peer) { return peer.ip == permission.peer.ip; });
  });
}

// The place stays taken: the number may not go to another peer for as long as the server remembers it.
void ClientUpkeep::drop_channel(std::uint16_t number) {
  Channel* channel = find_channel(number);
  if (!channel) return;
  channel->state = State::dropped;
  channel->is_bound = false;
}

void ClientUpkeep::clear() {
  permissions_.clear();
  channels_.clear();
}

std::vector<SocketAddress> ClientUpkeep::wanted_permissions() const {
  std::vector<SocketAddress> peers;
  for (const Permission& permission : permissions_)
    if (permission.state == State::wanted) peers.push_back(permission.peer);
  return peers;
}

std::vector<ClientChannel> ClientUpkeep::wanted_channels() const {
  std::vector<ClientChannel> wanted;
  for (std::size_t i = 0; i < channels_.size(); ++i)
    if (channels_[i].state == State::wanted) wanted.push_back({channels_[i].peer, number_of(i)});
  return wanted;
}

std::vector<SocketAddress> ClientUpkeep::due_permissions(Instant now) const {
  std::vector<SocketAddress> peers;
  for (const Permission& permission : permissions_)
    if (permission.state == State::held && permission.due <= now) peers.push_back(permission.peer);
  return peers;
}

std::vector<ClientChannel> ClientUpkeep::due_channels(Instant now) const {
  std::vector<ClientChannel> due;
  for (std::size_t i = 0; i < channels_.size(); ++i)
    if (channels_[i].state == State::held && channels_[i].due <= now)
      due.push_back({channels_[i].peer, number_of(i)});
  return due;
}

std::optional<Instant> ClientUpkeep::next_due() const {
  const auto is_held = [](const auto& entry) { return entry.state == State::held; };
  return earliest_held(channels_, earliest_held(permissions_, std::nullopt, is_held), is_held);
}

std::optional<std::uint16_t> ClientUpkeep::find_bound_channel(const SocketAddress& peer) const {
  for (std::size_t i = 0; i < channels_.size(); ++i)
    if (channels_[i].is_bound && channels_[i].peer == peer) return number_of(i);
  return std::nullopt;
}

std::optional<SocketAddress> ClientUpkeep::find_peer(std::uint16_t number) const {
  const auto place = static_cast<std::size_t>(number - stun::channel_number_min);
  if (number < stun::channel_number_min || place >= channels_.size()) return std::nullopt;
  return channels_[place].peer;
}

ClientUpkeep::Permission* ClientUpkeep::find_permission(const IpAddress& peer) {
  const auto found = std::find_if(permissions_.begin(), permissions_.end(),
                                  [&](const Permission& permission) { return permission.peer.ip == peer; });
  return found == permissions_.end() ? nullptr : &*found;
}

ClientUpkeep::Channel* ClientUpkeep::find_channel(std::uint16_t number) {
  const auto place = static_cast<std::size_t>(number - stun::channel_number_min);
  return number >= stun::channel_number_min && place < channels_.size() ? &channels_[place] : nullptr;
}

}  // namespace turnpike::turn
