// `turnpike wic` against a door that registers everybody: sockets on the loopback interface.
#include "client/wic_run.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/tiny_door.hpp"
#include "client/wic_script.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;
using test::TinyDoor;

std::vector<std::string> refuse_all(const std::string& text) {
  const auto request = sip::Message::parse(text);
  return {sip::make_response(*request, 401, "far")
              .add(sip::HeaderName::www_authenticate, "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"")
              .finish()};
}

WicSettings towards(const TinyDoor& door) {
  WicSettings settings;
  settings.door = {.uri = {.is_secure = false, .host = "127.0.0.1", .port = door.port()}};
  settings.agent = test::alice();
  settings.agent.is_secure = false;
  settings.timeout = milliseconds{3000};
  return settings;
}

TEST(WicRun, RegistersShowsItsCredentialsAndLeaves) {
  const TinyDoor door{{.answer = test::register_all}};
  int events = 0;
  const WicReport report = run_wic(towards(door), [&](const ProbeEvent&) { ++events; });
  EXPECT_EQ(report.exit_status, 0) << report.verdict;
  EXPECT_TRUE(report.is_registered);
  EXPECT_EQ(report.expires, std::chrono::seconds{1800});
  EXPECT_EQ(report.login_method, "SHA-256");
  ASSERT_EQ(report.credentials.size(), 1U);
  EXPECT_EQ(report.credentials.front().username, "1900000000:u");
  EXPECT_EQ(events, static_cast<int>(report.timeline.size()));
  const auto json = nlohmann::json::parse(format_json(report));
  EXPECT_EQ(json["credentials"][0]["ttl"], 1860);
  EXPECT_EQ(json["exit_status"], 0);
  // De-registered with the last message.
  EXPECT_NE(format_json(report).find("de-registers"), std::string::npos);
  for (const std::string& text : {format_json(report), format_summary(report)}) {
    EXPECT_EQ(text.find("secret-word"), std::string::npos);
    EXPECT_EQ(text.find("wonderland"), std::string::npos);
  }
}

TEST(WicRun, SaysThatThePasswordIsWrong) {
  const TinyDoor door{{.answer = refuse_all}};
  const WicReport report = run_wic(towards(door));
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_NE(report.verdict.find("password"), std::string::npos) << report.verdict;
  EXPECT_FALSE(report.advice.empty());
}

TEST(WicRun, SaysThatNobodyListens) {
  std::optional<WicSettings> settings;
  {
    const TinyDoor door{{}};
    settings = towards(door);
  }
  const WicReport report = run_wic(*settings);
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_TRUE(report.verdict.starts_with("No WebSocket: no connection to ws://")) << report.verdict;
}

TEST(WicRun, SaysThatTheRelayIsNotThere) {
  const TinyDoor door{{.answer = test::register_all}};
  auto settings = towards(door);
  settings.task = WicTask::call;
  settings.callee = "sip:bob@ims.example";
  const WicReport report = run_wic(settings);
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_NE(report.verdict.find("port 9 of 127.0.0.1"), std::string::npos) << report.verdict;
}

TEST(WicRun, SaysThatTheServerIsSilent) {
  const TinyDoor door{{}};
  auto settings = towards(door);
  settings.timeout = milliseconds{200};
  const WicReport report = run_wic(settings);
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_NE(report.verdict.find("said nothing"), std::string::npos) << report.verdict;
}

TEST(WicWords, SayOnceWhyThereAreNoCredentials) {
  EXPECT_EQ(explain_no_credentials("No TURN credentials: not_secure"),
            "they are handed out over TLS alone, and this connection is not encrypted");
  EXPECT_EQ(explain_no_credentials("No TURN credentials: a_new_reason"), "a_new_reason");
  EXPECT_EQ(explain_no_credentials("out of stock"), "out of stock");
  EXPECT_EQ(explain_no_credentials(""), "");
}

TEST(WicRun, SaysThatTheServerHasLeft) {
  const TinyDoor door{{.messages_max = 2, .answer = test::register_all}};
  auto settings = towards(door);
  settings.hold = std::chrono::seconds{5};
  const WicReport report = run_wic(settings);
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_NE(report.verdict.find("is gone"), std::string::npos) << report.verdict;
}

TEST(WicRun, ComesBackWhereTheConnectionWasLost) {
  const TinyDoor door{{.messages_max = 2, .answer = test::register_all}};
  auto settings = towards(door);
  settings.hold = std::chrono::seconds{3};
  settings.reconnects = true;
  const WicReport report = run_wic(settings);
  EXPECT_GE(report.reconnections, 1U);
  // Each registration has its own credentials.
  EXPECT_EQ(report.credentials.size(), report.reconnections + 1);
  EXPECT_EQ(nlohmann::json::parse(format_json(report))["reconnections"], report.reconnections);
}

TEST(WicRun, DoesNotComeBackWithAPasswordThatIsWrong) {
  int messages = 0;
  const TinyDoor door{{.messages_max = 2, .answer = [&](const std::string& text) {
                         return ++messages > 2 ? refuse_all(text) : test::register_all(text);
                       }}};
  auto settings = towards(door);
  settings.hold = std::chrono::seconds{30};
  settings.reconnects = true;
  const auto began = read_clocks().mono;
  const WicReport report = run_wic(settings);
  EXPECT_LT(read_clocks().mono - began, std::chrono::seconds{20});
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_NE(report.verdict.find("did not last"), std::string::npos) << report.verdict;
  EXPECT_EQ(report.reconnections, 0U);
}

TEST(WicRun, SaysThatThereIsNoWaf) {
  const TinyDoor door{{.answer = test::register_all}};
  auto settings = towards(door);
  settings.waf = WafSettings{.issuer = "http://127.0.0.1:9"};
  const WicReport report = run_wic(settings);
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_TRUE(report.verdict.starts_with("No tokens of http://127.0.0.1:9: ")) << report.verdict;
  EXPECT_FALSE(report.is_registered);
  EXPECT_EQ(nlohmann::json::parse(format_json(report))["waf"]["round_trips"], 1);
}

TEST(WicWords, TellOneScenarioFromTheOther) {
  const auto token = [](std::string_view claims) {
    return Secret::from_text("e30." + to_base64url(as_bytes(claims)) + ".c2ln");
  };
  const Secret own = token("{}"), lent = token(R"({"pool":true})");
  for (const Scenario scenario : {Scenario::ims, Scenario::web, Scenario::pool}) {
    EXPECT_EQ(find_scenario_problem(scenario, own).has_value(), scenario == Scenario::pool);
    EXPECT_EQ(find_scenario_problem(scenario, lent).has_value(), scenario == Scenario::web);
    EXPECT_FALSE(find_scenario_problem(scenario, Secret::from_text("opaque")));
  }
}

}  // namespace
}  // namespace turnpike::client
