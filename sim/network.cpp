#include "sim/network.hpp"

#include <utility>

#include "base/check.hpp"

namespace turnpike::sim {
namespace {

std::size_t packet_size(const Datagram& datagram) {
  return datagram.bytes.size() + (datagram.to.ip.is_v4() ? 28U : 48U);
}

}  // namespace

void Network::attach(const IpAddress& address, Node& node, const LinkSettings& link) {
  const bool is_new =
      places_.try_emplace(address, Place{&node, Link{link, world_->fork()}, Link{link, world_->fork()}})
          .second;
  check(is_new, "two nodes at one address");
}

void Network::change_link(const IpAddress& address, const LinkSettings& link) {
  Place* place = find(address);
  check(place != nullptr, "nobody lives there");
  place->up.change(link);
  place->down.change(link);
}

void Network::send(Datagram datagram) {
  const IpAddress entry = datagram.from.ip;
  send_spoofed(std::move(datagram), entry);
}

void Network::send_spoofed(Datagram datagram, const IpAddress& entry) {
  world_->journal().packet(world_->moment(), "send", datagram.from, datagram.to, datagram.bytes);
  if (filter_ && !filter_(datagram)) return;
  Place* place = find(entry);
  if (place == nullptr || !fits(datagram, place->up.mtu())) return;
  const Link::Fate fate = place->up.carry(world_->moment().mono);
  for (std::size_t i = 0; i < fate.copies; ++i)
    world_->plan(fate.arrivals[i], [this, datagram] { arrive(datagram); });
}

void Network::arrive(const Datagram& datagram) {
  Place* place = find(datagram.to.ip);
  if (place == nullptr || !fits(datagram, place->down.mtu())) return;
  const Link::Fate fate = place->down.carry(world_->moment().mono);
  for (std::size_t i = 0; i < fate.copies; ++i)
    world_->plan(fate.arrivals[i], [this, datagram] { deliver(datagram); });
}

void Network::deliver(const Datagram& datagram) {
  Place* place = find(datagram.to.ip);
  if (place == nullptr) return;
  world_->journal().packet(world_->moment(), "recv", datagram.from, datagram.to, datagram.bytes);
  place->node->on_datagram(datagram);
}

// IPv4 packets that may be fragmented pass any link; the others end here, and their sender is told.
bool Network::fits(const Datagram& datagram, std::size_t mtu) {
  if (packet_size(datagram) <= mtu) return true;
  const bool is_v4 = datagram.to.ip.is_v4();
  if (is_v4 && !datagram.dont_fragment) return true;
  const auto told_mtu = static_cast<std::uint32_t>(mtu);
  report(datagram, is_v4 ? stun::IcmpValue{3, 4, told_mtu} : stun::IcmpValue{2, 0, told_mtu});
  return false;
}

void Network::report_closed_port(const Datagram& datagram) {
  report(datagram, datagram.to.ip.is_v4() ? stun::IcmpValue{3, 3, 0} : stun::IcmpValue{1, 4, 0});
}

void Network::report(const Datagram& datagram, const stun::IcmpValue& icmp) {
  constexpr auto way_back = std::chrono::milliseconds{10};
  world_->plan_after(way_back, [this, error = IcmpError{datagram.from, datagram.to, icmp}] {
    if (Place* place = find(error.from.ip)) place->node->on_icmp(error);
  });
}

Network::Place* Network::find(const IpAddress& address) {
  const auto found = places_.find(address);
  return found == places_.end() ? nullptr : &found->second;
}

}  // namespace turnpike::sim
