#include "jose/signing_key.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "jose/test_tokens.hpp"
#include "jose/token.hpp"

namespace turnpike::jose {
namespace {

using nlohmann::json;

constexpr std::string_view payload = R"({"iss":"https://waf.example","sub":"alice"})";

std::string complaint(const json& jwk) {
  const auto key = SigningKey::parse(Secret::from_text(jwk.dump()));
  return key ? "" : key.error();
}

TEST(SigningKey, SignsWhatItsPublicHalfVerifies) {
  for (const Algorithm algorithm : {Algorithm::es256, Algorithm::rs256, Algorithm::ps256}) {
    const SigningKey key = SigningKey::generate(algorithm);
    const auto keys = KeySet::parse(R"({"keys":[)" + key.public_jwk() + "]}", Limits{});
    ASSERT_TRUE(keys) << keys.error();
    auto read = read_token(key.sign("at+jwt", payload), Limits{});
    ASSERT_TRUE(read);
    EXPECT_EQ(read->kid, key.kid());
    const auto token = verify(std::move(*read), *keys, {algorithm});
    ASSERT_TRUE(token);
    EXPECT_EQ(token->type, "at+jwt");
    EXPECT_EQ(token->payload, json::parse(payload));
    EXPECT_EQ(ERR_peek_error(), 0u) << "an error is left for others to stumble over";
  }
}

TEST(SigningKey, OutlivesAProcessAsAPrivateJwk) {
  const SigningKey key = SigningKey::generate(Algorithm::es256);
  const auto again = SigningKey::parse(key.private_jwk());
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->kid(), key.kid());
  EXPECT_EQ(again->public_jwk(), key.public_jwk());
  const auto keys = *KeySet::parse(R"({"keys":[)" + key.public_jwk() + "]}", Limits{});
  EXPECT_TRUE(verify(*read_token(again->sign("at+jwt", payload), Limits{}), keys, {Algorithm::es256}));
}

TEST(SigningKey, PublishesNothingThatIsSecret) {
  for (const Algorithm algorithm : {Algorithm::es256, Algorithm::rs256}) {
    const json jwk = json::parse(SigningKey::generate(algorithm).public_jwk());
    for (const char* member : {"d", "p", "q", "dp", "dq", "qi", "k"})
      EXPECT_FALSE(jwk.contains(member)) << member;
    EXPECT_EQ(jwk.at("use"), "sig");
    EXPECT_EQ(jwk.at("alg"), to_string(algorithm));
  }
}

TEST(SigningKey, IsNotMadeOfWhatCannotSign) {
  const json good = json::parse(SigningKey::generate(Algorithm::es256).private_jwk().reveal_text());
  const auto with = [&](const char* name, const json& value) {
    json changed = good;
    changed[name] = value;
    return changed;
  };
  json without = good;
  without.erase("d");
  EXPECT_EQ(complaint(good), "");
  EXPECT_EQ(complaint(json::array()), "is no JSON object within the limits");
  EXPECT_EQ(complaint(with("alg", "HS256")), "its alg is none of RS256, PS256 and ES256");
  EXPECT_EQ(complaint(with("alg", "RS256")), "its kty does not suit its alg");
  EXPECT_EQ(complaint(with("crv", "P-384")), "its curve is not P-256");
  EXPECT_EQ(complaint(without), "it has no private half");
  EXPECT_EQ(complaint(with("x", "AAAA")), "its numbers are no key");
}

TEST(Thumbprint, PassesThePublishedVector) {
  // RFC 7638 section 3.1.
  EXPECT_EQ(
      find_thumbprint(
          R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"})"),
      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST(Thumbprint, IsOfPublicKeysAlone) {
  for (const char* text : {"", "[]", "{}", R"({"kty":"oct","k":"AAAA"})", R"({"kty":"RSA","n":"AAAA"})",
                           R"({"kty":"EC","crv":"P-256","x":"AAAA","y":7})"})
    EXPECT_FALSE(find_thumbprint(text)) << text;
}

}  // namespace
}  // namespace turnpike::jose
