#include "client/probe.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/tiny_relay.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view password = "wonderland";

ProbeSettings settings_for(const std::string& uri, std::string_view username = "alice",
                           std::string_view secret = password) {
  ProbeSettings settings;
  settings.uri = uri;
  settings.credential = turn::PasswordCredential{std::string{username}, Secret::from_text(secret)};
  settings.timeout = milliseconds{300};
  settings.interval = milliseconds{1};
  settings.count = 3;
  settings.peer = SocketAddress{IpAddress::v4({127, 0, 0, 1}), 0};
  return settings;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

ProbeOutcome outcome_of(const ProbeReport& report, ProbeStepName name) {
  return report.steps[static_cast<std::size_t>(name)].outcome;
}

TEST(Probe, RelaysThroughAServer) {
  const TinyRelay relay{{}};
  const ProbeReport report = probe(settings_for(relay.uri()));
  EXPECT_EQ(report.exit_status, 0) << format_summary(report);
  for (const ProbeStep& step : report.steps)
    EXPECT_EQ(step.outcome, ProbeOutcome::passed) << to_string(step.name);
  EXPECT_EQ(report.channel_round_trips.received, 3);
  EXPECT_TRUE(contains(report.verdict, "3 of 3 packets came back"));
  EXPECT_TRUE(report.advice.empty());
}

TEST(Probe, TellsEachLineAsItHappens) {
  const TinyRelay relay{{}};
  std::vector<std::string> lines;
  const ProbeReport report = probe(settings_for(relay.uri()),
                                   [&](const ProbeEvent& event) { lines.push_back(format_event(event)); });
  ASSERT_EQ(lines.size(), report.timeline.size());
  const auto has_line = [&](std::string_view part) {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return contains(line, part); });
  };
  EXPECT_TRUE(has_line("->  Binding request"));
  EXPECT_TRUE(has_line("<-  Allocate error 401"));
  EXPECT_TRUE(has_line("realm \"tiny.example\", MD5 logins, software \"tiny relay\""));
  EXPECT_TRUE(has_line("<-  Allocate success"));
  EXPECT_TRUE(has_line("allocation deleted"));
}

TEST(Probe, ReportsTheSameAsJson) {
  const TinyRelay relay{{}};
  const ProbeReport report = probe(settings_for(relay.uri()));
  const auto json = nlohmann::json::parse(format_json(report));
  EXPECT_TRUE(json["relays"]);
  EXPECT_EQ(json["server"]["realm"], "tiny.example");
  EXPECT_EQ(json["steps"].size(), probe_step_count);
  EXPECT_EQ(json["round_trips"]["channel_data"]["received"], 3);
  EXPECT_EQ(json["timeline"].size(), report.timeline.size());
}

TEST(Probe, KeepsThePasswordOutOfEveryWord) {
  const TinyRelay relay{{}};
  for (const std::string_view secret : {password, std::string_view{"wrong-secret"}}) {
    const ProbeReport report = probe(settings_for(relay.uri(), "alice", secret));
    EXPECT_FALSE(contains(format_json(report), secret));
    EXPECT_FALSE(contains(format_summary(report), secret));
  }
}

TEST(Probe, EndsAfterTheChallengeWithoutACredential) {
  const TinyRelay relay{{}};
  ProbeSettings settings = settings_for(relay.uri());
  settings.credential.reset();
  const ProbeReport report = probe(settings);
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_TRUE(contains(report.verdict, "asks for a credential of its realm \"tiny.example\""));
  EXPECT_EQ(outcome_of(report, ProbeStepName::allocate), ProbeOutcome::not_reached);
}

TEST(Probe, TellsThatThePasswordMayBeWrong) {
  const TinyRelay relay{{}};
  const ProbeReport report = probe(settings_for(relay.uri(), "alice", "nope"));
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_EQ(outcome_of(report, ProbeStepName::allocate), ProbeOutcome::failed);
  EXPECT_TRUE(contains(report.verdict, "401"));
  EXPECT_TRUE(contains(report.advice.at(0), "Is the password right?"));
}

TEST(Probe, TellsThatTheUsernameHasExpired) {
  const TinyRelay relay{{}};
  const ProbeReport report = probe(settings_for(relay.uri(), "1600000000:bob"));
  EXPECT_TRUE(contains(report.verdict, "expired"));
  EXPECT_TRUE(contains(report.verdict, "2020-09-13 12:26:40 UTC"));
}

TEST(Probe, TellsThatNothingListens) {
  std::string uri;
  {
    const TinyRelay gone{{}};
    uri = gone.uri();
  }
  const ProbeReport report = probe(settings_for(uri));
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_TRUE(contains(report.verdict, "Nothing listens on UDP port"));
}

TEST(Probe, TellsThatNoAnswerCame) {
  const auto silent = UdpSocket::open(IpAddress::v4({127, 0, 0, 1}));
  ASSERT_TRUE(silent);
  const ProbeReport report = probe(settings_for("turn:" + silent->local_address().to_string()));
  EXPECT_TRUE(contains(report.verdict, "No answer from"));
  EXPECT_FALSE(report.advice.empty());
}

TEST(Probe, TellsThatThePeerIsForbidden) {
  const TinyRelay relay{{.forbids_peers = true}};
  const ProbeReport report = probe(settings_for(relay.uri()));
  EXPECT_EQ(outcome_of(report, ProbeStepName::allocate), ProbeOutcome::passed);
  EXPECT_EQ(outcome_of(report, ProbeStepName::permission), ProbeOutcome::failed);
  EXPECT_EQ(outcome_of(report, ProbeStepName::close), ProbeOutcome::passed);
  EXPECT_TRUE(contains(format_summary(report), "[turn.peers]"));
  EXPECT_TRUE(contains(format_summary(report), "--allow-loopback-peers"));
}

TEST(Probe, TellsInWhichDirectionPacketsGetLost) {
  const TinyRelay to_peers{{.loses_packets_to_peers = true}};
  EXPECT_TRUE(contains(probe(settings_for(to_peers.uri())).verdict, "do not arrive at the probe's peer"));
  const TinyRelay to_clients{{.loses_packets_to_clients = true}};
  EXPECT_TRUE(contains(probe(settings_for(to_clients.uri())).verdict, "its answers do not come back"));
}

TEST(Probe, BelievesNoAnswerThatIsNotSigned) {
  const TinyRelay relay{{.signs_wrongly = true}};
  const ProbeReport report = probe(settings_for(relay.uri()));
  EXPECT_EQ(report.exit_status, 1);
  EXPECT_TRUE(contains(report.verdict, "does not prove that it knows our key"));
}

TEST(Probe, TellsWhatARefusedAllocationMeans) {
  const TinyRelay relay{{.allocate_error = 486}};
  EXPECT_TRUE(contains(probe(settings_for(relay.uri())).verdict, "quota"));
}

TEST(Probe, UsesAnEchoServiceElsewhere) {
  const TinyRelay relay{{}};
  ProbeSettings settings = settings_for(relay.uri());
  const auto mute = UdpSocket::open(IpAddress::v4({127, 0, 0, 1}));
  ASSERT_TRUE(mute);
  settings.peer = mute->local_address();
  const ProbeReport report = probe(settings);
  EXPECT_TRUE(contains(report.verdict, "nothing came back from the peer " + settings.peer->to_string()));
}

TEST(Probe, RefusesSettingsThatCannotWork) {
  EXPECT_EQ(probe(settings_for("turns:turn.example.org")).exit_status, 2);
  ProbeSettings settings = settings_for("turn:127.0.0.1");
  settings.payload_size = 4;
  EXPECT_EQ(probe(settings).exit_status, 2);
  EXPECT_EQ(probe(settings_for("turn:127.0.0.1", std::string(600, 'u'))).exit_status, 2);
}

TEST(Probe, AServersWordsDoNotSteerTheTerminal) {
  const TinyRelay relay{{.software = "\x1b[2Jevil\xc2\x9b"}};
  const ProbeReport report = probe(settings_for(relay.uri()));
  EXPECT_FALSE(contains(format_summary(report), "\x1b"));
  EXPECT_FALSE(contains(format_summary(report), "\xc2\x9b"));
  for (const ProbeEvent& event : report.timeline) EXPECT_FALSE(contains(format_event(event), "\x1b"));
}

}  // namespace
}  // namespace turnpike::client
