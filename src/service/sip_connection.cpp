#include "service/sip_connection.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "service/addresses.hpp"

namespace turnpike::service {
namespace {

// RFC 3261 section 17.1.1.2: 64 * T1, after which nobody waits for an answer any more.
constexpr std::chrono::seconds transaction_life{32};
// Of one turn, after which they do not wait for its end.
constexpr std::size_t burst_bytes = 64 * 1024;

}  // namespace

SipConnection::SipConnection(Owner& owner, TcpSocket socket, const SocketAddress& remote,
                             const SipEndpointLimits& limits)
    : owner_(owner),
      socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      remote_(remote),
      limits_(limits),
      framer_(limits.message_bytes_max),
      heard_at_(read_clocks().mono) {}

void SipConnection::connect() {
  is_own_ = true;
  timer_.expires_after(limits_.connect_timeout);
  timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
    if (!error && !self->is_connected_) self->end(true);
  });
  socket_.async_connect(to_endpoint<asio::ip::tcp>(remote_),
                        [self = shared_from_this()](const ErrorCode& error) {
                          if (self->is_over_) return;
                          if (error) return self->end(true);
                          self->start();
                        });
}

void SipConnection::start() {
  ErrorCode ignored;
  timer_.cancel();
  is_connected_ = true;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  socket_.non_blocking(true, ignored);
  read();
  if (!waiting_.empty()) write();
}

void SipConnection::send(std::string bytes) {
  if (is_over_) return;
  if (writing_.size() + waiting_.size() + bytes.size() > limits_.queue_bytes_max) return end(true);
  sent_at_ = read_clocks().mono;
  if (waiting_.empty())
    waiting_ = std::move(bytes);
  else
    waiting_ += bytes;
  if (!is_connected_ || !writing_.empty()) return;
  if (waiting_.size() >= burst_bytes)
    write();
  else
    flush_later();
}

// Behind whatever has become ready in this turn: a busy node has much to say to its core, and a write for
// each message costs both of them more than the message does.
void SipConnection::flush_later() {
  if (std::exchange(is_flush_due_, true)) return;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->is_flush_due_ = false;
    if (!self->is_over_ && self->writing_.empty() && !self->waiting_.empty()) self->write();
  });
}

void SipConnection::write() {
  writing_ = std::exchange(waiting_, {});
  asio::async_write(socket_, asio::buffer(writing_),
                    [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                      if (self->is_over_) return;
                      self->writing_.clear();
                      if (error) return self->end(true);
                      if (!self->waiting_.empty()) self->write();
                    });
}

void SipConnection::read() {
  socket_.async_read_some(asio::buffer(chunk_),
                          [self = shared_from_this()](const ErrorCode& error, std::size_t count) {
                            self->on_read(error, count);
                          });
}

void SipConnection::on_read(const ErrorCode& error, std::size_t count) {
  if (is_over_) return;
  if (error) return end(has_sent_lately());
  heard_at_ = read_clocks().mono;
  framer_.add({chunk_.data(), count});
  for (;;) {
    const auto message = framer_.next();
    if (is_over_) return;
    if (!message) {
      owner_.on_framing_lost(remote_, message.error());
      return end(has_sent_lately());
    }
    if (!*message) break;
    owner_.on_message(remote_, **message);
    if (is_over_) return;
  }
  if (framer_.take_pings() != 0) send("\r\n");  // RFC 5626 section 3.5.1
  if (!is_over_) read();
}

bool SipConnection::has_sent_lately() const {
  return sent_at_ != Instant::min() && read_clocks().mono - sent_at_ < transaction_life;
}

void SipConnection::close() {
  if (std::exchange(is_over_, true)) return;
  ErrorCode ignored;
  timer_.cancel();
  // What waits for the end of this turn goes now, as far as the socket takes it.
  if (is_connected_ && writing_.empty() && !waiting_.empty())
    (void)socket_.write_some(asio::buffer(waiting_), ignored);
  socket_.close(ignored);
}

void SipConnection::end(bool is_failed) {
  if (is_over_) return;
  const auto self = shared_from_this();  // the endpoint lets go of it
  close();
  owner_.on_gone(*this, is_failed);
}

}  // namespace turnpike::service
