#include "relay/machine.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "relay/test_socket.hpp"

namespace turnpike::relay {
namespace {

bool has(const std::vector<IpAddress>& addresses, std::string_view text) {
  return std::find(addresses.begin(), addresses.end(), *IpAddress::parse(text)) != addresses.end();
}

TEST(Machine, PinsAThreadToOneCpu) {
  const auto cpus = allowed_cpus();
  ASSERT_FALSE(cpus.empty());
  std::vector<unsigned> pinned;
  std::thread{[&] {
    pin_this_thread(cpus.back());
    pinned = allowed_cpus();
  }}.join();
  EXPECT_EQ(pinned, std::vector{cpus.back()});
  EXPECT_EQ(allowed_cpus(), cpus);  // the other threads stay as they are
}

TEST(Machine, HasLoopbackAddressesAndTellsNoLinkLocalOnes) {
  const auto addresses = machine_addresses();
  EXPECT_TRUE(has(addresses, "127.0.0.1"));
  EXPECT_TRUE(has(addresses, "::1"));
  const auto link_local_v4 = IpPrefix::parse("169.254.0.0/16");
  const auto link_local_v6 = IpPrefix::parse("fe80::/10");
  for (const IpAddress& ip : addresses) {
    EXPECT_FALSE(link_local_v4->contains(ip)) << ip.to_string();
    EXPECT_FALSE(link_local_v6->contains(ip)) << ip.to_string();
  }
}

TEST(Machine, OpensAsManyFilesAsTheSystemAllows) {
  const auto limit = raise_descriptor_limit();
  rlimit now{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(limit, now.rlim_max);
  EXPECT_EQ(now.rlim_cur, now.rlim_max);
}

TEST(PortRange, OverlapsWhatSharesAPort) {
  const PortRange range{100, 200};
  EXPECT_TRUE(range.contains(100) && range.contains(200));
  EXPECT_FALSE(range.contains(99) || range.contains(201));
  EXPECT_TRUE(range.overlaps({200, 300}));
  EXPECT_TRUE(range.overlaps({50, 100}));
  EXPECT_TRUE(range.overlaps({150, 160}));
  EXPECT_FALSE(range.overlaps({201, 300}));
  EXPECT_FALSE(range.overlaps({1, 99}));
}

TEST(Machine, TellsTheEphemeralPorts) {
  const auto ports = ephemeral_ports();
  ASSERT_TRUE(ports);
  const TestSocket any;
  EXPECT_TRUE(ports->contains(any.local().port));
}

}  // namespace
}  // namespace turnpike::relay
