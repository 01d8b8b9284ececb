#include "credentials/nonce.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/crypto.hpp"

namespace turnpike::credentials {
namespace {

constexpr std::string_view cookie = "obMatJos2";  // RFC 8489 section 9.2
constexpr std::size_t feature_digits = 4;
constexpr std::size_t tag_size = 8;
constexpr std::size_t stamp_size = 4 + tag_size;
constexpr std::uint32_t password_algorithms_bit = 0x800000;
constexpr std::uint32_t username_anonymity_bit = 0x400000;

std::uint32_t to_bits(SecurityFeatures features) {
  return (features.password_algorithms ? password_algorithms_bit : 0) |
         (features.username_anonymity ? username_anonymity_bit : 0);
}

std::array<Byte, 3> to_feature_bytes(SecurityFeatures features) {
  const std::uint32_t bits = to_bits(features);
  return {static_cast<Byte>(bits >> 16), static_cast<Byte>(bits >> 8), static_cast<Byte>(bits)};
}

std::string to_prefix(SecurityFeatures features) {
  if (to_bits(features) == 0) return {};
  return std::string{cookie} + to_base64(to_feature_bytes(features));
}

// The seconds wrap in 2106; ages are differences, which do not mind.
std::uint32_t to_stamp(WallTime wall) { return static_cast<std::uint32_t>(unix_seconds(wall)); }

std::array<Byte, tag_size> make_tag(const Secret& key, const SocketAddress& client, std::uint32_t stamp,
                                    SecurityFeatures features) {
  const IpAddress ip = client.ip.canonical();
  std::array<Byte, 1 + 16 + 2 + 4 + 3> message{};
  message[0] = static_cast<Byte>(ip.family());
  std::ranges::copy(ip.bytes(), message.begin() + 1);
  store_big(message.data() + 17, client.port);
  store_big(message.data() + 19, stamp);
  std::ranges::copy(to_feature_bytes(features), message.begin() + 23);
  const crypto::Sha256 whole = crypto::hmac_sha256(key.reveal(), message);
  std::array<Byte, tag_size> tag;
  std::copy_n(whole.begin(), tag_size, tag.begin());
  return tag;
}

}  // namespace

SecurityFeatures features_of_nonce(std::string_view nonce) {
  if (!nonce.starts_with(cookie)) return {};
  const std::string_view digits = nonce.substr(cookie.size(), feature_digits);
  if (digits.size() != feature_digits) return {};
  std::optional<ByteVector> bytes = from_base64(digits);
  if (!bytes) bytes = from_base64url(digits);  // what an encoder of the other alphabet writes
  if (!bytes || bytes->size() != 3) return {};
  const std::uint32_t bits = static_cast<std::uint32_t>((*bytes)[0]) << 16;  // ours lie in the first byte
  return {(bits & password_algorithms_bit) != 0, (bits & username_anonymity_bit) != 0};
}

NonceMint::NonceMint(Secret key, Duration lifetime, SecurityFeatures features)
    : key_(std::move(key)), lifetime_(lifetime), features_(features) {
  check(!key_.empty(), "nonces need a key");
}

Nonce NonceMint::mint(const SocketAddress& client, WallTime wall) const {
  std::array<Byte, stamp_size> stamp;
  store_big(stamp.data(), to_stamp(wall));
  std::ranges::copy(make_tag(key_, client, to_stamp(wall), features_), stamp.begin() + 4);
  const std::string text = to_prefix(features_) + to_base64url(stamp);
  Nonce nonce;
  nonce.size = text.size();
  check(nonce.size <= nonce.characters.size(), "a nonce is longer than its array");
  std::ranges::copy(text, nonce.characters.begin());
  return nonce;
}

NonceVerdict NonceMint::verify(std::string_view nonce, const SocketAddress& client, WallTime wall) const {
  const std::string prefix = to_prefix(features_);
  if (!nonce.starts_with(prefix)) return NonceVerdict::stale;
  nonce.remove_prefix(prefix.size());
  if (nonce.size() != stamp_size / 3 * 4) return NonceVerdict::stale;
  const std::optional<ByteVector> bytes = from_base64url(nonce);
  if (!bytes) return NonceVerdict::stale;

  const auto stamp = load_big<std::uint32_t>(bytes->data());
  const auto tag = make_tag(key_, client, stamp, features_);
  if (!crypto::equal_in_constant_time(tag, Bytes{*bytes}.subspan(4))) return NonceVerdict::stale;
  // A stamp of the future is 2^32 seconds old less a little.
  const std::chrono::seconds age{to_stamp(wall) - stamp};
  return age < lifetime_ ? NonceVerdict::valid : NonceVerdict::stale;
}

}  // namespace turnpike::credentials
