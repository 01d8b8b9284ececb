// Clocks are set while users are registered: everybody's, or the edge's alone.

#include "sim/scenarios/edge_scenario.hpp"

namespace turnpike::sim {
namespace {

class Clocks : public EdgeScenario, public testing::WithParamInterface<credentials::Source> {
 public:
  static EdgeStageSettings make_settings() {
    EdgeStageSettings settings = make_edge_settings();
    settings.proxy.provisioning->sources = {GetParam()};
    return settings;
  }
  Clocks() : EdgeScenario(make_settings()) {}
  WicHost& wic = enrolled_wic();
  const std::string username = username_of(wic);
};
INSTANTIATE_TEST_SUITE_P(All, Clocks,
                         testing::Values(credentials::Source::computed, credentials::Source::pushed,
                                         credentials::Source::token),
                         [](const auto& source) {
                           return std::string{credentials::to_string(source.param)};
                         });

TEST_P(Clocks, ThatAreSetForwardEndCredentialsAndNotRegistrations) {
  stage.world.step_wall_clock(hours{2});
  EXPECT_FALSE(takes(0, username));
  stage.pass(seconds{10});
  EXPECT_TRUE(wic.is_registered());
  ASSERT_TRUE(stage.wait([&] { return wic.registered.size() == 2; }, minutes{10}));
  EXPECT_TRUE(stage.allocate(wic));
}

TEST_P(Clocks, ThatAreSetBackKeepNoCredentialBehindItsRegistration) {
  stage.world.step_wall_clock(-hours{2});
  EXPECT_TRUE(GetParam() == credentials::Source::token || takes(0, username));
  wic.stop();
  stage.pass(seconds{2});
  EXPECT_FALSE(takes(0, username));
  stage.world.step_wall_clock(hours{2});
  stage.pass(seconds{2});
  EXPECT_FALSE(takes(0, username));
}

TEST_P(Clocks, ThatAreWrongForAWhileBringNothingBack) {
  stage.world.step_wall_clock(hours{2});  // the credential is over
  wic.stop();
  stage.pass(seconds{2});
  stage.world.step_wall_clock(-hours{2});  // and would not be
  stage.pass(seconds{2});
  EXPECT_FALSE(takes(0, username));
  EXPECT_FALSE(takes(1, username));
}

TEST_P(Clocks, OfTheEdgeAloneMayBeSomeSecondsWrong) {
  for (const seconds error : {seconds{20}, seconds{-40}}) {
    stage.edge.step_clock(error);
    WicHost& other = enrolled_wic({.user = "bob"});
    other.stop();
    stage.pass(seconds{2});
    EXPECT_FALSE(takes(0, username_of(other)));
  }
  EXPECT_TRUE(takes(0, username)) << "the first one lives on";
}

TEST_P(Clocks, OfTheEdgeSetBackHandOutNoNameTwice) {
  stage.edge.step_clock(-minutes{30});
  ASSERT_TRUE(stage.wait([&] { return wic.registered.size() == 3; }, minutes{20}));
  stage.edge.step_clock(minutes{30});
  ASSERT_TRUE(stage.wait([&] { return wic.registered.size() == 5; }, minutes{20}));
}

}  // namespace
}  // namespace turnpike::sim
