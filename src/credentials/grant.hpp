#pragma once
// The words of the credential layer: what a client claims, what it is granted, why it is refused.
// Knows no protocol: an integrity check is a question put back to the caller (Proof).

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/crypto.hpp"
#include "base/function_ref.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"

namespace turnpike::credentials {

enum class Source : std::uint8_t { static_user, computed, pushed, token };
inline constexpr std::size_t source_count = 4;
std::string_view to_string(Source source);  // "static", "computed", "pushed", "token"

// RFC 8489 section 18.5. Tokens use their mac_key whatever the algorithm says.
enum class PasswordAlgorithm : std::uint8_t { md5, sha256 };

// USERHASH of RFC 8489 section 14.4: SHA-256(username ":" realm).
using Userhash = crypto::Sha256;
Userhash make_userhash(std::string_view username, std::string_view realm);

// The key of MESSAGE-INTEGRITY(-SHA256): HA1 (16 or 32 bytes) or an RFC 7635 mac_key (1..64 bytes).
// Lives inline, so that tables of keys need no second allocation; wiped when it goes.
class Key {
 public:
  static constexpr std::size_t size_max = 64;
  Key() = default;
  explicit Key(Bytes bytes);  // at most size_max bytes
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key();
  [[nodiscard]] Bytes reveal() const { return {bytes_.data(), size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  bool operator==(const Key& other) const;  // constant time for equal sizes

 private:
  std::array<Byte, size_max> bytes_{};
  std::uint8_t size_ = 0;
};

// HA1 of RFC 8489 section 9.2.2: H(username ":" realm ":" password).
Key make_long_term_key(PasswordAlgorithm algorithm, std::string_view username, std::string_view realm,
                       std::string_view password);

// What a credential may do. Zero and empty mean: as the server's own limits say.
struct Policy {
  std::uint32_t allocations_max = 0;      // at the same time, per subject
  std::uint64_t bytes_per_second = 0;     // per allocation, both directions together
  std::vector<IpPrefix> allowed_peers{};  // narrows what the server's own peer policy allows
  bool operator==(const Policy&) const = default;
};

struct Claim {
  std::string_view realm{};
  std::string_view username{};  // empty when userhash is given
  const Userhash* userhash = nullptr;
  Bytes token{};  // ACCESS-TOKEN; empty when absent
  PasswordAlgorithm algorithm = PasswordAlgorithm::md5;
};

// Does the request carry a valid integrity check under this key? Called with each candidate key.
using Proof = FunctionRef<bool(Bytes key)>;

// A verified credential. Immutable; allocations share it.
struct Grant {
  Source source = Source::static_user;
  std::string username{};  // as on the wire: what 441 compares
  // Opaque: what quotas and revocation by subject compare. Static: the username. Pushed: as the issuer says,
  // or the username. Computed: what follows the expiry and the key id, or the username where nothing does.
  // Token: of its policy, or the suffix of a derived kid, or the token's hash in hex, so that the tokens of
  // users whom nothing tells apart do not share one quota.
  std::string subject{};
  std::string kid{};  // token: the AS-RS key that opened it; computed: the id of the secret, if it has one
  std::optional<crypto::Sha256> token_hash{};  // token: SHA-256 of the binary token
  Userhash userhash{};                         // of username and realm
  Key key{};                                   // the key that proved the request
  PasswordAlgorithm algorithm = PasswordAlgorithm::md5;
  Policy policy{};
  // The first moment at which it is refused; max: never. Computed: the second after the one that the username
  // names. Token: RFC 7635 section 9, the end of lifetime + 5 s - |now - timestamp|.
  WallTime expires_at = WallTime::max();
  bool operator==(const Grant&) const = default;
};
using GrantPtr = std::shared_ptr<const Grant>;

// Counted and logged, never told to the client: outside, every one is the same 401.
enum class Refusal : std::uint8_t {
  unknown_user,        // no source knows this name
  wrong_key,           // the name is known, the integrity check fails
  malformed_username,  // looks like a computed or token username, but does not parse
  expired,
  not_yet_valid,  // pushed with not_before; a token dated in the future
  revoked,
  unknown_key,  // a kid that is not configured, or whose key is not valid today
  token_malformed,
  token_forged,  // the AEAD does not open: wrong key, wrong server name, altered bytes
  token_without_lifetime,
  wrong_realm,
};
inline constexpr std::size_t refusal_count = 11;
std::string_view to_string(Refusal refusal);  // "unknown_user", ... : metric labels and log values

// What is taken back. Ends running allocations whose grant it matches and refuses new ones until `until`.
struct Revocation {
  enum class By : std::uint8_t { username, subject, kid, token_hash };
  By by = By::username;
  std::string value{};               // token_hash: 64 hex digits
  WallTime until = WallTime::max();  // when the credential would have ended anyway
};
// A kid also takes back what was derived from it: "k1" matches the kids "k1" and "k1.8f3a".
bool matches(const Revocation& revocation, const Grant& grant);

}  // namespace turnpike::credentials
