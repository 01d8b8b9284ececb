// Connections of WICs break, at the worst moment, and come back or do not.

#include "sim/scenarios/edge_scenario.hpp"

namespace turnpike::sim {
namespace {

struct Flows : EdgeScenario {};

TEST_F(Flows, ThatComeBackInTimeKeepTheRegistration) {
  WicHost& wic = enrolled_wic();
  const std::string username = username_of(wic);
  wic.lose_connection(milliseconds{100});
  ASSERT_TRUE(stage.wait([&] { return wic.registered.size() == 2; }, seconds{10}));
  stage.pass(minutes{1});
  EXPECT_TRUE(takes(0, username)) << "the call that it carries goes on";
  EXPECT_EQ(allocations(), 1U);
  EXPECT_EQ(stage.model.tally().registrations, 1U);
}

TEST_F(Flows, ThatDoNotComeBackEndTheRegistrationAfterTheGrace) {
  WicHost& wic = enrolled_wic();
  const std::string username = username_of(wic);
  wic.leave();
  stage.pass(seconds{29});
  EXPECT_TRUE(takes(0, username));
  stage.pass(seconds{3});
  EXPECT_FALSE(takes(0, username));
  EXPECT_EQ(allocations(), 0U);
}

TEST_F(Flows, ThatOnlyTheWicKnowsToBeDeadAreReplaced) {
  WicHost& wic = enrolled_wic();
  const std::string username = username_of(wic);
  wic.lose_connection(seconds{20});
  ASSERT_TRUE(stage.wait([&] { return wic.registered.size() == 2; }, seconds{10}));
  stage.pass(minutes{2});  // the edge has learnt that the first one is dead, and its grace has passed
  EXPECT_TRUE(wic.is_registered());
  EXPECT_TRUE(takes(0, username));
}

TEST_F(Flows, ThatBreakWhileTheCoreIsAskedLeaveNobodyWithCredentials) {
  WicHost& wic = stage.add_wic();
  stage.network.change_link(at("81.2.69.210:0").ip, {.delay = milliseconds{400}});
  wic.start();
  stage.pass(milliseconds{1000});  // the second REGISTER is on its way to the core
  wic.leave();
  stage.pass(minutes{2});
  EXPECT_EQ(stage.model.active_sessions(), 0U);
  EXPECT_EQ(stage.model.tally().credentials, 0U);
}

TEST_F(Flows, ThatBreakWhileAPushIsUnderWayLeaveNothingAtTheRelays) {
  WicHost& wic = stage.add_wic();
  wic.start();
  ASSERT_TRUE(stage.wait([&] { return stage.model.tally().pushes == 1; }, seconds{10}));
  wic.leave();
  stage.pass(seconds{10});
  EXPECT_EQ(stage.relays[0]->registry().pushed().size(), 1U);
  stage.pass(seconds{25});
  EXPECT_EQ(stage.relays[0]->registry().pushed().size(), 0U);
}

TEST_F(Flows, AllBreakWhenTheEdgeDiesAndCredentialsLiveUntilTheirEnd) {
  WicHost& wic = enrolled_wic({.expires = seconds{120}});
  const std::string username = username_of(wic);
  stage.edge.restart();
  ASSERT_TRUE(stage.wait([&] { return wic.registered.size() == 2; }, seconds{10}));
  EXPECT_NE(username_of(wic), username);
  EXPECT_TRUE(takes(0, username)) << "its user may be talking";
  wic.leave();
  stage.pass(minutes{4});
  EXPECT_FALSE(takes(0, username));
}

}  // namespace
}  // namespace turnpike::sim
