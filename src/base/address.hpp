#pragma once
// Internet addresses as values: an IPv4 or IPv6 address, an address with a port, a prefix.
// Always in network byte order; comparable, hashable, printable (RFC 5952 for IPv6).

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace turnpike {

enum class AddressFamily : std::uint8_t { ipv4 = 1, ipv6 = 2 };  // the codes of RFC 8489 section 14.1

class IpAddress {
 public:
  constexpr IpAddress() = default;  // 0.0.0.0
  static constexpr IpAddress v4(std::array<Byte, 4> bytes) {
    IpAddress address;
    for (std::size_t i = 0; i < 4; ++i) address.bytes_[i] = bytes[i];
    return address;
  }
  static constexpr IpAddress v6(std::array<Byte, 16> bytes) {
    IpAddress address;
    address.family_ = AddressFamily::ipv6;
    address.bytes_ = bytes;
    return address;
  }
  // "192.0.2.1" or "2001:db8::1"; no brackets, no zone.
  static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] constexpr AddressFamily family() const { return family_; }
  [[nodiscard]] constexpr bool is_v4() const { return family_ == AddressFamily::ipv4; }
  // 4 or 16 bytes.
  [[nodiscard]] Bytes bytes() const { return {bytes_.data(), is_v4() ? std::size_t{4} : std::size_t{16}}; }
  [[nodiscard]] bool is_unspecified() const { return *this == IpAddress{} || *this == v6({}); }

  // An IPv4-mapped IPv6 address (::ffff:a.b.c.d) becomes the IPv4 address that it stands for.
  [[nodiscard]] IpAddress canonical() const;

  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<Byte, 16> bytes_{};  // IPv4 uses the first four, the others are zero
  AddressFamily family_ = AddressFamily::ipv4;
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  // "192.0.2.1:3478" or "[2001:db8::1]:3478".
  static std::optional<SocketAddress> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const SocketAddress&) const = default;
};

// "192.0.2.0/24", "2001:db8::/32", or one address.
struct IpPrefix {
  IpAddress base;
  std::uint8_t length = 0;  // bits

  static std::optional<IpPrefix> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] std::string to_string() const;
  bool operator==(const IpPrefix&) const = default;
};

// Keyed, so that a stranger who chooses addresses cannot choose collisions.
struct AddressHash {
  std::uint64_t key = 0;
  std::size_t operator()(const IpAddress& address) const;
  std::size_t operator()(const SocketAddress& address) const;
};

}  // namespace turnpike
