#pragma once
// The frame of a scenario of registrations: a stage whose model must have nothing to object at the end.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/edge/edge_stage.hpp"

namespace turnpike::sim {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class EdgeScenario : public testing::Test {
 public:
  explicit EdgeScenario(EdgeStageSettings settings = make_edge_settings()) : stage(std::move(settings)) {}
  void TearDown() override {
    stage.expect_nothing_left();
    EXPECT_EQ(stage.model.violations(), std::vector<std::string>{});
  }

  // Registered, and talking through a relay.
  WicHost& enrolled_wic(const WicWish& wish = {}) {
    WicHost& wic = stage.add_wic(wish);
    EXPECT_TRUE(stage.enroll(wic));
    EXPECT_TRUE(stage.allocate(wic));
    return wic;
  }
  static std::string username_of(const WicHost& wic) {
    const auto& registered = wic.registered.back();
    return registered.credentials && !registered.credentials->entries.empty()
               ? registered.credentials->entries.front().username
               : "";
  }
  bool takes(std::size_t relay, const std::string& username) {
    return stage.relays.at(relay)->registry().explain(username, stage.world.moment().wall).has_value();
  }
  [[nodiscard]] std::size_t allocations() const {
    std::size_t count = 0;
    for (const auto& relay : stage.relays) count += relay->allocations().size();
    return count;
  }

  EdgeStage stage;
};

}  // namespace turnpike::sim
