#include "epcscf/revoked_tokens.hpp"

#include <gtest/gtest.h>

namespace turnpike::epcscf {
namespace {

using std::chrono::seconds;

const WallTime now = from_unix_seconds(1'800'000'000);

RevokedToken token_of(std::string id, seconds left) {
  return {.issuer = "https://waf.example/", .token_id = std::move(id), .until = now + left};
}
TokenIdentity shows(std::string id, std::string issuer = "https://waf.example/") {
  return {.issuer = std::move(issuer), .token_id = std::move(id)};
}

TEST(RevokedTokens, AreKnownUntilTheyHaveEnded) {
  RevokedTokens revoked;
  revoked.add(token_of("t1", seconds{60}), 10, now);
  EXPECT_TRUE(revoked.has(shows("t1"), now + seconds{59}));
  EXPECT_FALSE(revoked.has(shows("t1"), now + seconds{60}));
  EXPECT_FALSE(revoked.has(shows("t2"), now));
  EXPECT_FALSE(revoked.has(shows("t1", "https://other.example/"), now))
      << "its jti is another issuer's as well";
  revoked.add(token_of("t2", seconds{90}), 10, now + seconds{60});
  EXPECT_EQ(revoked.size(), 1U) << "what has ended takes no room";
}

TEST(RevokedTokens, WithoutAnIdOrATimeAreNobody) {
  RevokedTokens revoked;
  revoked.add(token_of("", seconds{60}), 10, now);
  revoked.add(token_of("t1", seconds{0}), 10, now);
  EXPECT_EQ(revoked.size(), 0U);
  EXPECT_FALSE(revoked.has(shows(""), now));
}

TEST(RevokedTokens, ToldTwiceHaveTheLaterEnd) {
  RevokedTokens revoked;
  revoked.add(token_of("t1", seconds{60}), 10, now);
  revoked.add(token_of("t1", seconds{90}), 10, now);
  revoked.add(token_of("t1", seconds{30}), 10, now);
  EXPECT_EQ(revoked.size(), 1U);
  EXPECT_TRUE(revoked.has(shows("t1"), now + seconds{89}));
}

TEST(RevokedTokens, BeyondTheirNumberTheFirstToEndAreForgotten) {
  RevokedTokens revoked;
  for (int i = 1; i <= 1000; ++i) revoked.add(token_of("t" + std::to_string(i), seconds{i}), 10, now);
  EXPECT_EQ(revoked.size(), 10U);
  EXPECT_TRUE(revoked.has(shows("t991"), now));
  EXPECT_FALSE(revoked.has(shows("t990"), now));
}

}  // namespace
}  // namespace turnpike::epcscf
