#include "service/sip_endpoint.hpp"

#include <fmt/format.h>
#include <linux/errqueue.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/native_address.hpp"
#include "base/random.hpp"
#include "service/addresses.hpp"
#include "service/name_cache.hpp"
#include "service/sip_connection.hpp"
#include "service/sip_handover.hpp"

namespace turnpike::service {
namespace {

constexpr int datagrams_per_turn = 64;
constexpr int socket_buffer_bytes = 4 << 20;
constexpr std::chrono::milliseconds accept_pause{100};

// Where the last ICMP errors of a UDP socket came from: what was sent there has been lost.
std::optional<SocketAddress> take_icmp_error(int descriptor) {
  NativeAddress to;
  std::array<std::byte, 512> control;
  char payload = 0;
  iovec data{&payload, 1};
  msghdr message{};
  message.msg_name = &to.any;
  message.msg_namelen = to.size;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(descriptor, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return std::nullopt;
  to.size = message.msg_namelen;
  return to.to_address().value_or(SocketAddress{});
}

}  // namespace

std::string SipListener::to_string() const {
  return (transport == sip::Transport::udp ? "udp:" : "tcp:") + address.to_string();
}

class SipEndpoint::Impl final : public SipConnection::Owner {
 public:
  Impl(Loop& loop, SipEndpointSettings settings, SipEndpointOwner& owner)
      : loop_(loop),
        settings_(std::move(settings)),
        owner_(owner),
        newest_(0, AddressHash{random_.next_u64()}),
        names_(loop, settings_.limits),
        datagram_(settings_.limits.message_bytes_max) {
    if (settings_.neighbours)
      handover_.emplace(
          loop, settings_.neighbours, settings_.limits,
          [this](const SipMailbox::Letter& letter) { on_letter(letter); },
          [this](const SipListener& to) { fail_all(to.transport, to.address); });
  }

  std::expected<void, std::string> open();
  void send(const sip::Hop& to, std::string bytes);
  void stop();
  void know(const std::vector<std::string>& hosts);
  [[nodiscard]] const std::vector<SipListener>& listeners() const { return settings_.listeners; }
  [[nodiscard]] const SipEndpointCounts& counts() const { return counts_; }

 private:
  std::expected<void, std::string> open_udp(SipListener& listener);
  std::expected<void, std::string> open_tcp(SipListener& listener);
  void receive(UdpSocket& socket);
  void on_readable(UdpSocket& socket);
  void report_icmp_errors(UdpSocket& socket);
  void accept(TcpAcceptor& acceptor);
  void take_in(TcpSocket socket);
  [[nodiscard]] bool hears(const IpAddress& address) const;
  [[nodiscard]] bool knows(const IpAddress& address) const;
  bool make_room(bool is_own);
  SipConnection& add(TcpSocket socket, const SocketAddress& remote);
  void on_letter(const SipMailbox::Letter& letter);

  void send_to(const sip::Hop& hop, const SocketAddress& to, std::string bytes);
  void send_datagram(const sip::Hop& hop, const SocketAddress& to, const std::string& bytes);
  // Told in a turn of its own.
  void fail(const sip::Hop& hop);
  void fail_all(sip::Transport transport, const SocketAddress& to);

  void on_message(const SocketAddress& from, std::string_view text) override;
  void on_framing_lost(const SocketAddress& from, FramingError error) override;
  void on_gone(SipConnection& connection, bool is_failed) override;

  Loop& loop_;
  SipEndpointSettings settings_;
  SipEndpointOwner& owner_;
  SystemRandom random_{};
  SipEndpointCounts counts_{};
  struct Datagrams {
    UdpSocket socket;
    bool is_v4 = true;
  };

  std::vector<std::unique_ptr<Datagrams>> udp_{};
  std::vector<std::unique_ptr<TcpAcceptor>> tcp_{};
  std::set<std::shared_ptr<SipConnection>> connections_{};
  std::unordered_map<SocketAddress, SipConnection*, AddressHash> newest_;  // of those, by the other side
  std::vector<IpAddress> known_{};
  NameCache names_;
  std::vector<char> datagram_;
  std::optional<SipHandover> handover_{};
};

// --- opening ----------------------------------------------------------------------------------------------

std::expected<void, std::string> SipEndpoint::Impl::open() {
  for (SipListener& listener : settings_.listeners) {
    auto opened = listener.transport == sip::Transport::udp ? open_udp(listener) : open_tcp(listener);
    if (!opened) return opened;
  }
  for (const auto& own : udp_) receive(own->socket);
  for (const auto& acceptor : tcp_) accept(*acceptor);
  if (handover_) handover_->open(settings_.listeners);
  return {};
}

std::expected<void, std::string> SipEndpoint::Impl::open_udp(SipListener& listener) {
  const auto endpoint = to_endpoint<asio::ip::udp>(listener.address);
  const bool is_v4 = listener.address.ip.is_v4();
  auto own = std::make_unique<Datagrams>(Datagrams{UdpSocket{loop_.impl().context}, is_v4});
  UdpSocket& socket = own->socket;
  ErrorCode error;
  socket.open(endpoint.protocol(), error);
  if (!error && endpoint.address().is_v6()) socket.set_option(asio::ip::v6_only(true), error);
  if (!error) socket.bind(endpoint, error);
  if (!error) socket.non_blocking(true, error);
  if (error)
    return std::unexpected(fmt::format("{} cannot be opened: {}", listener.to_string(), error.message()));
  // RFC 3261 section 18.4: an ICMP error is a failure of the transport, of which the sender is told.
  const int yes = 1;
  ::setsockopt(socket.native_handle(), is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_RECVERR : IPV6_RECVERR,
               &yes, sizeof yes);
  ErrorCode ignored;
  socket.set_option(asio::socket_base::receive_buffer_size(socket_buffer_bytes), ignored);
  socket.set_option(asio::socket_base::send_buffer_size(socket_buffer_bytes), ignored);
  listener.address = to_address(socket.local_endpoint(ignored));
  udp_.push_back(std::move(own));
  return {};
}

std::expected<void, std::string> SipEndpoint::Impl::open_tcp(SipListener& listener) {
  const auto endpoint = to_endpoint<asio::ip::tcp>(listener.address);
  auto acceptor = std::make_unique<TcpAcceptor>(loop_.impl().context);
  ErrorCode error;
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) acceptor->set_option(asio::ip::v6_only(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return std::unexpected(fmt::format("{} cannot be opened: {}", listener.to_string(), error.message()));
  listener.address = to_address(acceptor->local_endpoint(error));
  tcp_.push_back(std::move(acceptor));
  return {};
}

bool SipEndpoint::Impl::hears(const IpAddress& address) const {
  const IpAddress canonical = address.canonical();
  return settings_.peers.empty() || std::ranges::any_of(settings_.peers, [&](const IpPrefix& prefix) {
           return prefix.contains(canonical);
         });
}

// --- what comes in ----------------------------------------------------------------------------------------

void SipEndpoint::Impl::receive(UdpSocket& socket) {
  socket.async_wait(asio::socket_base::wait_read, [this, &socket](const ErrorCode& error) {
    if (error || !socket.is_open()) return;
    on_readable(socket);
    if (socket.is_open()) receive(socket);
  });
}

void SipEndpoint::Impl::on_readable(UdpSocket& socket) {
  for (int count = 0; count < datagrams_per_turn && socket.is_open(); ++count) {
    asio::ip::udp::endpoint from;
    ErrorCode error;
    const std::size_t size = socket.receive_from(asio::buffer(datagram_), from, 0, error);
    if (error == asio::error::would_block || error == asio::error::try_again) return;
    if (error) {
      report_icmp_errors(socket);
      continue;
    }
    const SocketAddress address = to_address(from);
    if (!hears(address.ip)) {
      ++counts_.dropped_stranger;
      continue;
    }
    ++counts_.messages_in;
    owner_.on_sip_message({sip::Transport::udp, host_text(address.ip), address.port},
                          {datagram_.data(), size});
  }
}

void SipEndpoint::Impl::report_icmp_errors(UdpSocket& socket) {
  while (const auto to = take_icmp_error(socket.native_handle()))
    if (to->port != 0) fail_all(sip::Transport::udp, *to);
}

void SipEndpoint::Impl::accept(TcpAcceptor& acceptor) {
  acceptor.async_accept([this, &acceptor](const ErrorCode& error, TcpSocket socket) {
    if (!acceptor.is_open()) return;
    if (!error) {
      take_in(std::move(socket));
      return accept(acceptor);
    }
    const auto timer = std::make_shared<SteadyTimer>(loop_.impl().context, accept_pause);
    timer->async_wait([this, &acceptor, timer](const ErrorCode& cancelled) {
      if (!cancelled && acceptor.is_open()) accept(acceptor);
    });
  });
}

void SipEndpoint::Impl::take_in(TcpSocket socket) {
  ErrorCode error;
  const SocketAddress remote = to_address(socket.remote_endpoint(error));
  if (error) return;
  if (!hears(remote.ip) || !make_room(false)) {
    ++counts_.dropped_stranger;
    return;
  }
  add(std::move(socket), remote).start();
}

SipConnection& SipEndpoint::Impl::add(TcpSocket socket, const SocketAddress& remote) {
  const auto connection = std::make_shared<SipConnection>(*this, std::move(socket), remote, settings_.limits);
  connections_.insert(connection);
  newest_.insert_or_assign(remote, connection.get());
  counts_.connections_active = connections_.size();
  return *connection;
}

// Those of others and our own have limits of their own: whoever fills the one leaves us the other.
bool SipEndpoint::Impl::make_room(bool is_own) {
  const SipEndpointLimits& limits = settings_.limits;
  std::size_t count = 0;
  SipConnection* oldest = nullptr;
  for (const auto& connection : connections_) {
    if (connection->is_own() != is_own) continue;
    ++count;
    if (knows(connection->remote().ip)) continue;
    if (oldest == nullptr || connection->used_at() < oldest->used_at()) oldest = connection.get();
  }
  if (count < (is_own ? limits.own_connections_max : limits.connections_max)) return true;
  if (oldest == nullptr) return false;
  oldest->give_way();
  return true;
}

void SipEndpoint::Impl::know(const std::vector<std::string>& hosts) {
  known_.clear();
  for (const std::string& host : hosts)
    if (const auto address = NameCache::parse_literal(host)) known_.push_back(address->canonical());
}

bool SipEndpoint::Impl::knows(const IpAddress& address) const {
  return std::ranges::find(known_, address.canonical()) != known_.end();
}

void SipEndpoint::Impl::on_message(const SocketAddress& from, std::string_view text) {
  ++counts_.messages_in;
  owner_.on_sip_message({sip::Transport::tcp, host_text(from.ip), from.port}, text);
}

void SipEndpoint::Impl::on_letter(const SipMailbox::Letter& letter) {
  const auto source = NameCache::parse_literal(letter.from.host);
  if (!source || !hears(*source)) {
    ++counts_.dropped_stranger;
  } else if (letter.text.size() > settings_.limits.message_bytes_max) {
    ++counts_.dropped_malformed;
  } else {
    ++counts_.messages_in;
    owner_.on_sip_message(letter.from, letter.text);
  }
}

void SipEndpoint::Impl::on_framing_lost(const SocketAddress& /*from*/, FramingError /*error*/) {
  ++counts_.dropped_malformed;
}

void SipEndpoint::Impl::on_gone(SipConnection& connection, bool is_failed) {
  const SocketAddress remote = connection.remote();
  if (const auto newest = newest_.find(remote); newest != newest_.end() && newest->second == &connection)
    newest_.erase(newest);
  connections_.erase(connection.shared_from_this());
  counts_.connections_active = connections_.size();
  if (is_failed) fail_all(sip::Transport::tcp, remote);
}

// --- what goes out ----------------------------------------------------------------------------------------

void SipEndpoint::Impl::fail(const sip::Hop& hop) {
  ++counts_.send_failures;
  loop_.post([this, hop] { owner_.on_sip_failed(hop); });
}

void SipEndpoint::Impl::fail_all(sip::Transport transport, const SocketAddress& to) {
  fail({transport, host_text(to.ip), to.port});
  for (const std::string& name : names_.names_of(to.ip)) fail({transport, name, to.port});
}

void SipEndpoint::Impl::send(const sip::Hop& to, std::string bytes) {
  if (const auto address = NameCache::parse_literal(to.host))
    return send_to(to, {*address, to.port}, std::move(bytes));
  names_.resolve(to.host, std::move(bytes), [this, to](std::optional<IpAddress> address, std::string waited) {
    if (!address) return fail(to);
    send_to(to, {*address, to.port}, std::move(waited));
  });
}

void SipEndpoint::Impl::send_to(const sip::Hop& hop, const SocketAddress& to, std::string bytes) {
  ++counts_.messages_out;
  if (handover_ && handover_->send({hop.transport, to}, bytes)) return;
  if (hop.transport == sip::Transport::udp) return send_datagram(hop, to, bytes);
  auto found = newest_.find(to);
  if (found == newest_.end()) {
    if (!make_room(true)) return fail(hop);
    add(TcpSocket{loop_.impl().context}, to).connect();
    found = newest_.find(to);
  }
  // It may end in this call, and take its entry with it.
  const auto connection = found->second->shared_from_this();
  connection->send(std::move(bytes));
}

void SipEndpoint::Impl::send_datagram(const sip::Hop& hop, const SocketAddress& to,
                                      const std::string& bytes) {
  const auto endpoint = to_endpoint<asio::ip::udp>(to);
  for (const auto& own : udp_) {
    if (own->is_v4 != to.ip.is_v4() || !own->socket.is_open()) continue;
    UdpSocket& socket = own->socket;
    ErrorCode error;
    (void)socket.send_to(asio::buffer(bytes), endpoint, 0, error);
    if (error && error != asio::error::would_block) {
      // The error may be of an earlier datagram: it is told, and this one has another chance.
      report_icmp_errors(socket);
      (void)socket.send_to(asio::buffer(bytes), endpoint, 0, error);
    }
    // A full buffer is a loss like any other: SIP over UDP sends again.
    if (error && error != asio::error::would_block) fail(hop);
    return;
  }
  fail(hop);
}

void SipEndpoint::Impl::stop() {
  ErrorCode ignored;
  if (handover_) handover_->stop();
  for (const auto& own : udp_) own->socket.close(ignored);
  for (const auto& acceptor : tcp_) acceptor->close(ignored);
  for (const auto& connection : connections_) connection->close();
  newest_.clear();
  connections_.clear();
  counts_.connections_active = 0;
  names_.stop();
}

std::expected<std::unique_ptr<SipEndpoint>, std::string> SipEndpoint::open(Loop& loop,
                                                                           SipEndpointSettings settings,
                                                                           SipEndpointOwner& owner) {
  auto impl = std::make_unique<Impl>(loop, std::move(settings), owner);
  if (auto opened = impl->open(); !opened) return std::unexpected(std::move(opened.error()));
  return std::unique_ptr<SipEndpoint>{new SipEndpoint{std::move(impl)}};
}

SipEndpoint::SipEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SipEndpoint::~SipEndpoint() = default;

const std::vector<SipListener>& SipEndpoint::listeners() const { return impl_->listeners(); }
void SipEndpoint::send(const sip::Hop& to, std::string bytes) { impl_->send(to, std::move(bytes)); }
void SipEndpoint::stop() { impl_->stop(); }
void SipEndpoint::know(const std::vector<std::string>& hosts) { impl_->know(hosts); }
const SipEndpointCounts& SipEndpoint::counts() const { return impl_->counts(); }

}  // namespace turnpike::service
