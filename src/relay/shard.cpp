#include "relay/shard.hpp"

#include <malloc.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace turnpike::relay {
namespace {

using std::chrono::seconds;

// Bounds of a socket's turn, in datagrams or trains of them, so that none starves another.
constexpr std::size_t reader_buffers = 256;
constexpr std::size_t trains_per_listener = 128;
constexpr std::size_t trains_per_port = 16;
constexpr std::size_t ports_per_turn = 128;
constexpr int icmp_errors_per_turn = 16;

// To be woken up costs as much as to relay several packets, and takes longer. Where turns follow each other
// so closely, the shard looks again for a while before it sleeps.
constexpr Duration busy_gap = std::chrono::microseconds{120};
constexpr Duration looking_max = std::chrono::microseconds{40};
constexpr Duration gap_max = std::chrono::milliseconds{1};  // what one long sleep counts in the average

constexpr seconds house_kept_every{10};
// A crowd that is gone leaves memory in malloc's hands; that of fewer is not worth asking for.
constexpr std::uint64_t crowd_min = 1000;
constexpr std::uint64_t last_of_crowd_min = 50;

enum class Key : std::uint32_t { mailbox, listener, port };
constexpr std::uint64_t make_key(Key kind, std::uint32_t id) {
  return static_cast<std::uint64_t>(kind) << 32 | id;
}

credentials::NonceMint make_nonces(const ServerSettings& settings, const credentials::Registry& registry) {
  return {settings.nonce_key,
          settings.nonce_lifetime,
          {.password_algorithms = settings.turn.password_algorithms,
           .username_anonymity = settings.turn.password_algorithms && registry.offers_username_anonymity()}};
}

}  // namespace

Result<ShardSockets> Shard::open_sockets(const std::vector<SocketAddress>& listeners,
                                         const SegmentOffload& offload) {
  auto epoll = Epoll::open();
  if (!epoll) return std::unexpected(epoll.error());
  auto event = Mailbox::open_event();
  if (!event) return std::unexpected(event.error());
  if (const auto added = epoll->add(event->value(), make_key(Key::mailbox, 0)); !added)
    return std::unexpected(added.error());
  ShardSockets sockets{.epoll = std::move(*epoll), .event = std::move(*event), .listeners = {}};
  for (std::uint32_t id = 0; id < listeners.size(); ++id) {
    auto listener = open_listener(listeners[id], offload);
    if (!listener) return std::unexpected(listener.error());
    if (const auto added = sockets.epoll.add(listener->value(), make_key(Key::listener, id)); !added)
      return std::unexpected(added.error());
    sockets.listeners.push_back(std::move(*listener));
  }
  return sockets;
}

Shard::Shard(const ShardParts& parts, ShardSockets sockets)
    : settings_(parts.settings),
      observer_(parts.observer),
      epoll_(std::move(sockets.epoll)),
      mailbox_(std::move(sockets.event)),
      ports_(parts.offload),
      reader_(reader_buffers),
      peer_writer_(ports_, parts.offload),
      registry_(parts.settings.credentials),
      nonces_(make_nonces(parts.settings, registry_)),
      engine_(parts.settings.turn, registry_, nonces_, parts.commons, random_) {
  for (FileDescriptor& descriptor : sockets.listeners) {
    const int fd = descriptor.value();
    listeners_.push_back({std::move(descriptor), ClientWriter{fd, parts.offload}});
  }
}

Shard::~Shard() = default;

void Shard::run() {
  now_ = read_clocks();
  house_kept_at_ = now_.mono;
  while (!is_stopping_) turn();
  engine_.shut_down(now_);
  obey_effects();
  flush();
  run_tasks(mailbox_.close());
}

void Shard::turn() {
  const auto events = wait();
  const Instant before = std::exchange(now_, read_clocks()).mono;
  gap_ += (std::min(now_.mono - before, gap_max) - gap_) / 8;
  for (const epoll_event& event : events) note(event);
  read_listeners();
  read_relay_ports();
  if (const auto due = engine_.next_timeout(); due && *due <= now_.mono) {
    engine_.on_timeout(now_);
    obey_effects();
    flush();
  }
  keep_house();
}

std::span<const epoll_event> Shard::wait() {
  const Duration longest = longest_wait();
  if (longest > Duration{0} && gap_ < busy_gap) {
    const Instant begin = read_clocks().mono;
    do {
      if (const auto events = epoll_.wait(Duration{0}); !events.empty()) return events;
    } while (read_clocks().mono - begin < looking_max);
  }
  return epoll_.wait(longest);
}

Duration Shard::longest_wait() const {
  const bool has_ready_listener = std::any_of(listeners_.begin(), listeners_.end(),
                                              [](const Listener& listener) { return listener.is_ready; });
  if (has_ready_listener || !ready_ports_.empty()) return Duration{0};
  Instant until = house_kept_at_ + house_kept_every;
  if (const auto due = engine_.next_timeout()) until = std::min(until, *due);
  return std::max(until - now_.mono, Duration{0});
}

void Shard::note(const epoll_event& event) {
  const auto id = static_cast<std::uint32_t>(event.data.u64);
  switch (static_cast<Key>(event.data.u64 >> 32)) {
    case Key::mailbox:
      run_tasks(mailbox_.take_all());
      break;
    case Key::listener:
      listeners_[id].is_ready = true;
      break;
    case Key::port:
      if (RelaySocket* socket = ports_.find(id)) {
        if ((event.events & EPOLLERR) != 0) socket->has_errors = true;
        if (!socket->is_queued) ready_ports_.push_back(id);
        socket->is_queued = true;
      }
      break;
  }
}

void Shard::run_tasks(std::vector<Mailbox::Task> tasks) {
  for (Mailbox::Task& task : tasks) task();
}

// --- packets ----------------------------------------------------------------------------------------------

void Shard::read_listeners() {
  for (std::size_t id = 0; id < listeners_.size(); ++id) {
    if (!listeners_[id].is_ready) continue;
    listeners_[id].is_ready = read_listener(static_cast<turn::ListenerId>(id));
    flush();
  }
}

// True: there may be more.
bool Shard::read_listener(turn::ListenerId id) {
  const std::size_t count = reader_.read(listeners_[id].descriptor.value(), trains_per_listener);
  for (std::size_t i = 0; i < count; ++i) {
    const Train train = reader_.train(i);
    const auto from = train.from->to_address();
    if (!from) continue;
    const turn::ClientPath path{.listener = id, .client = *from};
    train.for_each_datagram([&](Bytes datagram) {
      if (const auto forward = engine_.on_client_datagram(path, datagram, now_)) peer_writer_.add(*forward);
      obey_effects();
    });
  }
  return count == trains_per_listener;
}

void Shard::read_relay_ports() {
  for (std::size_t left = std::min(ready_ports_.size(), ports_per_turn); left > 0; --left) {
    const turn::RelayPortId id = ready_ports_.front();
    ready_ports_.pop_front();
    RelaySocket* socket = ports_.find(id);
    if (socket == nullptr) continue;
    if (reader_.free_buffers() < trains_per_port) flush();
    socket->is_queued = false;
    const bool has_more_errors = socket->has_errors && read_icmp_errors(id);
    const bool has_more = read_relay_port(id);
    socket = ports_.find(id);  // what was read may have closed it, or opened others and so moved it
    if (socket == nullptr) continue;
    socket->has_errors = has_more_errors;
    socket->is_queued = has_more || has_more_errors;
    if (socket->is_queued) ready_ports_.push_back(id);
  }
  flush();
}

bool Shard::read_relay_port(turn::RelayPortId id) {
  const int fd = ports_.find(id)->descriptor.value();
  const std::size_t count = reader_.read(fd, trains_per_port);
  for (std::size_t i = 0; i < count; ++i) {
    const Train train = reader_.train(i);
    const auto from = train.from->to_address();
    if (!from) continue;
    train.for_each_datagram([&](Bytes datagram) {
      if (const auto deliver = engine_.on_peer_datagram(id, *from, datagram, now_))
        listeners_[deliver->to.listener].writer.add(*deliver);
    });
  }
  obey_effects();
  return count == trains_per_port;
}

bool Shard::read_icmp_errors(turn::RelayPortId id) {
  const int fd = ports_.find(id)->descriptor.value();
  for (int i = 0; i < icmp_errors_per_turn; ++i) {
    const auto error = take_icmp_error(fd);
    if (!error) return false;
    engine_.on_peer_icmp(id, error->peer, error->icmp, now_);
  }
  return true;
}

void Shard::flush() {
  peer_writer_.flush();
  for (Listener& listener : listeners_) listener.writer.flush();
  reader_.release_all();
}

// --- effects ----------------------------------------------------------------------------------------------

void Shard::obey_effects() {
  while (auto effect = engine_.next_effect()) std::visit([this](auto& what) { obey(what); }, *effect);
}

void Shard::obey(turn::SendToClient& effect) {
  listeners_[effect.to.listener].writer.add(effect.to.client, std::move(effect.bytes));
}

void Shard::obey(const turn::OpenPort& effect) {
  const auto fd = ports_.open(effect.port, effect.bind);
  const bool is_open = fd && epoll_.add(*fd, make_key(Key::port, effect.port));
  if (!is_open) ports_.close(effect.port);
  engine_.on_port_opened(effect.port, is_open, now_);
}

void Shard::obey(const turn::ClosePort& effect) {
  peer_writer_.flush();
  ports_.close(effect.port);
}

void Shard::obey(const turn::Report& effect) { observer_.on_report(effect, now_); }

// --- control ----------------------------------------------------------------------------------------------

void Shard::reconfigure(credentials::RegistrySettings settings) {
  registry_.reconfigure(std::move(settings));
  nonces_ = make_nonces(settings_, registry_);
  engine_.end_revoked(now_);
  obey_effects();
  flush();
}

std::size_t Shard::revoke(const credentials::Revocation& revocation) {
  const std::size_t ended = engine_.revoke(revocation, now_);
  obey_effects();
  flush();
  return ended;
}

std::vector<turn::AllocationView> Shard::list_allocations(std::size_t max) const {
  return engine_.list_allocations(max, now_);
}

// --- housekeeping -----------------------------------------------------------------------------------------

void Shard::keep_house() {
  if (now_.mono - house_kept_at_ >= house_kept_every) {
    house_kept_at_ = now_.mono;
    registry_.pushed().drop_expired(now_.wall);
  }
  return_memory();
}

// malloc keeps what was freed. Each time that three quarters of a crowd have left, and when the last have, it
// is given back to the system: little work beside what the crowd cost.
void Shard::return_memory() {
  const std::uint64_t active = engine_.counters().allocations_active;
  allocations_peak_ = std::max(allocations_peak_, active);
  const bool is_worth_it = active == 0 ? allocations_peak_ >= last_of_crowd_min
                                       : allocations_peak_ >= crowd_min && active <= allocations_peak_ / 4;
  if (!is_worth_it) return;
  ports_.forget_closed();
  malloc_trim(0);
  allocations_peak_ = active;
}

}  // namespace turnpike::relay
