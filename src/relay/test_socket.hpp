#pragma once
// For tests: a plain UDP socket on the loopback interface, which waits for datagrams with a deadline.

#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/native_address.hpp"
#include "relay/udp_socket.hpp"

namespace turnpike::relay {

inline SocketAddress address(std::string_view text) {
  const auto parsed = SocketAddress::parse(text);
  check(parsed.has_value(), "an address in a test");
  return *parsed;
}

inline std::string pattern(std::size_t size, char first = 'a') {
  std::string text(size, first);
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>('a' + (static_cast<std::size_t>(first) + i) % 26);
  return text;
}

class TestSocket {
 public:
  struct Datagram {
    SocketAddress from;
    std::string text;
  };
  static constexpr int deadline_ms = 5000;

  explicit TestSocket(std::string_view local = "127.0.0.1:0") {
    const NativeAddress native{address(local)};
    descriptor_ = FileDescriptor{socket(native.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    check(descriptor_.is_open() && bind(fd(), &native.any, native.size) == 0, "a socket in a test");
    constexpr int buffer_bytes = 4 << 20;
    setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  }

  [[nodiscard]] int fd() const { return descriptor_.value(); }
  [[nodiscard]] SocketAddress local() const { return *local_address(fd()); }

  // What is refused, as after an ICMP error, is as good as lost.
  void send_to(const SocketAddress& to, std::string_view text) const { (void)sends_to(to, text); }
  // One send that the kernel cuts (UDP_SEGMENT).
  [[nodiscard]] bool send_train_to(const SocketAddress& to, std::string_view text,
                                   std::uint16_t segment_bytes) const {
    const int cut = segment_bytes;
    const int whole = 0;
    setsockopt(fd(), IPPROTO_UDP, UDP_SEGMENT, &cut, sizeof cut);
    const bool sent = sends_to(to, text);
    setsockopt(fd(), IPPROTO_UDP, UDP_SEGMENT, &whole, sizeof whole);
    return sent;
  }
  // Nothing when the deadline has passed.
  [[nodiscard]] std::optional<Datagram> receive(int within_ms = deadline_ms) const {
    pollfd polled{fd(), POLLIN, 0};
    if (poll(&polled, 1, within_ms) != 1) return std::nullopt;
    std::string text(65536, '\0');
    NativeAddress from;
    const auto size = recvfrom(fd(), text.data(), text.size(), 0, &from.any, &from.size);
    if (size < 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(size));
    return Datagram{*from.to_address(), std::move(text)};
  }
  [[nodiscard]] std::string receive_text() const {
    auto datagram = receive();
    return datagram ? std::move(datagram->text) : std::string{"nothing came"};
  }
  // Nothing waits now. On the loopback interface what was sent before has arrived.
  [[nodiscard]] bool is_silent() const { return !receive(0); }

 private:
  [[nodiscard]] bool sends_to(const SocketAddress& to, std::string_view text) const {
    const NativeAddress native{to};
    const auto sent = sendto(fd(), text.data(), text.size(), 0, &native.any, native.size);
    return sent == static_cast<ssize_t>(text.size());
  }
  FileDescriptor descriptor_;
};

// An address where nobody listens: a packet to it comes back as an ICMP error.
inline SocketAddress closed_address(std::string_view local = "127.0.0.1:0") {
  return TestSocket{local}.local();
}

}  // namespace turnpike::relay
