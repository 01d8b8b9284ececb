#include "ims/hops.hpp"

#include <gtest/gtest.h>

#include "ims/test_core.hpp"

namespace turnpike::ims {
namespace {

using std::chrono::seconds;
using test::World;

sip::Hop hop(std::string_view host, std::uint16_t port) {
  return {.transport = sip::Transport::udp, .host = std::string{host}, .port = port};
}

Now at(int second) { return {.mono = Instant{seconds{second}}, .wall = WallTime{}}; }

TEST(Hops, OfStrangersMakeRoomInTheOrderOfTheirLastUse) {
  Hops hops{3};
  const auto node = hops.flow_of(hop("node", 1), true, at(0));
  const auto first = hops.flow_of(hop("a", 1), false, at(1));
  const auto second = hops.flow_of(hop("a", 2), false, at(2));
  EXPECT_EQ(hops.flow_of(hop("a", 1), false, at(3))->id, first->id);
  ASSERT_TRUE(hops.flow_of(hop("b", 1), false, at(3)));
  EXPECT_EQ(hops.size(), 3U);
  EXPECT_EQ(hops.find(second->id), nullptr);
  EXPECT_NE(hops.find(first->id), nullptr);
  ASSERT_TRUE(hops.flow_of(hop("node", 2), true, at(4)));
  EXPECT_EQ(hops.find(first->id), nullptr);
  EXPECT_NE(hops.find(node->id), nullptr);
}

TEST(Hops, OfTrustedNodesGiveWayWhenTheyAreOldAlone) {
  Hops hops{2};
  hops.flow_of(hop("node", 1), true, at(0));
  hops.flow_of(hop("node", 2), true, at(1));
  EXPECT_FALSE(hops.flow_of(hop("a", 1), false, at(2)));
  EXPECT_TRUE(hops.flow_of(hop("a", 1), false, at(600)));
  EXPECT_EQ(hops.size(), 2U);
}

// Each port of a Via is a hop, and was one before anything was asked.
TEST(Hops, AStrangerOfManyPortsLocksOutNobody) {
  World world;
  for (int i = 0; i < 10'100; ++i) {
    const std::string port = std::to_string(20'000 + i);
    world.give(test::stranger_hop,
               "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66:" + port + ";branch=z9hG4bKq" + port +
                   "\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c" + port +
                   "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
  }
  world.take();
  EXPECT_EQ(world.register_user("alice").status(), 200);
  EXPECT_EQ(world.core.counters().dropped, 0U);
}

}  // namespace
}  // namespace turnpike::ims
