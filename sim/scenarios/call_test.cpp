// Calls between registered WICs, through all of it.

#include "sim/scenarios/edge_scenario.hpp"

namespace turnpike::sim {
namespace {

struct Calls : EdgeScenario {
  WicHost& alice = enrolled_wic();
  WicHost& bob = enrolled_wic({.user = "bob"});

  bool talk() {
    alice.call("sip:bob@ims.example");
    return stage.wait([&] { return alice.answered == 1 && bob.confirmed == 1; }, seconds{40});
  }
};

TEST_F(Calls, AreAnsweredAndHungUp) {
  ASSERT_TRUE(talk());
  EXPECT_EQ(stage.edge.machine().counters().calls_active, 2U);
  bob.hang_up();
  ASSERT_TRUE(stage.wait([&] { return alice.ended.size() == 1 && bob.ended.size() == 1; }, seconds{10}));
  EXPECT_EQ(alice.ended.back().cause, client::CallEnded::Cause::hung_up);
}

TEST_F(Calls, AreGivenUpByWhoCalls) {
  alice.call("sip:bob@ims.example");
  stage.pass(milliseconds{600});  // it rings
  alice.hang_up();
  ASSERT_TRUE(stage.wait([&] { return alice.ended.size() == 1 && bob.ended.size() == 1; }, seconds{10}));
  EXPECT_EQ(bob.ended.back().cause, client::CallEnded::Cause::cancelled);
}

TEST_F(Calls, ToNobodyAreRefused) {
  alice.call("sip:erin@ims.example");
  ASSERT_TRUE(stage.wait([&] { return alice.ended.size() == 1; }, seconds{40}));
  EXPECT_EQ(alice.ended.back().cause, client::CallEnded::Cause::refused);
}

TEST_F(Calls, GetThroughACoreThatLosesEveryThirdMessage) {
  stage.network.change_link(at("81.2.69.210:0").ip, {.loss = 300});
  ASSERT_TRUE(talk());
  alice.hang_up();
  EXPECT_TRUE(stage.wait([&] { return bob.ended.size() == 1; }, minutes{1}));
}

TEST_F(Calls, ToWhoseConnectionBreaksEndAndLeaveNothing) {
  alice.call("sip:bob@ims.example");
  stage.pass(milliseconds{600});
  bob.leave();
  EXPECT_TRUE(stage.wait([&] { return alice.ended.size() == 1; }, minutes{5}));
}

TEST_F(Calls, EndWithTheRegistrationThatTheNetworkEnds) {
  ASSERT_TRUE(talk());
  stage.core.deregister("bob@ims.example", ims::ContactEvent::deactivated);
  ASSERT_TRUE(stage.wait([&] { return !bob.ended.empty(); }, seconds{5}));
  EXPECT_EQ(bob.ended.back().cause, client::CallEnded::Cause::flow_closed);
  alice.hang_up();
  EXPECT_TRUE(stage.wait([&] { return alice.ended.size() == 1; }, minutes{1}));
}

}  // namespace
}  // namespace turnpike::sim
