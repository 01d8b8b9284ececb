#include "sim/nat.hpp"

#include <utility>

namespace turnpike::sim {

Nat::Nat(World& world, Network& network, const IpAddress& outside, const NatSettings& settings,
         const LinkSettings& link)
    : world_(&world), network_(&network), outside_(outside), settings_(settings), random_(world.fork()) {
  network.attach(outside, *this, link);
}

void Nat::send(Datagram datagram) {
  expire();
  const Key key{datagram.from, relevant_part(datagram.to, settings_.mapping)};
  const auto [place, is_new] = by_key_.try_emplace(key, std::uint16_t{0});
  if (is_new) {
    place->second = draw_port();
    by_port_[place->second] = {.inside = datagram.from, .key = key.destination};
  }
  Mapping& mapping = by_port_.at(place->second);
  mapping.used_at = world_->moment().mono;
  mapping.may_answer.insert(relevant_part(datagram.to, settings_.filtering));
  datagram.from = {outside_, place->second};
  network_->send(std::move(datagram));
}

void Nat::on_datagram(const Datagram& datagram) {
  expire();
  const auto found = by_port_.find(datagram.to.port);
  if (found == by_port_.end()) return;
  const Mapping& mapping = found->second;
  if (!mapping.may_answer.contains(relevant_part(datagram.from, settings_.filtering))) return;
  const auto node = inside_.find(mapping.inside.ip);
  if (node == inside_.end()) return;
  Datagram translated = datagram;
  translated.to = mapping.inside;
  node->second->on_datagram(translated);
}

// RFC 5508 REQ-3: an error about a mapped packet goes to who sent it.
void Nat::on_icmp(const IcmpError& error) {
  const auto found = by_port_.find(error.from.port);
  if (found == by_port_.end()) return;
  const auto node = inside_.find(found->second.inside.ip);
  if (node != inside_.end()) node->second->on_icmp({found->second.inside, error.to, error.icmp});
}

void Nat::forget_mappings() {
  by_key_.clear();
  by_port_.clear();
}

SocketAddress Nat::relevant_part(const SocketAddress& remote, NatBehaviour behaviour) {
  switch (behaviour) {
    case NatBehaviour::endpoint_independent:
      return {};
    case NatBehaviour::address_dependent:
      return {remote.ip, 0};
    case NatBehaviour::address_and_port_dependent:
      return remote;
  }
  return {};
}

std::uint16_t Nat::draw_port() {
  for (;;) {
    const auto port = static_cast<std::uint16_t>(1024 + random_.below(64512));
    if (!by_port_.contains(port)) return port;
  }
}

void Nat::expire() {
  const Instant oldest = world_->moment().mono - settings_.mapping_timeout;
  std::erase_if(by_port_, [&](const auto& entry) {
    if (entry.second.used_at > oldest) return false;
    by_key_.erase({entry.second.inside, entry.second.key});
    return true;
  });
}

}  // namespace turnpike::sim
