#pragma once
// The keys with which we sign (RFC 7515, RFC 7517): made, kept as private JWKs, published as public ones.

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.hpp"
#include "jose/algorithm.hpp"

namespace turnpike::jose {

// RFC 7638: SHA-256 of the members that make a public key (RSA or P-256), in base64url. Nothing for what is
// no such key, by its form alone.
std::optional<std::string> find_thumbprint(std::string_view jwk);

// Cheap to copy; not changed once it is made.
class SigningKey {
 public:
  // RSA of 2048 bits, or P-256; its kid is its thumbprint. The numbers come from OpenSSL's own generator, as
  // those inside of each ES256 and PS256 signature do. Not for HS256.
  static SigningKey generate(Algorithm algorithm);
  // A private JWK with "alg" as private_jwk() writes it, and with any kid. A sentence where it cannot be
  // used.
  static std::expected<SigningKey, std::string> parse(const Secret& jwk);

  [[nodiscard]] const std::string& kid() const;
  [[nodiscard]] Algorithm algorithm() const;
  // {"kty":..,"kid":..,"alg":..,"use":"sig",..}
  [[nodiscard]] const std::string& public_jwk() const;
  [[nodiscard]] Secret private_jwk() const;

  // A compact JWS with alg, kid and typ in its header.
  [[nodiscard]] std::string sign(std::string_view type, std::string_view payload) const;

 private:
  struct Key;
  explicit SigningKey(std::shared_ptr<const Key> key) : key_(std::move(key)) {}

  std::shared_ptr<const Key> key_;
};

}  // namespace turnpike::jose
