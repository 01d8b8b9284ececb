#pragma once
// A WebSocket connection for SIP (RFC 7118), over TLS or without. Blocks nowhere but in connect() and wait().
// Boost.Beast stays in the .cpp.

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace turnpike::client {

// "wss://host:port/path"; a host name or an IP literal, in brackets where it is IPv6.
struct WebSocketUri {
  bool is_secure = true;
  std::string host{};  // without brackets
  std::uint16_t port = 443;
  std::string path = "/";
  [[nodiscard]] std::string to_string() const;
  // Nobody between reads along: TLS, or no network between us and the other side.
  [[nodiscard]] bool is_private() const;
  bool operator==(const WebSocketUri&) const = default;
};
// The error is a whole sentence.
std::expected<WebSocketUri, std::string> parse_web_socket_uri(std::string_view text);
// The same, of a server that is told a login: in clear for this machine alone, unless that is asked for.
std::expected<WebSocketUri, std::string> parse_login_uri(std::string_view text, bool allows_cleartext);

struct WebSocketSettings {
  WebSocketUri uri{};
  std::string ca_file{};     // certificates that are trusted; empty: those of the system
  bool is_insecure = false;  // trust any certificate
  std::string origin{};      // of a browser's page; empty: no Origin
  std::string subprotocol = "sip";
  std::chrono::milliseconds timeout{5000};  // until the handshake is done
  std::size_t message_bytes_max = 65535;
};

// Why there is no connection, for a person: what was found, and what to do about it.
struct WebSocketFailure {
  enum class Kind : std::uint8_t {
    unknown_host,
    unreachable,  // refused, no route, or nobody answered
    untrusted,    // the certificate
    no_tls,       // what answers speaks no TLS
    refused,      // another answer than 101
    wrong_subprotocol,
    timed_out,
    misconfigured,  // the CA file
  };
  Kind kind{};
  std::uint16_t http_status = 0;  // refused
  std::string found{};
  std::string advice{};
};

class WebSocket {
 public:
  static std::expected<WebSocket, WebSocketFailure> connect(const WebSocketSettings& settings);
  WebSocket(WebSocket&&) noexcept;
  WebSocket& operator=(WebSocket&&) noexcept;
  ~WebSocket();

  [[nodiscard]] const std::string& peer() const;  // "127.0.0.1:8443"
  [[nodiscard]] const std::string& tls() const;   // "TLSv1.3, CN=..."; empty without
  void send(std::string message);                 // as one text message
  std::optional<std::string> next_message();
  // Why it is over; nothing while it stands.
  [[nodiscard]] const std::optional<std::string>& closed() const;
  // Until a message has come, a descriptor can be read, the connection is over, or the time is.
  void wait(std::span<const int> descriptors, Duration at_most);
  void close();  // says goodbye; waits for the other side's for half a second

 private:
  class Impl;
  explicit WebSocket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::client
