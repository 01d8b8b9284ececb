#include "turn/timer_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.hpp"

namespace turnpike::turn {
namespace {

using std::chrono::seconds;

Instant at(int second) { return Instant{seconds{second}}; }

TEST(TimerQueue, GivesTheEarliestFirst) {
  TimerQueue queue;
  std::array<Timed, 3> owners;
  queue.set(owners[0], at(20));
  queue.set(owners[1], at(10));
  queue.set(owners[2], at(30));
  EXPECT_EQ(queue.next(), at(10));
  EXPECT_FALSE(queue.find_due(at(9)));
  EXPECT_EQ(queue.find_due(at(10)), &owners[1]);
  queue.remove(owners[1]);
  EXPECT_EQ(queue.next(), at(20));
  EXPECT_TRUE(queue.is_due(at(25)));
}

TEST(TimerQueue, IsEmptyAtFirstAndInTheEnd) {
  TimerQueue queue;
  Timed owner;
  EXPECT_FALSE(queue.next());
  EXPECT_FALSE(queue.is_due(Instant::max()));
  queue.remove(owner);
  queue.set(owner, at(1));
  queue.remove(owner);
  EXPECT_FALSE(queue.next());
  EXPECT_EQ(queue.size(), 0U);
}

TEST(TimerQueue, MovesADeadlineEitherWay) {
  TimerQueue queue;
  std::array<Timed, 2> owners;
  queue.set(owners[0], at(20));
  queue.set(owners[1], at(30));
  queue.set(owners[1], at(10));
  EXPECT_EQ(queue.find_due(at(99)), &owners[1]);
  queue.set(owners[1], at(40));
  EXPECT_EQ(queue.find_due(at(99)), &owners[0]);
  EXPECT_EQ(queue.size(), 2U);
}

TEST(TimerQueue, KeepsItsOrderThroughManyChanges) {
  SeededRandom random{11};
  TimerQueue queue;
  std::vector<Timed> owners(200);
  std::vector<std::optional<Instant>> expected(owners.size());
  for (int step = 0; step < 20000; ++step) {
    const auto i = random.below(static_cast<std::uint32_t>(owners.size()));
    if (random.below(3) == 0) {
      queue.remove(owners[i]);
      expected[i].reset();
    } else {
      expected[i] = at(static_cast<int>(random.below(1000)));
      queue.set(owners[i], *expected[i]);
    }
    std::optional<Instant> earliest;
    for (const auto& each : expected)
      if (each && (!earliest || *each < *earliest)) earliest = each;
    ASSERT_EQ(queue.next(), earliest) << step;
    const Timed* due = queue.find_due(Instant::max());
    if (earliest) {
      ASSERT_EQ(expected[static_cast<std::size_t>(due - owners.data())], earliest);
    }
  }
}

}  // namespace
}  // namespace turnpike::turn
