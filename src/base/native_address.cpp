#include "base/native_address.hpp"

#include <cstring>

namespace turnpike {

NativeAddress::NativeAddress(const SocketAddress& address) : v6{} {
  const Bytes bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    size = sizeof(sockaddr_in);
  } else {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
    size = sizeof(sockaddr_in6);
  }
}

std::optional<SocketAddress> NativeAddress::to_address() const {
  if (any.sa_family == AF_INET) {
    std::array<Byte, 4> bytes;
    std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
    return SocketAddress{IpAddress::v4(bytes), ntohs(v4.sin_port)};
  }
  if (any.sa_family == AF_INET6) {
    std::array<Byte, 16> bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return SocketAddress{IpAddress::v6(bytes), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

}  // namespace turnpike
