#include "relay/locked_commons.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "relay/test_socket.hpp"
#include "turn/plain_commons.hpp"

namespace turnpike::relay {
namespace {

turn::Settings settings_with_ports(std::uint16_t min, std::uint16_t max) {
  const IpAddress loopback = address("127.0.0.1:0").ip;
  turn::Settings settings;
  settings.relay_addresses = {{.bind = loopback, .advertised = loopback}};
  settings.relay_port_min = min;
  settings.relay_port_max = max;
  return settings;
}

TEST(LockedCommons, PassesEveryQuestionOn) {
  const IpAddress loopback = address("127.0.0.1:0").ip;
  SeededRandom random{1};
  turn::PlainCommons plain{settings_with_ports(40000, 40003), random};
  LockedCommons commons{plain};
  const Now now{};

  EXPECT_TRUE(commons.admit("alice", loopback, 1));
  EXPECT_FALSE(commons.admit("alice", loopback, 1));
  commons.release("alice", loopback);
  EXPECT_EQ(plain.admitted(), 0U);

  const auto even = commons.take_port(loopback, turn::PortParity::even_with_next_free, now);
  ASSERT_TRUE(even);
  const auto token = commons.reserve_next(*even, now);
  const auto next = commons.redeem(token, now);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->port, even->port + 1);
  EXPECT_FALSE(commons.redeem(token, now));
  commons.return_port(*even, now);
  EXPECT_EQ(plain.count_ports(loopback, now).resting, 1U);
}

TEST(LockedCommons, GivesAPortToOneShardOnly) {
  const IpAddress loopback = address("127.0.0.1:0").ip;
  SeededRandom random{1};
  turn::PlainCommons plain{settings_with_ports(40000, 43999), random};
  LockedCommons commons{plain};
  std::vector<std::vector<std::uint16_t>> taken(4);
  std::vector<std::thread> shards;
  shards.reserve(taken.size());
  for (auto& ports : taken)
    shards.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const auto port = commons.take_port(loopback, turn::PortParity::any, Now{});
        ASSERT_TRUE(port);
        ports.push_back(port->port);
      }
    });
  for (auto& shard : shards) shard.join();

  std::vector<std::uint16_t> all;
  for (const auto& ports : taken) all.insert(all.end(), ports.begin(), ports.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all.size(), 4000U);
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
  EXPECT_FALSE(commons.take_port(loopback, turn::PortParity::any, Now{}));
}

}  // namespace
}  // namespace turnpike::relay
