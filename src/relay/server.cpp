#include "relay/server.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.hpp"
#include "base/function_ref.hpp"
#include "base/random.hpp"
#include "relay/locked_commons.hpp"
#include "relay/machine.hpp"
#include "relay/shard.hpp"
#include "relay/start_checks.hpp"
#include "turn/plain_commons.hpp"

namespace turnpike::relay {
namespace {

constexpr std::size_t nonce_key_bytes = 32;

class Countdown {
 public:
  void add_one() {
    const std::scoped_lock lock{mutex_};
    ++count_;
  }
  void finish_one() {
    const std::scoped_lock lock{mutex_};  // held while telling, as the waiter takes the object down
    if (--count_ == 0) is_over_.notify_all();
  }
  void wait() {
    std::unique_lock lock{mutex_};
    is_over_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable is_over_;
  std::size_t count_ = 0;
};

// Signals are for the thread that started the server.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

// What came before the last listener was open may lie at the wrong shard; its client will send it again.
void drop_early_packets(const std::vector<ShardSockets>& shards) {
  constexpr int packets_max = 10000;
  for (const ShardSockets& shard : shards)
    for (const FileDescriptor& listener : shard.listeners)
      for (int i = 0; i < packets_max; ++i)
        if (recv(listener.value(), nullptr, 0, MSG_DONTWAIT | MSG_TRUNC) < 0) break;
}

std::expected<std::vector<ShardSockets>, std::string> open_all(std::vector<SocketAddress>& listeners,
                                                               unsigned shards,
                                                               const SegmentOffload& offload) {
  std::vector<ShardSockets> sockets;
  for (unsigned i = 0; i < shards; ++i) {
    auto opened = Shard::open_sockets(listeners, offload);
    if (!opened) return std::unexpected("the listeners cannot be opened: " + opened.error().message());
    // The first shard's ports are everybody's.
    for (std::size_t id = 0; id < listeners.size(); ++id)
      if (const auto local = local_address(opened->listeners[id].value())) listeners[id] = *local;
    sockets.push_back(std::move(*opened));
  }
  drop_early_packets(sockets);
  return sockets;
}

std::expected<void, std::string> to_result(credentials::PushOutcome outcome) {
  using enum credentials::PushOutcome;
  switch (outcome) {
    case done:
    case repeated:
      return {};
    case full:
      return std::unexpected("there is no room for another pushed credential");
    case unknown:
      return std::unexpected("there is no such pushed credential");
    case invalid:
      return std::unexpected(
          "a pushed credential needs a key, a username of 1 to 508 bytes and an end in the future");
    case gap:
      break;
  }
  return std::unexpected("a change is missing");
}

credentials::ChangeResult apply_to(Shard& shard, const credentials::PushedCredential& credential,
                                   WallTime wall) {
  return {.outcome = shard.registry().pushed().put(credential, wall)};
}

credentials::ChangeResult apply_to(Shard& shard, const credentials::Extension& extension, WallTime) {
  return {.outcome = shard.registry().pushed().extend(extension.username, extension.expires_at)};
}

// What runs ends, even where there is no room to remember it.
credentials::ChangeResult apply_to(Shard& shard, const credentials::Revocation& revocation, WallTime wall) {
  const std::size_t ended = shard.revoke(revocation);
  const bool is_held = shard.registry().deny_list().holds(revocation, wall);
  return {.outcome = is_held ? credentials::PushOutcome::done : credentials::PushOutcome::full,
          .allocations_ended = ended};
}

void add(turn::Counters& sum, const turn::Counters& more) {
  sum.packets_from_clients += more.packets_from_clients;
  sum.packets_to_clients += more.packets_to_clients;
  sum.bytes_from_clients += more.bytes_from_clients;
  sum.bytes_to_clients += more.bytes_to_clients;
  sum.dropped_no_allocation += more.dropped_no_allocation;
  sum.dropped_no_permission += more.dropped_no_permission;
  sum.dropped_rate += more.dropped_rate;
  sum.dropped_malformed += more.dropped_malformed;
  sum.requests += more.requests;
  sum.challenges += more.challenges;
  sum.challenges_suppressed += more.challenges_suppressed;
  sum.allocations_created += more.allocations_created;
  sum.allocations_ended += more.allocations_ended;
  sum.allocations_active += more.allocations_active;
  sum.permissions_active += more.permissions_active;
  sum.channels_active += more.channels_active;
  for (std::size_t i = 0; i < sum.refusals.size(); ++i) sum.refusals[i] += more.refusals[i];
}

}  // namespace

class Server::Impl {
 public:
  Impl(ServerSettings settings, std::vector<std::string> warnings, Observer& observer)
      : settings_(std::move(settings)),
        warnings_(std::move(warnings)),
        observer_(observer),
        plain_commons_(settings_.turn, random_of_commons_),
        commons_(plain_commons_) {}

  void start(std::vector<ShardSockets> sockets, const SegmentOffload& offload);
  void stop();
  // Runs `work` on the thread of each shard, and returns when all have done it; one caller at a time, so that
  // all shards see all changes in the same order.
  void on_every_shard(FunctionRef<void(Shard&)> work);
  void on_first_shard(FunctionRef<void(Shard&)> work);

  const ServerSettings& settings() const { return settings_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  unsigned shard_count() const { return static_cast<unsigned>(shards_.size()); }
  bool is_draining() const { return is_draining_; }
  void note_draining() { is_draining_ = true; }

 private:
  void run(std::size_t count, FunctionRef<void(Shard&)> work);

  const ServerSettings settings_;
  const std::vector<std::string> warnings_;
  Observer& observer_;
  SystemRandom random_of_commons_;
  turn::PlainCommons plain_commons_;
  LockedCommons commons_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::atomic<bool> is_draining_ = false;
  std::mutex control_;  // held during a control call
  std::vector<std::thread> threads_;
};

void Server::Impl::start(std::vector<ShardSockets> sockets, const SegmentOffload& offload) {
  for (ShardSockets& of_shard : sockets)
    shards_.push_back(std::make_unique<Shard>(
        ShardParts{.settings = settings_, .commons = commons_, .observer = observer_, .offload = offload},
        std::move(of_shard)));
  const auto cpus = allowed_cpus();
  const SignalsBlocked signals_blocked;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    // A shard alone goes wherever there is room.
    const bool is_pinned = shards_.size() > 1 && !cpus.empty();
    threads_.emplace_back([shard = shards_[i].get(), is_pinned, cpu = is_pinned ? cpus[i % cpus.size()] : 0] {
      if (is_pinned) pin_this_thread(cpu);
      shard->run();
    });
    pthread_setname_np(threads_.back().native_handle(), ("shard-" + std::to_string(i)).c_str());
  }
}

void Server::Impl::stop() {
  const std::scoped_lock lock{control_};
  for (const auto& shard : shards_) (void)shard->mailbox().post([&shard] { shard->stop(); });
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Server::Impl::on_every_shard(FunctionRef<void(Shard&)> work) { run(shards_.size(), work); }
void Server::Impl::on_first_shard(FunctionRef<void(Shard&)> work) { run(1, work); }

void Server::Impl::run(std::size_t count, FunctionRef<void(Shard&)> work) {
  const std::scoped_lock lock{control_};
  Countdown countdown;
  std::mutex one_at_a_time;  // so that `work` may add to what its caller owns
  for (std::size_t i = 0; i < count; ++i) {
    Shard& shard = *shards_[i];
    if (threads_.empty()) {  // stopped: nobody else uses it
      work(shard);
      continue;
    }
    countdown.add_one();
    const bool is_posted = shard.mailbox().post([&] {
      {
        const std::scoped_lock alone{one_at_a_time};
        work(shard);
      }
      countdown.finish_one();
    });
    check(is_posted, "a shard has stopped by itself");
  }
  countdown.wait();
}

std::expected<std::unique_ptr<Server>, std::string> Server::start(ServerSettings settings,
                                                                  Observer& observer) {
  if (const auto checked = check_start(settings); !checked) return std::unexpected(checked.error());
  const unsigned shards =
      settings.shards != 0 ? settings.shards : std::max(1U, static_cast<unsigned>(allowed_cpus().size()));
  auto warnings = find_warnings(settings, shards, raise_descriptor_limit());
  const SegmentOffload offload = probe_segment_offload();
  auto sockets = open_all(settings.turn.listeners, shards, offload);
  if (!sockets) return std::unexpected(sockets.error());
  if (settings.nonce_key.empty()) settings.nonce_key = Secret{SystemRandom{}.draw<nonce_key_bytes>()};

  auto impl = std::make_unique<Impl>(std::move(settings), std::move(warnings), observer);
  impl->start(std::move(*sockets), offload);
  return std::unique_ptr<Server>{new Server{std::move(impl)}};
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { impl_->stop(); }

const std::vector<SocketAddress>& Server::listeners() const { return impl_->settings().turn.listeners; }
const std::vector<std::string>& Server::warnings() const { return impl_->warnings(); }
unsigned Server::shard_count() const { return impl_->shard_count(); }
void Server::stop() { impl_->stop(); }
bool Server::is_draining() const { return impl_->is_draining(); }
void Server::drain() {
  impl_->note_draining();
  impl_->on_every_shard([](Shard& shard) { shard.drain(); });
}

std::expected<void, std::string> Server::put(const credentials::PushedCredential& credential) {
  auto outcome = credentials::PushOutcome::done;
  const WallTime wall = read_clocks().wall;  // the same for all shards, so that they agree
  impl_->on_every_shard([&](Shard& shard) { outcome = shard.registry().pushed().put(credential, wall); });
  return to_result(outcome);
}

std::expected<void, std::string> Server::extend(const std::string& username, WallTime expires_at) {
  auto outcome = credentials::PushOutcome::done;
  impl_->on_every_shard(
      [&](Shard& shard) { outcome = shard.registry().pushed().extend(username, expires_at); });
  return to_result(outcome);
}

std::vector<credentials::ChangeResult> Server::apply(const std::vector<credentials::Change>& changes) {
  std::vector<credentials::ChangeResult> results(changes.size());
  const WallTime wall = read_clocks().wall;  // the same for all shards, so that they agree
  impl_->on_every_shard([&](Shard& shard) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto result =
          std::visit([&](const auto& change) { return apply_to(shard, change, wall); }, changes[i]);
      results[i].outcome = result.outcome;
      results[i].allocations_ended += result.allocations_ended;
    }
  });
  return results;
}

std::vector<credentials::PushedEntry> Server::list_pushed(const std::string& subject) {
  std::vector<credentials::PushedEntry> entries;
  impl_->on_first_shard([&](Shard& shard) { entries = shard.registry().pushed().list(subject); });
  return entries;
}

std::size_t Server::count_pushed() {
  std::size_t count = 0;
  impl_->on_first_shard([&](Shard& shard) { count = shard.registry().pushed().size(); });
  return count;
}

std::size_t Server::revoke(const credentials::Revocation& revocation) {
  std::size_t ended = 0;
  impl_->on_every_shard([&](Shard& shard) { ended += shard.revoke(revocation); });
  return ended;
}

std::vector<credentials::Revocation> Server::list_revocations() {
  std::vector<credentials::Revocation> revocations;
  const WallTime wall = read_clocks().wall;
  impl_->on_first_shard([&](Shard& shard) { revocations = shard.registry().deny_list().list(wall); });
  return revocations;
}

void Server::reconfigure(credentials::RegistrySettings settings) {
  impl_->on_every_shard([&](Shard& shard) { shard.reconfigure(settings); });
}

turn::Counters Server::counters() {
  turn::Counters sum;
  impl_->on_every_shard([&](Shard& shard) { add(sum, shard.counters()); });
  return sum;
}

std::vector<turn::AllocationView> Server::sessions(std::size_t max) {
  std::vector<turn::AllocationView> views;
  impl_->on_every_shard([&](Shard& shard) {
    auto more = shard.list_allocations(max - views.size());
    std::move(more.begin(), more.end(), std::back_inserter(views));
  });
  return views;
}

}  // namespace turnpike::relay
