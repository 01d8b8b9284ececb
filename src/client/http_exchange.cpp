#include "client/http_exchange.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include "base/address.hpp"

namespace turnpike::client {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Error = boost::system::error_code;
using Tcp = asio::ip::tcp;

class Exchange {
 public:
  Exchange(const HttpAsk& ask, const HttpExchangeSettings& settings)
      : ask_(ask), settings_(settings), deadline_(std::chrono::steady_clock::now() + settings.timeout) {
    parser_.body_limit(settings.body_bytes_max);
    parser_.header_limit(header_bytes_max);
  }
  std::expected<HttpReply, HttpFailure> run();

 private:
  static constexpr std::uint32_t header_bytes_max = 32768;

  std::expected<Tcp::resolver::results_type, HttpFailure> resolve();
  std::optional<HttpFailure> connect(beast::tcp_stream& tcp);
  std::optional<HttpFailure> run_secure();
  std::optional<HttpFailure> run_plain();
  template <typename Stream>
  std::optional<HttpFailure> ask_over(Stream& stream);
  void prepare_request();
  // Runs what was begun until it is done. The stream gives up by itself when the time is over.
  Error finish(std::optional<Error>& result);
  [[nodiscard]] HttpFailure explain(const Error& error, std::string_view doing) const;
  [[nodiscard]] std::string origin() const { return ask_.url.authority(); }

  const HttpAsk& ask_;
  const HttpExchangeSettings& settings_;
  std::chrono::steady_clock::time_point deadline_;
  asio::io_context io_{1};
  http::request<http::string_body> request_;
  http::response_parser<http::string_body> parser_;
  beast::flat_buffer buffer_;
};

Error Exchange::finish(std::optional<Error>& result) {
  io_.restart();
  io_.run();
  return result.value_or(asio::error::timed_out);
}

HttpFailure Exchange::explain(const Error& error, std::string_view doing) const {
  if (error == beast::error::timeout || error == asio::error::timed_out)
    return {.found = fmt::format("{} did not {} within {} ms", origin(), doing, settings_.timeout.count()),
            .advice = "Is the address right, and does a firewall let TCP through to this port?"};
  if (error == asio::error::connection_refused)
    return {.found = fmt::format("no connection to {}: {}", origin(), error.message()),
            .advice = "Nothing listens there: is the server running, and is it this port?"};
  if (error == http::error::body_limit || error == http::error::header_limit)
    return {.found = fmt::format("{} answers with more than {} bytes", origin(), settings_.body_bytes_max),
            .advice = "Is this the server that was meant?"};
  return {.found = fmt::format("{} did not {}: {}", origin(), doing, error.message()),
          .advice = ask_.url.is_secure ? "Does it speak HTTPS on this port?" : "Does it want https?"};
}

std::expected<Tcp::resolver::results_type, HttpFailure> Exchange::resolve() {
  Error error;
  Tcp::resolver resolver{io_};
  auto endpoints = resolver.resolve(ask_.url.host, std::to_string(ask_.url.port), error);
  if (!error) return endpoints;
  return std::unexpected(
      HttpFailure{.found = fmt::format("the name \"{}\" was not found: {}", ask_.url.host, error.message()),
                  .advice = "Check the spelling, or give the address."});
}

std::optional<HttpFailure> Exchange::connect(beast::tcp_stream& tcp) {
  const auto endpoints = resolve();
  if (!endpoints) return endpoints.error();
  std::optional<Error> result;
  tcp.expires_at(deadline_);
  tcp.async_connect(*endpoints, [&result](Error error, const Tcp::endpoint&) { result = error; });
  const Error error = finish(result);
  if (error) return explain(error, "take the connection");
  return std::nullopt;
}

void Exchange::prepare_request() {
  request_.method_string(ask_.method);
  request_.target(ask_.url.target);
  request_.version(11);
  request_.set(http::field::host, ask_.url.authority());
  request_.set(http::field::user_agent, "turnpike");
  request_.set(http::field::connection, "close");
  for (const auto& [name, value] : ask_.fields) request_.set(name, value);
  request_.body() = ask_.body;
  request_.prepare_payload();
}

template <typename Stream>
std::optional<HttpFailure> Exchange::ask_over(Stream& stream) {
  prepare_request();
  std::optional<Error> result;
  http::async_write(stream, request_, [&](Error error, std::size_t) {
    if (error) {
      result = error;
      return;
    }
    http::async_read(stream, buffer_, parser_, [&result](Error read, std::size_t) { result = read; });
  });
  const Error error = finish(result);
  if (error) return explain(error, "answer");
  return std::nullopt;
}

std::optional<HttpFailure> Exchange::run_secure() {
  asio::ssl::context context{asio::ssl::context::tls_client};
  if (auto trouble = prepare_tls(context, settings_.trust, ask_.url.host))
    return HttpFailure{std::move(trouble->found), std::move(trouble->advice)};
  beast::ssl_stream<beast::tcp_stream> stream{io_, context};
  if (auto failure = connect(stream.next_layer())) return failure;
  SSL* tls = stream.native_handle();
  // An IP literal is no server name (RFC 6066 section 3).
  if (!IpAddress::parse(ask_.url.host)) SSL_set_tlsext_host_name(tls, ask_.url.host.c_str());
  std::optional<Error> result;
  stream.async_handshake(asio::ssl::stream_base::client, [&result](Error error) { result = error; });
  if (const Error error = finish(result)) {
    if (auto trouble = find_distrust(SSL_get_verify_result(tls), settings_.trust, origin(), ask_.url.host))
      return HttpFailure{std::move(trouble->found), std::move(trouble->advice)};
    return explain(error, "finish the TLS handshake");
  }
  return ask_over(stream);
}

std::optional<HttpFailure> Exchange::run_plain() {
  if (!ask_.url.is_loopback())
    return HttpFailure{.found = fmt::format("{} would be asked without TLS", origin()),
                       .advice = "Use https; http is for this machine alone."};
  beast::tcp_stream stream{io_};
  if (auto failure = connect(stream)) return failure;
  return ask_over(stream);
}

std::expected<HttpReply, HttpFailure> Exchange::run() {
  if (auto failure = ask_.url.is_secure ? run_secure() : run_plain())
    return std::unexpected(std::move(*failure));
  auto& response = parser_.get();
  HttpReply reply{.status = response.result_int(), .body = std::move(response.body())};
  for (const auto& field : response)
    reply.fields.emplace_back(std::string{field.name_string()}, std::string{field.value()});
  return reply;
}

}  // namespace

std::optional<std::string_view> HttpReply::find(std::string_view name) const {
  for (const auto& [field, value] : fields)
    if (beast::iequals(field, name)) return value;
  return std::nullopt;
}

std::expected<HttpReply, HttpFailure> exchange(const HttpAsk& ask, const HttpExchangeSettings& settings) {
  return Exchange{ask, settings}.run();
}

}  // namespace turnpike::client
