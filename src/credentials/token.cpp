#include "credentials/token.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <utility>

#include "base/check.hpp"
#include "base/crypto.hpp"

namespace turnpike::credentials {
namespace {

constexpr std::uint64_t ticks_per_second = 64000;
constexpr std::uint64_t nanoseconds_per_tick = 1'000'000'000 / ticks_per_second;
constexpr std::size_t fixed_size = 2 + 8 + 4;  // of the plaintext, without the mac_key
constexpr Byte policy_version = 1;

void append(ByteVector& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

template <typename Integer>
void append_big(ByteVector& to, Integer value) {
  std::array<Byte, sizeof(Integer)> bytes;
  store_big(bytes.data(), value);
  append(to, bytes);
}

// Takes from the front; once something was missing, it has failed for good.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}
  Bytes take(std::size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  template <typename Integer>
  Integer take_big() {
    const Bytes bytes = take(sizeof(Integer));
    return bytes.empty() ? Integer{} : load_big<Integer>(bytes.data());
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  Bytes rest_;
  bool failed_ = false;
};

ByteVector encode_policy(const TokenPolicy& policy) {
  check(policy.subject.size() <= 255, "a token's subject has at most 255 bytes");
  check(policy.policy.allowed_peers.size() <= 255, "a token's policy has at most 255 prefixes");
  ByteVector bytes;
  append_big(bytes, static_cast<std::uint8_t>(policy.subject.size()));
  append(bytes, as_bytes(policy.subject));
  append_big(bytes, policy.policy.allocations_max);
  append_big(bytes, policy.policy.bytes_per_second);
  append_big(bytes, static_cast<std::uint8_t>(policy.policy.allowed_peers.size()));
  for (const IpPrefix& prefix : policy.policy.allowed_peers) {
    append_big(bytes, static_cast<std::uint8_t>(prefix.base.family()));
    append_big(bytes, prefix.length);
    append(bytes, prefix.base.bytes());
  }
  return bytes;
}

std::optional<IpPrefix> take_prefix(Reader& reader) {
  const auto family = reader.take_big<std::uint8_t>();
  const auto length = reader.take_big<std::uint8_t>();
  if (family == static_cast<Byte>(AddressFamily::ipv4)) {
    const Bytes bytes = reader.take(4);
    if (bytes.empty() || length > 32) return std::nullopt;
    std::array<Byte, 4> address;
    std::ranges::copy(bytes, address.begin());
    return IpPrefix{IpAddress::v4(address), length};
  }
  if (family != static_cast<Byte>(AddressFamily::ipv6)) return std::nullopt;
  const Bytes bytes = reader.take(16);
  if (bytes.empty() || length > 128) return std::nullopt;
  std::array<Byte, 16> address;
  std::ranges::copy(bytes, address.begin());
  return IpPrefix{IpAddress::v6(address), length};
}

std::optional<TokenPolicy> decode_policy(Reader& reader) {
  if (reader.take_big<std::uint8_t>() != policy_version) return std::nullopt;
  Reader body{reader.take(reader.take_big<std::uint16_t>())};
  if (reader.failed() || !reader.empty()) return std::nullopt;
  TokenPolicy policy;
  policy.subject = as_text(body.take(body.take_big<std::uint8_t>()));
  policy.policy.allocations_max = body.take_big<std::uint32_t>();
  policy.policy.bytes_per_second = body.take_big<std::uint64_t>();
  const auto count = body.take_big<std::uint8_t>();
  for (unsigned i = 0; i < count; ++i) {
    const std::optional<IpPrefix> prefix = take_prefix(body);
    if (!prefix) return std::nullopt;
    policy.policy.allowed_peers.push_back(*prefix);
  }
  if (body.failed() || !body.empty()) return std::nullopt;
  return policy;
}

std::optional<TokenContent> decode_content(Bytes plaintext) {
  Reader reader{plaintext};
  TokenContent content;
  const Bytes mac_key = reader.take(reader.take_big<std::uint16_t>());
  if (mac_key.empty() || mac_key.size() > Key::size_max) return std::nullopt;
  content.mac_key = Secret{mac_key};
  content.timestamp = reader.take_big<std::uint64_t>();
  content.lifetime = reader.take_big<std::uint32_t>();
  if (reader.failed()) return std::nullopt;
  if (reader.empty()) return content;
  content.policy = decode_policy(reader);
  if (!content.policy) return std::nullopt;
  return content;
}

}  // namespace

std::string_view to_string(TokenAlgorithm algorithm) {
  return algorithm == TokenAlgorithm::a128gcm ? "A128GCM" : "A256GCM";
}

std::optional<TokenAlgorithm> parse_token_algorithm(std::string_view text) {
  // RFC 7518 has no dash in these names, configurations of other servers do.
  std::string name;
  for (const char letter : text) {
    if (letter == '_' || letter == '-') continue;
    name.push_back(letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32) : letter);
  }
  if (name == "A256GCM") return TokenAlgorithm::a256gcm;
  if (name == "A128GCM") return TokenAlgorithm::a128gcm;
  return std::nullopt;
}

std::size_t key_size(TokenAlgorithm algorithm) { return algorithm == TokenAlgorithm::a128gcm ? 16 : 32; }

std::uint64_t to_token_timestamp(WallTime at) {
  at = std::max(at, WallTime{});
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  const auto fraction = static_cast<std::uint64_t>((at - seconds).count()) / nanoseconds_per_tick;
  return (static_cast<std::uint64_t>(seconds.time_since_epoch().count()) << 16) | fraction;
}

WallTime from_token_timestamp(std::uint64_t timestamp) {
  const WallTime seconds = from_unix_seconds(timestamp >> 16);
  const std::uint64_t ticks = std::min(timestamp & 0xffff, ticks_per_second - 1);
  const Duration fraction{ticks * nanoseconds_per_tick};
  return WallTime::max() - fraction < seconds ? WallTime::max() : seconds + fraction;
}

ByteVector encode_token(const TokenContent& content, Bytes nonce, const TokenSeal& seal) {
  check(seal.key.size() == key_size(seal.algorithm), "the key does not suit the token's algorithm");
  check(!nonce.empty() && nonce.size() <= token_nonce_max, "a token's nonce has 1..64 bytes");
  check(!content.mac_key.empty() && content.mac_key.size() <= Key::size_max, "a mac_key has 1..64 bytes");
  ByteVector plaintext;
  plaintext.reserve(fixed_size + content.mac_key.size());
  append_big(plaintext, static_cast<std::uint16_t>(content.mac_key.size()));
  append(plaintext, content.mac_key.reveal());
  append_big(plaintext, content.timestamp);
  append_big(plaintext, content.lifetime);
  if (content.policy) {
    const ByteVector policy = encode_policy(*content.policy);
    plaintext.reserve(plaintext.size() + 3 + policy.size());
    append_big(plaintext, policy_version);
    append_big(plaintext, static_cast<std::uint16_t>(policy.size()));
    append(plaintext, policy);
  }

  ByteVector token;
  append_big(token, static_cast<std::uint16_t>(nonce.size()));
  append(token, nonce);
  append(token, crypto::aes_gcm_seal(seal.key, nonce, as_bytes(seal.server_name), plaintext));
  wipe(plaintext);
  return token;
}

std::expected<TokenContent, TokenError> decode_token(Bytes token, const TokenSeal& seal) {
  check(seal.key.size() == key_size(seal.algorithm), "the key does not suit the token's algorithm");
  if (token.size() > token_bytes_max) return std::unexpected(TokenError::malformed);
  Reader reader{token};
  const Bytes nonce = reader.take(reader.take_big<std::uint16_t>());
  if (nonce.empty() || nonce.size() > token_nonce_max) return std::unexpected(TokenError::malformed);
  const Bytes sealed = token.subspan(2 + nonce.size());
  if (sealed.size() < fixed_size + crypto::gcm_tag_size) return std::unexpected(TokenError::malformed);

  std::optional<ByteVector> plaintext =
      crypto::aes_gcm_open(seal.key, nonce, as_bytes(seal.server_name), sealed);
  if (!plaintext) return std::unexpected(TokenError::forged);
  std::optional<TokenContent> content = decode_content(*plaintext);
  wipe(*plaintext);
  if (!content) return std::unexpected(TokenError::malformed);
  return std::move(*content);
}

Secret derive_token_key(const Secret& master, TokenAlgorithm algorithm, std::string_view server_name,
                        std::string_view kid) {
  std::string info{"rfc7635 as-rs "};
  info.append(to_string(algorithm)).append(1, ' ').append(kid);
  ByteVector key = crypto::hkdf_sha256(master.reveal(), as_bytes(server_name), as_bytes(info), 32);
  const Secret derived{Bytes{key}.first(key_size(algorithm))};
  wipe(key);
  return derived;
}

TokenTime check_token_time(const TokenContent& content, WallTime wall) {
  if (content.lifetime == 0) return TokenTime::without_lifetime;
  wall = std::max(wall, WallTime{});
  const WallTime dated = from_token_timestamp(content.timestamp);
  const Duration range = std::chrono::seconds{content.lifetime} + token_clock_skew;
  if (wall >= dated) return wall - dated < range ? TokenTime::valid : TokenTime::expired;
  return dated - wall < range ? TokenTime::valid : TokenTime::in_future;
}

WallTime find_token_end(const TokenContent& content, WallTime wall) {
  wall = std::max(wall, WallTime{});
  const WallTime dated = from_token_timestamp(content.timestamp);
  const Duration range = std::chrono::seconds{content.lifetime} + token_clock_skew;
  if (wall < dated && dated - wall > range) return wall;
  const WallTime start = wall < dated ? wall - (dated - wall) : dated;
  return WallTime::max() - range < start ? WallTime::max() : start + range;
}

}  // namespace turnpike::credentials
