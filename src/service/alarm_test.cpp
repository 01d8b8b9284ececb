#include "service/alarm.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace turnpike::service {
namespace {

class Alarms : public testing::Test {
 public:
  // What is due rings.
  void run() {
    loop_.context().restart();
    loop_.context().poll();
  }
  static Instant now() { return read_clocks().mono; }

 protected:
  Loop loop_;
  int rung_ = 0;
};

TEST_F(Alarms, RingOnceWhenTheirTimeHasCome) {
  Alarm alarm{loop_, [&] { ++rung_; }};
  alarm.set(now() + std::chrono::hours{1}, now());
  run();
  EXPECT_EQ(rung_, 0);
  alarm.set(now(), now());
  run();
  run();
  EXPECT_EQ(rung_, 1);
}

TEST_F(Alarms, FollowADeadlineThatMovesOrIsTakenBack) {
  Alarm alarm{loop_, [&] { ++rung_; }};
  alarm.set(now(), now());
  alarm.set(now() + std::chrono::hours{1}, now());
  run();
  EXPECT_EQ(rung_, 0) << "later";
  alarm.set(now(), now());
  alarm.set(std::nullopt, now());
  run();
  EXPECT_EQ(rung_, 0) << "never";
  alarm.set(now(), now());
  alarm.cancel();
  run();
  EXPECT_EQ(rung_, 0) << "cancelled";
}

// Both are due, so that the handler of the second waits in the queue while the first one rings.
TEST_F(Alarms, DoNotRingAfterTheirEnd) {
  auto second = std::make_unique<Alarm>(loop_, [&] { ++rung_; });
  Alarm first{loop_, [&] { second.reset(); }};
  first.set(now(), now());
  second->set(now(), now());
  run();
  EXPECT_EQ(second, nullptr);
  EXPECT_EQ(rung_, 0);
}

}  // namespace
}  // namespace turnpike::service
