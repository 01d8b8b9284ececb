#pragma once
// For tests: a WebSocket server of a few connections, one after the other, in a thread, on the loopback
// interface. It answers each message as it is told. Boost.Beast stays in the .cpp. No product code may use
// it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace turnpike::client::test {

struct TinyDoorSettings {
  bool is_secure = false;           // TLS, with a certificate of its own making for 127.0.0.1
  std::uint16_t refusal = 0;        // an HTTP status instead of 101
  std::string subprotocol = "sip";  // to choose; empty: none
  std::size_t messages_max = 1000;  // then it closes the connection
  std::function<std::vector<std::string>(const std::string&)> answer{};
};

class TinyDoor {
 public:
  explicit TinyDoor(TinyDoorSettings settings);
  ~TinyDoor();
  TinyDoor(const TinyDoor&) = delete;
  TinyDoor& operator=(const TinyDoor&) = delete;
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] const std::string& certificate() const;  // PEM

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::client::test
