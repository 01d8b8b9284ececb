#include "provisioning/credential_life.hpp"

#include <gtest/gtest.h>

namespace turnpike::provisioning {
namespace {

using namespace std::chrono_literals;

TEST(CredentialLife, OutlivesAShortRegistrationByAMinute) {
  EXPECT_EQ(find_ttl(600s, {}, {}), 660s);
  EXPECT_EQ(find_ttl(1200s, {}, {}), 1260s);
}

TEST(CredentialLife, OutlivesALongRegistrationByTwoMinutes) {
  EXPECT_EQ(find_ttl(1201s, {}, {}), 1321s);
  EXPECT_EQ(find_ttl(3600s, {}, {}), 3720s);
}

TEST(CredentialLife, HasAFloor) {
  EXPECT_EQ(find_ttl(0s, {}, {}), 120s);
  EXPECT_EQ(find_ttl(30s, {}, {}), 120s);
  EXPECT_EQ(find_ttl(-5s, {}, {}), 120s);
}

TEST(CredentialLife, HasACap) {
  EXPECT_EQ(find_ttl(86400s, {}, {}), 86400s);
  EXPECT_EQ(find_ttl(600000s, {}, {}), 86400s);
  EXPECT_EQ(find_ttl(std::chrono::seconds::max(), {}, {}), 86400s);
}

TEST(CredentialLife, IsShortenedByAWishAndNeverLengthened) {
  EXPECT_EQ(find_ttl(3600s, 300s, {}), 300s);
  EXPECT_EQ(find_ttl(3600s, 86400s, {}), 3720s);
  EXPECT_EQ(find_ttl(3600s, std::chrono::seconds::max(), {}), 3720s);
}

TEST(CredentialLife, IsNotWishedBelowTheFloor) {
  EXPECT_EQ(find_ttl(3600s, 1s, {}), 120s);
  EXPECT_EQ(find_ttl(3600s, 0s, {}), 120s);
}

TEST(CredentialLife, ObeysLimitsThatContradictThemselves) {
  const LifeLimits limits{.floor = 500s, .cap = 300s};
  EXPECT_EQ(find_ttl(3600s, {}, limits), 500s);
  EXPECT_EQ(find_ttl(3600s, 1s, limits), 500s);
}

TEST(CredentialLife, IsRenewedWhenTheRegistrationIs) {
  EXPECT_EQ(find_refresh(3600s), 3000s);
  EXPECT_EQ(find_refresh(1201s), 601s);
  EXPECT_EQ(find_refresh(1200s), 600s);
  EXPECT_EQ(find_refresh(121s), 60s);
}

}  // namespace
}  // namespace turnpike::provisioning
