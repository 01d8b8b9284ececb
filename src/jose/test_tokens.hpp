#pragma once
// For tests: an issuer's key pair, the JWK that it would publish, and tokens that it signs, all by OpenSSL.

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/crypto.hpp"

namespace turnpike::jose {

class TestKey {
 public:
  static TestKey rsa(unsigned bits = 2048) { return TestKey{EVP_RSA_gen(bits), "RSA"}; }
  static TestKey ec(const char* curve = "P-256") { return TestKey{EVP_EC_gen(curve), "EC"}; }

  [[nodiscard]] nlohmann::json jwk(const std::string& kid) const {
    nlohmann::json jwk{{"kty", type_}};
    if (!kid.empty()) jwk["kid"] = kid;
    if (type_ == "RSA") {
      jwk["n"] = number(OSSL_PKEY_PARAM_RSA_N, 0);
      jwk["e"] = number(OSSL_PKEY_PARAM_RSA_E, 0);
    } else {
      const int size = (EVP_PKEY_get_bits(key_.get()) + 7) / 8;
      jwk["crv"] = size == 32 ? "P-256" : "P-384";
      jwk["x"] = number(OSSL_PKEY_PARAM_EC_PUB_X, size);
      jwk["y"] = number(OSSL_PKEY_PARAM_EC_PUB_Y, size);
    }
    return jwk;
  }
  [[nodiscard]] std::string private_exponent() const { return number(OSSL_PKEY_PARAM_RSA_D, 0); }

  // Signs what the header's alg says: RS256, PS256 or ES256.
  [[nodiscard]] std::string sign(const nlohmann::json& header, std::string_view payload) const {
    const std::string input = to_base64url(as_bytes(header.dump())) + "." + to_base64url(as_bytes(payload));
    return input + "." +
           to_base64url(signature(input, header.contains("alg") && header.at("alg") == "PS256"));
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(BIGNUM* number) const { BN_free(number); }
    void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  };

  TestKey(EVP_PKEY* key, std::string type) : key_(key, Free{}), type_(std::move(type)) {
    check(key != nullptr, "a key pair");
  }

  // `size` 0: as many bytes as the number has.
  [[nodiscard]] std::string number(const char* name, int size) const {
    BIGNUM* value = nullptr;
    check(EVP_PKEY_get_bn_param(key_.get(), name, &value) == 1, "the key has this number");
    const std::unique_ptr<BIGNUM, Free> owner{value};
    ByteVector bytes(static_cast<std::size_t>(size == 0 ? BN_num_bytes(value) : size));
    BN_bn2binpad(value, bytes.data(), static_cast<int>(bytes.size()));
    return to_base64url(bytes);
  }

  [[nodiscard]] ByteVector signature(std::string_view input, bool has_pss_padding) const {
    const std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
    EVP_PKEY_CTX* options = nullptr;
    check(EVP_DigestSignInit(context.get(), &options, EVP_sha256(), nullptr, key_.get()) == 1, "a signature");
    if (has_pss_padding) {
      EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
      EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
    }
    const Bytes message = as_bytes(input);
    std::size_t size = 0;
    EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size());
    ByteVector bytes(size);
    check(EVP_DigestSign(context.get(), bytes.data(), &size, message.data(), message.size()) == 1,
          "a signature");
    bytes.resize(size);
    return type_ == "EC" ? flat(bytes) : bytes;
  }

  // RFC 7518 section 3.4: the two numbers one after the other, not in DER.
  static ByteVector flat(const ByteVector& der) {
    const Byte* at = der.data();
    const std::unique_ptr<ECDSA_SIG, Free> numbers{
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()))};
    ByteVector bytes(64);
    BN_bn2binpad(ECDSA_SIG_get0_r(numbers.get()), bytes.data(), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(numbers.get()), bytes.data() + 32, 32);
    return bytes;
  }

  std::shared_ptr<EVP_PKEY> key_;
  std::string type_;
};

inline std::string key_set_of(std::initializer_list<nlohmann::json> keys) {
  return nlohmann::json{{"keys", nlohmann::json(std::vector<nlohmann::json>(keys))}}.dump();
}

inline std::string sign_with_secret(const nlohmann::json& header, std::string_view payload, Bytes secret) {
  const std::string input = to_base64url(as_bytes(header.dump())) + "." + to_base64url(as_bytes(payload));
  return input + "." + to_base64url(crypto::hmac_sha256(secret, as_bytes(input)));
}

}  // namespace turnpike::jose
