#pragma once
// For tests: a SIP peer with plain sockets on the loopback interface, with a deadline for each wait.

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "base/native_address.hpp"

namespace turnpike::service {

class TestSipPeer {
 public:
  explicit TestSipPeer(int kind, const SocketAddress& local = {IpAddress::v4({127, 0, 0, 1}), 0}) {
    const NativeAddress native{local};
    fd_ = ::socket(AF_INET, kind | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    check(fd_ >= 0 && ::bind(fd_, &native.any, native.size) == 0, "a socket in a test");
    set_deadline();
  }
  TestSipPeer(const TestSipPeer&) = delete;
  TestSipPeer& operator=(const TestSipPeer&) = delete;
  TestSipPeer(TestSipPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~TestSipPeer() { hang_up(); }

  [[nodiscard]] SocketAddress local() const {
    NativeAddress native;
    ::getsockname(fd_, &native.any, &native.size);
    return *native.to_address();
  }
  void hang_up() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void listen() const { check(::listen(fd_, 16) == 0, "a listener in a test"); }
  [[nodiscard]] TestSipPeer accept() const {
    pollfd entry{fd_, POLLIN, 0};
    check(::poll(&entry, 1, 10'000) == 1, "a connection in a test");
    return TestSipPeer{::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC), nullptr};
  }
  bool connect(const SocketAddress& to) const {
    const NativeAddress native{to};
    return ::connect(fd_, &native.any, native.size) == 0;
  }
  void send_to(const SocketAddress& to, std::string_view text) const {
    const NativeAddress native{to};
    ::sendto(fd_, text.data(), text.size(), 0, &native.any, native.size);
  }
  void send(std::string_view text) const { ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  // One datagram, or what the stream has; nothing at its end or when nothing comes.
  [[nodiscard]] std::optional<std::string> receive() const {
    std::string text(65'536, '\0');
    const auto size = ::recv(fd_, text.data(), text.size(), 0);
    if (size <= 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(size));
    return text;
  }
  [[nodiscard]] std::string receive(std::size_t size) const {
    std::string text;
    while (text.size() < size) {
      const auto more = receive();
      if (!more) break;
      text += *more;
    }
    return text;
  }

 private:
  explicit TestSipPeer(int descriptor, std::nullptr_t) : fd_(descriptor) { set_deadline(); }
  void set_deadline() const {
    const timeval deadline{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  }
  int fd_ = -1;
};

}  // namespace turnpike::service
