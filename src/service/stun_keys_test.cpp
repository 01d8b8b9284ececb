#include "service/stun_keys.hpp"

#include <gtest/gtest.h>

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;

const std::string key32 = to_base64url(as_bytes("HGkj32KJGiuy098sdfaqbNjOiaz71923"));
const std::string key16 = to_base64url(as_bytes("0123456789abcdef"));
const StunKeyRules rules{.kid_prefix = "w1-", .keep = 600s};

std::string make_key(const std::string& kid, const std::string& more = "") {
  return R"({"k":")" + key32 + R"(","exp":1800000000,"kid":")" + kid + R"(","enc":"A256GCM")" + more + "}";
}
std::string problem_of(const std::string& body) {
  const auto read = parse_stun_keys(body, rules);
  return read ? "none" : read.error();
}

// RFC 7635 section 4.1.1 has an answer of this shape.
TEST(StunKeys, AreReadAsRfc7635HasThem) {
  const auto read =
      parse_stun_keys(R"({"k":")" + key32 + R"(","exp":1300819380,"kid":"22BIjxU93h/IgwEb","enc":"A256GCM"})",
                      {.keep = 600s});
  ASSERT_TRUE(read) << read.error();
  ASSERT_EQ(read->keys.size(), 1u);
  const StunKey& key = read->keys.front();
  EXPECT_EQ(key.kid, "22BIjxU93h/IgwEb");
  EXPECT_EQ(key.key.reveal_text(), "HGkj32KJGiuy098sdfaqbNjOiaz71923");
  EXPECT_EQ(key.algorithm, credentials::TokenAlgorithm::a256gcm);
  EXPECT_EQ(key.ends_at, WallTime{1'300'819'380s});
  EXPECT_EQ(key.accepted_until, key.ends_at + 600s);
  EXPECT_FALSE(read->refresh_after);
  EXPECT_TRUE(read->withdrawn.empty());
}

TEST(StunKeys, MayBeSeveralAndSayWhichAreWithdrawn) {
  const auto read =
      parse_stun_keys(R"({"keys":[)" + make_key("w1-b", R"(,"accepted_until":1800000900)") + "," +
                          R"({"k":")" + key16 + R"(","exp":1700000000.5,"kid":"w1-a","enc":"A128GCM"})" +
                          R"(],"withdrawn":["w1-x"],"refresh_after":300,"other":{"x":[1]}})",
                      rules);
  ASSERT_TRUE(read) << read.error();
  ASSERT_EQ(read->keys.size(), 2u);
  EXPECT_EQ(read->keys[0].kid, "w1-b");
  EXPECT_EQ(read->keys[0].accepted_until, WallTime{1'800'000'900s});
  EXPECT_EQ(read->keys[1].algorithm, credentials::TokenAlgorithm::a128gcm);
  EXPECT_EQ(read->keys[1].ends_at, WallTime{1'700'000'000s});
  EXPECT_EQ(read->withdrawn, std::vector<std::string>{"w1-x"});
  EXPECT_EQ(read->refresh_after, 300s);
}

TEST(StunKeys, AreOfTheirProviderAlone) {
  EXPECT_EQ(problem_of(make_key("w2-a")),
            "kid: found \"w2-a\", allowed: what begins with \"w1-\", as this provider's kids do");
  EXPECT_NE(problem_of(R"({"keys":[)" + make_key("w1-a") + "," + make_key("k1") + "]}"), "none");
  EXPECT_NE(problem_of(R"({"withdrawn":["k1"],"keys":[)" + make_key("w1-a") + "]}"), "none")
      << "it withdraws no other one's keys";
}

TEST(StunKeys, ThatAreWrongAreRefusedInWordsThatDoNotShowThem) {
  const std::vector<std::string> wrong{std::string{},
                                       std::string{"[]"},
                                       std::string{"{}"},
                                       std::string{R"({"keys":[]})"},
                                       std::string{R"({"keys":{}})"},
                                       std::string{R"({"keys":[1]})"},
                                       std::string{"<html>"},
                                       make_key(""),
                                       make_key("w1-" + std::string(126, 'x')),
                                       make_key("w1- a"),
                                       make_key("w1-\\u0000"),
                                       make_key("w1-\xc3\xa4"),
                                       make_key("w1-a", R"(,"k":"again")"),
                                       R"({"k":")" + key16 + R"(","exp":1,"kid":"w1-a","enc":"A256GCM"})",
                                       R"({"k":"#","exp":1,"kid":"w1-a","enc":"A256GCM"})",
                                       R"({"exp":1,"kid":"w1-a","enc":"A256GCM"})",
                                       R"({"k":")" + key32 + R"(","exp":1,"kid":"w1-a","enc":"none"})",
                                       R"({"k":")" + key32 + R"(","exp":1,"kid":"w1-a"})",
                                       R"({"k":")" + key32 + R"(","kid":"w1-a","enc":"A256GCM"})",
                                       R"({"k":")" + key32 + R"(","exp":"1","kid":"w1-a","enc":"A256GCM"})",
                                       R"({"k":")" + key32 + R"(","exp":-1,"kid":"w1-a","enc":"A256GCM"})",
                                       R"({"k":")" + key32 + R"(","exp":1e300,"kid":"w1-a","enc":"A256GCM"})",
                                       R"({"k":")" + key32 + R"(","exp":1,"kid":7,"enc":"A256GCM"})",
                                       R"({"keys":[)" + make_key("w1-a") + "," + make_key("w1-a") + "]}",
                                       R"({"withdrawn":["w1-a"],"keys":[)" + make_key("w1-a") + "]}",
                                       R"({"withdrawn":"w1-a","keys":[)" + make_key("w1-b") + "]}"};
  for (const std::string& body : wrong) {
    EXPECT_NE(problem_of(body), "none") << body;
    EXPECT_EQ(problem_of(body).find(key32), std::string::npos);
  }
  std::string many = R"({"keys":[)";
  for (int i = 0; i < 17; ++i) many += (i == 0 ? "" : ",") + make_key("w1-" + std::to_string(i));
  EXPECT_EQ(problem_of(many + "]}"), "keys: allowed: a list of 1 to 16 keys");
  EXPECT_NE(problem_of(std::string(stun_answer_bytes_max + 1, ' ')), "none");
}

TEST(StunKeys, EndsFarAwayDoNotRunOver) {
  const auto read = parse_stun_keys(
      R"({"k":")" + key32 +
          R"(","exp":3999999999999,"kid":"w1-a","enc":"A256GCM","accepted_until":3999999999999})",
      rules);
  ASSERT_TRUE(read) << read.error();
  EXPECT_LT(read->keys.front().accepted_until, WallTime::max() - 24h);
  const auto early = parse_stun_keys(make_key("w1-a", R"(,"accepted_until":5)"), rules);
  EXPECT_EQ(early->keys.front().accepted_until, early->keys.front().ends_at) << "not before its end";
}

TEST(HttpDate, IsReadInTheFormThatIsSent) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), WallTime{784111777s});
  EXPECT_EQ(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT"), WallTime{});
  for (const char* wrong :
       {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Abc 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 9994 08:49:37 GMT", "Sun, 06 Nov 1994 08:4 :37 GMT"})
    EXPECT_FALSE(parse_http_date(wrong)) << wrong;
}

}  // namespace
}  // namespace turnpike::service
