#include "program/control_reports.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace turnpike::program {
namespace {

using std::chrono::seconds;

struct ControlReports : testing::Test {
  std::vector<std::string> lines{};
  Log log{LogLevel::info, LogFormat::text, [this](std::string_view line) { lines.emplace_back(line); }};
  metrics::Registry metrics{};
  EpcscfReports reports{log, metrics};
  Now now{.mono = Instant{seconds{1000}}, .wall = {}};

  // Gives the lines that so many of one report make within a second.
  std::vector<std::string> repeat(const epcscf::Report& report, int times) {
    lines.clear();
    for (int i = 0; i < times; ++i) reports.on_report(report, now);
    return lines;
  }
};

bool ends_with(const std::string& line, std::string_view end) { return line.ends_with(end); }

TEST_F(ControlReports, AStrangerCausesSoManyLinesASecond) {
  const epcscf::MessageRefused refused{.what = epcscf::BadMessage::malformed, .status_code = 400};
  EXPECT_EQ(repeat(refused, 1000).size(), 20U);
  EXPECT_EQ(repeat(epcscf::RegistrationRefused{}, 1000).size(), 0U) << "all strangers together";
  now.mono += seconds{1};
  const auto next = repeat(refused, 2);
  ASSERT_EQ(next.size(), 2U);
  EXPECT_TRUE(ends_with(next[0], "left_out=1980")) << next[0];
  EXPECT_TRUE(ends_with(next[1], "left_out=0")) << next[1];
}

// Every user who registers then would write one.
TEST_F(ControlReports, ARelayThatIsDownCausesSoManyLinesASecond) {
  const epcscf::Provisioned fallback{.subject = "u1", .is_fallback = true, .ttl = seconds{60}};
  EXPECT_EQ(repeat(fallback, 15).size(), 15U);
  EXPECT_EQ(repeat(epcscf::NotProvisioned{.subject = "u2"}, 1000).size(), 5U);
  now.mono += seconds{1};
  EXPECT_TRUE(ends_with(repeat(epcscf::NotProvisioned{.subject = "u3"}, 1).at(0), "left_out=995"));
}

// Who registers and who calls is to be found in the log, whatever else goes on.
TEST_F(ControlReports, WhatUsersDoIsAllTold) {
  repeat(epcscf::MessageRefused{.what = epcscf::BadMessage::malformed}, 1000);
  EXPECT_EQ(repeat(epcscf::Registered{.subject = "u1"}, 100).size(), 100U);
  EXPECT_EQ(repeat(epcscf::Deregistered{.subject = "u1"}, 100).size(), 100U);
  EXPECT_EQ(repeat(epcscf::CallStarted{.subject = "u1"}, 100).size(), 100U);
}

TEST_F(ControlReports, CredentialsAsExpectedAreForThoseWhoLookClosely) {
  EXPECT_TRUE(repeat(epcscf::Provisioned{.subject = "u1", .ttl = seconds{60}}, 100).empty());
  EXPECT_TRUE(repeat(epcscf::Registered{.subject = "u1", .is_refresh = true}, 100).empty());
}

}  // namespace
}  // namespace turnpike::program
