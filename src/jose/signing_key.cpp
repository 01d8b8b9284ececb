#include "jose/signing_key.hpp"

#include <cjose/cjose.h>
#include <openssl/err.h>

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <span>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/crypto.hpp"
#include "jose/json.hpp"
#include "jose/limits.hpp"

namespace turnpike::jose {
namespace {

using nlohmann::json;

struct Release {
  void operator()(cjose_jwk_t* key) const { cjose_jwk_release(key); }
  void operator()(cjose_jws_t* token) const { cjose_jws_release(token); }
  void operator()(cjose_header_t* header) const { cjose_header_release(header); }
  void operator()(char* text) const {
    wipe({reinterpret_cast<Byte*>(text), std::strlen(text)});
    cjose_get_dealloc()(text);
  }
};
using KeyRef = std::unique_ptr<cjose_jwk_t, Release>;
using TokenRef = std::unique_ptr<cjose_jws_t, Release>;
using HeaderRef = std::unique_ptr<cjose_header_t, Release>;
using TextRef = std::unique_ptr<char, Release>;

constexpr JsonLimits jwk_limits{.bytes_max = 16384, .depth_max = 4, .values_max = 64};
constexpr std::size_t rsa_bits = 2048;

bool is_rsa(Algorithm algorithm) { return algorithm == Algorithm::rs256 || algorithm == Algorithm::ps256; }

// In the order of RFC 7638 section 3.2, which is that of the alphabet.
std::span<const char* const> thumbprint_members(std::string_view type) {
  static constexpr std::array rsa{"e", "kty", "n"};
  static constexpr std::array ec{"crv", "kty", "x", "y"};
  if (type == "RSA") return rsa;
  if (type == "EC") return ec;
  return {};
}

std::optional<std::string> thumbprint_of(const json& jwk) {
  const std::string* type = find_text(jwk, "kty");
  if (type == nullptr) return std::nullopt;
  json members = json::object();
  for (const char* name : thumbprint_members(*type)) {
    const std::string* value = find_text(jwk, name);
    if (value == nullptr) return std::nullopt;
    members[name] = *value;
  }
  if (members.empty()) return std::nullopt;
  return to_base64url(crypto::sha256(as_bytes(members.dump(-1, ' ', false, json::error_handler_t::replace))));
}

json export_members(const cjose_jwk_t* key, bool with_private) {
  const TextRef text{cjose_jwk_to_json(key, with_private, nullptr)};
  check(text != nullptr, "a key has its JWK");
  json jwk = json::parse(text.get(), nullptr, false);
  check(jwk.is_object(), "a JWK is an object");
  jwk.erase("kid");
  return jwk;
}

void name(json& jwk, const std::string& kid, Algorithm algorithm) {
  jwk["kid"] = kid;
  jwk["alg"] = to_string(algorithm);
  jwk["use"] = "sig";
}

KeyRef generate_key(Algorithm algorithm) {
  constexpr std::array<std::uint8_t, 3> exponent{1, 0, 1};
  check(algorithm != Algorithm::hs256, "a shared secret is no key that signs for the public");
  KeyRef key{is_rsa(algorithm)
                 ? cjose_jwk_create_RSA_random(rsa_bits, exponent.data(), exponent.size(), nullptr)
                 : cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, nullptr)};
  ERR_clear_error();
  check(key != nullptr, "OpenSSL makes a key");
  return key;
}

}  // namespace

struct SigningKey::Key {
  KeyRef key;
  std::string kid;
  Algorithm algorithm{};
  std::string public_jwk;

  static std::shared_ptr<const Key> make(KeyRef key, std::string kid, Algorithm algorithm) {
    json jwk = export_members(key.get(), false);
    if (kid.empty()) kid = thumbprint_of(jwk).value_or("");
    name(jwk, kid, algorithm);
    return std::make_shared<Key>(Key{std::move(key), std::move(kid), algorithm, jwk.dump()});
  }
};

std::optional<std::string> find_thumbprint(std::string_view jwk) {
  const auto members = parse_json(jwk, jwk_limits);
  return members ? thumbprint_of(*members) : std::nullopt;
}

SigningKey SigningKey::generate(Algorithm algorithm) {
  return SigningKey{Key::make(generate_key(algorithm), "", algorithm)};
}

std::expected<SigningKey, std::string> SigningKey::parse(const Secret& text) {
  auto jwk = parse_json(text.reveal_text(), jwk_limits);
  if (!jwk || !jwk->is_object()) return std::unexpected("is no JSON object within the limits");
  const std::string* name = find_text(*jwk, "alg");
  const auto algorithm = name == nullptr ? std::nullopt : parse_algorithm(*name);
  if (!algorithm || *algorithm == Algorithm::hs256)
    return std::unexpected("its alg is none of RS256, PS256 and ES256");
  const std::string* type = find_text(*jwk, "kty");
  if (type == nullptr || *type != (is_rsa(*algorithm) ? "RSA" : "EC"))
    return std::unexpected("its kty does not suit its alg");
  if (find_text(*jwk, "d") == nullptr) return std::unexpected("it has no private half");
  if (is_rsa(*algorithm)) {
    const std::string* modulus = find_text(*jwk, "n");
    const auto bytes = modulus == nullptr ? std::nullopt : from_base64url(*modulus);
    if (!bytes || bytes->size() < rsa_bytes_min || bytes->size() > rsa_bytes_max)
      return std::unexpected("it has not 2048 to 8192 bits");
  } else if (const std::string* curve = find_text(*jwk, "crv"); curve == nullptr || *curve != "P-256") {
    return std::unexpected("its curve is not P-256");
  }
  const std::string_view plain = text.reveal_text();
  KeyRef key{cjose_jwk_import(plain.data(), plain.size(), nullptr)};
  ERR_clear_error();
  if (!key) return std::unexpected("its numbers are no key");
  const std::string* kid = find_text(*jwk, "kid");
  return SigningKey{Key::make(std::move(key), kid == nullptr ? std::string{} : *kid, *algorithm)};
}

const std::string& SigningKey::kid() const { return key_->kid; }
Algorithm SigningKey::algorithm() const { return key_->algorithm; }
const std::string& SigningKey::public_jwk() const { return key_->public_jwk; }

Secret SigningKey::private_jwk() const {
  json jwk = export_members(key_->key.get(), true);
  name(jwk, key_->kid, key_->algorithm);
  std::string text = jwk.dump();
  Secret secret = Secret::from_text(text);
  wipe({reinterpret_cast<Byte*>(text.data()), text.size()});
  return secret;
}

std::string SigningKey::sign(std::string_view type, std::string_view payload) const {
  const HeaderRef header{cjose_header_new(nullptr)};
  const auto put = [&](const char* member, std::string_view value) {
    check(cjose_header_set(header.get(), member, std::string{value}.c_str(), nullptr), "a header has room");
  };
  put("alg", to_string(key_->algorithm));
  put("kid", key_->kid);
  put("typ", type);
  const TokenRef token{cjose_jws_sign(key_->key.get(), header.get(),
                                      reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size(),
                                      nullptr)};
  const char* compact = nullptr;
  check(token && cjose_jws_export(token.get(), &compact, nullptr), "a key signs");
  ERR_clear_error();
  return compact;
}

}  // namespace turnpike::jose
