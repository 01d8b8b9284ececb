#include "jose/token.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "jose/test_tokens.hpp"

namespace turnpike::jose {
namespace {

using nlohmann::json;

constexpr std::string_view payload = R"({"iss":"https://waf.example","sub":"alice"})";

// An issuer with a key of each kind.
struct Issuer {
  TestKey rsa = TestKey::rsa();
  TestKey ec = TestKey::ec();
  KeySet keys = *KeySet::parse(key_set_of({rsa.jwk("r"), ec.jwk("e")}), Limits{});
};
const Issuer& issuer() {
  static const Issuer issuer;
  return issuer;
}

std::string outcome(std::string_view compact, const KeySet& keys = issuer().keys,
                    AlgorithmSet allowed = public_key_algorithms) {
  auto read = read_token(compact, Limits{});
  if (!read) return std::string{to_string(read.error())};
  const auto token = verify(std::move(*read), keys, allowed);
  EXPECT_EQ(ERR_peek_error(), 0u) << "an error is left for others to stumble over";
  return token ? "good" : std::string{to_string(token.error())};
}

std::string signed_token() { return issuer().rsa.sign({{"alg", "RS256"}, {"kid", "r"}}, payload); }

std::string unsigned_token(const json& header, std::string_view signature = "AAAA") {
  return to_base64url(as_bytes(header.dump())) + "." + to_base64url(as_bytes(payload)) + "." +
         std::string{signature};
}

TEST(SignedToken, IsVerifiedByEachAlgorithm) {
  EXPECT_EQ(outcome(issuer().rsa.sign({{"alg", "RS256"}, {"kid", "r"}}, payload)), "good");
  EXPECT_EQ(outcome(issuer().rsa.sign({{"alg", "PS256"}, {"kid", "r"}}, payload)), "good");
  EXPECT_EQ(outcome(issuer().ec.sign({{"alg", "ES256"}, {"kid", "e"}}, payload)), "good");
}

TEST(SignedToken, SaysWhatItSays) {
  auto read = read_token(
      issuer().rsa.sign({{"alg", "RS256"}, {"kid", "r"}, {"typ", "application/AT+JWT"}}, payload), Limits{});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->claimed_issuer(), "https://waf.example");
  const auto token = verify(std::move(*read), issuer().keys, public_key_algorithms);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->type, "at+jwt");
  EXPECT_EQ(token->payload.at("sub"), "alice");
}

TEST(SignedToken, IsRefusedWithoutASignature) {
  for (const char* none : {"none", "None", "NONE", "nOnE", ""}) {
    EXPECT_EQ(outcome(unsigned_token({{"alg", none}}, "")), "algorithm") << none;
    EXPECT_EQ(outcome(unsigned_token({{"alg", none}, {"kid", "r"}})), "algorithm") << none;
  }
  EXPECT_EQ(outcome(unsigned_token({{"alg", "RS256"}, {"kid", "r"}}, "")), "malformed");
  EXPECT_EQ(outcome(unsigned_token({{"kid", "r"}})), "malformed");
}

TEST(SignedToken, IsRefusedWhoseSecretIsThePublicKey) {
  // The attack knows several texts of the public key that a careless verifier might take for the secret.
  const json jwk = issuer().rsa.jwk("r");
  for (const std::string& secret : {jwk.dump(), jwk.at("n").get<std::string>()}) {
    const std::string forged = sign_with_secret({{"alg", "HS256"}, {"kid", "r"}}, payload, as_bytes(secret));
    EXPECT_EQ(outcome(forged), "algorithm");
    EXPECT_EQ(outcome(forged, issuer().keys, {Algorithm::rs256, Algorithm::hs256}), "unknown_key");
  }
}

TEST(SignedToken, IsVerifiedBySharedSecretWhereThatIsConfigured) {
  const ByteVector secret(32, 7);
  const auto keys = *KeySet::share(Secret{secret}, "");
  const std::string token = sign_with_secret({{"alg", "HS256"}, {"kid", "any"}}, payload, secret);
  EXPECT_EQ(outcome(token, keys, {Algorithm::hs256}), "good");
  EXPECT_EQ(outcome(token, keys), "algorithm");
  EXPECT_EQ(
      outcome(sign_with_secret({{"alg", "HS256"}}, payload, ByteVector(32, 8)), keys, {Algorithm::hs256}),
      "signature");
  EXPECT_EQ(outcome(signed_token(), keys, {Algorithm::rs256, Algorithm::hs256}), "unknown_key");
}

TEST(SignedToken, NamesTheKeyThatSignedIt) {
  EXPECT_EQ(outcome(issuer().rsa.sign({{"alg", "RS256"}, {"kid", "x"}}, payload)), "unknown_key");
  EXPECT_EQ(outcome(issuer().rsa.sign({{"alg", "RS256"}, {"kid", "e"}}, payload)), "unknown_key");
  EXPECT_EQ(outcome(issuer().ec.sign({{"alg", "ES256"}, {"kid", "r"}}, payload)), "unknown_key");
  EXPECT_EQ(outcome(TestKey::rsa().sign({{"alg", "RS256"}, {"kid", "r"}}, payload)), "signature");
}

TEST(SignedToken, WithoutAKidPassesWhereOneKeyCanBeMeant) {
  EXPECT_EQ(outcome(issuer().rsa.sign({{"alg", "RS256"}}, payload)), "good");
  const auto two = *KeySet::parse(key_set_of({issuer().rsa.jwk("r"), TestKey::rsa().jwk("s")}), Limits{});
  EXPECT_EQ(outcome(issuer().rsa.sign({{"alg", "RS256"}}, payload), two), "unknown_key");
}

TEST(SignedToken, IsRefusedByAKeyForAnotherAlgorithm) {
  json jwk = issuer().rsa.jwk("r");
  jwk["alg"] = "PS256";
  const auto keys = *KeySet::parse(key_set_of({jwk}), Limits{});
  EXPECT_EQ(outcome(issuer().rsa.sign({{"alg", "PS256"}, {"kid", "r"}}, payload), keys), "good");
  EXPECT_EQ(outcome(signed_token(), keys), "unknown_key");
  EXPECT_EQ(outcome(signed_token(), issuer().keys, {Algorithm::es256}), "algorithm");
}

TEST(SignedToken, IsRefusedOnceAnythingInItIsChanged) {
  const std::string token = signed_token();
  const auto first = token.find('.'), second = token.rfind('.');
  const std::string other = to_base64url(as_bytes(R"({"iss":"https://waf.example","sub":"mallory"})"));
  EXPECT_EQ(outcome(token.substr(0, first + 1) + other + token.substr(second)), "signature");

  for (std::size_t at = 0; at < token.size(); ++at) {
    std::string changed = token;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_NE(outcome(changed), "good") << at;
  }
  for (std::size_t size = 0; size < token.size(); size += 7)
    EXPECT_NE(outcome(token.substr(0, size)), "good");
}

TEST(SignedToken, OfAnEllipticCurveIsRefusedWithANullSignature) {
  // Numbers of zero once passed for a signature of anything (CVE-2022-21449).
  const std::string null_signature = to_base64url(ByteVector(64, 0));
  EXPECT_EQ(outcome(unsigned_token({{"alg", "ES256"}, {"kid", "e"}}, null_signature)), "signature");
  EXPECT_EQ(outcome(unsigned_token({{"alg", "ES256"}, {"kid", "e"}}, to_base64url(ByteVector(63, 1)))),
            "signature");
  EXPECT_EQ(outcome(unsigned_token({{"alg", "ES256"}, {"kid", "e"}}, to_base64url(ByteVector(128, 1)))),
            "signature");
}

TEST(SignedToken, IsRefusedWithACriticalHeader) {
  EXPECT_EQ(
      outcome(issuer().rsa.sign({{"alg", "RS256"}, {"kid", "r"}, {"crit", {"exp"}}, {"exp", 1}}, payload)),
      "critical_header");
  EXPECT_EQ(outcome(issuer().rsa.sign({{"alg", "RS256"}, {"kid", "r"}, {"crit", {"b64"}}, {"b64", false}},
                                      payload)),
            "critical_header");
}

TEST(SignedToken, TakesNoKeyFromItsOwnHeader) {
  const TestKey own = TestKey::rsa();
  EXPECT_EQ(outcome(own.sign({{"alg", "RS256"}, {"jwk", own.jwk("r")}, {"kid", "r"}}, payload)), "signature");
  EXPECT_EQ(outcome(own.sign({{"alg", "RS256"}, {"jku", "https://evil.example/"}, {"kid", "z"}}, payload)),
            "unknown_key");
}

TEST(SignedToken, IsRefusedWhenItIsMalformed) {
  const auto by = [](const json& header, std::string_view body) { return issuer().rsa.sign(header, body); };
  const json header{{"alg", "RS256"}, {"kid", "r"}};
  for (const char* text : {"", ".", "..", "...", "a.b.c", "e30.e30.e30", "e30..AAAA", "{}.{}.AAAA"})
    EXPECT_EQ(outcome(text), "malformed") << text;
  EXPECT_EQ(outcome(signed_token() + ".AAAA"), "malformed");
  EXPECT_EQ(outcome(signed_token() + "=="), "malformed");
  EXPECT_EQ(outcome(" " + signed_token()), "malformed");
  EXPECT_EQ(outcome(by(header, "[]")), "malformed");
  EXPECT_EQ(outcome(by(header, "\"alice\"")), "malformed");
  EXPECT_EQ(outcome(by(header, "{\"sub\":\"\xff\"}")), "malformed");
  EXPECT_EQ(outcome(by(header, R"({"sub":"alice","sub":"mallory"})")), "malformed");
  EXPECT_EQ(outcome(by({{"alg", 7}}, payload)), "malformed");
  EXPECT_EQ(outcome(by({{"alg", "RS256"}, {"kid", 7}}, payload)), "malformed");
  EXPECT_EQ(outcome(by({{"alg", "RS256"}, {"kid", std::string(257, 'k')}}, payload)), "malformed");
  EXPECT_EQ(outcome(by({{"alg", "RS256"}, {"typ", 7}}, payload)), "malformed");
}

TEST(SignedToken, IsRefusedWhenItIsHugeOrDeep) {
  const json header{{"alg", "RS256"}, {"kid", "r"}};
  const auto nested = [](std::size_t depth) {
    return R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(outcome(issuer().rsa.sign(header, nested(7))), "good");
  EXPECT_EQ(outcome(issuer().rsa.sign(header, nested(8))), "malformed");
  EXPECT_EQ(outcome(issuer().rsa.sign(header, nested(2500))), "malformed");
  EXPECT_EQ(outcome(issuer().rsa.sign(header, json{{"a", std::string(9000, 'x')}}.dump())), "malformed");
  EXPECT_EQ(outcome(issuer().rsa.sign(header, json{{"a", std::vector<int>(600, 1)}}.dump())), "malformed");
  EXPECT_EQ(outcome(issuer().rsa.sign({{"alg", "RS256"}, {"x", std::string(2100, 'x')}}, payload)),
            "malformed");
}

TEST(Algorithms, HaveTheirNames) {
  for (const char* name : {"RS256", "PS256", "ES256", "HS256"})
    EXPECT_EQ(to_string(*parse_algorithm(name)), name);
  EXPECT_FALSE(parse_algorithm("rs256"));
  EXPECT_FALSE(public_key_algorithms.contains(Algorithm::hs256));
  EXPECT_TRUE(AlgorithmSet{}.empty());
}

}  // namespace
}  // namespace turnpike::jose
