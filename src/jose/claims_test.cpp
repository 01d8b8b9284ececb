#include "jose/claims.hpp"

#include <gtest/gtest.h>

namespace turnpike::jose {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::uint64_t noon = 1'800'000'000;
const WallTime now = from_unix_seconds(noon);
const ClaimRules rules{.issuer = "https://waf.example", .audience = "epcscf", .clock_skew = 30s};

json payload() {
  return {
      {"iss", "https://waf.example"}, {"aud", "epcscf"}, {"exp", noon + 60}, {"iat", noon}, {"sub", "u1"}};
}
json with(const char* name, const json& value) {
  json changed = payload();
  changed[name] = value;
  return changed;
}
json without(const char* name) {
  json changed = payload();
  changed.erase(name);
  return changed;
}
std::string outcome(json claims, const std::string& type = "at+jwt", const ClaimRules& by = rules) {
  const auto read = read_claims({type, std::move(claims)}, by, now);
  return read ? "good" : std::string{to_string(read.error())};
}

TEST(Claims, AreReadWhenTheyFit) {
  const auto claims = read_claims({"at+jwt", payload()}, rules, now);
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->expires_at, now + 60s);
  EXPECT_EQ(claims->payload.at("sub"), "u1");
}

TEST(Claims, NameIssuerAndAudienceExactly) {
  EXPECT_EQ(outcome(with("iss", "https://waf.example/")), "issuer");
  EXPECT_EQ(outcome(with("iss", json::array({"https://waf.example"}))), "issuer");
  EXPECT_EQ(outcome(without("iss")), "missing_claim");
  EXPECT_EQ(outcome(with("aud", "epcscf2")), "audience");
  EXPECT_EQ(outcome(with("aud", json::array({"other", "epcscf"}))), "good");
  EXPECT_EQ(outcome(with("aud", json::array({"other", 7}))), "audience");
  EXPECT_EQ(outcome(with("aud", json{{"epcscf", true}})), "audience");
  EXPECT_EQ(outcome(with("aud", nullptr)), "audience");
  EXPECT_EQ(outcome(without("aud")), "missing_claim");
}

TEST(Claims, EndAtTheirExpiryWithALittleSkew) {
  EXPECT_EQ(outcome(with("exp", noon - 29)), "good");
  EXPECT_EQ(outcome(with("exp", noon - 30)), "expired");
  EXPECT_EQ(outcome(with("exp", 0)), "expired");
  EXPECT_EQ(outcome(with("exp", noon + 0.5)), "good");
  EXPECT_EQ(outcome(without("exp")), "missing_claim");
  for (const json& bad : {json("1800000060"), json(-1), json(-0.5), json(nullptr), json(true), json::array()})
    EXPECT_EQ(outcome(with("exp", bad)), "malformed") << bad;
}

TEST(Claims, ThatEndAfterOurClockStayInTheFuture) {
  for (const json& far :
       {json(std::uint64_t{18'446'744'073'709'551'615U}), json(1e300), json(253'402'300'799)}) {
    const auto claims = read_claims({"at+jwt", with("exp", far)}, rules, now);
    ASSERT_TRUE(claims) << far;
    EXPECT_EQ(claims->expires_at, WallTime::max()) << far;
  }
}

TEST(Claims, BeginAtTheirTimeWithALittleSkew) {
  EXPECT_EQ(outcome(with("nbf", noon + 30)), "good");
  EXPECT_EQ(outcome(with("nbf", noon + 31)), "not_yet_valid");
  EXPECT_EQ(outcome(with("iat", noon + 31)), "not_yet_valid");
  EXPECT_EQ(outcome(with("nbf", "soon")), "malformed");
  EXPECT_EQ(outcome(with("iat", -1)), "malformed");
  EXPECT_EQ(outcome(without("iat")), "good");
}

TEST(Claims, OfAnotherTypeOfTokenAreRefused) {
  EXPECT_EQ(outcome(payload(), "jwt"), "type");
  EXPECT_EQ(outcome(payload(), "logout+jwt"), "type");
  ClaimRules lenient = rules;
  lenient.types.push_back("jwt");
  EXPECT_EQ(outcome(payload(), "jwt", lenient), "good");
  EXPECT_EQ(outcome(payload(), "at+jwt", lenient), "good");
}

TEST(Claims, ThatAreRequiredHaveToBeThere) {
  ClaimRules strict = rules;
  strict.required = {"sub", "client_id"};
  EXPECT_EQ(outcome(payload(), "at+jwt", strict), "missing_claim");
  EXPECT_EQ(outcome(with("client_id", "web"), "at+jwt", strict), "good");
}

}  // namespace
}  // namespace turnpike::jose
