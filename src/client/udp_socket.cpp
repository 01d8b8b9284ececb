#include "client/udp_socket.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace turnpike::client {
namespace {

std::error_code last_error() { return {errno, std::system_category()}; }

struct RawAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

RawAddress to_raw(const SocketAddress& address) {
  RawAddress raw;
  const Bytes bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&raw.storage, &v4, sizeof v4);
    raw.size = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
    std::memcpy(&raw.storage, &v6, sizeof v6);
    raw.size = sizeof v6;
  }
  return raw;
}

std::optional<SocketAddress> from_raw(const sockaddr* raw) {
  if (raw == nullptr) return std::nullopt;
  if (raw->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, raw, sizeof v4);
    std::array<Byte, 4> bytes;
    std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
    return SocketAddress{IpAddress::v4(bytes), ntohs(v4.sin_port)};
  }
  if (raw->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, raw, sizeof v6);
    std::array<Byte, 16> bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return SocketAddress{IpAddress::v6(bytes), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

int to_domain(AddressFamily family) { return family == AddressFamily::ipv4 ? AF_INET : AF_INET6; }

bool is_special(const IpAddress& ip) {
  const Bytes bytes = ip.bytes();
  if (ip.is_v4()) return bytes[0] == 127 || (bytes[0] == 169 && bytes[1] == 254);
  const bool is_link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  return is_link_local || ip == IpAddress::parse("::1");
}

}  // namespace

std::expected<UdpSocket, std::error_code> UdpSocket::open(const IpAddress& local) {
  const int descriptor = ::socket(to_domain(local.family()), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return std::unexpected(last_error());
  UdpSocket socket{descriptor};
  const RawAddress raw = to_raw({local, 0});
  if (::bind(descriptor, raw.get(), raw.size) != 0) return std::unexpected(last_error());
  return socket;
}

std::expected<UdpSocket, std::error_code> UdpSocket::connect(const SocketAddress& remote) {
  const int descriptor =
      ::socket(to_domain(remote.ip.family()), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return std::unexpected(last_error());
  UdpSocket socket{descriptor};
  const RawAddress raw = to_raw(remote);
  if (::connect(descriptor, raw.get(), raw.size) != 0) return std::unexpected(last_error());
  return socket;
}

UdpSocket::UdpSocket(UdpSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

UdpSocket::~UdpSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::error_code UdpSocket::send(Bytes datagram) const {
  return ::send(descriptor_, datagram.data(), datagram.size(), 0) < 0 ? last_error() : std::error_code{};
}

std::error_code UdpSocket::send_to(const SocketAddress& to, Bytes datagram) const {
  const RawAddress raw = to_raw(to);
  const auto sent = ::sendto(descriptor_, datagram.data(), datagram.size(), 0, raw.get(), raw.size);
  return sent < 0 ? last_error() : std::error_code{};
}

std::expected<std::optional<UdpSocket::Datagram>, std::error_code> UdpSocket::receive(
    MutableBytes buffer) const {
  RawAddress raw;
  raw.size = sizeof raw.storage;
  const auto size = ::recvfrom(descriptor_, buffer.data(), buffer.size(), 0,
                               reinterpret_cast<sockaddr*>(&raw.storage), &raw.size);
  if (size < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return std::nullopt;
    return std::unexpected(last_error());
  }
  const auto from = from_raw(raw.get());
  return Datagram{Bytes{buffer.data(), static_cast<std::size_t>(size)}, from.value_or(SocketAddress{})};
}

SocketAddress UdpSocket::local_address() const {
  RawAddress raw;
  raw.size = sizeof raw.storage;
  if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&raw.storage), &raw.size) != 0) return {};
  return from_raw(raw.get()).value_or(SocketAddress{});
}

std::expected<std::vector<SocketAddress>, std::string> resolve(const std::string& host, std::uint16_t port,
                                                               std::optional<AddressFamily> family) {
  addrinfo hints{};
  hints.ai_family = family ? to_domain(*family) : AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list); error != 0)
    return std::unexpected(error == EAI_SYSTEM ? last_error().message() : ::gai_strerror(error));
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next)
    if (const auto address = from_raw(entry->ai_addr)) addresses.push_back({address->ip, port});
  ::freeaddrinfo(list);
  return addresses;
}

std::optional<IpAddress> local_address_towards(const SocketAddress& remote) {
  const auto socket = UdpSocket::connect(remote);
  if (!socket) return std::nullopt;
  const IpAddress local = socket->local_address().ip;
  if (local.is_unspecified()) return std::nullopt;
  return local;
}

std::vector<IpAddress> interface_addresses(AddressFamily family) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  std::vector<IpAddress> addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const auto address = from_raw(entry->ifa_addr);
    if (address && (entry->ifa_flags & IFF_UP) != 0 && address->ip.family() == family)
      addresses.push_back(address->ip);
  }
  ::freeifaddrs(list);
  std::stable_partition(addresses.begin(), addresses.end(),
                        [](const IpAddress& ip) { return !is_special(ip); });
  return addresses;
}

}  // namespace turnpike::client
