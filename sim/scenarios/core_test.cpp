// The core is slow, silent, forgetful, or says everything twice.

#include "sim/scenarios/edge_scenario.hpp"

namespace turnpike::sim {
namespace {

const IpAddress core_ip = at("81.2.69.210:0").ip;

struct Cores : EdgeScenario {
  void change_link(const LinkSettings& link) { stage.network.change_link(core_ip, link); }
  // REGISTERs that the core did not answer in time.
  std::uint64_t silences() {
    return stage.edge.machine()
        .counters()
        .refusals[static_cast<std::size_t>(epcscf::RegistrationRefusal::core_silent)];
  }
};

TEST_F(Cores, ThatLoseEveryThirdMessageRegisterNonetheless) {
  change_link({.loss = 330});
  WicHost& wic = stage.add_wic();
  EXPECT_TRUE(stage.enroll(wic));
  stage.pass(minutes{30});
  EXPECT_TRUE(wic.is_registered());
  wic.stop();
  EXPECT_TRUE(stage.wait([&] { return wic.unregistered == 1; }, minutes{1}));
}

TEST_F(Cores, ThatSayEverythingTwiceAndOutOfOrderConfuseNobody) {
  change_link({.delay = milliseconds{30},
               .jitter = milliseconds{300},
               .duplicates = 900,
               .reorders = 300,
               .reorder_delay = seconds{1}});
  WicHost& wic = enrolled_wic();
  stage.pass(minutes{30});
  EXPECT_TRUE(wic.is_registered());
  EXPECT_GE(wic.registered.size(), 6U);
}

TEST_F(Cores, ThatAnswerTooLateRegisterNobodyHere) {
  change_link({.delay = seconds{17}});  // 34 s there and back
  WicHost& wic = stage.add_wic();
  EXPECT_FALSE(stage.enroll(wic));
  stage.pass(minutes{2});
  EXPECT_EQ(silences(), 1U);
  EXPECT_EQ(stage.model.active_sessions(), 0U);
}

TEST_F(Cores, ThatAreSilentLeaveTheRegistrationAsItWas) {
  WicHost& wic = enrolled_wic();
  stage.core.be(CoreHost::Mood::silent);
  wic.stop();
  ASSERT_TRUE(stage.wait([&] { return !wic.refused.empty(); }, minutes{1}));
  stage.pass(seconds{1});
  EXPECT_EQ(silences(), 1U);
  EXPECT_TRUE(takes(0, username_of(wic))) << "nobody has ended it yet";
  wic.leave();
  stage.pass(seconds{32});
  EXPECT_FALSE(takes(0, username_of(wic))) << "the end of its connection did";
}

TEST_F(Cores, ThatAreDownAreA503AtOnce) {
  stage.core.be(CoreHost::Mood::down);
  WicHost& wic = stage.add_wic();
  EXPECT_FALSE(stage.enroll(wic));
  EXPECT_EQ(wic.refused.back().code, 503);
  stage.core.be(CoreHost::Mood::well);
  EXPECT_TRUE(stage.enroll(wic));
}

TEST_F(Cores, ThatForgetEverybodyAreToldAgainByTheNextRenewal) {
  WicHost& wic = enrolled_wic();
  stage.core.restart();
  EXPECT_FALSE(stage.core.has_registration("alice@ims.example"));
  ASSERT_TRUE(stage.wait([&] { return wic.registered.size() == 2; }, minutes{10}));
  EXPECT_TRUE(stage.core.has_registration("alice@ims.example"));
  EXPECT_EQ(allocations(), 1U);
}

TEST_F(Cores, SayUntilTheyAreHeardThatARegistrationHasEnded) {
  WicHost& wic = enrolled_wic();
  change_link({.loss = 1000});
  stage.core.deregister("alice@ims.example", ims::ContactEvent::rejected);
  stage.pass(seconds{5});
  EXPECT_TRUE(takes(0, username_of(wic)));
  const std::string username = username_of(wic);
  change_link({});
  stage.pass(seconds{10});
  EXPECT_FALSE(takes(0, username));
}

}  // namespace
}  // namespace turnpike::sim
