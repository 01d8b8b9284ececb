#include "sim/edge/core_host.hpp"

#include <utility>

#include "base/check.hpp"

namespace turnpike::sim {

sip::Hop hop_of(const SocketAddress& address) {
  return {.transport = sip::Transport::udp, .host = address.ip.to_string(), .port = address.port};
}

SocketAddress address_of(const sip::Hop& hop) {
  const auto address = SocketAddress::parse(hop.host + ':' + std::to_string(hop.port));
  check(address.has_value(), "a hop of the simulation is no address");
  return *address;
}

CoreHost::CoreHost(World& world, Network& network, const SocketAddress& address, ims::Settings settings)
    : world_(&world),
      network_(&network),
      address_(address),
      settings_(std::move(settings)),
      random_(world.fork()),
      alarm_(world, [this] { on_alarm(); }) {
  settings_.self = hop_of(address);
  network.attach(address.ip, *this);
  start();
}

void CoreHost::start() { machine_ = std::make_unique<ims::HomeCore>(settings_, subscribers, random_); }

void CoreHost::be(Mood mood) {
  if (mood_ != Mood::well) last_trouble_ = world_->moment().mono;
  mood_ = mood;
}

std::optional<Instant> CoreHost::last_trouble() const {
  return mood_ == Mood::well ? last_trouble_ : std::optional{world_->moment().mono};
}

void CoreHost::restart() {
  world_->journal().note(world_->moment(), "the core restarts");
  last_trouble_ = world_->moment().mono;
  start();
  settle();
}

bool CoreHost::deregister(std::string_view impi, ims::ContactEvent event) {
  const bool was_there = machine_->deregister(impi, event, world_->moment());
  settle();
  return was_there;
}

void CoreHost::on_datagram(const Datagram& datagram) {
  if (datagram.to != address_ || mood_ == Mood::down) return network_->report_closed_port(datagram);
  if (mood_ == Mood::silent) return;
  machine_->on_message(hop_of(datagram.from), as_text(datagram.bytes), world_->moment());
  settle();
}

void CoreHost::on_icmp(const IcmpError& error) {
  machine_->on_hop_failed(hop_of(error.to), world_->moment());
  settle();
}

bool CoreHost::has_registration(std::string_view impi) const {
  return machine_->registrations().find(std::string{impi}) != nullptr;
}

void CoreHost::on_alarm() {
  machine_->on_timeout(world_->moment());
  settle();
}

void CoreHost::settle() {
  while (auto effect = machine_->next_effect())
    if (auto* send = std::get_if<ims::SendTo>(&*effect); send != nullptr && mood_ == Mood::well)
      network_->send(
          {.from = address_, .to = address_of(send->to), .bytes = to_vector(as_bytes(send->bytes))});
  alarm_.set(machine_->next_timeout());
}

}  // namespace turnpike::sim
