// One connection to the door: first byte, TLS, HTTP upgrade, then WebSocket messages until its end.
#include <fmt/format.h>
#include <openssl/ssl.h>

#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include "base/utf8.hpp"
#include "service/door_impl.hpp"
#include "service/wire.hpp"
#include "sip/message.hpp"

namespace turnpike::service {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
// Without permessage-deflate, whose windows would cost hundreds of kilobytes per connection.
using Stream = websocket::stream<Wire, false>;
using Request = http::request<http::empty_body>;
using Answer = http::response<http::string_body>;

constexpr std::string_view subprotocol = "sip";       // RFC 7118 section 4
constexpr unsigned char tls_handshake_record = 0x16;  // RFC 8446 section 5.1
constexpr std::size_t idle_bytes = 256;               // room for the beginning of the next message
constexpr std::size_t chunk_bytes = 4096;

constexpr std::string_view sentence_of(DoorRefusal refusal) {
  switch (refusal) {
    case DoorRefusal::not_tls:
      return "This port speaks TLS: connect with wss://.";
    case DoorRefusal::no_upgrade:
      return "This is a door for SIP over WebSocket (RFC 7118): connect with a WebSocket of version 13 that "
             "offers the subprotocol \"sip\".";
    case DoorRefusal::wrong_path:
      return "There is nothing at this path.";
    case DoorRefusal::wrong_origin:
      return "Pages of this origin may not connect here; the operator lists those that may.";
    case DoorRefusal::wrong_subprotocol:
      return "This is a door for SIP over WebSocket (RFC 7118): offer the subprotocol \"sip\".";
    default:
      return "This is not a request of HTTP that can be understood.";
  }
}

constexpr http::status status_of(DoorRefusal refusal) {
  switch (refusal) {
    case DoorRefusal::no_upgrade:
      return http::status::upgrade_required;
    case DoorRefusal::wrong_path:
      return http::status::not_found;
    case DoorRefusal::wrong_origin:
      return http::status::forbidden;
    default:
      return http::status::bad_request;
  }
}

Answer make_answer(DoorRefusal refusal) {
  Answer answer{status_of(refusal), 11};
  answer.set(http::field::content_type, "text/plain; charset=utf-8");
  answer.set(http::field::connection, "close");
  if (refusal == DoorRefusal::no_upgrade) {
    answer.set(http::field::upgrade, "websocket");
    answer.set(http::field::connection, "Upgrade, close");
    answer.set(http::field::sec_websocket_version, "13");  // RFC 6455 section 4.4
  }
  answer.body() = std::string{sentence_of(refusal)} + '\n';
  answer.prepare_payload();
  return answer;
}

bool offers_subprotocol(const Request& request) {
  const auto rows = request.equal_range(http::field::sec_websocket_protocol);
  for (auto row = rows.first; row != rows.second; ++row)
    for (const auto& offered : http::token_list{row->value()})
      if (std::string_view{offered.data(), offered.size()} == subprotocol) return true;
  return false;
}

std::string_view text_of(const Request& request, http::field field) {
  const auto value = request[field];
  return {value.data(), value.size()};
}

std::optional<DoorRefusal> find_refusal(const Request& request, const DoorSettings& settings) {
  const std::string_view target{request.target().data(), request.target().size()};
  if (!settings.path.empty() && target.substr(0, target.find('?')) != settings.path)
    return DoorRefusal::wrong_path;
  if (!websocket::is_upgrade(request) || text_of(request, http::field::sec_websocket_version) != "13")
    return DoorRefusal::no_upgrade;
  const auto origin = request.find(http::field::origin);
  const bool has_origin = origin != request.end();
  if (!has_origin && settings.requires_origin) return DoorRefusal::wrong_origin;
  if (has_origin && !is_origin_allowed(settings.origins, text_of(request, http::field::origin),
                                       text_of(request, http::field::host)))
    return DoorRefusal::wrong_origin;
  if (!offers_subprotocol(request)) return DoorRefusal::wrong_subprotocol;
  return std::nullopt;
}

class WebSocketConnection final : public Connection,
                                  public std::enable_shared_from_this<WebSocketConnection> {
 public:
  WebSocketConnection(Door::Impl& door, TcpSocket socket, const SocketAddress& remote, bool is_secure)
      : Connection(remote, is_secure),
        door_(door),
        stream_(Wire{std::move(socket)}),
        heard_at_(read_clocks().mono),
        deadline_(heard_at_ + door.settings().limits.handshake_timeout) {}

  void start() override;
  void send(std::string bytes) override;
  void close(DoorEnd end, std::uint16_t code, std::string_view reason) override;
  void on_sweep(Instant now) override;

 private:
  enum class Phase : std::uint8_t { handshaking, refused, open, closing, gone };
  // What only the handshake needs.
  struct Handshake {
    explicit Handshake(std::size_t bytes_max) : buffer(bytes_max) {
      parser.header_limit(static_cast<std::uint32_t>(bytes_max));
    }
    beast::flat_buffer buffer;
    http::request_parser<http::empty_body> parser;
    Answer answer;
  };

  [[nodiscard]] const DoorLimits& limits() const { return door_.settings().limits; }
  Wire& wire() { return stream_.next_layer(); }

  void on_first_byte(const ErrorCode& error);
  void on_tls(const ErrorCode& error);
  void read_request();
  void on_request(const ErrorCode& error);
  void accept_upgrade();
  void on_upgraded(const ErrorCode& error);
  void refuse(DoorRefusal refusal);
  void refuse_with_answer(DoorRefusal refusal);

  void read_idle();
  void read_more();
  void on_read(const ErrorCode& error);
  void on_message();
  void on_control_frame();
  void on_read_failed(const ErrorCode& error);
  bool admit_message();
  // The client has not read a message or a ping of ours for that long.
  [[nodiscard]] bool is_stuck(Instant now) const;
  void ping(Instant now);
  void write_next();
  void on_written(const ErrorCode& error);
  void write_close();
  // At once, without a close frame.
  void end(DoorEnd end);
  void finish();

  Door::Impl& door_;
  Stream stream_;
  std::unique_ptr<Handshake> handshake_{};
  epcscf::FlowId flow_{};
  Instant heard_at_;
  Instant deadline_;   // of the handshake, or of closing
  Instant paid_at_{};  // a token bucket of messages
  std::array<char, idle_bytes> beginning_;
  std::string message_{};
  std::string writing_{};
  std::vector<std::string> waiting_{};
  std::size_t queued_bytes_ = 0;  // of writing_ and waiting_
  std::unique_ptr<websocket::close_reason> farewell_{};
  Phase phase_ = Phase::handshaking;
  bool is_pinging_ = false;
  Instant pinged_at_{};
  Instant writing_since_{};  // the message that is being written
};

// --- handshake --------------------------------------------------------------------------------------------

void WebSocketConnection::start() {
  wire().socket().async_wait(Wire::Wait::wait_read, [self = shared_from_this()](const ErrorCode& error) {
    self->on_first_byte(error);
  });
}

void WebSocketConnection::on_first_byte(const ErrorCode& error) {
  if (phase_ == Phase::gone) return;
  unsigned char byte = 0;
  ErrorCode failed = error;
  if (!failed) wire().socket().receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, failed);
  // Asio may wake a socket for what had happened to the one before it.
  if (failed == asio::error::would_block || failed == asio::error::try_again) return start();
  if (failed) return refuse(DoorRefusal::hung_up);
  const bool is_tls = byte == tls_handshake_record;
  handshake_ = std::make_unique<Handshake>(limits().handshake_bytes_max);
  if (is_secure() && !is_tls) return refuse_with_answer(DoorRefusal::not_tls);
  if (!is_secure()) return is_tls ? refuse(DoorRefusal::not_cleartext) : read_request();
  if (!wire().start_tls(door_.tls())) return refuse(DoorRefusal::tls_failed);
  wire().async_handshake(
      [self = shared_from_this()](const ErrorCode& done, std::size_t) { self->on_tls(done); });
}

void WebSocketConnection::on_tls(const ErrorCode& error) {
  if (phase_ == Phase::gone) return;
  if (error) return refuse(error == asio::error::eof ? DoorRefusal::hung_up : DoorRefusal::tls_failed);
  read_request();
}

void WebSocketConnection::read_request() {
  http::async_read_header(
      wire(), handshake_->buffer, handshake_->parser,
      [self = shared_from_this()](const ErrorCode& error, std::size_t) { self->on_request(error); });
}

void WebSocketConnection::on_request(const ErrorCode& error) {
  if (phase_ == Phase::gone) return;
  // What the parser refuses has HTTP's own error category; the rest is the connection's.
  if (error && (error == http::error::end_of_stream || error == http::error::partial_message ||
                error.category() != http::make_error_code(http::error::bad_method).category()))
    return refuse(DoorRefusal::hung_up);
  if (error) return refuse_with_answer(DoorRefusal::bad_request);
  if (const auto refusal = find_refusal(handshake_->parser.get(), door_.settings()))
    return refuse_with_answer(*refusal);
  // RFC 6455 section 4.1: the client waits for the answer.
  if (handshake_->buffer.size() != 0) return refuse_with_answer(DoorRefusal::bad_request);
  accept_upgrade();
}

void WebSocketConnection::accept_upgrade() {
  stream_.set_option(websocket::stream_base::decorator([](websocket::response_type& answer) {
    answer.set(http::field::sec_websocket_protocol, subprotocol);
    answer.erase(http::field::server);
  }));
  stream_.read_message_max(limits().message_bytes_max);
  stream_.auto_fragment(false);
  stream_.control_callback([this](websocket::frame_type, beast::string_view) { on_control_frame(); });
  stream_.async_accept(handshake_->parser.get(),
                       [self = shared_from_this()](const ErrorCode& error) { self->on_upgraded(error); });
}

void WebSocketConnection::on_upgraded(const ErrorCode& error) {
  if (phase_ == Phase::gone) return;
  if (error) return refuse(DoorRefusal::bad_request);
  epcscf::ClientInfo info{.remote = remote(), .is_secure = is_secure()};
  info.origin = text_of(handshake_->parser.get(), http::field::origin);
  handshake_.reset();
  phase_ = Phase::open;
  heard_at_ = read_clocks().mono;
  flow_ = door_.open_flow(*this);
  door_.owner().on_client_connected(flow_, info);
  if (phase_ == Phase::open) read_idle();
}

void WebSocketConnection::refuse(DoorRefusal refusal) {
  if (phase_ == Phase::handshaking) door_.refuse(remote(), refusal);
  finish();
}

void WebSocketConnection::refuse_with_answer(DoorRefusal refusal) {
  door_.refuse(remote(), refusal);
  phase_ = Phase::refused;
  deadline_ = read_clocks().mono + limits().close_timeout;
  handshake_->answer = make_answer(refusal);
  http::async_write(wire(), handshake_->answer,
                    [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                      if (error || self->phase_ == Phase::gone) return self->finish();
                      self->wire().async_finish([self](const ErrorCode&, std::size_t) { self->finish(); });
                    });
}

// --- messages ---------------------------------------------------------------------------------------------

void WebSocketConnection::read_idle() {
  stream_.async_read_some(asio::buffer(beginning_),
                          [self = shared_from_this()](const ErrorCode& error, std::size_t count) {
                            if (!error && self->message_.capacity() < chunk_bytes)
                              self->message_ = self->door_.take_spare();
                            if (!error) self->message_.assign(self->beginning_.data(), count);
                            self->on_read(error);
                          });
}

void WebSocketConnection::read_more() {
  const std::size_t had = message_.size();
  message_.resize(had + chunk_bytes);
  stream_.async_read_some(asio::buffer(message_.data() + had, chunk_bytes),
                          [self = shared_from_this(), had](const ErrorCode& error, std::size_t count) {
                            self->message_.resize(had + count);
                            self->on_read(error);
                          });
}

void WebSocketConnection::on_read(const ErrorCode& error) {
  if (phase_ != Phase::open) return error ? finish() : void();
  if (error) return on_read_failed(error);
  heard_at_ = read_clocks().mono;
  if (!stream_.is_message_done()) return read_more();
  on_message();
  door_.give_spare(std::exchange(message_, {}));
  if (phase_ == Phase::open) read_idle();
}

void WebSocketConnection::on_message() {
  if (!admit_message())
    return close(DoorEnd::too_many_messages, websocket::close_code::policy_error, "too many messages");
  if (sip::is_keep_alive(message_)) {
    ++door_.counts().keep_alives;
    // RFC 5626 section 4.4.1: two line ends are a ping, one is the answer; RFC 7118 section 6 keeps that.
    if (message_ == "\r\n\r\n") send("\r\n");
    return;
  }
  ++door_.counts().messages_in;
  door_.counts().bytes_in += message_.size();
  door_.owner().on_client_message(flow_, message_);
}

void WebSocketConnection::on_control_frame() {
  heard_at_ = read_clocks().mono;
  if (phase_ != Phase::open || admit_message()) return;
  // Beast is in the middle of a read.
  asio::post(wire().get_executor(), [self = shared_from_this()] {
    self->close(DoorEnd::too_many_messages, websocket::close_code::policy_error, "too many messages");
  });
}

bool WebSocketConnection::admit_message() {
  const Duration price = std::chrono::nanoseconds{std::chrono::seconds{1}} / limits().messages_per_second;
  const Instant end = std::max(paid_at_, heard_at_) + price;
  if (end > heard_at_ + std::chrono::seconds{2}) return false;
  paid_at_ = end;
  return true;
}

void WebSocketConnection::on_read_failed(const ErrorCode& error) {
  DoorEnd why = DoorEnd::client;
  if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow)
    why = DoorEnd::message_too_large;
  else if (error == websocket::condition::protocol_violation || error == websocket::error::bad_frame_payload)
    why = DoorEnd::not_websocket;
  end(why);
}

void WebSocketConnection::send(std::string bytes) {
  if (phase_ != Phase::open) return;
  queued_bytes_ += bytes.size();
  if (queued_bytes_ > limits().queue_bytes_max) return end(DoorEnd::slow);
  waiting_.push_back(std::move(bytes));
  if (writing_.empty()) write_next();
}

void WebSocketConnection::write_next() {
  writing_ = std::move(waiting_.front());
  waiting_.erase(waiting_.begin());
  if (waiting_.empty()) std::vector<std::string>{}.swap(waiting_);
  writing_since_ = read_clocks().mono;
  stream_.text(is_utf8(writing_));  // RFC 7118 section 5: text frames are UTF-8
  stream_.async_write(
      asio::buffer(writing_),
      [self = shared_from_this()](const ErrorCode& error, std::size_t) { self->on_written(error); });
}

void WebSocketConnection::on_written(const ErrorCode& error) {
  queued_bytes_ -= writing_.size();
  std::string{}.swap(writing_);
  if (phase_ != Phase::open && phase_ != Phase::closing) return;
  if (error) return end(DoorEnd::client);
  if (!waiting_.empty()) return write_next();
  if (phase_ == Phase::closing) write_close();
}

// --- the end ----------------------------------------------------------------------------------------------

void WebSocketConnection::close(DoorEnd why, std::uint16_t code, std::string_view reason) {
  if (phase_ == Phase::handshaking) return refuse(DoorRefusal::hung_up);
  if (phase_ != Phase::open) return;
  door_.forget_flow(flow_, why);
  phase_ = Phase::closing;
  deadline_ = read_clocks().mono + limits().close_timeout;
  farewell_ = std::make_unique<websocket::close_reason>(static_cast<websocket::close_code>(code),
                                                        beast::string_view{reason.data(), reason.size()});
  if (writing_.empty()) write_close();
}

// Behind all that was to be said before.
void WebSocketConnection::write_close() {
  stream_.async_close(*farewell_, [self = shared_from_this()](const ErrorCode&) { self->finish(); });
}

void WebSocketConnection::end(DoorEnd why) {
  if (phase_ == Phase::open) door_.forget_flow(flow_, why);
  finish();
}

void WebSocketConnection::finish() {
  if (phase_ == Phase::gone) return;
  phase_ = Phase::gone;
  const auto self = shared_from_this();  // the door lets go of it
  std::vector<std::string>{}.swap(waiting_);
  wire().close();
  door_.remove(*this);
}

void WebSocketConnection::on_sweep(Instant now) {
  if (phase_ == Phase::handshaking) {
    if (now >= deadline_) refuse(DoorRefusal::timed_out);
    return;
  }
  if (phase_ != Phase::open) {
    if (now >= deadline_) finish();
    return;
  }
  // Beast has ended it, and waits for the client to go.
  const auto finishes_since = wire().finishes_since();
  if (finishes_since && now >= *finishes_since + limits().close_timeout) return wire().close();
  // A client may talk on and read nothing: then it is never silent.
  if (is_stuck(now)) return end(DoorEnd::slow);
  const Duration silence = now - heard_at_;
  if (silence >= limits().idle_timeout) return end(DoorEnd::idle);
  if (silence >= limits().ping_interval && now >= pinged_at_ + limits().ping_interval) ping(now);
}

bool WebSocketConnection::is_stuck(Instant now) const {
  const Instant since = now - limits().idle_timeout;
  return (!writing_.empty() && writing_since_ <= since) || (is_pinging_ && pinged_at_ <= since);
}

// One at a time: Beast keeps the place of a ping that waits for a write, and a second one would take it.
void WebSocketConnection::ping(Instant now) {
  if (std::exchange(is_pinging_, true)) return;
  pinged_at_ = now;
  stream_.async_ping({}, [self = shared_from_this()](const ErrorCode&) { self->is_pinging_ = false; });
}

}  // namespace

std::shared_ptr<Connection> make_connection(Door::Impl& door, TcpSocket socket, const SocketAddress& remote,
                                            bool is_secure) {
  return std::make_shared<WebSocketConnection>(door, std::move(socket), remote, is_secure);
}

}  // namespace turnpike::service
