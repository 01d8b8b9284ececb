#include "turn/lifetime.hpp"

#include <gtest/gtest.h>

namespace turnpike::turn {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const WallTime now = from_unix_seconds(1'893'456'000);

struct Case {
  ExpiryMode mode = ExpiryMode::bounded;
  WallTime expires_at = WallTime::max();
  bool is_token = false;
  seconds slack{1000};
};

std::optional<GrantedLifetime> granted(std::optional<std::uint32_t> asked, const Case& given) {
  Settings settings;
  settings.expiry = given.mode;
  settings.limits.expiry_slack = given.slack;
  credentials::Grant grant;
  grant.expires_at = given.expires_at;
  return grant_lifetime(asked, grant, given.is_token, settings, now);
}

TEST(Lifetime, IsAtLeastTheDefaultAndAtMostTheMaximum) {
  EXPECT_EQ(granted({}, {})->lifetime, seconds{600});
  EXPECT_EQ(granted(1, {})->lifetime, seconds{600});
  EXPECT_EQ(granted(1000, {})->lifetime, seconds{1000});
  EXPECT_EQ(granted(UINT32_MAX, {})->lifetime, seconds{3600});
}

TEST(Lifetime, IsTheMaximumWhereThatIsBelowTheDefault) {
  Settings settings;
  settings.limits.allocation_lifetime_max = seconds{60};
  EXPECT_EQ(grant_lifetime({}, {}, false, settings, now)->lifetime, seconds{60});
}

TEST(Lifetime, IsBoundedByTheCredentialAsTheModeSays) {
  const WallTime soon = now + seconds{100};
  EXPECT_EQ(granted(3600, {ExpiryMode::lenient, soon})->lifetime, seconds{3600});
  EXPECT_EQ(granted(3600, {ExpiryMode::bounded, soon})->lifetime, seconds{1100});
  EXPECT_EQ(granted(3600, {ExpiryMode::strict, soon})->lifetime, seconds{100});
  EXPECT_FALSE(granted(600, {ExpiryMode::bounded, soon})->is_bounded_by_credential);
  EXPECT_TRUE(granted(3600, {ExpiryMode::bounded, soon})->is_bounded_by_credential);
}

TEST(Lifetime, IsBoundedByATokenInEveryMode) {
  for (const auto mode : {ExpiryMode::lenient, ExpiryMode::bounded, ExpiryMode::strict})
    EXPECT_EQ(granted({}, {mode, now + seconds{100}, true})->lifetime, seconds{100});
}

TEST(Lifetime, IsNothingWhenNoWholeSecondIsLeft) {
  EXPECT_EQ(granted({}, {ExpiryMode::strict, now + seconds{1}})->lifetime, seconds{1});
  EXPECT_FALSE(granted({}, {ExpiryMode::strict, now + milliseconds{999}}));
  EXPECT_FALSE(granted({}, {ExpiryMode::strict, now}));
  EXPECT_FALSE(granted({}, {ExpiryMode::strict, WallTime::min()}));
  EXPECT_FALSE(granted({}, {ExpiryMode::bounded, now - seconds{1000}}));
  EXPECT_TRUE(granted({}, {ExpiryMode::bounded, now - seconds{999}}));
}

TEST(Lifetime, DoesNotOverflowAtTheEndOfTime) {
  EXPECT_EQ(granted(3600, {ExpiryMode::bounded, WallTime::max() - seconds{1}})->lifetime, seconds{3600});
  EXPECT_EQ(granted(3600, {ExpiryMode::strict, WallTime::max() - seconds{1}})->lifetime, seconds{3600});
}

}  // namespace
}  // namespace turnpike::turn
