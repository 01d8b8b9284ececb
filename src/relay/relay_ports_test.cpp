#include "relay/relay_ports.hpp"

#include <gtest/gtest.h>

#include "relay/test_socket.hpp"

namespace turnpike::relay {
namespace {

TEST(RelayPorts, OpensASocketInASlotAndClosesIt) {
  RelayPorts ports{{}};
  EXPECT_EQ(ports.find(3), nullptr);
  const auto opened = ports.open(3, address("[::1]:0"));
  ASSERT_TRUE(opened);
  ASSERT_NE(ports.find(3), nullptr);
  EXPECT_EQ(ports.find(3)->descriptor.value(), *opened);
  EXPECT_FALSE(ports.find(3)->is_v4);
  EXPECT_EQ(ports.find(2), nullptr);

  const SocketAddress local = *local_address(*opened);
  EXPECT_FALSE(claim_address(local));
  ports.close(3);
  EXPECT_EQ(ports.find(3), nullptr);
  EXPECT_TRUE(claim_address(local));
}

TEST(RelayPorts, SaysWhyAPortCannotBeOpened) {
  const TestSocket taken;
  RelayPorts ports{{}};
  const auto opened = ports.open(0, taken.local());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), std::errc::address_in_use);
  EXPECT_EQ(ports.find(0), nullptr);
}

TEST(RelayPorts, ForgetsNoOpenPort) {
  RelayPorts ports{{}};
  for (turn::RelayPortId id = 0; id < 4; ++id) ASSERT_TRUE(ports.open(id, address("127.0.0.1:0")));
  for (const turn::RelayPortId id : {0U, 2U, 3U}) ports.close(id);
  ports.forget_closed();
  EXPECT_NE(ports.find(1), nullptr);
  EXPECT_EQ(ports.find(3), nullptr);
  ports.close(1);
  ports.forget_closed();
  EXPECT_TRUE(ports.open(5, address("127.0.0.1:0")));
}

TEST(RelayPorts, TakesFewBytesForEachPort) { EXPECT_LE(sizeof(RelaySocket), 16U); }

}  // namespace
}  // namespace turnpike::relay
