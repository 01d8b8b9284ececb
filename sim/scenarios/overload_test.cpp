// More than there is room for is refused, and those who are in stay in.

#include "sim/scenarios/edge_scenario.hpp"

namespace turnpike::sim {
namespace {

EdgeStageSettings make_small_settings() {
  EdgeStageSettings settings = make_edge_settings();
  settings.proxy.limits.registrations_max = 3;
  settings.proxy.limits.registrations_per_impi_max = 2;
  settings.proxy.limits.pushes_max = 1;
  settings.proxy.limits.token_checks_max = 1;
  settings.proxy.transactions.servers_per_flow_max = 8;
  return settings;
}

struct Overload : EdgeScenario {
  Overload() : EdgeScenario(make_small_settings()) {}

  static std::string options(std::uint32_t number) {
    const std::string text = std::to_string(number);
    return "OPTIONS sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/WSS flood.invalid;branch=z9hG4bKflood" +
           text +
           "\r\nMax-Forwards: 70\r\nFrom: <sip:alice@ims.example>;tag=f\r\nTo: "
           "<sip:bob@ims.example>\r\nCall-ID: flood" +
           text + "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
  }
};

TEST_F(Overload, OfDevicesOfOneUserRefusesTheThird) {
  enrolled_wic();
  enrolled_wic();
  WicHost& third = stage.add_wic();
  EXPECT_FALSE(stage.enroll(third));
  EXPECT_EQ(third.refused.back().code, 503);
}

TEST_F(Overload, OfUsersWhoComeAllAtOnceKeepsTheLimits) {
  for (const std::string user : {"alice", "alice", "alice", "bob", "carol", "dave", "erin", "guest1"})
    stage.add_wic({.user = user}).start();
  stage.pass(minutes{1});
  std::size_t registered = 0;
  for (const auto& wic : stage.wics) registered += wic->is_registered() ? 1U : 0U;
  EXPECT_EQ(registered, 3U);
  // Room is made by who leaves.
  const auto first = std::ranges::find_if(stage.wics, [](const auto& wic) { return wic->is_registered(); });
  (*first)->leave();
  stage.pass(seconds{32});
  WicHost& later = stage.add_wic({.user = "guest2"});
  EXPECT_TRUE(stage.enroll(later));
}

TEST_F(Overload, OfOneConnectionIsThatConnectionsAlone) {
  WicHost& alice = enrolled_wic();
  stage.core.be(CoreHost::Mood::silent);  // so that requests stay under way
  for (std::uint32_t i = 0; i < 200; ++i) alice.send_raw(options(i));
  stage.pass(seconds{1});
  EXPECT_GE(stage.edge.machine().counters().bad_messages[static_cast<std::size_t>(epcscf::BadMessage::limit)],
            190U);
  stage.core.be(CoreHost::Mood::well);
  WicHost& bob = stage.add_wic({.user = "bob"});
  EXPECT_TRUE(stage.enroll(bob));
  stage.pass(minutes{1});
}

}  // namespace
}  // namespace turnpike::sim
