#pragma once
// The frames of a WebSocket client (RFC 6455 section 5) and its opening handshake, for the load generator: no
// extensions, no fragments of its own, and one masking key, which is zero, so that masking costs nothing.
// What people use goes through web_socket.hpp.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::client {

enum class FrameKind : std::uint8_t { message, ping, pong, close };

struct Frame {
  FrameKind kind{};
  std::string_view payload{};  // of `message`: the whole of it
};

// Adds a frame of text, or of a pong.
void append_frame(std::string& to, FrameKind kind, std::string_view payload);

// Cuts what a server has sent into frames.
class FrameReader {
 public:
  // The bytes lie in the reader until the next call.
  void append(std::string_view bytes);
  // Nothing when it needs more; `false` where the stream is no WebSocket, or too long.
  std::expected<std::optional<Frame>, bool> next();

 private:
  std::string buffer_;
  std::size_t begin_ = 0;
};

// A GET that asks for the subprotocol "sip" (RFC 7118 section 4.1).
std::string make_upgrade(std::string_view host, std::string_view path);
// Where the answer ends and its status: nothing while the headers are not complete.
struct UpgradeAnswer {
  int status = 0;
  std::size_t size = 0;
};
std::optional<UpgradeAnswer> parse_upgrade_answer(std::string_view bytes);

}  // namespace turnpike::client
