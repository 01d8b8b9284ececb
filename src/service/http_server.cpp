#include "service/http_server.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <map>
#include <set>

#include "base/source_key.hpp"

namespace turnpike::service {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds pause_after_failed_accept{100};

using Parser = http::request_parser<http::string_body>;
using Response = http::response<http::string_body>;

// Plain connections use the layer below the TLS stream.
struct Connection {
  Connection(tcp::socket socket, ssl::context& tls) : stream(beast::tcp_stream{std::move(socket)}, tls) {}
  beast::tcp_stream& transport() { return stream.next_layer(); }

  beast::ssl_stream<beast::tcp_stream> stream;
  beast::flat_buffer received{};
  HttpPeer peer{};
  IpAddress source{};
  std::optional<std::chrono::steady_clock::time_point> silent_since{};  // while it is the client's turn
};
using ConnectionRef = std::shared_ptr<Connection>;

tcp::endpoint to_endpoint(const SocketAddress& address) {
  error_code error;
  return {asio::ip::make_address(address.ip.to_string(), error), address.port};
}

SocketAddress to_address(const tcp::endpoint& endpoint) {
  const auto ip = IpAddress::parse(endpoint.address().to_string());
  return {.ip = ip.value_or(IpAddress{}), .port = endpoint.port()};
}

void add_alternative_names(X509* certificate, std::vector<std::string>& to) {
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS && name->type != GEN_URI) continue;
    const auto* text = name->type == GEN_DNS ? name->d.dNSName : name->d.uniformResourceIdentifier;
    to.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                    static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  GENERAL_NAMES_free(names);
}

void add_common_name(X509* certificate, std::vector<std::string>& to) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return;
  const ASN1_STRING* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  to.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                  static_cast<std::size_t>(ASN1_STRING_length(text)));
}

// The handshake has verified the certificate if there is one.
std::vector<std::string> names_of(SSL* connection) {
  std::vector<std::string> names;
  X509* certificate = SSL_get0_peer_certificate(connection);
  if (certificate == nullptr || SSL_get_verify_result(connection) != X509_V_OK) return names;
  add_alternative_names(certificate, names);
  add_common_name(certificate, names);
  return names;
}

ServedRequest to_served(const Connection& connection, Parser& parser) {
  ServedRequest served{.peer = connection.peer,
                       .method = std::string{parser.get().method_string()},
                       .target = std::string{parser.get().target()}};
  for (const auto& field : parser.get())
    served.fields.emplace_back(std::string{field.name_string()}, std::string{field.value()});
  served.body = std::move(parser.get().body());
  return served;
}

Response to_response(HttpResponse response, bool keeps_alive, bool is_head) {
  Response made{http::int_to_status(response.status), 11};
  made.result(response.status);
  for (const auto& [name, value] : response.fields) made.insert(name, value);
  made.keep_alive(keeps_alive);
  made.content_length(response.body.size());
  if (!is_head) made.body() = std::move(response.body);
  return made;
}

// Waits until `handler` has responded. Nothing when it never will.
asio::awaitable<HttpResponse> ask(const HttpServer::Handler& handler, ServedRequest request) {
  const auto executor = co_await asio::this_coro::executor;
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(HttpResponse)>(
      [&handler, &request, executor](auto waiter) {
        handler(std::move(request), [executor, waiter = std::move(waiter)](HttpResponse response) mutable {
          asio::post(executor, [waiter = std::move(waiter), response = std::move(response)]() mutable {
            waiter(std::move(response));
          });
        });
      },
      asio::use_awaitable);
}

// What a request that cannot be read is answered with, if anything.
std::optional<unsigned> find_refusal(error_code error) {
  if (error == http::error::body_limit) return 413;
  if (error == http::error::header_limit) return 431;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error.category() == make_error_code(http::error::bad_method).category()) return 400;
  return std::nullopt;
}

error_code load_files(ssl::context& tls, const HttpServerSettings& settings, std::string& file) {
  error_code error;
  file = settings.certificate_file;
  error = tls.use_certificate_chain_file(file, error);
  if (error) return error;
  file = settings.key_file;
  error = tls.use_private_key_file(file, ssl::context::pem, error);
  if (error || settings.client_ca_file.empty()) return error;
  file = settings.client_ca_file;
  error = tls.load_verify_file(file, error);
  if (error) return error;
  const auto mode = settings.requires_client_certificate ? ssl::verify_peer | ssl::verify_fail_if_no_peer_cert
                                                         : ssl::verify_peer;
  return tls.set_verify_mode(mode, error);
}

}  // namespace

class HttpServer::Core : public std::enable_shared_from_this<HttpServer::Core> {
 public:
  Core(asio::io_context& loop, HttpServerSettings settings, ssl::context tls, Handler handler, Refuse refuse)
      : loop_(loop),
        settings_(std::move(settings)),
        tls_(std::move(tls)),
        handler_(std::move(handler)),
        refuse_(std::move(refuse)),
        acceptor_(loop) {}

  error_code open();
  void run() { asio::co_spawn(loop_, accept(shared_from_this()), asio::detached); }
  void shut_down();
  [[nodiscard]] SocketAddress listener() const { return listener_; }
  std::expected<void, std::string> reload_certificate(const std::string& certificate_file,
                                                      const std::string& key_file);

 private:
  asio::awaitable<void> accept(std::shared_ptr<Core> self);
  bool make_room(const IpAddress& source);
  bool close_silent(const IpAddress* source);
  void leave(const ConnectionRef& connection);
  asio::awaitable<void> serve(std::shared_ptr<Core> self, ConnectionRef connection);
  asio::awaitable<void> converse(Connection& connection);
  template <typename Stream>
  asio::awaitable<void> answer_all(Connection& connection, Stream& stream);
  template <typename Stream>
  asio::awaitable<bool> answer_one(Connection& connection, Stream& stream);
  template <typename Stream>
  asio::awaitable<void> swallow(Connection& connection, Stream& stream);
  [[nodiscard]] bool is_secure() const { return !settings_.certificate_file.empty(); }

  asio::io_context& loop_;
  HttpServerSettings settings_;
  ssl::context tls_;
  Handler handler_;
  Refuse refuse_;
  tcp::acceptor acceptor_;
  SocketAddress listener_{};
  std::set<ConnectionRef> connections_{};
  std::map<IpAddress, std::size_t> of_source_{};
  bool is_shut_down_ = false;
};

error_code HttpServer::Core::open() {
  const tcp::endpoint endpoint = to_endpoint(settings_.listen);
  error_code error;
  error = acceptor_.open(endpoint.protocol(), error);
  if (!error) error = acceptor_.set_option(tcp::acceptor::reuse_address{true}, error);
  if (!error) error = acceptor_.bind(endpoint, error);
  if (!error) error = acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) listener_ = to_address(acceptor_.local_endpoint(error));
  return error;
}

asio::awaitable<void> HttpServer::Core::accept(std::shared_ptr<Core> self) {
  asio::steady_timer pause{self->loop_};
  while (!self->is_shut_down_) {
    auto [error, socket] = co_await self->acceptor_.async_accept(as_result);
    if (self->is_shut_down_) co_return;
    if (error) {  // no descriptors left, for example: those that live go on
      pause.expires_after(pause_after_failed_accept);
      co_await pause.async_wait(as_result);
      continue;
    }
    error = socket.set_option(tcp::no_delay{true}, error);
    const tcp::endpoint remote = socket.remote_endpoint(error);
    if (error) continue;
    const SocketAddress peer = to_address(remote);
    if (!self->make_room(peer.ip)) continue;
    auto connection = std::make_shared<Connection>(std::move(socket), self->tls_);
    connection->peer.remote = peer;
    connection->source = source_key(peer.ip);
    self->connections_.insert(connection);
    ++self->of_source_[connection->source];
    asio::co_spawn(self->loop_, self->serve(self, connection), asio::detached);
  }
}

// One source can keep its own users waiting, not those of others.
bool HttpServer::Core::make_room(const IpAddress& source) {
  const IpAddress key = source_key(source);
  const auto count = of_source_.find(key);
  if (count != of_source_.end() && count->second >= settings_.connections_per_source_max &&
      std::ranges::none_of(settings_.proxies,
                           [&](const IpPrefix& proxy) { return proxy.contains(source.canonical()); }))
    return close_silent(&key);
  return connections_.size() < settings_.connections_max || close_silent(nullptr);
}

bool HttpServer::Core::close_silent(const IpAddress* source) {
  ConnectionRef oldest;
  for (const ConnectionRef& connection : connections_) {
    if (!connection->silent_since || (source != nullptr && connection->source != *source)) continue;
    if (!oldest || *connection->silent_since < *oldest->silent_since) oldest = connection;
  }
  if (!oldest) return false;
  leave(oldest);
  oldest->transport().close();
  return true;
}

void HttpServer::Core::leave(const ConnectionRef& connection) {
  if (connections_.erase(connection) == 0) return;
  const auto count = of_source_.find(connection->source);
  if (--count->second == 0) of_source_.erase(count);
}

asio::awaitable<void> HttpServer::Core::serve(std::shared_ptr<Core> self, ConnectionRef connection) {
  // Also where the handler goes without an answer: this coroutine is destroyed then, not ended.
  struct Leave {
    Core& core;
    const ConnectionRef& connection;
    ~Leave() { core.leave(connection); }
  };
  const Leave leaves{*self, connection};
  connection->silent_since = std::chrono::steady_clock::now();
  co_await self->converse(*connection);
  connection->transport().close();
}

asio::awaitable<void> HttpServer::Core::converse(Connection& connection) {
  if (!is_secure()) {
    co_await answer_all(connection, connection.transport());
    co_return;
  }
  connection.transport().expires_after(settings_.deadline);
  const auto [error] = co_await connection.stream.async_handshake(ssl::stream_base::server, as_result);
  if (error) co_return;
  connection.peer.names = names_of(connection.stream.native_handle());
  co_await answer_all(connection, connection.stream);
  if (is_shut_down_) co_return;
  connection.transport().expires_after(settings_.deadline);
  co_await connection.stream.async_shutdown(as_result);
}

template <typename Stream>
asio::awaitable<void> HttpServer::Core::answer_all(Connection& connection, Stream& stream) {
  bool goes_on = !is_shut_down_;  // by itself: g++ 12 loses its way where a condition waits
  while (goes_on) {
    goes_on = co_await answer_one(connection, stream);
    goes_on = goes_on && !is_shut_down_;
  }
}

// Whether another request may follow.
template <typename Stream>
asio::awaitable<bool> HttpServer::Core::answer_one(Connection& connection, Stream& stream) {
  // The first bytes may take their time, what follows them may not.
  if (connection.received.size() == 0) {
    connection.transport().expires_after(settings_.idle_max);
    const auto [error, count] = co_await stream.async_read_some(connection.received.prepare(4096), as_result);
    if (error) co_return false;
    connection.received.commit(count);
  }
  connection.transport().expires_after(settings_.deadline);
  Parser parser;
  parser.body_limit(settings_.body_bytes_max);
  parser.header_limit(settings_.header_bytes_max);
  const auto [read_error, read] = co_await http::async_read(stream, connection.received, parser, as_result);
  if (is_shut_down_) co_return false;  // what the handler works on may be gone
  bool keeps_alive = false;
  Response response;
  if (!read_error) {
    connection.transport().expires_never();
    connection.silent_since.reset();
    keeps_alive = parser.get().keep_alive();
    const bool is_head = parser.get().method() == http::verb::head;
    HttpResponse answer = co_await ask(handler_, to_served(connection, parser));
    response = to_response(std::move(answer), keeps_alive, is_head);
  } else if (const auto status = find_refusal(read_error)) {
    HttpResponse refusal{.status = *status, .fields = {{"Cache-Control", "no-store"}}};
    if (refuse_) refusal = refuse_(to_served(connection, parser), *status);
    response = to_response(std::move(refusal), false, false);
  } else {
    co_return false;
  }
  connection.transport().expires_after(settings_.deadline);
  connection.silent_since = std::chrono::steady_clock::now();
  const auto [write_error, written] = co_await http::async_write(stream, response, as_result);
  if (read_error && !write_error) co_await swallow(connection, stream);
  co_return !write_error && keeps_alive;
}

// RFC 9112 section 9.6: whoever is still sending loses an answer behind which the connection is closed with
// the rest unread.
template <typename Stream>
asio::awaitable<void> HttpServer::Core::swallow(Connection& connection, Stream& stream) {
  constexpr std::size_t bytes_max = std::size_t{1024} * 1024;
  constexpr std::chrono::seconds longest{1};
  connection.transport().expires_after(longest);
  std::array<char, 4096> rest{};
  for (std::size_t taken = 0; taken < bytes_max;) {
    const auto [error, count] = co_await stream.async_read_some(asio::buffer(rest), as_result);
    if (error) co_return;
    taken += count;
  }
}

void HttpServer::Core::shut_down() {
  is_shut_down_ = true;
  error_code error;
  error = acceptor_.close(error);
  for (const ConnectionRef& connection : connections_) connection->transport().close();
}

namespace {

std::expected<ssl::context, std::string> make_tls(const HttpServerSettings& settings) {
  ssl::context tls{ssl::context::tls_server};
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  // Without it OpenSSL refuses to resume a session that had a client certificate.
  constexpr std::string_view session_context = "turnpike";
  SSL_CTX_set_session_id_context(tls.native_handle(),
                                 reinterpret_cast<const unsigned char*>(session_context.data()),
                                 static_cast<unsigned>(session_context.size()));
  if (settings.certificate_file.empty()) return tls;
  std::string file;
  if (const error_code error = load_files(tls, settings, file))
    return std::unexpected(fmt::format("cannot use {}: {}", file, error.message()));
  return tls;
}

}  // namespace

// A connection that runs holds on to the context that it began with.
std::expected<void, std::string> HttpServer::Core::reload_certificate(const std::string& certificate_file,
                                                                      const std::string& key_file) {
  HttpServerSettings settings = settings_;
  settings.certificate_file = certificate_file;
  settings.key_file = key_file;
  auto tls = make_tls(settings);
  if (!tls) return std::unexpected(std::move(tls.error()));
  settings_ = std::move(settings);
  tls_ = std::move(*tls);
  return {};
}

std::expected<std::unique_ptr<HttpServer>, std::string> HttpServer::start(asio::io_context& loop,
                                                                          const HttpServerSettings& settings,
                                                                          Handler handler, Refuse refuse) {
  const std::string where = settings.listen.to_string();
  if (settings.certificate_file.empty() && !to_endpoint(settings.listen).address().is_loopback())
    return std::unexpected(where + ": http is for loopback alone, give a certificate");
  auto tls = make_tls(settings);
  if (!tls) return std::unexpected(std::move(tls.error()));
  auto core = std::make_shared<Core>(loop, settings, std::move(*tls), std::move(handler), std::move(refuse));
  if (const error_code error = core->open())
    return std::unexpected(fmt::format("cannot listen on {}: {}", where, error.message()));
  core->run();
  return std::unique_ptr<HttpServer>{new HttpServer{std::move(core)}};
}

HttpServer::HttpServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}
HttpServer::~HttpServer() { core_->shut_down(); }
SocketAddress HttpServer::listener() const { return core_->listener(); }
std::expected<void, std::string> HttpServer::reload_certificate(const std::string& certificate_file,
                                                                const std::string& key_file) {
  return core_->reload_certificate(certificate_file, key_file);
}

}  // namespace turnpike::service
