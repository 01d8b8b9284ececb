#include "service/provider_keys.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;

constexpr Instant begin{1000s};
constexpr WallTime wall{1'800'000'000s};

StunKey make_key(const std::string& kid, WallTime ends_at,
                 std::string_view bytes = "HGkj32KJGiuy098sdfaqbNjOiaz71923") {
  return {.kid = kid, .key = Secret::from_text(bytes), .ends_at = ends_at, .accepted_until = ends_at + 1h};
}

struct World {
  SeededRandom random{1};
  ProviderKeys keys{{}, begin};
  Duration passed{0};
  Duration clock_error{0};  // of the relay's wall clock

  [[nodiscard]] Now now() const { return {begin + passed, wall + passed + clock_error}; }
  [[nodiscard]] WallTime their_now() const { return wall + passed; }
  [[nodiscard]] Duration until_fetch() const { return *keys.next_fetch() - now().mono; }
  std::expected<ProviderKeys::Taken, std::string> take(std::vector<StunKey> all,
                                                       std::vector<std::string> withdrawn = {},
                                                       std::optional<std::chrono::seconds> refresh = 300s) {
    keys.on_fetch_started();
    return keys.on_fetched(
        {.keys = std::move(all), .withdrawn = std::move(withdrawn), .refresh_after = refresh}, their_now(),
        now(), random);
  }
  void fail() {
    keys.on_fetch_started();
    keys.on_fetch_failed(now().mono, random);
  }
  [[nodiscard]] std::string kids() const {
    std::string text;
    for (const StunKey& key : keys.keys()) text += key.kid + ' ';
    return text;
  }
};

TEST(ProviderKeys, AreFetchedAtOnceAndThenAsTheAnswerSays) {
  World world;
  EXPECT_EQ(world.until_fetch(), 0s);
  const auto taken = world.take({make_key("a", wall + 24h)});
  ASSERT_TRUE(taken) << taken.error();
  EXPECT_TRUE(taken->have_changed);
  EXPECT_LE(world.until_fetch(), 300s);
  EXPECT_GE(world.until_fetch(), 225s);
  world.passed += 300s;
  EXPECT_FALSE(world.take({make_key("a", wall + 24h)})->have_changed);
}

TEST(ProviderKeys, AreFetchedInGoodTimeBeforeTheyEnd) {
  for (const auto left : {24h * 30, 24h, 1h}) {
    World world;
    ASSERT_TRUE(world.take({make_key("a", wall + left)}, {}, std::nullopt));
    EXPECT_LE(world.until_fetch(), std::min<Duration>(1h, Duration{left} / 2));
    EXPECT_GE(world.until_fetch(), 5s * 3 / 4);
  }
  World world;
  ASSERT_TRUE(world.take({make_key("a", wall + 24h)}, {}, 366 * 24h));
  EXPECT_LE(world.until_fetch(), 12h);
  ASSERT_TRUE(world.take({make_key("a", wall + 24h)}, {}, 0s));
  EXPECT_GE(world.until_fetch(), 3s) << "whatever the answer says";
}

TEST(ProviderKeys, StayWhileTheProviderIsAwayWhichIsAskedLaterAndLater) {
  World world;
  ASSERT_TRUE(world.take({make_key("a", wall + 24h)}));
  Duration longest{0};
  for (int i = 0; i < 30; ++i) {
    world.fail();
    EXPECT_GT(world.until_fetch(), 700ms);
    EXPECT_LE(world.until_fetch(), 300s);
    longest = std::max(longest, world.until_fetch());
    world.passed += world.until_fetch();
  }
  EXPECT_GT(longest, 220s);
  EXPECT_EQ(world.kids(), "a ");
  ASSERT_TRUE(world.take({make_key("a", wall + 24h)}));
  world.fail();
  EXPECT_LE(world.until_fetch(), 1s) << "from the beginning again";
}

TEST(ProviderKeys, RelaysThatStartTogetherDoNotComeTogether) {
  std::vector<Duration> waits;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    World world;
    world.random = SeededRandom{seed};
    world.fail();
    waits.push_back(world.until_fetch());
  }
  std::ranges::sort(waits);
  EXPECT_GT(waits.back() - waits.front(), 50ms);
}

TEST(ProviderKeys, OverlapUntilTheOldOneEnds) {
  World world;
  ASSERT_TRUE(world.take({make_key("a", wall + 1h)}));
  world.passed += 30min;
  // As RFC 7635 has it: the newest one alone.
  EXPECT_TRUE(world.take({make_key("b", wall + 25h)})->have_changed);
  EXPECT_EQ(world.kids(), "b a ");
  world.passed += 90min;
  EXPECT_TRUE(world.take({make_key("b", wall + 25h)})->have_changed);
  EXPECT_EQ(world.kids(), "b ");
}

TEST(ProviderKeys, ReplaceAKeyOfTheSameName) {
  World world;
  ASSERT_TRUE(world.take({make_key("a", wall + 24h)}));
  EXPECT_TRUE(world.take({make_key("a", wall + 24h, "0123456789abcdef0123456789abcdef")})->have_changed);
  ASSERT_EQ(world.keys.keys().size(), 1u);
  EXPECT_EQ(world.keys.keys().front().key.reveal_text(), "0123456789abcdef0123456789abcdef");
}

TEST(ProviderKeys, ThatAreWithdrawnGoAtOnceAndAreToldOfOnce) {
  World world;
  ASSERT_TRUE(world.take({make_key("b", wall + 25h), make_key("a", wall + 24h)}));
  auto taken = world.take({make_key("b", wall + 25h)}, {"a", "x"});
  EXPECT_TRUE(taken->have_changed);
  EXPECT_EQ(taken->withdrawn, (std::vector<std::string>{"a", "x"}));
  EXPECT_EQ(world.kids(), "b ");
  taken = world.take({make_key("b", wall + 25h)}, {"a", "x"});
  EXPECT_TRUE(taken->withdrawn.empty());
}

TEST(ProviderKeys, AnAnswerWhoseKeysHaveEndedChangesNothing) {
  World world;
  ASSERT_TRUE(world.take({make_key("a", wall + 24h)}));
  const auto taken = world.take({make_key("b", wall - 2h)}, {"a"});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error(), "all keys of the answer have ended; compare the clocks");
  EXPECT_EQ(world.kids(), "a ");
  EXPECT_LE(world.until_fetch(), 1s) << "it counts as a failure";
}

TEST(ProviderKeys, AWrongClockNeitherRefusesNorLosesKeys) {
  for (const Duration error :
       {Duration{-2h}, Duration{2h}, Duration{24h * 365 * 20}, Duration{-24h * 365 * 20}}) {
    World world;
    world.clock_error = error;
    const auto taken = world.take({make_key("a", wall + 1h)});
    ASSERT_TRUE(taken) << taken.error();
    EXPECT_EQ(taken->clock_difference, std::chrono::floor<std::chrono::seconds>(error));
    EXPECT_EQ(world.keys.keys().front().accepted_until, world.now().wall + 2h) << "by the relay's own clock";
    EXPECT_LE(world.until_fetch(), 300s);
    world.passed += 300s;
    EXPECT_FALSE(world.take({make_key("a", wall + 1h)})->have_changed);
    // Somebody sets the clock right.
    world.clock_error = 0s;
    EXPECT_TRUE(world.take({make_key("a", wall + 1h)})->have_changed);
    EXPECT_EQ(world.keys.keys().front().accepted_until, wall + 2h);
  }
}

TEST(ProviderKeys, SecondsApartIsNoDifference) {
  World world;
  world.clock_error = 4s;
  EXPECT_EQ(world.take({make_key("a", wall + 1h)})->clock_difference, 0s);
  EXPECT_EQ(world.keys.keys().front().accepted_until, wall + 2h);
}

TEST(ProviderKeys, HaveALimit) {
  World world;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(world.take({make_key(std::to_string(i), wall + 24h)}));
  EXPECT_EQ(world.keys.keys().size(), ProviderKeys::keys_max);
  EXPECT_EQ(world.keys.keys().front().kid, "99");
}

TEST(ProviderKeys, CanBeAskedForOutOfTurn) {
  World world;
  ASSERT_TRUE(world.take({make_key("a", wall + 24h)}));
  world.keys.ask_at(world.now().mono);
  EXPECT_EQ(world.until_fetch(), 0s);
  world.keys.on_fetch_started();
  EXPECT_FALSE(world.keys.next_fetch()) << "one at a time";
}

}  // namespace
}  // namespace turnpike::service
