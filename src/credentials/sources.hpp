#pragma once
// What each of the four sources is configured with (design: docs/architecture.md).

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"
#include "credentials/token.hpp"

namespace turnpike::credentials {

// RFC 8489 section 9.2: usernames and passwords from the configuration.
struct StaticSettings {
  std::map<std::string, Secret> users{};  // username -> password
  Policy policy{};
};

// username = expiry ":" [ key id "." ] opaque id; password = base64(HMAC(secret, username)).
enum class ComputedDigest : std::uint8_t { sha1, sha256 };
struct ComputedSecret {
  std::string id{};  // without "." and ":"; empty: none
  Secret secret{};   // at least computed_secret_min bytes, of at least secret_variety_min values
};
inline constexpr std::size_t computed_secret_min = 16;
inline constexpr std::size_t secret_variety_min = 5;
struct ComputedSettings {
  std::vector<ComputedSecret> secrets{};  // the first one issues, all of them verify
  ComputedDigest digest = ComputedDigest::sha1;
  Policy policy{};
};

struct PushedSettings {
  std::size_t credentials_max = 100'000;
};

// RFC 7635, in both wire forms. A kid of tokens is looked up as it is; failing that, what stands before its
// last
// '.' names the master that it was derived from.
enum class MacKeyRule : std::uint8_t {
  rfc7635,    // the whole mac_key
  coturn16,   // its first 16 bytes, as coturn computes
  automatic,  // the one, then the other ("auto")
};
struct TokenKey {
  std::string kid{};
  Secret key{};  // 32 bytes (A256GCM) or 16 (A128GCM)
  TokenAlgorithm algorithm = TokenAlgorithm::a256gcm;
  // Also the master of derived keys: kid "." suffix has the key of derive_token_key.
  bool derives = true;
  // Accepted from not_before until not_after; issues only what ends before not_after.
  WallTime not_before = WallTime::min();
  WallTime not_after = WallTime::max();
};
struct TokenSettings {
  std::string server_name{};     // the AAD, and the value of THIRD-PARTY-AUTHORIZATION
  std::vector<TokenKey> keys{};  // the first one that is valid issues
  MacKeyRule mac_key = MacKeyRule::rfc7635;
  Policy policy{};  // of tokens that carry none
  // Of issuers who are trusted no more: what runs with kids that begin so ends, and nothing new begins.
  std::vector<std::string> withdrawn_prefixes{};
  // Accept USERNAME = kid "." base64url(token) with the password base64(mac_key). That name must be seen, so
  // it takes username anonymity from the realm (Registry::offers_username_anonymity).
  bool browser_form = true;
};

// RFC 8489 section 14.3: a USERNAME has fewer than 509 bytes.
inline constexpr std::size_t username_bytes_max = 508;

// What is wrong with a secret or key of a configuration, in words that do not show it; nothing: usable.
std::optional<std::string> find_problem(const ComputedSecret& secret);
std::optional<std::string> find_problem(const TokenKey& key);

}  // namespace turnpike::credentials
