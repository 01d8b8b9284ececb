#pragma once
// What the decoder and the writer must agree on, and nobody else needs.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "stun/message.hpp"

namespace turnpike::stun {

inline constexpr std::size_t attribute_header_size = 4;
inline constexpr std::uint32_t fingerprint_mask = 0x5354554e;  // RFC 8489 section 14.7
inline constexpr std::size_t reason_bytes_max = 763;           // RFC 8489 section 14.8: 127 characters

constexpr std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

// RFC 8489 section 14.2: the address is combined with the cookie, an IPv6 one with the transaction id too.
// Applying it twice gives the first value again.
inline SocketAddress combine_with_transaction(const SocketAddress& address,
                                              const TransactionId& transaction) {
  std::array<Byte, 16> mask;
  store_big(mask.data(), magic_cookie);
  std::copy(transaction.begin(), transaction.end(), mask.begin() + 4);
  const Bytes bytes = address.ip.bytes();
  std::array<Byte, 16> combined{};
  for (std::size_t i = 0; i < bytes.size(); ++i) combined[i] = bytes[i] ^ mask[i];
  const auto port = static_cast<std::uint16_t>(address.port ^ (magic_cookie >> 16));
  if (address.ip.is_v4()) return {IpAddress::v4({combined[0], combined[1], combined[2], combined[3]}), port};
  return {IpAddress::v6(combined), port};
}

}  // namespace turnpike::stun
