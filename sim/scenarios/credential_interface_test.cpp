// Relays restart, cannot be reached, and are told again; credentials that they have to be told of wait for
// them.

#include "sim/scenarios/edge_scenario.hpp"

namespace turnpike::sim {
namespace {

struct RelayTrouble : EdgeScenario {
  static EdgeStageSettings losing(std::uint32_t of_1000) {
    EdgeStageSettings settings = make_edge_settings();
    settings.interface.loss = of_1000;
    return settings;
  }
  explicit RelayTrouble(EdgeStageSettings settings = make_edge_settings())
      : EdgeScenario(std::move(settings)) {}
  bool are_in_step() {
    return stage.wait([&] { return stage.interface.in_step_since(0) && stage.interface.in_step_since(1); },
                      seconds{10});
  }
};

TEST_F(RelayTrouble, AfterARestartARelayKnowsWhatItKnewAndNothingThatHasEnded) {
  WicHost& alice = enrolled_wic();
  WicHost& bob = enrolled_wic({.user = "bob"});
  alice.stop();
  stage.pass(seconds{2});
  stage.relays[0]->restart();
  EXPECT_FALSE(takes(0, username_of(bob)));
  ASSERT_TRUE(are_in_step());
  EXPECT_TRUE(takes(0, username_of(bob)));
  EXPECT_FALSE(takes(0, username_of(alice)));
}

TEST_F(RelayTrouble, ARelayThatCannotBeReachedIsNotHandedOutAndIsToldLater) {
  WicHost& alice = enrolled_wic();
  stage.interface.cut(0);
  stage.pass(seconds{3});
  WicHost& bob = enrolled_wic({.user = "bob"});
  EXPECT_EQ(bob.registered.back().credentials->entries.front().uris,
            std::vector<std::string>{RelayInterface::uri_of(*stage.relays[1])});
  alice.stop();
  stage.pass(seconds{2});
  EXPECT_FALSE(takes(1, username_of(alice)));
  EXPECT_TRUE(takes(0, username_of(alice))) << "it has not heard";
  stage.interface.cut(0, false);
  ASSERT_TRUE(are_in_step());
  stage.pass(seconds{1});
  EXPECT_FALSE(takes(0, username_of(alice)));
  EXPECT_TRUE(takes(0, username_of(bob)));
}

TEST_F(RelayTrouble, WhereNoRelayAnswersComputedCredentialsStandIn) {
  stage.interface.cut(0);
  stage.interface.cut(1);
  WicHost& wic = enrolled_wic();  // at once, and a relay takes it that nobody has told
  EXPECT_EQ(username_of(wic).find(':'), 10U) << "a computed name begins with its end";
  stage.pass(seconds{5});
  WicHost& later = enrolled_wic({.user = "bob"});
  EXPECT_EQ(username_of(later).find(':'), 10U);
}

TEST_F(RelayTrouble, WhereNothingStandsInTheRegistrationGoesWithout) {
  stage.edge.reconfigure(
      [](epcscf::Settings& settings) { settings.provisioning->sources = {credentials::Source::pushed}; });
  stage.interface.cut(0);
  stage.interface.cut(1);
  WicHost& wic = stage.add_wic();
  ASSERT_TRUE(stage.enroll(wic));
  EXPECT_FALSE(wic.registered.back().credentials);
  EXPECT_NE(wic.registered.back().warning.find("No TURN credentials"), std::string::npos);
  stage.interface.cut(0, false);
  stage.interface.cut(1, false);
  ASSERT_TRUE(stage.wait([&] { return wic.registered.size() == 2; }, minutes{10}));
  EXPECT_TRUE(wic.registered.back().credentials) << "the next renewal brings some";
}

struct LossyInterface : RelayTrouble {
  LossyInterface() : RelayTrouble(losing(300)) {}
};

TEST_F(LossyInterface, LeavesNobodyWithACredentialThatWasTakenBack) {
  for (const std::string user : {"alice", "bob", "carol", "dave", "erin"})
    (void)stage.enroll(stage.add_wic({.user = user}));
  stage.pass(minutes{20});
  for (const auto& wic : stage.wics) {
    EXPECT_TRUE(wic->is_registered());
    wic->stop();
    stage.pass(seconds{5});
  }
  stage.pass(seconds{30});
  for (const auto& wic : stage.wics) EXPECT_FALSE(takes(0, username_of(*wic)));
}

class EachSource : public EdgeScenario, public testing::WithParamInterface<credentials::Source> {
 public:
  EachSource() : EdgeScenario(make_edge_settings()) {
    stage.edge.reconfigure([](epcscf::Settings& settings) { settings.provisioning->sources = {GetParam()}; });
  }
};
INSTANTIATE_TEST_SUITE_P(All, EachSource,
                         testing::Values(credentials::Source::computed, credentials::Source::pushed,
                                         credentials::Source::token),
                         [](const auto& source) {
                           return std::string{credentials::to_string(source.param)};
                         });

TEST_P(EachSource, IsTakenBackFromARelayThatWasAwayWhenItEnded) {
  WicHost& wic = enrolled_wic();
  const std::string username = username_of(wic);
  stage.relays[0]->restart();
  stage.interface.cut(0);
  wic.stop();
  stage.pass(seconds{10});
  EXPECT_FALSE(takes(1, username));
  stage.interface.cut(0, false);
  stage.pass(seconds{5});
  EXPECT_FALSE(takes(0, username));
}

TEST_P(EachSource, EndsByItselfWhereTheEdgeHasDied) {
  WicHost& wic = enrolled_wic({.expires = seconds{60}});
  const std::string username = username_of(wic);
  stage.edge.restart();
  wic.leave();
  EXPECT_TRUE(takes(0, username));
  stage.pass(seconds{130});
  EXPECT_FALSE(takes(0, username) || takes(1, username));
}

}  // namespace
}  // namespace turnpike::sim
