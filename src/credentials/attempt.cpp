#include "credentials/attempt.hpp"

#include <algorithm>
#include <array>

#include "base/crypto.hpp"
#include "credentials/computed_passwords.hpp"

namespace turnpike::credentials {
namespace {

constexpr std::array<Byte, 32> decoy_key{0x6e, 0x6f, 0x74, 0x68, 0x69, 0x6e, 0x67};
constexpr std::array<Byte, 12> decoy_nonce{};

}  // namespace

Effort& Effort::operator+=(const Effort& other) {
  proofs += other.proofs;
  password_macs += other.password_macs;
  long_term_keys += other.long_term_keys;
  key_derivations += other.key_derivations;
  openings += other.openings;
  return *this;
}

const crypto::Sha256& Attempt::token_hash() {
  if (!token_hash_) token_hash_ = crypto::sha256(claim_.token);
  return *token_hash_;
}

bool Attempt::proves(Bytes key) {
  if (key.empty()) return false;
  ++effort_.proofs;
  return proof_(key);
}

Secret Attempt::make_computed_password(const Secret& secret, ComputedDigest digest,
                                       std::string_view username) {
  ++effort_.password_macs;
  return credentials::make_computed_password(secret, digest, username);
}

Key Attempt::make_long_term_key(std::string_view username, std::string_view password) {
  ++effort_.long_term_keys;
  return credentials::make_long_term_key(claim_.algorithm, username, claim_.realm, password);
}

Secret Attempt::derive_token_key(const TokenKey& master, std::string_view server_name, std::string_view kid) {
  ++effort_.key_derivations;
  return credentials::derive_token_key(master.key, master.algorithm, server_name, kid);
}

// What is malformed before it can be opened costs an opening as well.
std::expected<TokenContent, TokenError> Attempt::open_token(Bytes token, const TokenSeal& seal) {
  auto content = decode_token(token, seal);
  ++effort_.openings;
  if (!content && content.error() == TokenError::malformed) open_decoy();
  return content;
}

void Attempt::spend(const Effort& whole, ComputedDigest digest) {
  while (effort_.password_macs < whole.password_macs)
    make_computed_password(Secret{decoy_key}, digest, decoy_name());
  while (effort_.long_term_keys < whole.long_term_keys)
    make_long_term_key(decoy_name(), "UXVpcywgcXVpZCwgcXVvbW9kbz8=");
  while (effort_.key_derivations < whole.key_derivations)
    derive_token_key({.kid = {}, .key = Secret{decoy_key}}, claim_.realm, decoy_name());
  for (; effort_.openings < whole.openings; ++effort_.openings) open_decoy();
  while (effort_.proofs < whole.proofs)
    static_cast<void>(proves(Bytes{decoy_key}.first(claim_.algorithm == PasswordAlgorithm::md5 ? 16 : 32)));
}

std::string_view Attempt::decoy_name() const {
  return claim_.userhash != nullptr ? as_text(*claim_.userhash) : claim_.username;
}

void Attempt::open_decoy() {
  const Bytes shown = claim_.token.empty() ? as_bytes(decoy_name()) : claim_.token;
  ByteVector sealed = to_vector(shown);
  sealed.resize(std::clamp<std::size_t>(sealed.size(), 64, token_bytes_max));
  static_cast<void>(crypto::aes_gcm_open(decoy_key, decoy_nonce, as_bytes(claim_.realm), sealed));
}

}  // namespace turnpike::credentials
