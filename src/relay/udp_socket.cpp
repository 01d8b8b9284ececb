#include "relay/udp_socket.hpp"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/native_address.hpp"

namespace turnpike::relay {
namespace {

constexpr int listener_buffer_bytes = 4 * 1024 * 1024;

std::error_code last_error() { return {errno, std::generic_category()}; }

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

Result<FileDescriptor> open_udp(const IpAddress& ip) {
  const int fd = socket(ip.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(last_error());
  return FileDescriptor{fd};
}

Result<void> bind_to(int fd, const SocketAddress& address) {
  const NativeAddress native{address};
  if (bind(fd, &native.any, native.size) != 0) return std::unexpected(last_error());
  return {};
}

bool is_mtu_report(const sock_extended_err& error) { return error.ee_errno == EMSGSIZE; }

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

void FileDescriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

int FileDescriptor::release() { return std::exchange(fd_, -1); }

SegmentOffload probe_segment_offload() {
  const auto probe = open_udp(IpAddress{});
  if (!probe) return {};
  return {.receive = set_option(probe->value(), IPPROTO_UDP, UDP_GRO, 1),
          .send = set_option(probe->value(), IPPROTO_UDP, UDP_SEGMENT, 1200)};
}

Result<void> claim_address(const SocketAddress& address) {
  // Without SO_REUSEPORT the kernel refuses an address that is bound at all.
  const auto probe = open_udp(address.ip);
  if (!probe) return std::unexpected(probe.error());
  return bind_to(probe->value(), address);
}

Result<FileDescriptor> open_listener(const SocketAddress& address, const SegmentOffload& offload) {
  auto opened = open_udp(address.ip);
  if (!opened) return opened;
  const int fd = opened->value();
  if (!set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) return std::unexpected(last_error());
  // The forced sizes need CAP_NET_ADMIN; without it the kernel gives what net.core.rmem_max and wmem_max
  // allow.
  if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, listener_buffer_bytes))
    set_option(fd, SOL_SOCKET, SO_RCVBUF, listener_buffer_bytes);
  if (!set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, listener_buffer_bytes))
    set_option(fd, SOL_SOCKET, SO_SNDBUF, listener_buffer_bytes);
  if (offload.receive) set_option(fd, IPPROTO_UDP, UDP_GRO, 1);
  if (const auto bound = bind_to(fd, address); !bound) return std::unexpected(bound.error());
  return opened;
}

Result<FileDescriptor> open_relay_port(const SocketAddress& address, const SegmentOffload& offload) {
  auto opened = open_udp(address.ip);
  if (!opened) return opened;
  const int fd = opened->value();
  if (const auto bound = bind_to(fd, address); !bound) return std::unexpected(bound.error());
  if (offload.receive) set_option(fd, IPPROTO_UDP, UDP_GRO, 1);
  const bool v4 = address.ip.is_v4();
  set_option(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, 1);
  set_dont_fragment(fd, v4, false);
  return opened;
}

Result<SocketAddress> local_address(int fd) {
  NativeAddress native;
  native.size = sizeof(sockaddr_in6);
  if (getsockname(fd, &native.any, &native.size) != 0) return std::unexpected(last_error());
  const auto address = native.to_address();
  if (!address) return std::unexpected(std::make_error_code(std::errc::address_family_not_supported));
  return *address;
}

void set_dont_fragment(int fd, bool v4, bool dont_fragment) {
  if (v4)
    set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
  else
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, dont_fragment ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT);
}

std::optional<IcmpError> take_icmp_error(int fd) {
  std::array<Byte, 8> payload;  // of the packet that caused the error: not needed
  iovec vector{payload.data(), payload.size()};
  NativeAddress peer;
  alignas(cmsghdr) std::array<Byte, 256> control;
  msghdr message{};
  message.msg_name = &peer.any;
  message.msg_namelen = sizeof(sockaddr_in6);
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  while (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
      const bool is_error = (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) ||
                            (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR);
      if (!is_error) continue;
      sock_extended_err error;
      std::memcpy(&error, CMSG_DATA(part), sizeof error);
      const bool is_icmp = error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6;
      const auto address = peer.to_address();
      if (!is_icmp || !address) continue;
      return IcmpError{*address,
                       {.type = error.ee_type,
                        .code = error.ee_code,
                        .error_data = is_mtu_report(error) ? error.ee_info : 0}};
    }
    message.msg_namelen = sizeof(sockaddr_in6);
    message.msg_controllen = control.size();
  }
  return std::nullopt;
}

}  // namespace turnpike::relay
