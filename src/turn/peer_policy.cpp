#include "turn/peer_policy.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace turnpike::turn {
namespace {

constexpr std::array<std::string_view, 18> closed_v4{
    // the special-purpose address registry of IANA, with multicast and broadcast
    "0.0.0.0/8",      "10.0.0.0/8",     "100.64.0.0/10",   "127.0.0.0/8",     "169.254.0.0/16",
    "172.16.0.0/12",  "192.0.0.0/24",   "192.0.2.0/24",    "192.31.196.0/24", "192.52.193.0/24",
    "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",   "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4"};
constexpr std::array<std::string_view, 8> closed_v6{
    // outside of global unicast: loopback, IPv4-compatible, NAT64, discard-only; segment routing; unique
    // local,
    // link-local, site-local, multicast
    "::/3", "4000::/2", "8000::/1",
    // inside of it: IETF assignments (Teredo, benchmarking, ORCHID and more), documentation, 6to4, AS112
    "2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16", "2620:4f:8000::/48"};

std::vector<IpPrefix> parse_closed_prefixes() {
  std::vector<IpPrefix> prefixes;
  prefixes.reserve(closed_v4.size() + closed_v6.size());
  for (const std::string_view text : closed_v4) prefixes.push_back(*IpPrefix::parse(text));
  for (const std::string_view text : closed_v6) prefixes.push_back(*IpPrefix::parse(text));
  return prefixes;
}

struct EmbeddedAddresses {
  std::array<IpAddress, 2> addresses{};
  std::size_t count = 0;
  [[nodiscard]] const IpAddress* begin() const { return addresses.data(); }
  [[nodiscard]] const IpAddress* end() const { return addresses.data() + count; }
};

bool starts_with(Bytes bytes, std::initializer_list<Byte> prefix) {
  return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

IpAddress v4_at(Bytes bytes, std::size_t at, Byte mask = 0) {
  const auto byte = [&](std::size_t i) { return static_cast<Byte>(bytes[at + i] ^ mask); };
  return IpAddress::v4({byte(0), byte(1), byte(2), byte(3)});
}

// The IPv4 addresses that a translator or a tunnel would make of a canonical address.
EmbeddedAddresses find_embedded(const IpAddress& address) {
  if (address.is_v4()) return {};
  const Bytes bytes = address.bytes();
  if (starts_with(bytes, {0x20, 0x02})) return {{v4_at(bytes, 2)}, 1};  // RFC 3056: 6to4
  if (starts_with(bytes, {0x20, 0x01, 0, 0}))  // RFC 4380: Teredo's server, and its client inverted
    return {{v4_at(bytes, 4), v4_at(bytes, 12, 0xff)}, 2};
  const bool is_nat64 = starts_with(bytes, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0});    // RFC 6052
  const bool is_translated = starts_with(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0});  // RFC 2765
  // RFC 4291 section 2.5.5.1; :: and ::1 are none.
  const bool is_compatible = starts_with(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) &&
                             load_big<std::uint32_t>(bytes.data() + 12) > 1;
  if (is_nat64 || is_translated || is_compatible) return {{v4_at(bytes, 12)}, 1};
  return {};
}

bool is_loopback(const IpAddress& address) {
  return address.is_v4() ? address.bytes()[0] == 127
                         : address == IpAddress::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

template <typename Item>
void sort_unique(std::vector<Item>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

template <typename Item>
bool contains(const std::vector<Item>& sorted, const Item& item) {
  return std::binary_search(sorted.begin(), sorted.end(), item);
}

}  // namespace

PeerPolicy::PeerPolicy(const Settings& settings)
    : closed_(parse_closed_prefixes()),
      allowed_(settings.peers.allow),
      denied_(settings.peers.deny),
      port_min_(settings.relay_port_min),
      port_max_(settings.relay_port_max) {
  for (const RelayAddress& relay : settings.relay_addresses) {
    relays_.push_back(relay.bind.canonical());
    relays_.push_back(relay.advertised.canonical());
  }
  sort_unique(relays_);
  for (const SocketAddress& listener : settings.listeners) {
    const IpAddress ip = listener.ip.canonical();
    if (!contains(relays_, ip)) listeners_.push_back(ip);
    listener_ports_.push_back(listener.port);
  }
  sort_unique(listeners_);
  sort_unique(listener_ports_);
}

bool PeerPolicy::allows(const IpAddress& peer) const {
  const IpAddress address = peer.canonical();
  const EmbeddedAddresses embedded = find_embedded(address);
  return may_be_peer(address) && std::all_of(embedded.begin(), embedded.end(),
                                             [&](const IpAddress& each) { return may_be_peer(each); });
}

bool PeerPolicy::allows(const SocketAddress& peer) const {
  if (peer.port == 0) return false;
  const IpAddress address = peer.ip.canonical();
  const EmbeddedAddresses embedded = find_embedded(address);
  return may_be_peer(address, peer.port) &&
         std::all_of(embedded.begin(), embedded.end(),
                     [&](const IpAddress& each) { return may_be_peer(each, peer.port); });
}

bool PeerPolicy::may_be_peer(const IpAddress& address) const {
  if (contains(listeners_, address) || denied_.contains(address)) return false;
  return !closed_.contains(address) || allowed_.contains(address);
}

bool PeerPolicy::may_be_peer(const IpAddress& address, std::uint16_t port) const {
  if (!may_be_peer(address)) return false;
  if (is_relay_port(port) || !contains(relays_, address)) return true;
  return is_loopback(address) && !contains(listener_ports_, port);
}

bool PeerPolicy::is_relay_port(std::uint16_t port) const {
  return port >= port_min_ && port <= port_max_ && !contains(listener_ports_, port);
}

}  // namespace turnpike::turn
