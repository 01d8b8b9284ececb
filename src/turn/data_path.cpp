#include "turn/data_path.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "stun/channel_data.hpp"

namespace turnpike::turn {
namespace {

using stun::AttributeType;

// RFC 8656 section 11.5: what tells that a peer cannot be reached; nothing else of ICMP is relayed.
bool is_relayed_icmp(AddressFamily family, const stun::IcmpValue& icmp) {
  if (family == AddressFamily::ipv4) return icmp.type == 3 || icmp.type == 11;
  return icmp.type >= 1 && icmp.type <= 3;
}

// What fits a datagram to the client together with the longest prefix and padding.
constexpr std::size_t payload_max = 65507 - sizeof(Deliver::prefix) - 3;

constexpr std::size_t padding_of(std::size_t size) { return (4 - size % 4) % 4; }

}  // namespace

Allocation* DataPath::find_open(const ClientPath& from) {
  Allocation* allocation = core_->allocations.find(from);
  if (allocation != nullptr && allocation->is_open) return allocation;
  ++core_->counters.dropped_no_allocation;
  return nullptr;
}

std::optional<Forward> DataPath::on_channel_data(const ClientPath& from, Bytes datagram, Now now) {
  const auto data = stun::decode_channel_data(datagram);
  if (!data) {
    ++core_->counters.dropped_malformed;
    return std::nullopt;
  }
  Allocation* allocation = find_open(from);
  if (allocation == nullptr) return std::nullopt;
  const Channel* channel = allocation->peers.find_bound(data->channel);
  if (channel == nullptr || !channel->is_permitted) {
    ++core_->counters.dropped_no_permission;
    return std::nullopt;
  }
  return forward(*allocation, channel->peer, data->payload, false, now);
}

std::optional<Forward> DataPath::on_send_indication(const ClientPath& from, const stun::Message& indication,
                                                    Now now) {
  const auto peer = indication.xor_address(AttributeType::xor_peer_address);
  const auto payload = indication.find(AttributeType::data);
  if (!peer || !payload) {
    ++core_->counters.dropped_malformed;
    return std::nullopt;
  }
  Allocation* allocation = find_open(from);
  if (allocation == nullptr) return std::nullopt;
  // The permission is for an address; some of its ports may be closed (RFC 8656 section 11.2).
  if (!allocation->peers.permits(peer->ip) || !core_->allows(*allocation, *peer)) {
    ++core_->counters.dropped_no_permission;
    return std::nullopt;
  }
  return forward(*allocation, *peer, *payload, indication.has(AttributeType::dont_fragment), now);
}

std::optional<Forward> DataPath::forward(Allocation& allocation, const SocketAddress& peer, Bytes payload,
                                         bool dont_fragment, Now now) {
  Counters& counters = core_->counters;
  const RelayedAddress* relayed = allocation.find_relayed(peer.ip.family());
  if (relayed == nullptr) {  // of two families, the one was given up
    ++counters.dropped_no_permission;
    return std::nullopt;
  }
  if (!allocation.budget.take(payload.size(), now.mono)) {
    ++counters.dropped_rate;
    return std::nullopt;
  }
  ++counters.packets_from_clients;
  counters.bytes_from_clients += payload.size();
  ++allocation.traffic.packets_from_client;
  allocation.traffic.bytes_from_client += payload.size();
  return Forward{relayed->port, peer, payload, dont_fragment};
}

std::optional<Deliver> DataPath::on_peer_datagram(RelayPortId at, const SocketAddress& from, Bytes datagram,
                                                  Now now) {
  Counters& counters = core_->counters;
  Allocation* allocation = core_->allocations.find(at);
  if (allocation == nullptr || !allocation->is_open) {
    ++counters.dropped_no_allocation;
    return std::nullopt;
  }
  if (datagram.size() > payload_max) {
    ++counters.dropped_malformed;
    return std::nullopt;
  }
  // What a channel is bound to was allowed when it was bound.
  const Channel* channel = allocation->peers.find_bound(from);
  const bool may_pass = channel != nullptr
                            ? channel->is_permitted
                            : allocation->peers.permits(from.ip) && core_->allows(*allocation, from);
  if (!may_pass) {
    ++counters.dropped_no_permission;
    return std::nullopt;
  }
  if (!allocation->budget.take(datagram.size(), now.mono)) {
    ++counters.dropped_rate;
    return std::nullopt;
  }
  ++counters.packets_to_clients;
  counters.bytes_to_clients += datagram.size();
  ++allocation->traffic.packets_to_client;
  allocation->traffic.bytes_to_client += datagram.size();

  std::optional<Deliver> deliver{std::in_place};
  deliver->to = allocation->path;
  deliver->payload = datagram;
  if (channel == nullptr) {
    write_data_indication(*deliver, from, datagram.size());
    return deliver;
  }
  const auto header = stun::encode_channel_header(channel->number, datagram.size());
  std::copy(header.begin(), header.end(), deliver->prefix.begin());
  deliver->prefix_size = header.size();
  return deliver;
}

void DataPath::write_data_indication(Deliver& deliver, const SocketAddress& peer, std::size_t size) {
  stun::Writer writer{deliver.prefix, stun::Method::data, stun::Class::indication, core_->random.draw<12>()};
  writer.add_xor_address(AttributeType::xor_peer_address, peer).add_data_header(size);
  const auto prefix = writer.finish();
  check(prefix.has_value(), "a Data indication's head does not fit");
  deliver.prefix_size = static_cast<std::uint8_t>(prefix->size());
  deliver.padding = static_cast<std::uint8_t>(padding_of(size));
}

void DataPath::on_peer_icmp(RelayPortId at, const SocketAddress& peer, const stun::IcmpValue& icmp, Now now) {
  Allocation* allocation = core_->allocations.find(at);
  if (allocation == nullptr || !allocation->is_open) return;
  if (!is_relayed_icmp(peer.ip.family(), icmp) || !allocation->peers.permits(peer.ip)) return;
  std::array<Byte, 64> buffer;
  stun::Writer writer{buffer, stun::Method::data, stun::Class::indication, core_->random.draw<12>()};
  writer.add_xor_address(AttributeType::xor_peer_address, peer).add_icmp(icmp);
  const auto bytes = writer.finish();
  check(bytes.has_value(), "an ICMP indication does not fit");
  if (!allocation->budget.take(bytes->size(), now.mono)) {
    ++core_->counters.dropped_rate;
    return;
  }
  core_->effects.push(SendToClient{allocation->path, to_vector(*bytes)});
}

}  // namespace turnpike::turn
