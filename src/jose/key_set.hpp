#pragma once
// The keys of an issuer (RFC 7517): the halves that verify, by kid.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.hpp"
#include "jose/algorithm.hpp"
#include "jose/limits.hpp"

namespace turnpike::jose {

// Cheap to copy; not changed once it is made.
class KeySet {
 public:
  enum class Verdict : std::uint8_t { good, forged, unknown_key };

  // {"keys": [...]}. Keys that do not fit (RFC 7517 section 5) are left out: other types and curves, other
  // uses, symmetric and private ones, as what is published proves nothing. A sentence where none is left.
  static std::expected<KeySet, std::string> parse(std::string_view json, const Limits& limits);
  // For HS256, where issuer and verifier share a secret by configuration. With an empty kid it serves tokens
  // without one and with any.
  static std::expected<KeySet, std::string> share(const Secret& secret, std::string kid);

  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] std::vector<std::string> kids() const;
  // Whether the signature over a compact JWS, whose header names this algorithm and kid, is by a key of this
  // set that is meant for the algorithm.
  [[nodiscard]] Verdict verify(const std::string& compact, Algorithm algorithm,
                               const std::optional<std::string>& kid) const;

 private:
  struct Key;
  struct Reader;

  std::vector<std::shared_ptr<const Key>> keys_{};
};

}  // namespace turnpike::jose
