#include "base/address.hpp"

#include <arpa/inet.h>

#include <charconv>

#include "base/check.hpp"

namespace turnpike {
namespace {

template <typename Integer>
std::optional<Integer> parse_number(std::string_view text) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// Two rounds of a 64x64 -> 128 bit multiplication (as in wyhash), folded.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a ^ 0xa0761d6478bd642f) * (b ^ 0xe7037ed1a0b428db);
  return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
}

std::uint64_t hash_address(const IpAddress& address, std::uint64_t port, std::uint64_t key) {
  std::array<std::uint64_t, 2> words{};
  const Bytes bytes = address.bytes();
  std::memcpy(words.data(), bytes.data(), bytes.size());
  const std::uint64_t tail = (port << 8) | static_cast<std::uint64_t>(address.family());
  return mix(mix(words[0] ^ key, words[1] + (key << 1 | 1)), tail ^ key);
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // A zero byte would end the text for inet_pton before its end.
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string zero_terminated{text};
  if (text.find(':') != std::string_view::npos) {
    std::array<Byte, 16> bytes{};
    if (inet_pton(AF_INET6, zero_terminated.c_str(), bytes.data()) != 1) return std::nullopt;
    return v6(bytes);
  }
  std::array<Byte, 4> bytes{};
  if (inet_pton(AF_INET, zero_terminated.c_str(), bytes.data()) != 1) return std::nullopt;
  return v4(bytes);
}

IpAddress IpAddress::canonical() const {
  constexpr std::array<Byte, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (is_v4() || std::memcmp(bytes_.data(), mapped.data(), mapped.size()) != 0) return *this;
  return v4({bytes_[12], bytes_[13], bytes_[14], bytes_[15]});
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const char* written = inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
  check(written != nullptr, "an address did not print");
  return written;
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!ip || !port || ip->is_v4() == bracketed) return std::nullopt;
  return SocketAddress{*ip, *port};
}

std::string SocketAddress::to_string() const {
  const std::string host = ip.to_string();
  return (ip.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto base = IpAddress::parse(text.substr(0, slash));
  if (!base) return std::nullopt;
  const std::uint8_t bits = base->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return IpPrefix{*base, bits};
  const auto length = parse_number<std::uint8_t>(text.substr(slash + 1));
  if (!length || *length > bits) return std::nullopt;
  return IpPrefix{*base, *length};
}

bool IpPrefix::contains(const IpAddress& address) const {
  if (address.family() != base.family()) return false;
  const Bytes ours = base.bytes();
  const Bytes theirs = address.bytes();
  const std::size_t whole = length / 8U;
  if (whole > 0 && std::memcmp(ours.data(), theirs.data(), whole) != 0) return false;
  const unsigned rest = length % 8U;
  return rest == 0 || ((ours[whole] ^ theirs[whole]) >> (8 - rest)) == 0;
}

std::string IpPrefix::to_string() const { return base.to_string() + "/" + std::to_string(length); }

std::size_t AddressHash::operator()(const IpAddress& address) const { return hash_address(address, 0, key); }

std::size_t AddressHash::operator()(const SocketAddress& address) const {
  return hash_address(address.ip, address.port, key);
}

}  // namespace turnpike
