#include "relay/udp_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <utility>

#include "relay/test_socket.hpp"

namespace turnpike::relay {
namespace {

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  getsockopt(fd, level, name, &value, &size);
  return value;
}
bool is_open(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST(FileDescriptor, ClosesWhatItOwnsOnce) {
  int fd = -1;
  {
    FileDescriptor first{dup(0)};
    fd = first.value();
    FileDescriptor second{std::move(first)};
    EXPECT_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move): an emptied one is closed
    EXPECT_TRUE(is_open(fd));
    FileDescriptor other{dup(0)};
    const int replaced = other.value();
    other = std::move(second);
    EXPECT_FALSE(is_open(replaced));
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(UdpSocket, KnowsSegmentOffloadOfThisKernel) {
  const auto offload = probe_segment_offload();
  EXPECT_TRUE(offload.receive);
  EXPECT_TRUE(offload.send);
}

TEST(Listener, IsSharedByShardsAndHasALargeBuffer) {
  const auto first = open_listener(address("127.0.0.1:0"), {});
  ASSERT_TRUE(first);
  const auto local = local_address(first->value());
  ASSERT_TRUE(local);
  EXPECT_NE(local->port, 0);

  const auto second = open_listener(*local, {});
  ASSERT_TRUE(second);
  EXPECT_EQ(*local_address(second->value()), *local);
  EXPECT_GT(option_of(first->value(), SOL_SOCKET, SO_RCVBUF), 212992);  // the kernel's default
  EXPECT_GT(option_of(first->value(), SOL_SOCKET, SO_SNDBUF), 212992);
}

TEST(Listener, IsNotClaimedWhileSomebodyHasItsAddress) {
  auto listener = open_listener(address("[::1]:0"), {});
  ASSERT_TRUE(listener);
  const SocketAddress taken = *local_address(listener->value());
  const auto claimed = claim_address(taken);
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error(), std::errc::address_in_use);

  listener->close();
  EXPECT_TRUE(claim_address(taken));
}

TEST(Listener, IsRefusedForAnAddressOfAnotherMachine) {
  const auto claimed = claim_address(address("192.0.2.1:3478"));
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error(), std::errc::address_not_available);
}

TEST(RelayPort, IsNotShared) {
  const auto port = open_relay_port(address("127.0.0.1:0"), probe_segment_offload());
  ASSERT_TRUE(port);
  const auto again = open_relay_port(*local_address(port->value()), probe_segment_offload());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error(), std::errc::address_in_use);
}

TEST(RelayPort, SendsWithoutDontFragmentUnlessToldOtherwise) {
  const auto v4 = open_relay_port(address("127.0.0.1:0"), {});
  const auto v6 = open_relay_port(address("[::1]:0"), {});
  ASSERT_TRUE(v4 && v6);
  EXPECT_EQ(option_of(v4->value(), IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT);
  EXPECT_EQ(option_of(v6->value(), IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_DONT);
  set_dont_fragment(v4->value(), true, true);
  set_dont_fragment(v6->value(), false, true);
  EXPECT_EQ(option_of(v4->value(), IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DO);
  EXPECT_EQ(option_of(v6->value(), IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_DO);
}

TEST(RelayPort, TellsWhichPeerCouldNotBeReached) {
  for (const char* local : {"127.0.0.1:0", "[::1]:0"}) {
    const auto port = open_relay_port(address(local), {});
    ASSERT_TRUE(port);
    EXPECT_FALSE(take_icmp_error(port->value()));
    const SocketAddress closed = closed_address(local);
    const NativeAddress native{closed};
    sendto(port->value(), "x", 1, 0, &native.any, native.size);

    const auto error = take_icmp_error(port->value());
    ASSERT_TRUE(error) << local;
    EXPECT_EQ(error->peer, closed);
    const bool is_v4 = closed.ip.is_v4();
    EXPECT_EQ(error->icmp.type, is_v4 ? 3 : 1);  // destination unreachable
    EXPECT_EQ(error->icmp.code, is_v4 ? 3 : 4);  // port unreachable
    EXPECT_EQ(error->icmp.error_data, 0U);
    EXPECT_FALSE(take_icmp_error(port->value()));
  }
}

}  // namespace
}  // namespace turnpike::relay
