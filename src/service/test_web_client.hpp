#pragma once
// For tests: the other end of the door, byte by byte, so that it can also do what no client should: RFC 6455
// frames of any form over TCP or TLS, with a deadline for each wait.

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "base/native_address.hpp"

namespace turnpike::service {

class TestWebClient {
 public:
  struct Frame {
    int opcode = 0;
    std::string payload{};
    // Of a close frame; 0: none.
    [[nodiscard]] int close_code() const {
      if (opcode != 8 || payload.size() < 2) return 0;
      return static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
    }
  };
  static constexpr int text = 1, binary = 2, continuation = 0, close_frame = 8, ping = 9, pong = 10;
  static constexpr std::string_view good_headers =
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\n";

  explicit TestWebClient(const SocketAddress& to, int receive_buffer = 0) {
    const NativeAddress native{to};
    fd_ = ::socket(native.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd_ >= 0, "a socket in a test");
    if (receive_buffer != 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const timeval deadline{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
    const int yes = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    is_connected_ = ::connect(fd_, &native.any, native.size) == 0;
  }
  TestWebClient(TestWebClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        is_connected_(other.is_connected_),
        ssl_(std::move(other.ssl_)),
        unread_(std::move(other.unread_)) {}
  TestWebClient(const TestWebClient&) = delete;
  TestWebClient& operator=(const TestWebClient&) = delete;
  ~TestWebClient() { hang_up(); }

  [[nodiscard]] bool is_connected() const { return is_connected_; }
  void hang_up() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void shutdown_sending() const { ::shutdown(fd_, SHUT_WR); }

  bool start_tls(int version_max = TLS1_3_VERSION) {
    context_.reset(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX_set_max_proto_version(context_.get(), version_max);
    SSL_CTX_set_security_level(context_.get(), 0);  // old versions may be offered
    ssl_.reset(SSL_new(context_.get()), SSL_free);
    SSL_set_fd(ssl_.get(), fd_);
    return SSL_connect(ssl_.get()) == 1;
  }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                             : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Nothing at the end of the stream, or when nothing comes in time.
  std::optional<std::string> read(std::size_t size) {
    while (unread_.size() < size)
      if (!read_some()) return std::nullopt;
    std::string bytes = unread_.substr(0, size);
    unread_.erase(0, size);
    return bytes;
  }
  std::string read_all() {
    while (read_some()) {
    }
    return std::exchange(unread_, {});
  }
  bool is_at_end() { return unread_.empty() && !read_some() && !is_late_; }

  // The whole answer's head.
  std::string request(std::string_view text_of_request) {
    if (!send(text_of_request)) return {};
    while (unread_.find("\r\n\r\n") == std::string::npos)
      if (!read_some()) return std::exchange(unread_, {});
    return *read(unread_.find("\r\n\r\n") + 4);
  }
  std::string request_upgrade(std::string_view more = "Sec-WebSocket-Protocol: sip\r\n",
                              std::string_view path = "/") {
    return request("GET " + std::string{path} + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" +
                   std::string{good_headers} + std::string{more} + "\r\n");
  }
  bool upgrade() { return request_upgrade().starts_with("HTTP/1.1 101 "); }

  // RFC 6455 section 5.2, masked with zeros, which is a mask like any other.
  static std::string make_frame(int opcode, std::string_view payload, bool is_last = true) {
    std::string frame{static_cast<char>((is_last ? 0x80 : 0) | opcode)};
    if (payload.size() < 126) {
      frame += static_cast<char>(0x80 | payload.size());
    } else if (payload.size() < 65536) {
      frame += static_cast<char>(0x80 | 126);
      for (const int shift : {8, 0}) frame += static_cast<char>(payload.size() >> shift);
    } else {
      frame += static_cast<char>(0x80 | 127);
      for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(payload.size() >> shift);
    }
    return frame + std::string(4, '\0') + std::string{payload};
  }
  bool send_frame(int opcode, std::string_view payload, bool is_last = true) {
    return send(make_frame(opcode, payload, is_last));
  }
  std::optional<Frame> read_frame() {
    const auto head = read(2);
    if (!head) return std::nullopt;
    std::size_t size = static_cast<unsigned char>((*head)[1]) & 0x7f;
    const std::size_t more = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (more != 0) {
      const auto bytes = read(more);
      if (!bytes) return std::nullopt;
      size = 0;
      for (const char byte : *bytes) size = size << 8 | static_cast<unsigned char>(byte);
    }
    const auto payload = read(size);
    if (!payload) return std::nullopt;
    return Frame{(*head)[0] & 0x0f, *payload};
  }

 private:
  bool read_some() {
    char bytes[16384];
    const auto count = ssl_ ? SSL_read(ssl_.get(), bytes, sizeof bytes) : ::recv(fd_, bytes, sizeof bytes, 0);
    is_late_ = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (count <= 0) return false;
    unread_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  int fd_ = -1;
  bool is_connected_ = false;
  bool is_late_ = false;  // nothing came in time
  std::shared_ptr<SSL_CTX> context_{};
  std::shared_ptr<SSL> ssl_{};
  std::string unread_{};
};

}  // namespace turnpike::service
