#pragma once
// The frame of a scenario: a stage whose model must have nothing to object at the end.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/stage.hpp"

namespace turnpike::sim {

class Scenario : public testing::Test {
 public:
  explicit Scenario(RelaySettings settings = make_relay_settings()) : stage(1, std::move(settings)) {}
  void TearDown() override { EXPECT_EQ(stage.model.violations(), std::vector<std::string>{}); }

  // Allocated, with a permission and a channel for the peer, and heard through both.
  ::testing::AssertionResult can_talk(ClientHost& client, PeerHost& peer) {
    client.permit(peer.address());
    if (!world.run_until([&] { return !client.permitted.empty(); }, std::chrono::seconds{5}))
      return ::testing::AssertionFailure() << "no permission";
    if (!stage.echoes(client, peer, "by indication")) return ::testing::AssertionFailure() << "no echo";
    client.bind_channel(peer.address());
    if (!world.run_until([&] { return !client.channels.empty(); }, std::chrono::seconds{5}))
      return ::testing::AssertionFailure() << "no channel";
    if (!stage.echoes(client, peer, "by channel"))
      return ::testing::AssertionFailure() << "no echo by channel";
    if (!client.received.back().by_channel) return ::testing::AssertionFailure() << "not by channel";
    return ::testing::AssertionSuccess();
  }

  Stage stage;
  World& world = stage.world;
  const SocketAddress peer_address = at("8.8.4.4:6000");
};

}  // namespace turnpike::sim
