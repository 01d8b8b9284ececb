#pragma once
// The self-contained token of RFC 7635 section 6.2, sealed with the key that authorization server and TURN
// server share (AS-RS key). All integers in network order:
//
//   uint16 nonce_length | nonce | AEAD( uint16 key_length | mac_key | uint64 timestamp | uint32 lifetime [|
//   policy] )
//
// The AAD is the TURN server's name. timestamp: 48 bits of seconds since 1970, 16 bits in units of 1/64000 s.
// In the browser form (docs/architecture.md) a policy may follow:
//
//   uint8 version = 1 | uint16 size | then, `size` bytes:
//   uint8 subject size | subject | uint32 allocations_max | uint64 bytes_per_second
//   | uint8 prefix count | each: uint8 family (1|2) | uint8 prefix length | 4 or 16 bytes
//
// A version that is not known is refused as malformed.

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"

namespace turnpike::credentials {

enum class TokenAlgorithm : std::uint8_t { a256gcm, a128gcm };
std::string_view to_string(TokenAlgorithm algorithm);  // "A256GCM", "A128GCM"
std::optional<TokenAlgorithm> parse_token_algorithm(
    std::string_view text);                      // "A256GCM", "a256_gcm", "A256-GCM"
std::size_t key_size(TokenAlgorithm algorithm);  // 32, 16

inline constexpr std::size_t token_bytes_max = 1024;
inline constexpr std::size_t token_nonce_max = 64;

struct TokenPolicy {      // browser form alone
  std::string subject{};  // at most 255 bytes
  Policy policy{};        // at most 255 prefixes
  bool operator==(const TokenPolicy&) const = default;
};

struct TokenContent {
  Secret mac_key{};             // 1..64 bytes; 20 and 32 are usual
  std::uint64_t timestamp = 0;  // as on the wire
  std::uint32_t lifetime = 0;   // seconds
  std::optional<TokenPolicy> policy{};
};
std::uint64_t to_token_timestamp(WallTime at);
WallTime from_token_timestamp(std::uint64_t timestamp);  // fractions beyond 63999 are taken as 63999

enum class TokenError : std::uint8_t {
  malformed,  // sizes that lie, a nonce of 0 or more than 64 bytes, more than 1024 bytes, an unknown policy
  forged,     // the AEAD does not open: another key, another server name, altered bytes
};

struct TokenSeal {
  Bytes key{};  // of key_size(algorithm) bytes
  TokenAlgorithm algorithm = TokenAlgorithm::a256gcm;
  std::string_view server_name{};
};
// The nonce has 1..64 bytes, 12 where we choose it, and is never used twice with one key.
ByteVector encode_token(const TokenContent& content, Bytes nonce, const TokenSeal& seal);
std::expected<TokenContent, TokenError> decode_token(Bytes token, const TokenSeal& seal);

// A key per kid, so that a token without a subject field can still be counted and revoked by user:
// HKDF-SHA256(ikm = master, salt = server_name, info = "rfc7635 as-rs A256GCM " kid, 32 bytes), cut to 16 for
// A128GCM (whose info names it).
Secret derive_token_key(const Secret& master, TokenAlgorithm algorithm, std::string_view server_name,
                        std::string_view kid);

// RFC 7635 section 7 with both sides: lifetime + 5 s > |wall - timestamp|. A lifetime of zero is refused.
enum class TokenTime : std::uint8_t { valid, expired, in_future, without_lifetime };
TokenTime check_token_time(const TokenContent& content, WallTime wall);
inline constexpr std::chrono::seconds token_clock_skew{5};
// RFC 7635 section 9: what a token shown at `wall` allows lasts for lifetime + 5 s - |wall - timestamp| more.
WallTime find_token_end(const TokenContent& content, WallTime wall);

}  // namespace turnpike::credentials
