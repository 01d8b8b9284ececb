#pragma once
// A non-blocking UDP socket that closes itself, and the addresses that a socket needs: names resolved, the
// machine's own. The only code of the client that speaks sockaddr.

#include <expected>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace turnpike::client {

class UdpSocket {
 public:
  // Bound to any free port of the address, which may be the wildcard.
  static std::expected<UdpSocket, std::error_code> open(const IpAddress& local);
  // Sends to and hears `remote` alone; ICMP errors come back as errors of send and receive.
  static std::expected<UdpSocket, std::error_code> connect(const SocketAddress& remote);

  UdpSocket(UdpSocket&& other) noexcept;
  UdpSocket& operator=(UdpSocket&& other) noexcept;
  ~UdpSocket();

  [[nodiscard]] std::error_code send(Bytes datagram) const;
  [[nodiscard]] std::error_code send_to(const SocketAddress& to, Bytes datagram) const;
  struct Datagram {
    Bytes bytes;
    SocketAddress from;
  };
  // Nothing when nothing has arrived. The bytes lie in `buffer`.
  [[nodiscard]] std::expected<std::optional<Datagram>, std::error_code> receive(MutableBytes buffer) const;
  [[nodiscard]] SocketAddress local_address() const;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  explicit UdpSocket(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

// The error is the resolver's own sentence.
std::expected<std::vector<SocketAddress>, std::string> resolve(const std::string& host, std::uint16_t port,
                                                               std::optional<AddressFamily> family);

// The address from which this machine would send to `remote`.
std::optional<IpAddress> local_address_towards(const SocketAddress& remote);
// The addresses of the interfaces that are up; loopback and link-local ones come last.
std::vector<IpAddress> interface_addresses(AddressFamily family);

}  // namespace turnpike::client
