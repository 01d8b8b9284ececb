#include "service/token_rules.hpp"

#include <gtest/gtest.h>

namespace turnpike::service {
namespace {

using nlohmann::json;

const WallTime end = from_unix_seconds(1'800'000'000);

json payload() {
  return {{"impi", "alice@ims.example"}, {"impus", {"sip:alice@ims.example", "tel:+4930123"}}};
}
json with(const char* name, const json& value) {
  json changed = payload();
  changed[name] = value;
  return changed;
}
std::string outcome(const json& claims, const IdentityRules& rules = {}) {
  const auto identity = read_identity(claims, rules, "https://waf.example", end);
  return identity ? identity->impi : std::string{to_string(identity.error())};
}

TEST(TokenIdentity, IsReadFromTheClaims) {
  const auto identity = read_identity(payload(), {}, "https://waf.example", end);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->impi, "alice@ims.example");
  EXPECT_EQ(identity->impus, (std::vector<std::string>{"sip:alice@ims.example", "tel:+4930123"}));
  EXPECT_EQ(identity->issuer, "https://waf.example");
  EXPECT_EQ(identity->expires_at, end);
  EXPECT_EQ(identity->wwsf, "");
  EXPECT_FALSE(identity->is_pool_identity);
  EXPECT_EQ(identity->token_id, "");
}

TEST(TokenIdentity, CanBeRevokedWhereTheTokenHasAnId) {
  EXPECT_EQ(read_identity(with("jti", "t1"), {}, "i", end)->token_id, "t1");
  EXPECT_EQ(read_identity(with("jti", 7), {}, "i", end)->token_id, "") << "no text, which RFC 7519 asks for";
}

TEST(TokenIdentity, OfAPoolNamesItsWwsf) {
  json claims = with("wwsf", "shop.example");
  claims["pool"] = true;
  const auto identity = read_identity(claims, {}, "i", end);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->wwsf, "shop.example");
  EXPECT_TRUE(identity->is_pool_identity);
}

TEST(TokenIdentity, IsReadFromTheClaimsThatTheOperatorNames) {
  const IdentityRules rules{.impi_claim = "https://ims.example/private", .impus_claim = "sub"};
  EXPECT_EQ(
      outcome({{"https://ims.example/private", "bob@ims.example"}, {"sub", "sip:bob@ims.example"}}, rules),
      "bob@ims.example");
  EXPECT_EQ(outcome(payload(), rules), "impi");
}

TEST(TokenIdentity, IsNoneWhereAClaimIsMissingOrOfAnotherKind) {
  EXPECT_EQ(outcome(json::object()), "impi");
  for (const json& bad :
       {json(7), json("alice"), json("@ims.example"), json("alice@"), json("a@b@c"), json(""),
        json("alice smith@ims.example"), json("a\r\nX: y@ims.example"), json("a\"@ims.example"),
        json(std::string(300, 'a') + "@b"), json("\xc3\xa9@ims.example")})
    EXPECT_EQ(outcome(with("impi", bad)), "impi") << bad;
  for (const json& bad : {json(7), json::array(), json::object(), json("alice@ims.example"), json("sip:"),
                          json("tel:"), json("sip:alice"), json("sip:a@b>,<sip:c@d"), json("sip:a@b;x=y"),
                          json({"sip:a@b", 7}), json(std::vector<std::string>(33, "sip:a@b"))})
    EXPECT_EQ(outcome(with("impus", bad)), "impus") << bad;
  EXPECT_EQ(outcome(with("wwsf", json::array({"a"}))), "wwsf");
  EXPECT_EQ(outcome(with("wwsf", "")), "wwsf");
  EXPECT_EQ(outcome(with("wwsf", nullptr)), "alice@ims.example");
  EXPECT_EQ(outcome(with("pool", "true")), "pool");
  EXPECT_EQ(outcome(with("pool", 1)), "pool");
}

TEST(TokenIdentity, IsOneThatTheIssuerMaySpeakFor) {
  const IdentityRules rules{.impis = {"*@partner.example", "guest-*@ims.example"}};
  EXPECT_EQ(outcome(payload(), rules), "foreign_impi");
  EXPECT_EQ(outcome(with("impi", "guest-7@ims.example"), rules), "guest-7@ims.example");
  EXPECT_EQ(outcome(with("impi", "x@partner.example"), rules), "x@partner.example");
  EXPECT_EQ(outcome(with("impi", "x@partner.example.evil"), rules), "foreign_impi");
}

}  // namespace
}  // namespace turnpike::service
