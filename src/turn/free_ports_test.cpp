#include "turn/free_ports.hpp"

#include <gtest/gtest.h>

#include <set>

#include "base/random.hpp"

namespace turnpike::turn {
namespace {

std::vector<std::uint16_t> list(const FreePorts& ports, PortParity kind) {
  std::vector<std::uint16_t> found;
  for (std::size_t i = 0; i < ports.count(kind); ++i) found.push_back(ports.select(kind, i));
  return found;
}

using Ports = std::vector<std::uint16_t>;

TEST(FreePorts, KnowsTheKindsOfASmallRange) {
  const FreePorts ports{49153, 49158};
  EXPECT_EQ(list(ports, PortParity::any), (Ports{49153, 49154, 49155, 49156, 49157, 49158}));
  EXPECT_EQ(list(ports, PortParity::even), (Ports{49154, 49156, 49158}));
  EXPECT_EQ(list(ports, PortParity::even_with_next_free), (Ports{49154, 49156}));
}

TEST(FreePorts, ReachesTheEndsOfTheWholeRange) {
  const FreePorts ports{0, 65535};
  EXPECT_FALSE(ports.contains(0));
  EXPECT_EQ(ports.count(PortParity::any), 65535U);
  EXPECT_EQ(ports.select(PortParity::any, 0), 1);
  EXPECT_EQ(ports.select(PortParity::any, 65534), 65535);
  EXPECT_EQ(ports.select(PortParity::even, 0), 2);
  EXPECT_EQ(ports.select(PortParity::even_with_next_free, 32766), 65534);
}

TEST(FreePorts, AnEvenPortWithoutItsSuccessorIsNoPair) {
  FreePorts ports{50000, 50003};
  ports.remove(50001);
  EXPECT_EQ(list(ports, PortParity::even_with_next_free), Ports{50002});
  ports.remove(50002);
  EXPECT_EQ(list(ports, PortParity::even_with_next_free), Ports{});
  ports.insert(50001);
  EXPECT_EQ(list(ports, PortParity::even_with_next_free), Ports{50000});
}

TEST(FreePorts, AgreesWithASetOfPorts) {
  SeededRandom random{1};
  FreePorts ports{1000, 5000};
  std::set<std::uint16_t> model;
  for (std::uint16_t port = 1000; port <= 5000; ++port) model.insert(port);
  for (int step = 0; step < 40'000; ++step) {
    const auto port = static_cast<std::uint16_t>(1000 + random.below(4001));
    if (model.erase(port) == 1) {
      ports.remove(port);
    } else {
      model.insert(port);
      ports.insert(port);
    }
    if (step % 5000 != 0) continue;
    Ports any{model.begin(), model.end()};
    Ports even;
    Ports pairs;
    for (const std::uint16_t each : any) {
      if (each % 2 != 0) continue;
      even.push_back(each);
      if (model.contains(static_cast<std::uint16_t>(each + 1))) pairs.push_back(each);
    }
    ASSERT_EQ(list(ports, PortParity::any), any);
    ASSERT_EQ(list(ports, PortParity::even), even);
    ASSERT_EQ(list(ports, PortParity::even_with_next_free), pairs);
  }
}

TEST(FreePortsDeathTest, AbortsWhenAPortIsTakenOrGivenBackTwice) {
  FreePorts ports{50000, 50003};
  EXPECT_DEATH(ports.insert(50000), "free again");
  EXPECT_DEATH(ports.remove(40000), "not free");
  EXPECT_DEATH((void)ports.select(PortParity::even, 2), "none is left");
}

}  // namespace
}  // namespace turnpike::turn
