#pragma once
// Stateless nonces, bound to the client's address (RFC 8489 section 9.2): the server spends no memory on a
// client that has not shown that it receives at its address. Wire form, base64url without padding:
//
//   [ "obMatJos2" base64(24-bit security feature set) ]   only when a feature is offered
//   base64url( seconds since 1970, 32 bits | HMAC-SHA256(key, address | port | seconds | features)[0..8) )
//
// 16 characters, or 29 with the cookie, so that a challenge stays small against amplification.

#include <array>
#include <string_view>

#include "base/address.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"

namespace turnpike::credentials {

struct SecurityFeatures {            // RFC 8489 section 9.2
  bool password_algorithms = false;  // bit 0, the most significant
  bool username_anonymity = false;   // bit 1
  bool operator==(const SecurityFeatures&) const = default;
};

// The features that a nonce from any server announces; none without the cookie.
SecurityFeatures features_of_nonce(std::string_view nonce);

struct Nonce {
  std::array<char, 29> characters{};
  std::size_t size = 0;
  [[nodiscard]] std::string_view text() const { return {characters.data(), size}; }
};

enum class NonceVerdict : std::uint8_t { valid, stale };  // stale: too old, of another address, or not ours

class NonceMint {
 public:
  // The key is shared by all shards, so that a nonce is good on each of them.
  NonceMint(Secret key, Duration lifetime, SecurityFeatures features);

  [[nodiscard]] Nonce mint(const SocketAddress& client, WallTime wall) const;
  [[nodiscard]] NonceVerdict verify(std::string_view nonce, const SocketAddress& client, WallTime wall) const;
  [[nodiscard]] SecurityFeatures features() const { return features_; }

 private:
  Secret key_;
  Duration lifetime_;
  SecurityFeatures features_;
};

}  // namespace turnpike::credentials
