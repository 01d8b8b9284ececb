#include "service/api_ledger.hpp"

#include <gtest/gtest.h>

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;

class World {
 public:
  // As if a credential had been issued, to live for `life`.
  std::string issue(const std::string& name, std::chrono::seconds life = 600s) {
    auto* user = ledger.find_or_add(name, now);
    if (user == nullptr) return "";
    ApiLedger::Seat& seat = ApiLedger::find_seat(*user, now, random);
    seat.subject = "s-" + seat.salt;
    seat.until = std::max(seat.until, now.wall + life);
    return seat.subject;
  }
  std::vector<std::string> withdraw(const std::string& name) {
    std::vector<std::string> subjects;
    for (const auto& revocation : ledger.withdraw(name, now)) subjects.push_back(revocation.value);
    return subjects;
  }
  void pass(std::chrono::seconds time) {
    now.mono += time;
    now.wall += time;
  }

  ApiLedger ledger{3};
  Now now{.mono = Instant{} + 1h, .wall = from_unix_seconds(1'800'000'000)};
  SeededRandom random{5};
};

using Texts = std::vector<std::string>;

TEST(ApiLedger, KeepsOneSubjectForADay) {
  World world;
  const std::string first = world.issue("alice", 86400s);
  world.pass(23h);
  EXPECT_EQ(world.issue("alice"), first);
  world.pass(1h);
  const std::string second = world.issue("alice");
  EXPECT_NE(second, first);
  EXPECT_NE(world.issue("bob"), second);
  EXPECT_EQ(world.withdraw("alice"), (Texts{first, second}));
  EXPECT_EQ(world.withdraw("alice"), Texts{});
}

TEST(ApiLedger, GivesAnotherSubjectAfterAWithdrawal) {
  World world;
  const std::string first = world.issue("alice");
  EXPECT_EQ(world.withdraw("alice"), Texts{first});
  EXPECT_NE(world.issue("alice"), first);
}

TEST(ApiLedger, RemembersWhatHasEndedForItsAllocationsMayRun) {
  World world;
  const std::string first = world.issue("alice", 600s);
  world.pass(3h);
  world.issue("bob");
  EXPECT_EQ(world.ledger.views(10, world.now.wall).size(), 1U);
  EXPECT_EQ(world.withdraw("alice"), Texts{first});
}

TEST(ApiLedger, ForgetsWhoHoldsNothingWhenItIsFull) {
  World world;
  for (const char* name : {"a", "b", "c"}) world.issue(name, 10s);
  EXPECT_EQ(world.issue("d"), "") << "no room";
  world.pass(5s);
  world.issue("a", 600s);
  world.pass(6s);
  EXPECT_NE(world.issue("d"), "");
  EXPECT_EQ(world.ledger.size(), 2U);
  EXPECT_EQ(world.withdraw("a").size(), 1U);
}

TEST(ApiLedger, ShowsWhoHoldsWhat) {
  World world;
  const std::string subject = world.issue("alice", 600s);
  world.pass(100s);
  const auto views = world.ledger.views(10, world.now.wall);
  ASSERT_EQ(views.size(), 1U);
  EXPECT_EQ(views.front().user, "alice");
  EXPECT_EQ(views.front().subjects, Texts{subject});
  EXPECT_EQ(views.front().expires_in, 500s);
  EXPECT_TRUE(world.ledger.views(0, world.now.wall).empty());
}

TEST(RateBucket, GivesItsBurstAndThenOneAtATime) {
  RateBucket bucket;
  const Instant start = Instant{} + 1h;
  for (int i = 0; i < 60; ++i) EXPECT_EQ(bucket.take(60, 1min, start), 0s);
  EXPECT_EQ(bucket.take(60, 1min, start), 1s);
  EXPECT_EQ(bucket.take(60, 1min, start + 1s), 0s);
  EXPECT_EQ(bucket.take(60, 1min, start + 1s), 1s);
  EXPECT_FALSE(bucket.is_full(start + 1s));
  EXPECT_TRUE(bucket.is_full(start + 2min));
}

}  // namespace
}  // namespace turnpike::service
