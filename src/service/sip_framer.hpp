#pragma once
// Cuts a stream of bytes into SIP messages, by Content-Length (RFC 3261 section 18.3). Between messages line
// ends may stand: two of them are the ping of RFC 5626 section 3.5.1.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace turnpike::service {

enum class FramingError : std::uint8_t {
  no_length,  // on a stream there is no other end of a message
  malformed,
  too_large,
};

class SipFramer {
 public:
  explicit SipFramer(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  void add(std::string_view bytes);
  // The next message, valid until the next call; nothing when more bytes are needed. After an error nobody
  // knows where the next message begins.
  std::expected<std::optional<std::string_view>, FramingError> next();
  // Pings since the last call.
  std::size_t take_pings() { return std::exchange(pings_, 0); }
  [[nodiscard]] std::size_t buffered() const { return bytes_.size() - begin_; }

 private:
  void skip_line_ends();
  [[nodiscard]] std::expected<std::size_t, FramingError> read_body_size(std::string_view head) const;

  std::size_t message_bytes_max_;
  std::string bytes_{};
  std::size_t begin_ = 0;    // of what was not handed out
  std::size_t scanned_ = 0;  // no end of headers before this
  std::optional<std::size_t> message_size_{};
  std::size_t line_ends_ = 0;
  std::size_t pings_ = 0;
};

}  // namespace turnpike::service
