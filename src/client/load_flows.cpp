#include "client/load_flows.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "client/load_process.hpp"
#include "stun/channel_data.hpp"
#include "stun/message.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t peer_bit = std::uint64_t{1} << 32;
constexpr milliseconds timeouts_every{20};
constexpr milliseconds upkeep_every{1000};
constexpr std::size_t events_max = 64;
constexpr int fresh_starts_max = 5;

std::string last_error() { return std::error_code{errno, std::system_category()}.message(); }

std::string_view name_of(stun::Method method) {
  switch (method) {
    case stun::Method::allocate:
      return "Allocate";
    case stun::Method::refresh:
      return "Refresh";
    case stun::Method::create_permission:
      return "CreatePermission";
    case stun::Method::channel_bind:
      return "ChannelBind";
    default:
      return "request";
  }
}

std::string words_of(const turn::ClientFailure& failure) {
  using Kind = turn::ClientFailure::Kind;
  std::string name{name_of(failure.method)};
  switch (failure.kind) {
    case Kind::no_answer:
      return name + ": no answer";
    case Kind::refused:
      return name + ": refused with " + std::to_string(failure.code);
    case Kind::unauthentic_answer:
      return name + ": answers fail the integrity check";
    case Kind::bid_down:
      return name + ": the challenge was altered on the way";
    case Kind::malformed_answer:
      return name + ": malformed answer";
  }
  return name;
}

std::optional<std::chrono::nanoseconds> cpu_of(const std::optional<pid_t>& pid) {
  if (!pid) return std::nullopt;
  const auto usage = measure_process(*pid);
  if (!usage) return std::nullopt;
  return usage->cpu;
}

ByteVector make_prefix(const LoadSettings& settings, const LoadFlow& flow, const SocketAddress& peer,
                       Random& random) {
  if (settings.channels) {
    const auto header = stun::encode_channel_header(flow.channel, settings.payload_bytes);
    return {header.begin(), header.end()};
  }
  std::array<Byte, 64> buffer;
  stun::Writer writer{buffer, stun::Method::send, stun::Class::indication, random.draw<12>()};
  writer.add_xor_address(stun::AttributeType::xor_peer_address, peer).add_data_header(settings.payload_bytes);
  const auto bytes = writer.finish();
  return bytes ? to_vector(*bytes) : ByteVector{};
}

double to_us(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

}  // namespace

LoadLatency summarize(const LoadHistogram& histogram) {
  const auto at = [&](double share) { return static_cast<double>(histogram.percentile(share)) / 1000; };
  return {.samples = histogram.samples(),
          .mean_us = histogram.mean() / 1000,
          .p50_us = at(0.5),
          .p90_us = at(0.9),
          .p99_us = at(0.99),
          .p999_us = at(0.999),
          .max_us = static_cast<double>(histogram.max()) / 1000};
}

// --- opening ----------------------------------------------------------------------------------------------

std::expected<LoadFlows, std::string> LoadFlows::open(const LoadSettings& settings) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return std::unexpected("cannot wait for sockets: " + last_error());
  LoadFlows flows{settings, epoll};
  if (auto opened = flows.open_peers(); !opened) return std::unexpected(std::move(opened.error()));
  return flows;
}

LoadFlows::LoadFlows(const LoadSettings& settings, int epoll)
    : settings_(&settings),
      epoll_(epoll),
      random_(std::make_unique<SeededRandom>(settings.seed)),
      receiver_(std::make_unique<LoadReceiver>()),
      now_(read_clocks()) {}

LoadFlows::LoadFlows(LoadFlows&& other) noexcept
    : settings_(other.settings_),
      epoll_(std::exchange(other.epoll_, -1)),
      random_(std::move(other.random_)),
      receiver_(std::move(other.receiver_)),
      peers_(std::move(other.peers_)),
      flows_(std::move(other.flows_)),
      now_(other.now_) {}

LoadFlows::~LoadFlows() {
  if (epoll_ >= 0) ::close(epoll_);
}

std::expected<void, std::string> LoadFlows::open_peers() {
  const auto facing = settings_->peer_ip ? settings_->peer_ip : local_address_towards(settings_->server);
  if (!facing) return std::unexpected("no address of this machine leads to " + settings_->server.to_string());
  const std::size_t count = std::clamp<std::size_t>(settings_->peers, 1, settings_->flows);
  for (std::size_t i = 0; i < count; ++i) {
    auto socket = UdpSocket::open(*facing);
    if (!socket)
      return std::unexpected("cannot open a peer on " + facing->to_string() + ": " +
                             socket.error().message());
    prepare_load_socket(socket->descriptor());
    if (!watch(socket->descriptor(), {.is_peer = true, .index = i}))
      return std::unexpected("cannot wait for a peer: " + last_error());
    const SocketAddress address = socket->local_address();
    peers_.push_back({std::move(*socket), address});
  }
  return {};
}

std::expected<UdpSocket, std::string> LoadFlows::open_client_socket(std::size_t index) {
  auto socket = UdpSocket::connect(settings_->server);
  if (!socket)
    return std::unexpected("cannot open a socket towards " + settings_->server.to_string() + ": " +
                           socket.error().message());
  prepare_load_socket(socket->descriptor());
  if (!watch(socket->descriptor(), {.index = index}))
    return std::unexpected("cannot wait for a client: " + last_error());
  return std::move(*socket);
}

turn::Client LoadFlows::make_client() {
  return turn::Client{{.credential = settings_->credential,
                       .family = settings_->relayed_family,
                       .lifetime = settings_->lifetime,
                       .password_algorithms = settings_->password_algorithms,
                       .username_anonymity = settings_->username_anonymity},
                      *random_};
}

std::expected<void, std::string> LoadFlows::open_flow() {
  const std::size_t index = flows_.size();
  auto socket = open_client_socket(index);
  if (!socket) return std::unexpected(std::move(socket.error()));
  flows_.push_back(
      {.index = index, .socket = std::move(*socket), .client = make_client(), .peer = index % peers_.size()});
  ++tally_.busy;
  now_ = read_clocks();
  flows_.back().begun_at = now_.mono;
  start_client(flows_.back());
  drain_effects(flows_.back());
  return {};
}

void LoadFlows::start_client(LoadFlow& flow) {
  const SocketAddress& peer = peers_[flow.peer].address;
  flow.client.start(now_);
  if (settings_->channels)
    flow.channel = flow.client.bind_channel(peer, now_);
  else
    flow.client.permit({peer}, now_);
}

// RFC 8656 section 7.4: after a 437 the client tries again from another port. The kernel may have given us
// one whose last allocation the server still remembers.
bool LoadFlows::starts_over(LoadFlow& flow, const turn::ClientFailure& failure) {
  if (flow.state != LoadFlow::State::setting_up || flow.fresh_starts == fresh_starts_max) return false;
  if (failure.method != stun::Method::allocate || failure.code != 437) return false;
  auto socket = open_client_socket(flow.index);
  if (!socket) return false;
  ++flow.fresh_starts;
  ++tally_.fresh_starts;
  flow.socket = std::move(*socket);
  flow.client = make_client();
  start_client(flow);
  return true;
}

bool LoadFlows::watch(int descriptor, Ready ready) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = ready.index | (ready.is_peer ? peer_bit : 0)}};
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

// --- many at a time ---------------------------------------------------------------------------------------

std::expected<LoadSetUp, std::string> LoadFlows::set_up() {
  begin_tally(settings_->flows);
  while (tally_.done + tally_.failed < tally_.wanted) {
    while (flows_.size() < tally_.wanted && tally_.busy < settings_->concurrency)
      if (auto opened = open_flow(); !opened) return std::unexpected(std::move(opened.error()));
    read_controls(milliseconds{5});
  }
  return end_tally();
}

std::expected<LoadSetUp, std::string> LoadFlows::churn() {
  churns_ = true;
  auto result = set_up();
  churns_ = false;
  return result;
}

LoadSetUp LoadFlows::take_down() {
  const auto stands = [](const LoadFlow& flow) { return flow.state == LoadFlow::State::ready; };
  begin_tally(static_cast<std::size_t>(std::count_if(flows_.begin(), flows_.end(), stands)));
  std::size_t next = 0;
  while (tally_.done + tally_.failed < tally_.wanted) {
    for (; next < flows_.size() && tally_.busy < settings_->concurrency; ++next)
      if (stands(flows_[next])) {
        ++tally_.busy;
        now_ = read_clocks();
        flows_[next].begun_at = now_.mono;
        begin_closing(flows_[next]);
        drain_effects(flows_[next]);
      }
    read_controls(milliseconds{5});
  }
  return end_tally();
}

void LoadFlows::begin_closing(LoadFlow& flow) {
  flow.state = LoadFlow::State::closing;
  flow.client.close(now_);
}

void LoadFlows::begin_tally(std::size_t wanted) {
  tally_ = {.wanted = wanted,
            .begun_at = read_clocks().mono,
            .own_cpu = measure_own_cpu(),
            .server_cpu = cpu_of(settings_->server_pid)};
}

LoadSetUp LoadFlows::end_tally() {
  const auto server_cpu = cpu_of(settings_->server_pid);
  const auto done = static_cast<double>(std::max<std::size_t>(tally_.done, 1));
  const double seconds = std::chrono::duration<double>(read_clocks().mono - tally_.begun_at).count();
  LoadSetUp set_up{.wanted = tally_.wanted,
                   .done = tally_.done,
                   .fresh_starts = tally_.fresh_starts,
                   .failures = tally_.failures,
                   .seconds = seconds,
                   .per_second = static_cast<double>(tally_.done) / std::max(seconds, 1e-9),
                   .latency = summarize(tally_.latency),
                   .generator_cpu_us = to_us(measure_own_cpu() - tally_.own_cpu) / done};
  if (server_cpu && tally_.server_cpu) set_up.server_cpu_us = to_us(*server_cpu - *tally_.server_cpu) / done;
  return set_up;
}

// --- one at a time ----------------------------------------------------------------------------------------

void LoadFlows::read_controls(milliseconds timeout) {
  wait(timeout, [this](Ready ready) {
    if (ready.is_peer) {
      receiver_->receive(peers_[ready.index].socket.descriptor(), [](Bytes) {});
      return;
    }
    LoadFlow& flow = flows_[ready.index];
    receiver_->receive(flow.socket.descriptor(), [&](Bytes datagram) { on_control(flow, datagram); });
  });
  now_ = read_clocks();
  if (now_.mono - timeouts_seen_at_ < timeouts_every) return;
  timeouts_seen_at_ = now_.mono;
  for (LoadFlow& flow : flows_) {
    if (flow.state != LoadFlow::State::setting_up && flow.state != LoadFlow::State::closing) continue;
    const auto due = flow.client.next_timeout();
    if (!due || *due > now_.mono) continue;
    flow.client.on_timeout(now_);
    drain_effects(flow);
  }
}

void LoadFlows::wait(milliseconds timeout, FunctionRef<void(Ready)> on_ready) {
  std::array<epoll_event, events_max> events;
  const int count = ::epoll_wait(epoll_, events.data(), events_max, static_cast<int>(timeout.count()));
  now_ = read_clocks();
  for (int i = 0; i < count; ++i) {
    const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
    on_ready({.is_peer = (id & peer_bit) != 0, .index = static_cast<std::size_t>(id & (peer_bit - 1))});
  }
}

void LoadFlows::on_control(LoadFlow& flow, Bytes datagram) {
  flow.client.on_datagram(datagram, now_);
  drain_effects(flow);
}

void LoadFlows::keep_alive() {
  now_ = read_clocks();
  if (now_.mono - timeouts_seen_at_ < upkeep_every) return;
  timeouts_seen_at_ = now_.mono;
  for (LoadFlow& flow : flows_) {
    if (flow.state != LoadFlow::State::ready) continue;
    const auto due = flow.client.next_timeout();
    if (!due || *due > now_.mono) continue;
    flow.client.on_timeout(now_);
    drain_effects(flow);
  }
}

void LoadFlows::drain_effects(LoadFlow& flow) {
  while (const auto effect = flow.client.next_effect()) on_effect(flow, *effect);
}

void LoadFlows::on_effect(LoadFlow& flow, const turn::ClientEffect& effect) {
  using State = LoadFlow::State;
  if (const auto* send = std::get_if<turn::ClientSend>(&effect)) {
    (void)flow.socket.send(send->bytes);  // what the kernel refuses is sent again like what is lost
  } else if (const auto* allocated = std::get_if<turn::Allocated>(&effect)) {
    flow.relayed = allocated->relayed.front();
    flow.relayed_native = NativeAddress{flow.relayed};
  } else if (std::holds_alternative<turn::ChannelBound>(effect) ||
             std::holds_alternative<turn::Permitted>(effect)) {
    if (flow.state == State::setting_up &&
        settings_->channels == std::holds_alternative<turn::ChannelBound>(effect))
      on_ready(flow);
  } else if (const auto* refreshed = std::get_if<turn::Refreshed>(&effect)) {
    if (refreshed->lifetime == std::chrono::seconds{0} && flow.state == State::closing)
      finish(flow, State::closed);
  } else if (const auto* failed = std::get_if<turn::Failed>(&effect)) {
    if (!starts_over(flow, failed->failure)) fail(flow, words_of(failed->failure));
  }
}

void LoadFlows::on_ready(LoadFlow& flow) {
  flow.prefix = make_prefix(*settings_, flow, peers_[flow.peer].address, *random_);
  if (churns_)
    begin_closing(flow);
  else
    finish(flow, LoadFlow::State::ready);
}

void LoadFlows::finish(LoadFlow& flow, LoadFlow::State state) {
  const bool was_closing = flow.state == LoadFlow::State::closing;
  flow.state = state;
  --tally_.busy;
  ++tally_.done;
  tally_.latency.record(static_cast<std::uint64_t>((now_.mono - flow.begun_at).count()));
  if (was_closing) const UdpSocket ended{std::move(flow.socket)};  // its port is free again
}

void LoadFlows::fail(LoadFlow& flow, const std::string& reason) {
  if (flow.state == LoadFlow::State::ready) return;  // a refresh that failed; the traffic will show it
  if (flow.state == LoadFlow::State::failed || flow.state == LoadFlow::State::closed) return;
  flow.state = LoadFlow::State::failed;
  --tally_.busy;
  ++tally_.failed;
  ++tally_.failures[reason];
}

}  // namespace turnpike::client
