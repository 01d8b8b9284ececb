#include "jose/key_set.hpp"

#include <gtest/gtest.h>

#include "jose/test_tokens.hpp"

namespace turnpike::jose {
namespace {

using nlohmann::json;

std::string complaint(const std::string& text) {
  const auto set = KeySet::parse(text, Limits{});
  return set ? "" : set.error();
}
std::string complaint_of(const json& key) { return complaint(key_set_of({key})); }

const TestKey& rsa_key() {
  static const TestKey key = TestKey::rsa();
  return key;
}

json with(json object, const char* name, const json& value) {
  object[name] = value;
  return object;
}

TEST(KeySet, HoldsTheKeysThatFitAndLeavesOutTheOthers) {
  const json good_rsa = rsa_key().jwk("r"), good_ec = TestKey::ec().jwk("e");
  const auto set = KeySet::parse(key_set_of({{{"kty", "oct"}, {"k", "AAAA"}},
                                             good_rsa,
                                             {{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "AAAA"}},
                                             7,
                                             with(good_ec, "use", "sig"),
                                             with(good_ec, "use", "enc")}),
                                 Limits{});

  ASSERT_TRUE(set) << set.error();
  EXPECT_EQ(set->kids(), (std::vector<std::string>{"r", "e"}));
}

TEST(KeySet, SaysWhyItHasNone) {
  const std::string none = "holds no key that can be used; ";
  EXPECT_EQ(complaint("{"), "is no JSON object within the limits");
  EXPECT_EQ(complaint("[]"), "is no JSON object within the limits");
  EXPECT_EQ(complaint("{}"), "is no key set: it has no list \"keys\"");
  EXPECT_EQ(complaint(R"({"keys":{}})"), "is no key set: it has no list \"keys\"");
  EXPECT_EQ(complaint(R"({"keys":[]})"), none + "the list is empty");
  EXPECT_EQ(complaint_of(TestKey::rsa(1024).jwk("a")),
            none + "of the last one: it has not 2048 to 8192 bits");
  EXPECT_EQ(complaint_of(TestKey::ec("P-384").jwk("a")), none + "of the last one: its curve is not P-256");
  EXPECT_EQ(complaint_of(with(rsa_key().jwk("a"), "d", rsa_key().private_exponent())),
            none + "of the last one: it shows what has to be secret");
  EXPECT_EQ(complaint_of(with(rsa_key().jwk("a"), "key_ops", json::array({"sign"}))),
            none + "of the last one: it is not for verifying signatures");
  EXPECT_EQ(complaint_of(with(rsa_key().jwk("a"), "alg", "RS512")),
            none + "of the last one: its alg is none of RS256, PS256 and ES256");
  EXPECT_EQ(complaint_of(with(rsa_key().jwk("a"), "e", "AAAAAAAAAAAAAAAAAAAA")),
            none + "of the last one: its exponent is out of range");
  EXPECT_EQ(complaint_of(with(rsa_key().jwk("a"), "n", "!!")),
            none + "of the last one: it has not 2048 to 8192 bits");
  EXPECT_EQ(complaint_of(json{{"kid", "a"}}), none + "of the last one: it has no kty");
}

TEST(KeySet, RefusesAPointThatIsNotOnTheCurve) {
  json key = TestKey::ec().jwk("a");
  std::swap(key["x"], key["y"]);
  EXPECT_EQ(complaint_of(key), "holds no key that can be used; of the last one: its numbers are no key");
  EXPECT_NE(complaint_of(with(key, "x", to_base64url(ByteVector(31, 1)))), "");
}

TEST(KeySet, IsLimited) {
  const json key = rsa_key().jwk("a");
  const std::string many = json{{"keys", json(std::vector<json>(65, key))}}.dump();
  EXPECT_EQ(complaint(many), "holds 65 keys, allowed: 1 to 64");
  const std::string huge = json{{"keys", json::array({with(key, "x5c", std::string(300'000, 'x'))})}}.dump();
  EXPECT_EQ(complaint(huge), "is no JSON object within the limits");
}

TEST(KeySet, SharesOnlyASecretThatIsLongEnough) {
  EXPECT_TRUE(KeySet::share(Secret{ByteVector(32, 1)}, ""));
  const auto weak = KeySet::share(Secret{ByteVector(31, 1)}, "");
  ASSERT_FALSE(weak);
  EXPECT_EQ(weak.error(), "has 31 bytes, allowed: at least 32");
}

}  // namespace
}  // namespace turnpike::jose
