#pragma once
// A signed token in compact form (RFC 7515, RFC 7519): first read, which proves nothing, then verified.

#include <cstdint>
#include <expected>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "jose/algorithm.hpp"
#include "jose/key_set.hpp"
#include "jose/limits.hpp"

namespace turnpike::jose {

enum class Refusal : std::uint8_t {
  malformed,        // not a compact JWS with JSON in its header and payload; encrypted; too large
  algorithm,        // not one that is allowed, "none" included
  critical_header,  // RFC 7515 section 4.1.11: an extension that has to be understood, and is not
  unknown_key,      // no key, or without a kid more than one, could have signed it
  signature,
  type,
  issuer,
  audience,
  nonce,  // OpenID Connect Core section 3.1.3.7: not that of this login
  missing_claim,
  expired,
  not_yet_valid,
  bound,  // to a key, and shown without a proof of it
};
std::string_view to_string(Refusal refusal);

// Says who may have signed what. Nothing in it is true before verify().
struct UnverifiedToken {
  std::string compact;
  Algorithm algorithm{};
  std::optional<std::string> kid{};
  std::string type{};      // of the header, in lower case, without "application/"; "jwt" where there is none
  nlohmann::json header;   // an object; a key in it proves only that its owner has signed
  nlohmann::json payload;  // an object

  // The issuer that it claims, for the choice of keys; empty where it claims none.
  [[nodiscard]] std::string_view claimed_issuer() const;
};
std::expected<UnverifiedToken, Refusal> read_token(std::string_view compact, const Limits& limits);

struct VerifiedToken {
  std::string type;
  nlohmann::json payload;
};
std::expected<VerifiedToken, Refusal> verify(UnverifiedToken token, const KeySet& keys, AlgorithmSet allowed);

}  // namespace turnpike::jose
