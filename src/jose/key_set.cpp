#include "jose/key_set.hpp"

#include <cjose/cjose.h>
#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "jose/json.hpp"

namespace turnpike::jose {
namespace {

using nlohmann::json;

struct Release {
  void operator()(cjose_jwk_t* key) const { cjose_jwk_release(key); }
  void operator()(cjose_jws_t* token) const { cjose_jws_release(token); }
};
using KeyRef = std::unique_ptr<cjose_jwk_t, Release>;
using TokenRef = std::unique_ptr<cjose_jws_t, Release>;

enum class KeyType : std::uint8_t { rsa, p256, shared };

KeyType type_for(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::rs256:
    case Algorithm::ps256:
      return KeyType::rsa;
    case Algorithm::es256:
      return KeyType::p256;
    case Algorithm::hs256:
      return KeyType::shared;
  }
  return KeyType::shared;
}

constexpr std::array<const char*, 8> private_members{"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

// RFC 7517 sections 4.2, 4.3: what it is published for, where that is said.
bool is_for_signatures(const json& jwk) {
  if (jwk.contains("use")) {
    const std::string* use = find_text(jwk, "use");
    if (use == nullptr || *use != "sig") return false;
  }
  const auto operations = jwk.find("key_ops");
  if (operations == jwk.end()) return true;
  return operations->is_array() &&
         std::ranges::any_of(*operations, [](const json& name) { return name == "verify"; });
}

std::size_t decoded_size(const json& jwk, const char* member) {
  const std::string* text = find_text(jwk, member);
  const auto bytes = text == nullptr ? std::nullopt : from_base64url(*text);
  return bytes ? bytes->size() : 0;
}

KeyRef import(const json& members) {
  const std::string text = members.dump();
  KeyRef key{cjose_jwk_import(text.data(), text.size(), nullptr)};
  ERR_clear_error();  // what is left in OpenSSL's queue would be taken for an error of a connection
  return key;
}

}  // namespace

struct KeySet::Key {
  KeyType type{};
  std::string kid{};
  std::optional<Algorithm> algorithm{};  // the only one that it is meant for
  KeyRef key{};

  [[nodiscard]] bool serves(Algorithm wanted, const std::optional<std::string>& wanted_kid) const {
    if (type != type_for(wanted) || (algorithm && *algorithm != wanted)) return false;
    if (type == KeyType::shared && kid.empty()) return true;
    return !wanted_kid || *wanted_kid == kid;
  }
};

// One key of a set; `why` says what is in the way where there is none.
struct KeySet::Reader {
  const json& jwk;
  std::string why{};

  std::shared_ptr<const Key> read() {
    if (!jwk.is_object()) return refuse("it is no object");
    const std::string* type = find_text(jwk, "kty");
    if (type == nullptr) return refuse("it has no kty");
    const bool is_private =
        std::ranges::any_of(private_members, [&](const char* name) { return jwk.contains(name); });
    if (is_private) return refuse("it shows what has to be secret");
    if (!is_for_signatures(jwk)) return refuse("it is not for verifying signatures");
    auto key = std::make_shared<Key>();
    if (const std::string* kid = find_text(jwk, "kid")) key->kid = *kid;
    if (jwk.contains("alg")) {
      const std::string* name = find_text(jwk, "alg");
      key->algorithm = name == nullptr ? std::nullopt : parse_algorithm(*name);
      if (!key->algorithm) return refuse("its alg is none of RS256, PS256 and ES256");
    }
    if (*type == "RSA") return read_rsa(std::move(key));
    if (*type == "EC") return read_ec(std::move(key));
    return refuse("its kty is neither RSA nor EC");
  }

 private:
  std::shared_ptr<const Key> refuse(const char* reason) {
    why = reason;
    return nullptr;
  }
  std::shared_ptr<const Key> finish(std::shared_ptr<Key> key, const json& members) {
    key->key = import(members);
    if (!key->key) return refuse("its numbers are no key");
    return key;
  }
  std::shared_ptr<const Key> read_rsa(std::shared_ptr<Key> key) {
    key->type = KeyType::rsa;
    const std::size_t modulus = decoded_size(jwk, "n"), exponent = decoded_size(jwk, "e");
    if (modulus < rsa_bytes_min || modulus > rsa_bytes_max) return refuse("it has not 2048 to 8192 bits");
    if (exponent == 0 || exponent > rsa_exponent_bytes_max) return refuse("its exponent is out of range");
    return finish(std::move(key), {{"kty", "RSA"}, {"n", jwk.at("n")}, {"e", jwk.at("e")}});
  }
  std::shared_ptr<const Key> read_ec(std::shared_ptr<Key> key) {
    constexpr std::size_t coordinate_bytes = 32;
    key->type = KeyType::p256;
    const std::string* curve = find_text(jwk, "crv");
    if (curve == nullptr || *curve != "P-256") return refuse("its curve is not P-256");
    if (decoded_size(jwk, "x") != coordinate_bytes || decoded_size(jwk, "y") != coordinate_bytes)
      return refuse("its coordinates have not 32 bytes");
    return finish(std::move(key), {{"kty", "EC"}, {"crv", "P-256"}, {"x", jwk.at("x")}, {"y", jwk.at("y")}});
  }
};

std::expected<KeySet, std::string> KeySet::parse(std::string_view text, const Limits& limits) {
  const auto document = parse_json(text, {.bytes_max = limits.key_set_bytes_max,
                                          .depth_max = limits.json_depth_max,
                                          .values_max = limits.key_set_values_max});
  if (!document || !document->is_object()) return std::unexpected("is no JSON object within the limits");
  const auto keys = document->find("keys");
  if (keys == document->end() || !keys->is_array())
    return std::unexpected(R"(is no key set: it has no list "keys")");
  if (keys->size() > limits.keys_max)
    return std::unexpected(fmt::format("holds {} keys, allowed: 1 to {}", keys->size(), limits.keys_max));
  KeySet set;
  std::string why = "the list is empty";
  for (const json& jwk : *keys) {
    Reader reader{jwk};
    if (auto key = reader.read()) {
      set.keys_.push_back(std::move(key));
    } else {
      why = "of the last one: " + reader.why;
    }
  }
  if (set.keys_.empty()) return std::unexpected("holds no key that can be used; " + why);
  return set;
}

std::expected<KeySet, std::string> KeySet::share(const Secret& secret, std::string kid) {
  if (secret.size() < shared_secret_bytes_min)
    return std::unexpected(
        fmt::format("has {} bytes, allowed: at least {}", secret.size(), shared_secret_bytes_min));
  auto key = std::make_shared<Key>();
  key->type = KeyType::shared;
  key->kid = std::move(kid);
  key->key.reset(cjose_jwk_create_oct_spec(secret.reveal().data(), secret.size(), nullptr));
  if (!key->key) return std::unexpected("cannot be used as a key");
  KeySet set;
  set.keys_.push_back(std::move(key));
  return set;
}

std::vector<std::string> KeySet::kids() const {
  std::vector<std::string> kids;
  kids.reserve(keys_.size());
  for (const auto& key : keys_) kids.push_back(key->kid);
  return kids;
}

KeySet::Verdict KeySet::verify(const std::string& compact, Algorithm algorithm,
                               const std::optional<std::string>& kid) const {
  std::vector<const Key*> fitting;
  for (const auto& key : keys_)
    if (key->serves(algorithm, kid)) fitting.push_back(key.get());
  // A token that does not say which key is meant costs one verification, not as many as there are keys.
  if (fitting.empty() || (!kid && fitting.size() > 1)) return Verdict::unknown_key;
  const TokenRef token{cjose_jws_import(compact.data(), compact.size(), nullptr)};
  const bool is_good = token && cjose_jws_verify(token.get(), fitting.front()->key.get(), nullptr);
  ERR_clear_error();
  return is_good ? Verdict::good : Verdict::forged;
}

}  // namespace turnpike::jose
