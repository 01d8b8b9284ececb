#pragma once
// One authentication while it runs. Every costly step goes through it and is counted, so that a refusal can
// be brought to the effort of the dearest one: what a claim did not cause is done again on a decoy.

#include <expected>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/crypto.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"
#include "credentials/sources.hpp"
#include "credentials/token.hpp"

namespace turnpike::credentials {

// How often a verification did each of its costly steps.
struct Effort {
  unsigned proofs = 0;           // integrity checks of the whole request
  unsigned password_macs = 0;    // of computed passwords
  unsigned long_term_keys = 0;   // HA1
  unsigned key_derivations = 0;  // of AS-RS keys, by HKDF
  unsigned openings = 0;         // of tokens, by AEAD
  Effort& operator+=(const Effort& other);
  bool operator==(const Effort&) const = default;
};

// What a source says: the grant, or why not; unknown_user where the name is none of its own.
using Verdict = std::expected<Grant, Refusal>;

class Attempt {
 public:
  Attempt(const Claim& claim, Proof proof, WallTime wall) : claim_(claim), proof_(proof), wall_(wall) {}

  [[nodiscard]] const Claim& claim() const { return claim_; }
  [[nodiscard]] WallTime wall() const { return wall_; }
  [[nodiscard]] const Effort& effort() const { return effort_; }
  const crypto::Sha256& token_hash();  // of the claim's token

  // An empty key proves nothing: anybody could sign with it.
  bool proves(Bytes key);
  Secret make_computed_password(const Secret& secret, ComputedDigest digest, std::string_view username);
  Key make_long_term_key(std::string_view username, std::string_view password);
  Secret derive_token_key(const TokenKey& master, std::string_view server_name, std::string_view kid);
  std::expected<TokenContent, TokenError> open_token(Bytes token, const TokenSeal& seal);

  // Repeats each step on decoys until it was done as often as in `whole`.
  void spend(const Effort& whole, ComputedDigest digest);

 private:
  [[nodiscard]] std::string_view decoy_name() const;
  void open_decoy();

  const Claim& claim_;
  Proof proof_;
  WallTime wall_;
  Effort effort_;
  std::optional<crypto::Sha256> token_hash_;
};

}  // namespace turnpike::credentials
