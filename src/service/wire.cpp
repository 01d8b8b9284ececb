#include "service/wire.hpp"

#include <openssl/err.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

namespace turnpike::service {

bool Wire::start_tls(SSL_CTX& context) {
  ssl_.reset(SSL_new(&context));
  if (!ssl_ || SSL_set_fd(ssl_.get(), socket_.native_handle()) != 1) return false;
  SSL_set_accept_state(ssl_.get());
  return true;
}

void Wire::close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

Wire::Outcome Wire::settle(Outcome outcome, Wait wait) {
  if (outcome.error == asio::error::would_block || outcome.error == asio::error::try_again)
    return {.wants = wait};
  return outcome;
}

Wire::Outcome Wire::outcome_of_tls(int result, std::size_t count) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE:
      return {.count = count};
    case SSL_ERROR_WANT_READ:
      return {.wants = Wait::wait_read};
    case SSL_ERROR_WANT_WRITE:
      return {.wants = Wait::wait_write};
    case SSL_ERROR_ZERO_RETURN:
      return {.error = asio::error::eof};
    case SSL_ERROR_SYSCALL:
      return {.error = errno == 0 ? ErrorCode{asio::error::eof}
                                  : ErrorCode{errno, boost::system::system_category()}};
    default:
      break;
  }
  const unsigned long code = ERR_get_error();
  if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return {.error = asio::error::eof};
  return {.error = ErrorCode{static_cast<int>(code), asio::error::get_ssl_category()}};
}

Wire::Outcome Wire::try_handshake() {
  ERR_clear_error();
  errno = 0;
  return outcome_of_tls(SSL_do_handshake(ssl_.get()), 0);
}

Wire::Outcome Wire::try_tls_read(void* to, std::size_t size) {
  ERR_clear_error();
  errno = 0;
  std::size_t count = 0;
  const int result = SSL_read_ex(ssl_.get(), to, size, &count);
  is_drained_ = result == 1 && SSL_has_pending(ssl_.get()) == 0;
  return outcome_of_tls(result, count);
}

Wire::Outcome Wire::try_tls_write(const void* from, std::size_t size) {
  ERR_clear_error();
  errno = 0;
  std::size_t count = 0;
  const int result = SSL_write_ex(ssl_.get(), from, size, &count);
  return outcome_of_tls(result, count);
}

Wire::Outcome Wire::try_finish() {
  if (!finishes_since_) {
    finishes_since_ = read_clocks().mono;
    ERR_clear_error();
    if (ssl_ && SSL_is_init_finished(ssl_.get()) == 1) (void)SSL_shutdown(ssl_.get());
    Outcome outcome;
    socket_.shutdown(asio::socket_base::shutdown_send, outcome.error);
    if (outcome.error) return outcome;
  }
  std::array<char, 4096> unread;
  // Bounded, so that a client that goes on sending keeps nobody else waiting.
  constexpr int reads_max = 16;
  for (int read = 0; read < reads_max; ++read) {
    Outcome outcome;
    outcome.count = socket_.read_some(asio::buffer(unread), outcome.error);
    if (outcome.error == asio::error::eof) return {};
    if (outcome.error) return settle(outcome, Wait::wait_read);
  }
  return {.wants = Wait::wait_read};
}

}  // namespace turnpike::service
