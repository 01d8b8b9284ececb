#include "base/browser_ports.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace turnpike {
namespace {

TEST(BrowserPorts, AreClosedToThePortsOfOtherProtocols) {
  for (const std::uint16_t port :
       std::initializer_list<std::uint16_t>{1, 25, 53, 1719, 5060, 5061, 6000, 6665, 6669, 10080}) {
    EXPECT_TRUE(is_blocked_by_browsers(port)) << port;
    EXPECT_TRUE(is_blocked_for_turn(port)) << port;
  }
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{80, 443, 1024, 3478, 5349, 6664, 6670,
                                                                       8443, 10081, 49152, 65535}) {
    EXPECT_FALSE(is_blocked_by_browsers(port)) << port;
    EXPECT_FALSE(is_blocked_for_turn(port)) << port;
  }
}

TEST(BrowserPorts, OfTurnServersBelow1024AreTwo) {
  int open = 0;
  for (std::uint16_t port = 0; port < 1024; ++port) open += is_blocked_for_turn(port) ? 0 : 1;
  EXPECT_EQ(open, 2);
  EXPECT_FALSE(is_blocked_by_browsers(600));
  EXPECT_TRUE(is_blocked_for_turn(600));
}

}  // namespace
}  // namespace turnpike
