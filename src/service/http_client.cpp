#include "service/http_client.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
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
#include <deque>
#include <map>
#include <set>

#include "base/http_url.hpp"

namespace turnpike::service {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t header_bytes_max = 16 * 1024;

using Request = http::request<http::string_body>;
using Parser = http::response_parser<http::string_body>;

// Plain connections use the layer below the TLS stream.
struct Connection {
  Connection(asio::io_context& loop, ssl::context& tls, bool is_tls)
      : is_secure(is_tls), stream(loop, tls), idle_end(loop) {}
  beast::tcp_stream& transport() { return stream.next_layer(); }

  bool is_secure;
  beast::ssl_stream<beast::tcp_stream> stream;
  asio::steady_timer idle_end;
  beast::flat_buffer received{};
};

struct Exchange {
  Exchange(asio::io_context& loop, HttpRequest asked, std::function<void(HttpAnswer)> callback)
      : request(std::move(asked)), on_answer(std::move(callback)), deadline(loop) {}

  HttpRequest request;
  HttpUrl url{};
  std::function<void(HttpAnswer)> on_answer;
  asio::steady_timer deadline;
  std::shared_ptr<Connection> connection{};
  bool is_over = false;  // answered, or nobody waits any more
};
using ExchangeRef = std::shared_ptr<Exchange>;

// The connections to one origin. A worker is a coroutine that carries one exchange after the other.
struct Pool {
  std::size_t workers = 0;
  std::vector<std::shared_ptr<Connection>> idle{};
  std::deque<ExchangeRef> waiting{};
};

bool is_clean(std::string_view text) {
  return text.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos;
}

// A line end inside of a field would let a text that comes from elsewhere add fields of its own.
bool is_clean(const HttpRequest& request) {
  return !request.method.empty() && std::ranges::all_of(request.method, [](char character) {
    return character >= 'A' && character <= 'Z';
  }) && std::ranges::all_of(request.fields, [](const auto& field) {
    return !field.first.empty() && is_clean(field.first) && is_clean(field.second);
  });
}

// RFC 9110 section 9.2.2.
bool is_repeatable(const HttpRequest& request) {
  constexpr std::array<std::string_view, 5> idempotent{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
  return request.is_repeatable || std::ranges::find(idempotent, request.method) != idempotent.end();
}

Request make_request(const Exchange& exchange) {
  Request request;
  request.version(11);
  request.method_string(exchange.request.method);
  request.target(exchange.url.target);
  request.set(http::field::host, exchange.url.authority());
  request.set(http::field::user_agent, "turnpike");
  for (const auto& [name, value] : exchange.request.fields) request.set(name, value);
  request.body() = exchange.request.body;
  request.prepare_payload();
  return request;
}

HttpResponse make_response(Parser& parser) {
  HttpResponse response;
  response.status = parser.get().result_int();
  for (const auto& field : parser.get())
    response.fields.emplace_back(std::string{field.name_string()}, std::string{field.value()});
  response.body = std::move(parser.get().body());
  return response;
}

template <typename Stream>
asio::awaitable<error_code> converse(Stream& stream, beast::flat_buffer& received, Request& request,
                                     Parser& parser) {
  const auto [write_error, written] = co_await http::async_write(stream, request, as_result);
  if (write_error) co_return write_error;
  const auto [read_error, read] = co_await http::async_read(stream, received, parser, as_result);
  co_return read_error;
}

asio::awaitable<error_code> connect(asio::io_context& loop, Connection& connection, const HttpUrl& url) {
  error_code literal_error;
  const auto literal = asio::ip::make_address(url.host, literal_error);
  if (!literal_error) {
    const auto [error] = co_await connection.transport().async_connect({literal, url.port}, as_result);
    co_return error;
  }
  tcp::resolver resolver{loop};
  const std::string port = std::to_string(url.port);
  const auto [resolve_error, endpoints] = co_await resolver.async_resolve(url.host, port, as_result);
  if (resolve_error) co_return resolve_error;
  const auto [error, endpoint] = co_await connection.transport().async_connect(endpoints, as_result);
  co_return error;
}

asio::awaitable<error_code> shake_hands(Connection& connection, const HttpUrl& url) {
  error_code error;
  error = connection.transport().socket().set_option(tcp::no_delay{true}, error);
  if (!connection.is_secure) co_return error_code{};
  asio::ip::make_address(url.host, error);
  // RFC 6066 section 3: the server's name is sent, unless it is an address.
  if (error) SSL_set_tlsext_host_name(connection.stream.native_handle(), url.host.c_str());
  const ssl::host_name_verification verification{url.host};
  connection.stream.set_verify_callback(verification, error);
  if (error) co_return error;
  const auto [handshake_error] =
      co_await connection.stream.async_handshake(ssl::stream_base::client, as_result);
  co_return handshake_error;
}

error_code load_files(ssl::context& tls, const HttpClientSettings& settings, std::string& file) {
  error_code error;
  file = settings.ca_file;
  error = file.empty() ? tls.set_default_verify_paths(error) : tls.load_verify_file(file, error);
  if (error || settings.certificate_file.empty()) return error;
  file = settings.certificate_file;
  error = tls.use_certificate_chain_file(file, error);
  if (error) return error;
  file = settings.key_file;
  return tls.use_private_key_file(file, ssl::context::pem, error);
}

}  // namespace

class HttpClient::Core : public std::enable_shared_from_this<HttpClient::Core> {
 public:
  Core(asio::io_context& loop, HttpClientSettings settings, ssl::context tls)
      : loop_(loop), settings_(std::move(settings)), tls_(std::move(tls)) {}

  void send(HttpRequest request, std::function<void(HttpAnswer)> on_answer);
  void shut_down();

 private:
  asio::awaitable<void> work(std::shared_ptr<Core> self, std::string origin, ExchangeRef exchange);
  asio::awaitable<void> carry(const std::string& origin, ExchangeRef exchange);
  asio::awaitable<error_code> open(ExchangeRef exchange);
  std::shared_ptr<Connection> take_idle(Pool& pool);
  void keep(const std::string& origin, const std::shared_ptr<Connection>& connection);
  void refuse(const ExchangeRef& exchange, std::string why);
  void expire(const ExchangeRef& exchange);
  void finish(const ExchangeRef& exchange, HttpAnswer answer);

  asio::io_context& loop_;
  HttpClientSettings settings_;
  ssl::context tls_;
  std::map<std::string, Pool> pools_{};
  std::set<ExchangeRef> live_{};
  bool is_shut_down_ = false;
};

void HttpClient::Core::send(HttpRequest request, std::function<void(HttpAnswer)> on_answer) {
  auto exchange = std::make_shared<Exchange>(loop_, std::move(request), std::move(on_answer));
  live_.insert(exchange);
  auto url = HttpUrl::parse(exchange->request.url);
  if (!url || !is_clean(exchange->request)) return refuse(exchange, "malformed request or URL");
  exchange->url = std::move(*url);
  const std::string origin = exchange->url.origin();
  if (!exchange->url.is_secure && !exchange->url.is_loopback())
    return refuse(exchange, origin + ": http is for loopback alone, use https");

  exchange->deadline.expires_after(settings_.deadline);
  exchange->deadline.async_wait([weak = weak_from_this(), exchange](error_code error) {
    const auto self = weak.lock();
    if (!error && self) self->expire(exchange);
  });
  Pool& pool = pools_[origin];
  if (pool.workers < settings_.connections_max) {
    ++pool.workers;
    asio::co_spawn(loop_, work(shared_from_this(), origin, exchange), asio::detached);
  } else if (pool.waiting.size() < settings_.waiting_max) {
    pool.waiting.push_back(exchange);
  } else {
    refuse(exchange, origin + ": too many requests wait for a connection");
  }
}

asio::awaitable<void> HttpClient::Core::work(std::shared_ptr<Core> self, std::string origin,
                                             ExchangeRef exchange) {
  while (!self->is_shut_down_) {
    co_await self->carry(origin, exchange);
    Pool& pool = self->pools_[origin];
    if (pool.waiting.empty()) break;
    exchange = std::move(pool.waiting.front());
    pool.waiting.pop_front();
  }
  --self->pools_[origin].workers;
}

asio::awaitable<void> HttpClient::Core::carry(const std::string& origin, ExchangeRef exchange) {
  exchange->connection = take_idle(pools_[origin]);
  for (bool was_kept = exchange->connection != nullptr; !exchange->is_over; was_kept = false) {
    if (!was_kept) {
      const error_code open_error = co_await open(exchange);
      if (open_error) {
        finish(exchange, std::unexpected(origin + ": " + open_error.message()));
        co_return;
      }
    }
    const std::shared_ptr<Connection> connection = exchange->connection;
    Request request = make_request(*exchange);
    Parser parser;
    parser.body_limit(settings_.response_bytes_max);
    parser.header_limit(header_bytes_max);
    if (exchange->request.method == "HEAD") parser.skip(true);
    const error_code error =
        connection->is_secure
            ? co_await converse(connection->stream, connection->received, request, parser)
            : co_await converse(connection->transport(), connection->received, request, parser);
    if (!error) {
      // What came after the answer would be taken for the next one.
      const bool is_at_rest = connection->received.size() == 0;
      if (parser.get().keep_alive() && is_at_rest && !exchange->is_over) keep(origin, connection);
      finish(exchange, make_response(parser));
    } else if (!was_kept || parser.got_some() || !is_repeatable(exchange->request)) {
      finish(exchange, std::unexpected(origin + ": " + error.message()));
    }
  }
}

asio::awaitable<error_code> HttpClient::Core::open(ExchangeRef exchange) {
  exchange->connection = std::make_shared<Connection>(loop_, tls_, exchange->url.is_secure);
  const std::shared_ptr<Connection> connection = exchange->connection;
  error_code error = co_await connect(loop_, *connection, exchange->url);
  // The deadline may have passed while the name was looked up, and found no socket to close.
  if (exchange->is_over) error = asio::error::operation_aborted;
  if (!error) error = co_await shake_hands(*connection, exchange->url);
  co_return error;
}

std::shared_ptr<Connection> HttpClient::Core::take_idle(Pool& pool) {
  if (pool.idle.empty()) return nullptr;
  auto connection = std::move(pool.idle.back());  // the one that was used last is the likeliest to be open
  pool.idle.pop_back();
  connection->idle_end.cancel();
  return connection;
}

void HttpClient::Core::keep(const std::string& origin, const std::shared_ptr<Connection>& connection) {
  if (is_shut_down_) return;
  pools_[origin].idle.push_back(connection);
  connection->idle_end.expires_after(settings_.idle_max);
  connection->idle_end.async_wait([weak = weak_from_this(), origin, connection](error_code error) {
    const auto self = weak.lock();
    if (!error && self) std::erase(self->pools_[origin].idle, connection);
  });
}

void HttpClient::Core::refuse(const ExchangeRef& exchange, std::string why) {
  asio::post(loop_, [weak = weak_from_this(), exchange, why = std::move(why)] {
    if (const auto self = weak.lock()) self->finish(exchange, std::unexpected(why));
  });
}

void HttpClient::Core::expire(const ExchangeRef& exchange) {
  const std::string origin = exchange->url.origin();
  std::erase(pools_[origin].waiting, exchange);
  const auto connection = exchange->connection;
  finish(exchange,
         std::unexpected(fmt::format("{}: no answer within {} ms", origin, settings_.deadline.count())));
  if (connection) connection->transport().close();
}

void HttpClient::Core::finish(const ExchangeRef& exchange, HttpAnswer answer) {
  if (exchange->is_over) return;
  exchange->is_over = true;
  exchange->deadline.cancel();
  exchange->connection.reset();
  const auto on_answer = std::move(exchange->on_answer);
  live_.erase(exchange);
  on_answer(std::move(answer));
}

void HttpClient::Core::shut_down() {
  is_shut_down_ = true;
  for (const ExchangeRef& exchange : live_) {
    exchange->is_over = true;
    exchange->deadline.cancel();
    if (exchange->connection) exchange->connection->transport().close();
  }
  live_.clear();
  for (auto& [origin, pool] : pools_) {
    pool.waiting.clear();
    for (const auto& connection : pool.idle) connection->idle_end.cancel();
    pool.idle.clear();
  }
}

std::expected<std::unique_ptr<HttpClient>, std::string> HttpClient::make(asio::io_context& loop,
                                                                         const HttpClientSettings& settings) {
  ssl::context tls{ssl::context::tls_client};
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  error_code error;
  error = tls.set_verify_mode(ssl::verify_peer, error);
  std::string file;
  if (!error) error = load_files(tls, settings, file);
  if (error) return std::unexpected(fmt::format("cannot use {}: {}", file, error.message()));
  auto core = std::make_shared<Core>(loop, settings, std::move(tls));
  return std::unique_ptr<HttpClient>{new HttpClient{std::move(core)}};
}

HttpClient::HttpClient(std::shared_ptr<Core> core) : core_(std::move(core)) {}

HttpClient::~HttpClient() { core_->shut_down(); }

void HttpClient::send(HttpRequest request, std::function<void(HttpAnswer)> on_answer) {
  core_->send(std::move(request), std::move(on_answer));
}

std::optional<std::string_view> HttpResponse::find(std::string_view name) const {
  for (const auto& [key, value] : fields)
    if (beast::iequals(key, name)) return value;
  return std::nullopt;
}

}  // namespace turnpike::service
