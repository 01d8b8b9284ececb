#include "sim/world.hpp"

#include <gtest/gtest.h>

#include <string>

namespace turnpike::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(World, JumpsFromEventToEvent) {
  World world{1};
  const Instant start = world.moment().mono;
  std::string order;
  world.plan_after(hours{2}, [&] { order += "c"; });
  world.plan_after(seconds{1}, [&] {
    order += "a";
    world.plan_after(seconds{1}, [&] { order += "b"; });
  });
  while (world.step()) {
  }
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(world.moment().mono, start + hours{2});
}

TEST(World, KeepsTheOrderOfEventsOfOneMoment) {
  World world{1};
  std::string order;
  for (const char name : {'a', 'b', 'c', 'd'})
    world.plan_after(seconds{1}, [&order, name] { order += name; });
  world.run_for(seconds{1});
  EXPECT_EQ(order, "abcd");
}

TEST(World, BothClocksPassTogetherAndOnlyTheWallClockIsSet) {
  World world{1};
  const Now before = world.moment();
  world.run_for(seconds{10});
  world.step_wall_clock(-hours{1});
  world.run_for(seconds{5});
  EXPECT_EQ(world.moment().mono, before.mono + seconds{15});
  EXPECT_EQ(world.moment().wall, before.wall + seconds{15} - hours{1});
}

TEST(World, WhatIsPlannedInThePastHappensNow) {
  World world{1};
  const Instant start = world.moment().mono;
  bool happened = false;
  world.plan(start - seconds{5}, [&] { happened = true; });
  EXPECT_FALSE(happened);
  world.step();
  EXPECT_TRUE(happened);
  EXPECT_EQ(world.moment().mono, start);
}

TEST(World, WaitsForAConditionNoLongerThanAsked) {
  World world{1};
  const Instant start = world.moment().mono;
  int events = 0;
  for (int i = 1; i <= 10; ++i) world.plan_after(seconds{i}, [&] { ++events; });
  EXPECT_TRUE(world.run_until([&] { return events == 3; }, seconds{5}));
  EXPECT_EQ(world.moment().mono, start + seconds{3});
  EXPECT_FALSE(world.run_until([&] { return events == 100; }, seconds{2}));
  EXPECT_EQ(world.moment().mono, start + seconds{5});
}

TEST(World, EachActorHasItsOwnRandomness) {
  World one{7};
  World other{7};
  SeededRandom first = one.fork();
  SeededRandom same = other.fork();
  (void)first.next_u64();
  SeededRandom second = one.fork();
  SeededRandom second_same = other.fork();
  (void)same.next_u64();
  EXPECT_EQ(second.next_u64(), second_same.next_u64());
  EXPECT_NE(World{8}.fork().next_u64(), World{7}.fork().next_u64());
}

TEST(Alarm, RingsOnceAtItsTime) {
  World world{1};
  int rung = 0;
  Alarm alarm{world, [&] { ++rung; }};
  alarm.set(world.moment().mono + seconds{3});
  world.run_for(seconds{3} - milliseconds{1});
  EXPECT_EQ(rung, 0);
  world.run_for(hours{1});
  EXPECT_EQ(rung, 1);
}

TEST(Alarm, SetAgainForgetsTheEarlierCall) {
  World world{1};
  std::vector<Instant> rung;
  Alarm alarm{world, [&] { rung.push_back(world.moment().mono); }};
  const Instant start = world.moment().mono;
  alarm.set(start + seconds{3});
  alarm.set(start + seconds{5});
  alarm.set(start + seconds{4});
  world.run_for(seconds{10});
  EXPECT_EQ(rung, std::vector{start + seconds{4}});
  alarm.set(start + seconds{20});
  alarm.set(std::nullopt);
  world.run_for(hours{1});
  EXPECT_EQ(rung.size(), 1U);
}

TEST(Alarm, DoesNotOutliveItsOwner) {
  World world{1};
  int rung = 0;
  {
    Alarm alarm{world, [&] { ++rung; }};
    alarm.set(world.moment().mono + seconds{1});
  }
  world.run_for(seconds{2});
  EXPECT_EQ(rung, 0);
}

TEST(WorldDeathTest, NoticesThatItStandsStill) {
  World world{1};
  std::function<void()> again = [&] { world.plan_after(seconds{0}, again); };
  again();
  EXPECT_DEATH(world.run_for(seconds{1}), "stands still");
}

TEST(Journal, DiffersWhereTheWorldsDiffer) {
  const SocketAddress here = *SocketAddress::parse("192.0.2.1:1");
  const SocketAddress there = *SocketAddress::parse("192.0.2.1:2");
  const ByteVector nine(9, 1);
  ByteVector other_nine = nine;
  other_nine.back() = 2;
  const auto hash_of = [](const auto& write) {
    Journal journal;
    write(journal);
    return journal.hash();
  };
  const auto first = hash_of([&](Journal& journal) { journal.packet({}, "send", here, there, nine); });
  EXPECT_EQ(first, hash_of([&](Journal& journal) { journal.packet({}, "send", here, there, nine); }));
  EXPECT_NE(first, hash_of([&](Journal& journal) { journal.packet({}, "recv", here, there, nine); }));
  EXPECT_NE(first, hash_of([&](Journal& journal) { journal.packet({}, "send", there, here, nine); }));
  EXPECT_NE(first, hash_of([&](Journal& journal) { journal.packet({}, "send", here, there, other_nine); }));
  EXPECT_NE(first, hash_of([&](Journal& journal) {
              journal.packet({Instant{seconds{1}}, {}}, "send", here, there, nine);
            }));
}

TEST(Journal, GivesItsLinesToAReader) {
  Journal journal;
  std::string text;
  journal.read_by([&](std::string_view line) { text += std::string{line} + "\n"; });
  journal.note({Instant{milliseconds{1500}}, {}}, "the relay restarts");
  journal.packet({}, "send", *SocketAddress::parse("192.0.2.1:1"), *SocketAddress::parse("[::1]:2"), Bytes{});
  EXPECT_EQ(text, "      1.500000 the relay restarts\n      0.000000 send 192.0.2.1:1 -> [::1]:2 0 bytes \n");
  EXPECT_EQ(journal.lines(), 2U);
}

}  // namespace
}  // namespace turnpike::sim
