#include "sim/relay_host.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "sim/faulty_commons.hpp"
#include "stun/message.hpp"

namespace turnpike::sim {
namespace {

credentials::SecurityFeatures features_of(const RelaySettings& settings,
                                          const credentials::Registry& registry) {
  return {.password_algorithms = settings.turn.password_algorithms,
          .username_anonymity = registry.offers_username_anonymity()};
}

std::set<IpAddress> addresses_of(const turn::Settings& settings) {
  std::set<IpAddress> addresses;
  for (const SocketAddress& listener : settings.listeners) addresses.insert(listener.ip);
  for (const turn::RelayAddress& relay : settings.relay_addresses) addresses.insert(relay.advertised);
  return addresses;
}

// Makes the integrity of a successful answer wrong.
void spoil_integrity(ByteVector& bytes) {
  const auto message = stun::Message::decode(bytes);
  if (!message || message->message_class() != stun::Class::success) return;
  for (const auto type :
       {stun::AttributeType::message_integrity, stun::AttributeType::message_integrity_sha256})
    if (const auto value = message->find(type))
      bytes[static_cast<std::size_t>(value->data() - bytes.data())] ^= 1;
}

}  // namespace

struct RelayHost::Process {
  Process(const RelaySettings& settings, const SeededRandom& own)
      : random(own),
        registry(settings.credentials),
        nonces(Secret{random.draw<32>()}, settings.nonce_lifetime, features_of(settings, registry)),
        commons(settings.turn, random),
        faulty(commons, settings.fault),
        engine(settings.turn, registry, nonces, faulty, random) {}

  SeededRandom random;
  credentials::Registry registry;
  credentials::NonceMint nonces;
  turn::PlainCommons commons;
  FaultyCommons faulty;
  turn::Engine engine;
};

RelayHost::RelayHost(World& world, Network& network, RelaySettings settings)
    : world_(&world),
      network_(&network),
      settings_(std::move(settings)),
      random_(world.fork()),
      alarm_(world, [this] { on_alarm(); }) {
  for (const IpAddress& address : addresses_of(settings_.turn)) network.attach(address, *this, {});
  start();
}

RelayHost::~RelayHost() {
  for (const IpAddress& address : addresses_of(settings_.turn)) network_->detach(address);
}

void RelayHost::start() {
  ports_.clear();
  ids_.clear();
  ++starts_;
  process_ = std::make_unique<Process>(settings_, random_.fork());
}

// --- inputs -----------------------------------------------------------------------------------------------

void RelayHost::on_datagram(const Datagram& datagram) {
  const auto& listeners = settings_.turn.listeners;
  const auto listener = std::find(listeners.begin(), listeners.end(), datagram.to);
  if (listener != listeners.end()) {
    const auto id = static_cast<turn::ListenerId>(listener - listeners.begin());
    from_client({id, datagram.from}, datagram);
    return;
  }
  const auto port = ids_.find({bound(datagram.to.ip), datagram.to.port});
  if (port == ids_.end())
    network_->report_closed_port(datagram);
  else
    from_peer(port->second, datagram);
}

void RelayHost::from_client(const turn::ClientPath& from, const Datagram& datagram) {
  tell([&](RelayObserver& observer) { observer.on_from_client(from, datagram.bytes); });
  if (const auto packet = process_->engine.on_client_datagram(from, datagram.bytes, world_->moment()))
    forward(*packet);
  if (settings_.fault == Fault::answers_everybody) succeed_without_proof(from, datagram.bytes);
  settle();
}

void RelayHost::from_peer(turn::RelayPortId port, const Datagram& datagram) {
  const SocketAddress* open = find_port(port);
  if (open == nullptr) return;
  const SocketAddress bind = *open;
  tell([&](RelayObserver& observer) { observer.on_from_peer(bind, datagram.from, datagram.bytes); });
  const auto packet =
      process_->engine.on_peer_datagram(port, datagram.from, datagram.bytes, world_->moment());
  if (packet)
    deliver(*packet);
  else if (settings_.fault == Fault::ignores_permissions)
    deliver_without_permission(bind, datagram);
  settle();
}

void RelayHost::on_icmp(const IcmpError& error) {
  const auto port = ids_.find({bound(error.from.ip), error.from.port});
  if (port == ids_.end()) return;
  process_->engine.on_peer_icmp(port->second, error.to, error.icmp, world_->moment());
  settle();
}

void RelayHost::on_alarm() {
  process_->engine.on_timeout(world_->moment());
  settle();
}

std::size_t RelayHost::revoke(const credentials::Revocation& revocation) {
  tell([&](RelayObserver& observer) { observer.on_revoked(revocation); });
  if (settings_.fault == Fault::forgets_revocations) return 0;
  const std::size_t ended = process_->engine.revoke(revocation, world_->moment());
  settle();
  return ended;
}

void RelayHost::restart() {
  world_->journal().note(world_->moment(), "the relay restarts");
  tell([](RelayObserver& observer) { observer.on_restarted(); });
  start();
  settle();
}

void RelayHost::drain() { process_->engine.drain(); }

void RelayHost::shut_down() {
  process_->engine.shut_down(world_->moment());
  settle();
}

void RelayHost::lose_port(const SocketAddress& bind) {
  const auto port = ids_.find(bind);
  check(port != ids_.end(), "only an open port can be lost");
  tell([&](RelayObserver& observer) { observer.on_port_lost(bind); });
  process_->engine.on_port_opened(port->second, false, world_->moment());
  settle();
}

void RelayHost::lose_any_port() {
  if (ids_.empty()) return;
  auto chosen = ids_.begin();
  std::advance(chosen, random_.below(static_cast<std::uint32_t>(ids_.size())));
  lose_port(SocketAddress{chosen->first});
}

void RelayHost::reconfigure(credentials::RegistrySettings settings) {
  settings_.credentials = settings;
  process_->registry.reconfigure(std::move(settings));
}

const turn::Counters& RelayHost::counters() const { return process_->engine.counters(); }
std::vector<turn::AllocationView> RelayHost::allocations() const {
  return process_->engine.list_allocations(SIZE_MAX, world_->moment());
}
credentials::Registry& RelayHost::registry() { return process_->registry; }
turn::PlainCommons& RelayHost::commons() { return process_->commons; }

// --- outputs ----------------------------------------------------------------------------------------------

void RelayHost::settle() {
  while (auto effect = process_->engine.next_effect()) obey(std::move(*effect));
  alarm_.set(process_->engine.next_timeout());
  tell([](RelayObserver& observer) { observer.on_settled(); });
}

void RelayHost::obey(turn::Effect effect) {
  if (auto* answer = std::get_if<turn::SendToClient>(&effect))
    send_to_client(answer->to, std::move(answer->bytes));
  else if (const auto* order = std::get_if<turn::OpenPort>(&effect))
    open(*order);
  else if (const auto* end = std::get_if<turn::ClosePort>(&effect))
    close(end->port);
  else if (auto* report = std::get_if<turn::Report>(&effect))
    reports_.push_back(std::move(*report));
}

void RelayHost::open(const turn::OpenPort& order) {
  const bool is_opened = random_.below(1000) >= settings_.port_failures;
  if (is_opened) {
    check(!ports_.contains(order.port), "the engine opens a slot that is open");
    ports_[order.port] = order.bind;
    ids_[order.bind] = order.port;
    tell([&](RelayObserver& observer) { observer.on_port_opened(order.bind); });
  }
  process_->engine.on_port_opened(order.port, is_opened, world_->moment());
}

void RelayHost::close(turn::RelayPortId port) {
  const auto found = ports_.find(port);
  if (found == ports_.end()) return;  // it could not be opened
  const SocketAddress bind = found->second;
  ports_.erase(found);
  if (ids_[bind] == port) ids_.erase(bind);
  tell([&](RelayObserver& observer) { observer.on_port_closed(bind); });
}

// Null: of two that share a port by a planted fault, the one that is left has none.
const SocketAddress* RelayHost::find_port(turn::RelayPortId port) const {
  const auto found = ports_.find(port);
  check(found != ports_.end() || settings_.fault == Fault::shares_ports,
        "the relay uses a port that is not open");
  return found == ports_.end() ? nullptr : &found->second;
}

void RelayHost::forward(const turn::Forward& packet) {
  const SocketAddress* open = find_port(packet.port);
  if (open == nullptr) return;
  const SocketAddress bind = *open;
  if (settings_.fault == Fault::drops_packets && ++forwarded_ % 2 == 0) return;
  ByteVector payload = to_vector(packet.payload);
  if (settings_.fault == Fault::alters_packets && !payload.empty()) payload.back() ^= 1;
  tell([&](RelayObserver& observer) { observer.on_to_peer(bind, packet.peer, payload); });
  network_->send({.from = {advertised(bind.ip), bind.port},
                  .to = packet.peer,
                  .bytes = std::move(payload),
                  .dont_fragment = packet.dont_fragment});
}

void RelayHost::deliver(const turn::Deliver& packet) {
  ByteVector bytes{packet.prefix.begin(), packet.prefix.begin() + packet.prefix_size};
  bytes.insert(bytes.end(), packet.payload.begin(), packet.payload.end());
  bytes.resize(bytes.size() + packet.padding);
  send_to_client(packet.to, std::move(bytes));
}

void RelayHost::send_to_client(const turn::ClientPath& to, ByteVector bytes) {
  if (settings_.fault == Fault::signs_wrongly) spoil_integrity(bytes);
  tell([&](RelayObserver& observer) { observer.on_to_client(to, bytes); });
  network_->send(
      {.from = settings_.turn.listeners.at(to.listener), .to = to.client, .bytes = std::move(bytes)});
}

// Believes every CreatePermission.
void RelayHost::succeed_without_proof(const turn::ClientPath& from, Bytes bytes) {
  const auto request = stun::Message::decode(bytes);
  if (!request || request->method() != stun::Method::create_permission ||
      request->message_class() != stun::Class::request)
    return;
  std::array<Byte, 32> buffer{};
  const stun::Writer writer{buffer, request->method(), stun::Class::success, request->transaction_id()};
  if (const auto answer = writer.finish()) send_to_client(from, to_vector(*answer));
}

void RelayHost::deliver_without_permission(const SocketAddress& bind, const Datagram& datagram) {
  const SocketAddress relayed{advertised(bind.ip), bind.port};
  for (const turn::AllocationView& view : process_->engine.list_allocations(1000, world_->moment())) {
    if (view.relayed != relayed) continue;
    std::array<Byte, 128> buffer{};
    stun::Writer writer{buffer, stun::Method::data, stun::Class::indication, {}};
    writer.add_xor_address(stun::AttributeType::xor_peer_address, datagram.from);
    writer.add(stun::AttributeType::data, datagram.bytes);
    if (const auto bytes = writer.finish()) send_to_client(view.path, to_vector(*bytes));
  }
}

IpAddress RelayHost::advertised(const IpAddress& bind) const {
  for (const turn::RelayAddress& relay : settings_.turn.relay_addresses)
    if (relay.bind == bind) return relay.advertised;
  return bind;
}

IpAddress RelayHost::bound(const IpAddress& shown) const {
  for (const turn::RelayAddress& relay : settings_.turn.relay_addresses)
    if (relay.advertised == shown) return relay.bind;
  return shown;
}

}  // namespace turnpike::sim
