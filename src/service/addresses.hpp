#pragma once
// SocketAddress to and from Asio's endpoints, and as text.

#include <string>

#include "base/address.hpp"
#include "service/loop_impl.hpp"

namespace turnpike::service {

template <typename Protocol>
asio::ip::basic_endpoint<Protocol> to_endpoint(const SocketAddress& address) {
  const Bytes bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    asio::ip::address_v4::bytes_type v4;
    std::copy(bytes.begin(), bytes.end(), v4.begin());
    return {asio::ip::address_v4{v4}, address.port};
  }
  asio::ip::address_v6::bytes_type v6;
  std::copy(bytes.begin(), bytes.end(), v6.begin());
  return {asio::ip::address_v6{v6}, address.port};
}

inline IpAddress to_ip(const asio::ip::address& address) {
  if (address.is_v4()) return IpAddress::v4(address.to_v4().to_bytes());
  return IpAddress::v6(address.to_v6().to_bytes());
}

template <typename Protocol>
SocketAddress to_address(const asio::ip::basic_endpoint<Protocol>& endpoint) {
  return {to_ip(endpoint.address()), endpoint.port()};
}

// As it stands in a sip::Hop.
inline std::string host_text(const IpAddress& address) {
  return address.is_v4() ? address.to_string() : '[' + address.to_string() + ']';
}

}  // namespace turnpike::service
