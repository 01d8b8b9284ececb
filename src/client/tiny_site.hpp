#pragma once
// For tests: an HTTP server without TLS in a thread, on the loopback interface. It answers each request as it
// is told, one connection after the other. No product code may use it.

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.hpp"
#include "base/native_address.hpp"

namespace turnpike::client::test {

class TinySite {
 public:
  // The whole request to the whole answer; an empty one closes the connection without a word.
  using Answer = std::function<std::string(const std::string& request)>;
  explicit TinySite(Answer answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    NativeAddress own{*SocketAddress::parse("127.0.0.1:0")};
    check(::bind(listener_, &own.any, own.size) == 0 && ::listen(listener_, 8) == 0, "a port is free");
    check(::getsockname(listener_, &own.any, &own.size) == 0, "the port is known");
    port_ = own.to_address()->port;
    thread_ = std::thread{[this] { run(); }};
  }
  ~TinySite() {
    is_over_ = true;
    thread_.join();
    ::close(listener_);
  }
  TinySite(const TinySite&) = delete;
  TinySite& operator=(const TinySite&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string origin() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<std::string> requests() {
    const std::scoped_lock lock{mutex_};
    return requests_;
  }

 private:
  void run() {
    while (!is_over_) {
      pollfd polled{listener_, POLLIN, 0};
      if (::poll(&polled, 1, 10) <= 0) continue;
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) continue;
      const std::string request = read(connection);
      {
        const std::scoped_lock lock{mutex_};
        requests_.push_back(request);
      }
      const std::string text = answer_(request);
      ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
      ::close(connection);
    }
  }
  static std::string read(int connection) {
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
      const auto end = text.find("\r\n\r\n");
      if (end != std::string::npos) {
        const auto at = text.find("Content-Length: ");
        const std::size_t size = at == std::string::npos ? 0 : std::stoul(text.substr(at + 16));
        if (text.size() >= end + 4 + size) return text;
      }
      const auto got = ::recv(connection, buffer.data(), buffer.size(), 0);
      if (got <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  Answer answer_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> is_over_ = false;
  std::mutex mutex_{};
  std::vector<std::string> requests_{};
  std::thread thread_{};
};

inline std::string http_answer(int status, const std::string& body, const std::string& rows = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + rows +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace turnpike::client::test
