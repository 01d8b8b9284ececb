#include "client/web_socket.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "client/tls_trust.hpp"

namespace turnpike::client {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using Error = boost::system::error_code;
using Kind = WebSocketFailure::Kind;
using Tcp = asio::ip::tcp;

constexpr std::chrono::milliseconds goodbye_wait{500};

// The two kinds of stream behind one face, so that what is above is compiled once.
class Line {
 public:
  using Done = std::function<void(Error)>;
  virtual ~Line() = default;
  virtual void start_tls(const std::string& host, Done done) = 0;
  virtual void start_handshake(const std::string& host, const std::string& path, Done done) = 0;
  virtual void read(beast::flat_buffer& buffer, Done done) = 0;
  virtual void write(const std::string& text, Done done) = 0;
  virtual void say_goodbye(Done done) = 0;
  virtual const websocket::close_reason& goodbye() = 0;  // of the other side
  virtual beast::tcp_stream& tcp() = 0;
  virtual std::string describe_tls() = 0;
  virtual long verify_result() = 0;
  websocket::response_type response{};
};

void decorate(websocket::request_type& request, const WebSocketSettings& settings) {
  request.set(beast::http::field::sec_websocket_protocol, settings.subprotocol);
  request.set(beast::http::field::user_agent, "turnpike");
  if (!settings.origin.empty()) request.set(beast::http::field::origin, settings.origin);
}

std::string describe_certificate(SSL* tls) {
  X509* certificate = SSL_get_peer_certificate(tls);
  if (certificate == nullptr) return {};
  std::array<char, 256> name{};
  X509_NAME_oneline(X509_get_subject_name(certificate), name.data(), static_cast<int>(name.size()));
  X509_free(certificate);
  return name.data();
}

template <typename Stream>
class LineOver final : public Line {
 public:
  template <typename... Arguments>
  explicit LineOver(const WebSocketSettings& settings, Arguments&&... arguments)
      : stream_(std::forward<Arguments>(arguments)...) {
    stream_.set_option(websocket::stream_base::decorator(
        [settings](websocket::request_type& request) { decorate(request, settings); }));
    stream_.read_message_max(settings.message_bytes_max);
    stream_.text(true);
  }

  void start_tls(const std::string& host, Done done) override {
    if constexpr (is_tls) {
      auto& layer = stream_.next_layer();
      // An IP literal is no server name (RFC 6066 section 3).
      if (!IpAddress::parse(host)) SSL_set_tlsext_host_name(layer.native_handle(), host.c_str());
      layer.async_handshake(asio::ssl::stream_base::client, std::move(done));
    } else {
      done({});
    }
  }
  void start_handshake(const std::string& host, const std::string& path, Done done) override {
    stream_.async_handshake(response, host, path, std::move(done));
  }
  void read(beast::flat_buffer& buffer, Done done) override {
    stream_.async_read(buffer, [done = std::move(done)](Error error, std::size_t) { done(error); });
  }
  void write(const std::string& text, Done done) override {
    stream_.async_write(asio::buffer(text),
                        [done = std::move(done)](Error error, std::size_t) { done(error); });
  }
  void say_goodbye(Done done) override {
    stream_.async_close(websocket::close_code::normal, std::move(done));
  }
  const websocket::close_reason& goodbye() override { return stream_.reason(); }
  beast::tcp_stream& tcp() override { return beast::get_lowest_layer(stream_); }
  std::string describe_tls() override {
    if constexpr (is_tls) {
      SSL* tls = stream_.next_layer().native_handle();
      return fmt::format("{}, certificate {}", SSL_get_version(tls), describe_certificate(tls));
    } else {
      return {};
    }
  }
  long verify_result() override {
    if constexpr (is_tls) return SSL_get_verify_result(stream_.next_layer().native_handle());
    return X509_V_OK;
  }

 private:
  static constexpr bool is_tls = !std::is_same_v<Stream, websocket::stream<beast::tcp_stream>>;
  Stream stream_;
};

using PlainLine = LineOver<websocket::stream<beast::tcp_stream>>;
using TlsLine = LineOver<websocket::stream<beast::ssl_stream<beast::tcp_stream>>>;

}  // namespace

class WebSocket::Impl {
 public:
  explicit Impl(WebSocketSettings settings) : settings_(std::move(settings)) {}
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::optional<WebSocketFailure> connect();
  void send(std::string message);
  void wait(std::span<const int> descriptors, Duration at_most);
  void close();

  std::deque<std::string> received;
  std::optional<std::string> closed;
  std::string peer, tls;

 private:
  std::optional<WebSocketFailure> prepare_tls();
  std::optional<WebSocketFailure> reach();
  std::optional<WebSocketFailure> secure();
  std::optional<WebSocketFailure> open();
  [[nodiscard]] WebSocketFailure refused_handshake(Error error);
  // Runs one step until it is done or the time is over.
  Error run(const std::function<void(Line::Done)>& step);
  void read_next();
  void write_next();
  void watch(int descriptor);
  void over(const Error& error);

  [[nodiscard]] TlsTrust trust() const {
    return {.ca_file = settings_.ca_file, .is_insecure = settings_.is_insecure};
  }

  WebSocketSettings settings_;
  asio::io_context io_{1};
  asio::ssl::context tls_context_{asio::ssl::context::tls_client};
  std::unique_ptr<Line> line_;
  beast::flat_buffer buffer_;
  std::deque<std::string> outgoing_;
  struct Watched {
    asio::posix::stream_descriptor descriptor;
    bool is_waiting = false;
  };
  std::map<int, std::shared_ptr<Watched>> watched_;
  bool is_ready_ = false;  // something has happened since wait() began
  std::chrono::steady_clock::time_point deadline_{};
};

// --- connecting -------------------------------------------------------------------------------------------

std::optional<WebSocketFailure> WebSocket::Impl::connect() {
  deadline_ = std::chrono::steady_clock::now() + settings_.timeout;
  if (settings_.uri.is_secure) {
    if (auto failure = prepare_tls()) return failure;
    line_ = std::make_unique<TlsLine>(settings_, io_, tls_context_);
  } else {
    line_ = std::make_unique<PlainLine>(settings_, io_);
  }
  if (auto failure = reach()) return failure;
  if (settings_.uri.is_secure)
    if (auto failure = secure()) return failure;
  if (auto failure = open()) return failure;
  read_next();
  return std::nullopt;
}

std::optional<WebSocketFailure> WebSocket::Impl::prepare_tls() {
  auto trouble = client::prepare_tls(tls_context_, trust(), settings_.uri.host);
  if (!trouble) return std::nullopt;
  return WebSocketFailure{
      .kind = Kind::misconfigured, .found = std::move(trouble->found), .advice = std::move(trouble->advice)};
}

Error WebSocket::Impl::run(const std::function<void(Line::Done)>& step) {
  std::optional<Error> result;
  io_.restart();
  step([&result](Error error) { result = error; });
  while (!result && std::chrono::steady_clock::now() < deadline_) io_.run_one_until(deadline_);
  if (result) return *result;
  // What is under way refers to this frame: it ends before we leave.
  Error ignored;
  line_->tcp().socket().close(ignored);
  while (!result) io_.run_one();
  return asio::error::timed_out;
}

std::optional<WebSocketFailure> WebSocket::Impl::reach() {
  const std::string target = settings_.uri.to_string();
  Error error;
  Tcp::resolver resolver{io_};
  const auto endpoints = resolver.resolve(settings_.uri.host, std::to_string(settings_.uri.port), error);
  if (error)
    return WebSocketFailure{
        .kind = Kind::unknown_host,
        .found = fmt::format("the name \"{}\" was not found: {}", settings_.uri.host, error.message()),
        .advice = "Check the spelling, or give the address."};
  error = run([&](Line::Done done) {
    line_->tcp().async_connect(
        endpoints, [done = std::move(done)](Error result, const Tcp::endpoint&) { done(result); });
  });
  if (error)
    return WebSocketFailure{
        .kind = error == asio::error::timed_out ? Kind::timed_out : Kind::unreachable,
        .found = fmt::format("no connection to {}: {}", target, error.message()),
        .advice = error == asio::error::connection_refused
                      ? "Nothing listens there: is the server running, and is it this port?"
                      : "Is the address right, and does a firewall let TCP through to this port?"};
  line_->tcp().socket().set_option(Tcp::no_delay{true}, error);
  const auto endpoint = line_->tcp().socket().remote_endpoint(error);
  const auto ip = IpAddress::parse(endpoint.address().to_string());
  peer = SocketAddress{ip.value_or(IpAddress{}), endpoint.port()}.to_string();
  return std::nullopt;
}

std::optional<WebSocketFailure> WebSocket::Impl::secure() {
  const Error error = run([&](Line::Done done) { line_->start_tls(settings_.uri.host, std::move(done)); });
  if (!error) {
    tls = line_->describe_tls();
    return std::nullopt;
  }
  if (auto trouble =
          find_distrust(line_->verify_result(), trust(), settings_.uri.to_string(), settings_.uri.host))
    return WebSocketFailure{
        .kind = Kind::untrusted, .found = std::move(trouble->found), .advice = std::move(trouble->advice)};
  if (error == asio::error::timed_out)
    return WebSocketFailure{.kind = Kind::timed_out,
                            .found = fmt::format("{} did not finish the TLS handshake in time", peer),
                            .advice = "Does it speak TLS? Try ws:// if it does not."};
  return WebSocketFailure{.kind = Kind::no_tls,
                          .found = fmt::format("the TLS handshake with {} failed: {}", peer, error.message()),
                          .advice = "Perhaps it speaks no TLS on this port: try ws://."};
}

std::optional<WebSocketFailure> WebSocket::Impl::open() {
  const bool is_ipv6 = settings_.uri.host.find(':') != std::string::npos;
  const std::string host = fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", settings_.uri.host,
                                       is_ipv6 ? "]" : "", settings_.uri.port);
  const Error error =
      run([&](Line::Done done) { line_->start_handshake(host, settings_.uri.path, std::move(done)); });
  if (error) return refused_handshake(error);
  // RFC 7118 section 4.1: the server has to choose what was offered.
  const auto chosen = line_->response[beast::http::field::sec_websocket_protocol];
  if (!beast::iequals(chosen, settings_.subprotocol))
    return WebSocketFailure{
        .kind = Kind::wrong_subprotocol,
        .found = fmt::format("{} opens WebSockets, but not for SIP: it chose the subprotocol \"{}\"", peer,
                             std::string_view{chosen.data(), chosen.size()}),
        .advice = "Is this the URI of the SIP edge? Some have a path, such as wss://host/ws."};
  return std::nullopt;
}

WebSocketFailure WebSocket::Impl::refused_handshake(Error error) {
  const auto status = static_cast<std::uint16_t>(line_->response.result_int());
  if (error == asio::error::timed_out)
    return {.kind = Kind::timed_out,
            .found = fmt::format("{} did not answer the WebSocket handshake in time", peer),
            .advice = "Is this the port of the SIP edge?"};
  if (error != websocket::error::upgrade_declined)
    return {.kind = Kind::no_tls,
            .found = fmt::format("{} does not speak WebSocket: {}", peer, error.message()),
            .advice = settings_.uri.is_secure ? "Is this the port of the SIP edge?"
                                              : "Perhaps it wants TLS: try wss://."};
  WebSocketFailure failure{.kind = Kind::refused, .http_status = status};
  const auto reason = line_->response.reason();
  failure.found = fmt::format("{} refused the WebSocket with {} {}", peer, status,
                              std::string_view{reason.data(), reason.size()});
  if (status == 403)
    failure.advice = settings_.origin.empty()
                         ? "It wants an Origin that it knows: give one with --origin https://..."
                         : fmt::format("It does not know the origin \"{}\".", settings_.origin);
  else if (status == 429 || status == 503)
    failure.advice = "It is full, or has heard too much from this address: try again later.";
  else
    failure.advice = "Is this the URI of the SIP edge? Some have a path, such as wss://host/ws.";
  return failure;
}

// --- afterwards -------------------------------------------------------------------------------------------

void WebSocket::Impl::read_next() {
  line_->read(buffer_, [this](Error error) {
    is_ready_ = true;
    if (error) return over(error);
    const auto data = buffer_.data();
    received.emplace_back(static_cast<const char*>(data.data()), data.size());
    buffer_.consume(buffer_.size());
    read_next();
  });
}

void WebSocket::Impl::send(std::string message) {
  if (closed) return;
  outgoing_.push_back(std::move(message));
  if (outgoing_.size() == 1) write_next();
}

void WebSocket::Impl::write_next() {
  line_->write(outgoing_.front(), [this](Error error) {
    if (error) return over(error);
    outgoing_.pop_front();
    if (!outgoing_.empty()) write_next();
  });
}

void WebSocket::Impl::over(const Error& error) {
  if (closed) return;
  if (error != websocket::error::closed) {
    closed = error.message();
    return;
  }
  const websocket::close_reason& goodbye = line_->goodbye();
  std::string words{goodbye.reason.data(), goodbye.reason.size()};
  // For a terminal.
  std::ranges::replace_if(words, [](unsigned char letter) { return letter < 0x20 || letter == 0x7f; }, '?');
  closed = fmt::format("the server has closed the connection, code {}{}{}", goodbye.code,
                       words.empty() ? "" : ": ", words);
}

void WebSocket::Impl::watch(int descriptor) {
  auto& watched = watched_[descriptor];
  if (!watched) {
    // A duplicate, for the owner closes its own.
    const int own = ::dup(descriptor);
    if (own < 0) return;
    watched = std::make_shared<Watched>(Watched{asio::posix::stream_descriptor{io_, own}});
  }
  if (std::exchange(watched->is_waiting, true)) return;
  watched->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                 [this, watched = watched](Error error) {
                                   watched->is_waiting = false;
                                   if (!error) is_ready_ = true;
                                 });
}

void WebSocket::Impl::wait(std::span<const int> descriptors, Duration at_most) {
  std::erase_if(watched_, [&](const auto& entry) {
    return std::find(descriptors.begin(), descriptors.end(), entry.first) == descriptors.end();
  });
  for (const int descriptor : descriptors) watch(descriptor);
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(at_most);
  is_ready_ = !received.empty();
  io_.restart();
  io_.poll();
  while (!is_ready_ && !closed && std::chrono::steady_clock::now() < until) {
    if (io_.run_one_until(until) == 0) break;
    io_.poll();
  }
}

void WebSocket::Impl::close() {
  if (closed) return;
  const auto until = std::chrono::steady_clock::now() + goodbye_wait;
  while (!outgoing_.empty() && !closed && std::chrono::steady_clock::now() < until) io_.run_one_until(until);
  bool is_done = false;
  if (!closed) line_->say_goodbye([&is_done](Error) { is_done = true; });
  while (!closed && !is_done && std::chrono::steady_clock::now() < until) io_.run_one_until(until);
  Error ignored;
  line_->tcp().socket().close(ignored);
  io_.restart();
  io_.poll();
  closed = closed.value_or("closed by us");
}

WebSocket::Impl::~Impl() {
  if (!line_) return;
  Error ignored;
  line_->tcp().socket().close(ignored);
  watched_.clear();
  io_.restart();
  io_.poll();
}

// --- the outside ------------------------------------------------------------------------------------------

std::expected<WebSocket, WebSocketFailure> WebSocket::connect(const WebSocketSettings& settings) {
  auto impl = std::make_unique<Impl>(settings);
  if (auto failure = impl->connect()) return std::unexpected(*std::move(failure));
  return WebSocket{std::move(impl)};
}

WebSocket::WebSocket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebSocket::WebSocket(WebSocket&&) noexcept = default;
WebSocket& WebSocket::operator=(WebSocket&&) noexcept = default;
WebSocket::~WebSocket() = default;

const std::string& WebSocket::peer() const { return impl_->peer; }
const std::string& WebSocket::tls() const { return impl_->tls; }
void WebSocket::send(std::string message) { impl_->send(std::move(message)); }

std::optional<std::string> WebSocket::next_message() {
  if (impl_->received.empty()) return std::nullopt;
  std::string message = std::move(impl_->received.front());
  impl_->received.pop_front();
  return message;
}

const std::optional<std::string>& WebSocket::closed() const { return impl_->closed; }
void WebSocket::wait(std::span<const int> descriptors, Duration at_most) {
  impl_->wait(descriptors, at_most);
}
void WebSocket::close() { impl_->close(); }

}  // namespace turnpike::client
