#pragma once
// What counts as one source address: an IPv4 address, however it is written, or an IPv6 /64 network.

#include <algorithm>
#include <array>

#include "base/address.hpp"

namespace turnpike {

inline IpAddress source_key(const IpAddress& source) {
  const IpAddress canonical = source.canonical();
  if (canonical.is_v4()) return canonical;
  std::array<Byte, 16> network{};
  const Bytes bytes = canonical.bytes();
  std::copy_n(bytes.begin(), 8, network.begin());
  return IpAddress::v6(network);
}

}  // namespace turnpike
