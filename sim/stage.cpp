#include "sim/stage.hpp"

#include <algorithm>
#include <utility>

namespace turnpike::sim {

RelaySettings make_relay_settings() {
  RelaySettings settings;
  settings.turn.listeners = {at("81.2.69.160:3478"), at("[2a02:db0::5]:3478")};
  settings.turn.relay_addresses = {{at("10.0.0.5:0").ip, at("81.2.69.160:0").ip},
                                   {at("[2a02:db0::5]:0").ip, at("[2a02:db0::5]:0").ip}};
  settings.turn.relay_port_min = 50000;
  settings.turn.relay_port_max = 50199;
  settings.credentials = make_registry_settings();
  return settings;
}

SocketAddress at(std::string_view address) { return *SocketAddress::parse(address); }

Stage::Stage(std::uint64_t seed, RelaySettings settings)
    : world(seed),
      relay(world, network, std::move(settings)),
      model(world, relay.settings()),
      issuer(world, relay),
      attacker(world, network, at("91.198.174.1:4444")) {
  relay.watch_by(model);
  network.filter_by([this](const Datagram& datagram) {
    attacker.overhear(datagram);
    return true;
  });
}

ClientHost& Stage::add_client(const Credential& credential, const NatSettings& nat,
                              const LinkSettings& link) {
  return add_client(turn::ClientSettings{.credential = credential.shown}, nat, link);
}

ClientHost& Stage::add_client(turn::ClientSettings settings, const NatSettings& nat,
                              const LinkSettings& link) {
  const auto number = static_cast<Byte>(clients.size() + 1);
  all_nats_.push_back(std::make_unique<Nat>(world, network, IpAddress::v4({37, 120, 0, number}), nat, link));
  Nat& box = *all_nats_.back();
  clients.push_back(std::make_unique<ClientHost>(world, box, at("192.168.1.2:40000"), relay.listener(0),
                                                 std::move(settings)));
  nats_[clients.back().get()] = &box;
  return *clients.back();
}

ClientHost& Stage::add_direct_client(turn::ClientSettings settings, const SocketAddress& local) {
  const SocketAddress server = relay.listener(local.ip.is_v4() ? 0 : 1);
  clients.push_back(std::make_unique<ClientHost>(world, network, local, server, std::move(settings)));
  return *clients.back();
}

PeerHost& Stage::add_peer(const SocketAddress& address, bool echoes) {
  peers.push_back(std::make_unique<PeerHost>(network, address, echoes));
  return *peers.back();
}

Credential Stage::issue(Form form, std::string_view user, std::chrono::seconds lifetime,
                        const credentials::Policy& policy) {
  Credential credential = issuer.issue(form, user, lifetime, policy);
  model.know(credential);
  return credential;
}

void Stage::revoke(credentials::Revocation::By by, std::string_view value) {
  relay.revoke({.by = by, .value = std::string{value}});
}

bool Stage::allocate(ClientHost& client) {
  client.start();
  return world.run_until([&] { return client.is_allocated() || client.is_idle(); },
                         std::chrono::minutes{1}) &&
         client.is_allocated();
}

bool Stage::echoes(ClientHost& client, PeerHost& peer, std::string_view text) {
  client.send(peer.address(), text);
  return world.run_until([&] { return client.has_heard(text); }, std::chrono::seconds{2});
}

void Stage::expect_nothing_left() {
  for (const auto& client : clients) client->close();
  world.run_for(std::chrono::minutes{2});
  const turn::Limits& limits = relay.settings().turn.limits;
  world.run_for(limits.allocation_lifetime_max + limits.relay_port_reuse_delay + std::chrono::minutes{10});
  model.expect_nothing_left(relay);
}

}  // namespace turnpike::sim
