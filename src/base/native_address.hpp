#pragma once
// SocketAddress to and from the kernel's sockaddr. No socket is touched here.

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "base/address.hpp"

namespace turnpike {

struct NativeAddress {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  socklen_t size = sizeof(sockaddr_in6);

  NativeAddress() : v6{} {}
  explicit NativeAddress(const SocketAddress& address);
  // Nothing when the kernel gave another family.
  [[nodiscard]] std::optional<SocketAddress> to_address() const;
};

}  // namespace turnpike
