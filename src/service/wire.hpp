#pragma once
// Wire is a TCP connection with or without TLS as Asio and Beast want a stream to be. It drives OpenSSL on
// the socket itself: asio::ssl::stream keeps 68 KiB of buffers per connection, and this keeps none between
// two reads, which is what makes thousands of idle connections cheap (docs/adr/0013-boost-beast-and-asio.md).

#include <openssl/ssl.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "service/loop_impl.hpp"

namespace turnpike::service {

class Wire {
 public:
  using executor_type = Executor;  // NOLINT(readability-identifier-naming): the name that Asio asks for
  using Wait = asio::socket_base::wait_type;
  // What came of one try: done (with or without an error), or what to wait for before the next.
  struct Outcome {
    ErrorCode error{};
    std::size_t count = 0;
    std::optional<Wait> wants{};
  };

  explicit Wire(TcpSocket socket) : socket_(std::move(socket)) {}

  // From here on it speaks TLS, as server. False when there is no memory.
  [[nodiscard]] bool start_tls(SSL_CTX& context);
  [[nodiscard]] bool is_secure() const { return ssl_ != nullptr; }
  TcpSocket& socket() { return socket_; }
  // When it began to wait for the other side to go.
  [[nodiscard]] std::optional<Instant> finishes_since() const { return finishes_since_; }
  auto get_executor() -> executor_type { return socket_.get_executor(); }  // as Asio calls it
  void close();

  template <typename Token>
  auto async_handshake(Token&& token) {
    return async_try([](Wire& wire) { return wire.try_handshake(); }, std::forward<Token>(token));
  }
  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    // Where the last read has taken all that there was, another one would only be told to wait.
    return async_try([buffers](Wire& wire) { return wire.try_read_all(buffers); }, std::forward<Token>(token),
                     is_drained_ ? Stage::waiting : Stage::first);
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return async_try([buffers](Wire& wire) { return wire.try_write_all(buffers); },
                     std::forward<Token>(token));
  }
  // Says that nothing more will be sent, then reads until the other side has said so too: a reset, which a
  // close with unread bytes would be, could overtake what was sent last.
  template <typename Token>
  auto async_finish(Token&& token) {
    return async_try([](Wire& wire) { return wire.try_finish(); }, std::forward<Token>(token));
  }

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  enum class Stage : std::uint8_t { waiting, first, later, done };

  template <typename Attempt, typename Token>
  auto async_try(Attempt attempt, Token&& token, Stage begin = Stage::first) {
    return asio::async_compose<Token, void(ErrorCode, std::size_t)>(
        [this, attempt = std::move(attempt), stage = begin, outcome = Outcome{}](
            auto& self, ErrorCode waited = {}) mutable {
          if (stage == Stage::done) return self.complete(outcome.error, outcome.count);
          if (waited) return self.complete(waited, 0);
          if (stage == Stage::waiting) {
            stage = Stage::later;
            return socket_.async_wait(Wait::wait_read, std::move(self));
          }
          outcome = attempt(*this);
          if (outcome.wants) {
            stage = Stage::later;
            socket_.async_wait(*outcome.wants, std::move(self));
          } else if (stage == Stage::first) {
            // Nothing completes before the call that began it has returned.
            stage = Stage::done;
            asio::post(get_executor(), std::move(self));
          } else {
            self.complete(outcome.error, outcome.count);
          }
        },
        token, socket_);
  }

  template <typename Buffers>
  Outcome try_read_all(const Buffers& buffers) {
    if (!ssl_) {
      Outcome outcome;
      outcome.count = socket_.read_some(buffers, outcome.error);
      is_drained_ = !outcome.error && outcome.count < asio::buffer_size(buffers);
      return settle(outcome, Wait::wait_read);
    }
    for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at)
      if (const asio::mutable_buffer buffer{*at}; buffer.size() != 0)
        return try_tls_read(buffer.data(), buffer.size());
    return {};
  }
  template <typename Buffers>
  Outcome try_write_all(const Buffers& buffers) {
    if (!ssl_) {
      Outcome outcome;
      outcome.count = socket_.write_some(buffers, outcome.error);
      return settle(outcome, Wait::wait_write);
    }
    // One record for a frame's head and payload together.
    std::array<char, record_bytes> record;
    const std::size_t size = asio::buffer_copy(asio::buffer(record), buffers);
    return size == 0 ? Outcome{} : try_tls_write(record.data(), size);
  }

  static constexpr std::size_t record_bytes = 16384;
  static Outcome settle(Outcome outcome, Wait wait);
  Outcome try_handshake();
  Outcome try_tls_read(void* to, std::size_t size);
  Outcome try_tls_write(const void* from, std::size_t size);
  Outcome try_finish();
  Outcome outcome_of_tls(int result, std::size_t count);

  TcpSocket socket_;
  std::unique_ptr<SSL, FreeSsl> ssl_{};
  bool is_drained_ = false;  // as far as one can tell; a wait is told of what has come meanwhile
  std::optional<Instant> finishes_since_{};
};

// What Beast looks for by argument: the end of a WebSocket connection, and its end in haste.
template <typename Handler>
void async_teardown(boost::beast::role_type /*role*/, Wire& wire, Handler&& handler) {
  // However it goes: Beast would tell of that, and not of what ended the connection.
  wire.async_finish([handler = std::forward<Handler>(handler)](
                        const ErrorCode& /*error*/, std::size_t /*none*/) mutable { handler(ErrorCode{}); });
}
inline void beast_close_socket(Wire& wire) { wire.close(); }

}  // namespace turnpike::service
