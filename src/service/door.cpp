#include "service/door.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/source_key.hpp"
#include "service/addresses.hpp"
#include "service/door_impl.hpp"

namespace turnpike::service {
namespace {

constexpr std::chrono::seconds sweep_interval{1};
constexpr std::chrono::milliseconds accept_pause{100};  // when the process has no descriptors left
constexpr std::uint16_t going_away = 1001;              // RFC 6455 section 7.4.1
constexpr std::uint16_t normal_closure = 1000;

bool is_loopback(const IpAddress& address) {
  const IpAddress canonical = address.canonical();
  if (canonical.is_v4()) return canonical.bytes()[0] == 127;
  return canonical.to_string() == "::1";
}

std::string name_of(const DoorListener& listener) {
  return (listener.is_secure ? "wss:" : "ws:") + listener.address.to_string();
}

}  // namespace

Door::Impl::Impl(Loop& loop, DoorSettings settings, DoorOwner& owner)
    : loop_(loop),
      settings_(std::move(settings)),
      owner_(owner),
      of_source_(0, AddressHash{random_.next_u64()}),
      limiter_(settings_.limits.handshakes_per_second_per_source, random_.next_u64()),
      sweeper_(loop.impl().context) {}

std::expected<void, std::string> Door::Impl::open() {
  const bool has_secure = std::ranges::any_of(settings_.listeners, &DoorListener::is_secure);
  if (has_secure)
    if (auto loaded = load_certificate(settings_.certificate, settings_.key); !loaded) return loaded;
  for (DoorListener& listener : settings_.listeners) {
    if (!listener.is_secure && !settings_.allows_cleartext && !is_loopback(listener.address.ip))
      return std::unexpected(fmt::format(
          "{}: tokens and passwords would travel in the clear; use wss: or allow it", name_of(listener)));
    if (auto opened = open_gate(listener); !opened) return opened;
  }
  for (const auto& gate : gates_) accept(*gate);
  sweep();
  return {};
}

std::expected<void, std::string> Door::Impl::open_gate(DoorListener& listener) {
  const auto endpoint = to_endpoint<asio::ip::tcp>(listener.address);
  auto gate = std::make_unique<Gate>(Gate{TcpAcceptor{loop_.impl().context}, listener.is_secure});
  ErrorCode error;
  const auto attempt = [&](auto&& step) {
    if (!error) step();
  };
  attempt([&] { gate->acceptor.open(endpoint.protocol(), error); });
  attempt([&] { gate->acceptor.set_option(asio::socket_base::reuse_address(true), error); });
  if (endpoint.address().is_v6()) attempt([&] { gate->acceptor.set_option(asio::ip::v6_only(true), error); });
  attempt([&] { gate->acceptor.bind(endpoint, error); });
  attempt([&] { gate->acceptor.listen(asio::socket_base::max_listen_connections, error); });
  if (error)
    return std::unexpected(fmt::format("{} cannot be opened: {}", name_of(listener), error.message()));
  listener.address = to_address(gate->acceptor.local_endpoint(error));
  gates_.push_back(std::move(gate));
  return {};
}

void Door::Impl::accept(Gate& gate) {
  gate.acceptor.async_accept([this, &gate](const ErrorCode& error, TcpSocket socket) {
    if (error == asio::error::operation_aborted || !gate.acceptor.is_open()) return;
    if (!error) {
      take_in(std::move(socket), gate.is_secure);
      return accept(gate);
    }
    const auto timer = std::make_shared<SteadyTimer>(loop_.impl().context, accept_pause);
    timer->async_wait([this, &gate, timer](const ErrorCode& cancelled) {
      if (!cancelled && gate.acceptor.is_open()) accept(gate);
    });
  });
}

std::optional<DoorRefusal> Door::Impl::find_refusal(const SocketAddress& remote) {
  if (connections_.size() >= settings_.limits.connections_max) return DoorRefusal::too_many;
  const auto of_source = of_source_.find(source_key(remote.ip));
  if (of_source != of_source_.end() && of_source->second >= settings_.limits.connections_per_source_max)
    return DoorRefusal::too_many_of_source;
  if (!limiter_.admit(remote.ip, read_clocks().mono)) return DoorRefusal::too_fast;
  return std::nullopt;
}

void Door::Impl::take_in(TcpSocket socket, bool is_secure) {
  ErrorCode error;
  const auto endpoint = socket.remote_endpoint(error);
  if (error) return;  // gone already
  const SocketAddress remote = to_address(endpoint);
  if (const auto refusal = find_refusal(remote)) return refuse(remote, *refusal);
  socket.non_blocking(true, error);
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  auto connection = make_connection(*this, std::move(socket), remote, is_secure);
  connection->position = connections_.size();
  connections_.push_back(connection);
  ++of_source_[source_key(remote.ip)];
  counts_.connections_active = connections_.size();
  connection->start();
}

void Door::Impl::refuse(const SocketAddress& remote, DoorRefusal refusal) {
  ++counts_.refused[static_cast<std::size_t>(refusal)];
  owner_.on_client_refused(remote, refusal);
}

epcscf::FlowId Door::Impl::open_flow(Connection& connection) {
  ++counts_.flows_begun;
  flows_.emplace(++flow_last_, &connection);
  counts_.flows_active = flows_.size();
  return epcscf::FlowId{flow_last_};
}

void Door::Impl::forget_flow(epcscf::FlowId flow, DoorEnd end) {
  if (flows_.erase(static_cast<std::uint64_t>(flow)) == 0) return;
  counts_.flows_active = flows_.size();
  ++counts_.ended[static_cast<std::size_t>(end)];
  loop_.post([this, flow, end] { owner_.on_client_closed(flow, end); });
}

void Door::Impl::remove(Connection& connection) {
  const std::size_t position = connection.position;
  const auto of_source = of_source_.find(source_key(connection.remote().ip));
  if (--of_source->second == 0) of_source_.erase(of_source);
  connections_.back()->position = position;
  std::swap(connections_[position], connections_.back());
  connections_.pop_back();
  counts_.connections_active = connections_.size();
  if (is_stopping_ && connections_.empty() && on_stopped_) loop_.post(std::exchange(on_stopped_, {}));
}

bool Door::Impl::send(epcscf::FlowId flow, std::string bytes) {
  const auto found = flows_.find(static_cast<std::uint64_t>(flow));
  if (found == flows_.end()) return false;
  ++counts_.messages_out;
  counts_.bytes_out += bytes.size();
  found->second->send(std::move(bytes));
  return true;
}

void Door::Impl::close(epcscf::FlowId flow, std::string_view reason) {
  const auto found = flows_.find(static_cast<std::uint64_t>(flow));
  if (found != flows_.end()) found->second->close(DoorEnd::asked, normal_closure, reason);
}

std::expected<void, std::string> Door::Impl::load_certificate(const std::string& certificate,
                                                              const std::string& key) {
  auto context = load_tls_context(certificate, key);
  if (!context) return std::unexpected(std::move(context.error()));
  tls_ = std::move(*context);
  return {};
}

void Door::Impl::stop_accepting() {
  ErrorCode ignored;
  for (const auto& gate : gates_) gate->acceptor.close(ignored);
}

void Door::Impl::stop(Loop::Task done) {
  stop_accepting();
  is_stopping_ = true;
  if (connections_.empty()) return loop_.post(std::move(done));
  on_stopped_ = std::move(done);
  // From behind: one that ends at once makes way for the last, which has had its turn.
  for (std::size_t at = connections_.size(); at-- > 0;)
    connections_[at]->close(DoorEnd::stopping, going_away, "the server ends");
}

void Door::Impl::sweep() {
  const Instant now = read_clocks().mono;
  for (std::size_t at = connections_.size(); at-- > 0;) connections_[at]->on_sweep(now);
  sweeper_.expires_after(sweep_interval);
  sweeper_.async_wait([this](const ErrorCode& error) {
    if (!error) sweep();
  });
}

std::expected<std::unique_ptr<Door>, std::string> Door::open(Loop& loop, DoorSettings settings,
                                                             DoorOwner& owner) {
  auto impl = std::make_unique<Impl>(loop, std::move(settings), owner);
  if (auto opened = impl->open(); !opened) return std::unexpected(std::move(opened.error()));
  return std::unique_ptr<Door>{new Door{std::move(impl)}};
}

Door::Door(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Door::~Door() = default;

const std::vector<DoorListener>& Door::listeners() const { return impl_->listeners(); }
bool Door::send(epcscf::FlowId flow, std::string bytes) { return impl_->send(flow, std::move(bytes)); }
void Door::close(epcscf::FlowId flow, std::string_view reason) { impl_->close(flow, reason); }
std::expected<void, std::string> Door::reload_certificate(const std::string& certificate,
                                                          const std::string& key) {
  return impl_->load_certificate(certificate, key);
}
void Door::stop_accepting() { impl_->stop_accepting(); }
void Door::stop(Loop::Task done) { impl_->stop(std::move(done)); }
const DoorCounts& Door::counts() const { return impl_->counts(); }

}  // namespace turnpike::service
