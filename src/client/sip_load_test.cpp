// The load of registrations against a door that registers everybody: sockets on the loopback interface.
#include "client/sip_load.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client/tiny_door.hpp"
#include "client/wic_script.hpp"
#include "sip/digest.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;
using test::TinyDoor;

SipLoadSettings towards(const TinyDoor& door, SipLoadMode mode) {
  return {.mode = mode,
          .server = *SocketAddress::parse("127.0.0.1:" + std::to_string(door.port())),
          .password = Secret::from_text("wonderland"),
          .connections = 1,
          .asks_credentials = true,
          .warm_up = milliseconds{20},
          .duration = milliseconds{200},
          .server_pids = {::getpid()}};
}

TEST(SipLoad, RegistersOverAndOver) {
  for (const SipLoadMode mode : {SipLoadMode::refresh, SipLoadMode::reuse, SipLoadMode::fresh}) {
    const TinyDoor door{{.messages_max = 1'000'000, .answer = test::register_all}};
    const auto report = run_sip_load(towards(door, mode));
    ASSERT_TRUE(report) << report.error();
    EXPECT_GT(report->registrations, 3U) << to_string(mode);
    EXPECT_EQ(report->with_credentials, report->registrations);
    EXPECT_TRUE(report->failures.empty()) << report->failures.begin()->first;
    EXPECT_GT(report->per_server_cpu_second.value_or(0), 0);
    const auto json = nlohmann::json::parse(format_json(*report));
    EXPECT_EQ(json["registrations"], report->registrations);
  }
}

TEST(SipLoad, TellsEveryLatencyWhereItIsAsked) {
  const TinyDoor door{{.messages_max = 1'000'000, .answer = test::register_all}};
  auto settings = towards(door, SipLoadMode::refresh);
  auto report = run_sip_load(settings);
  ASSERT_TRUE(report) << report.error();
  EXPECT_FALSE(nlohmann::json::parse(format_json(*report)).contains("latency_counts"));
  settings.tells_histogram = true;
  report = run_sip_load(settings);
  ASSERT_TRUE(report) << report.error();
  const auto json = nlohmann::json::parse(format_json(*report));
  std::uint64_t samples = 0;
  for (const auto& bucket : json["latency_counts"]) samples += bucket[1].get<std::uint64_t>();
  EXPECT_EQ(samples, report->registrations);
  EXPECT_EQ(json["latency_counts"].back()[0], json["latency_us"]["max"]);
}

TEST(SipLoad, SpeaksTls) {
  const TinyDoor door{{.is_secure = true, .messages_max = 1'000'000, .answer = test::register_all}};
  auto settings = towards(door, SipLoadMode::refresh);
  settings.is_secure = true;
  const auto report = run_sip_load(settings);
  ASSERT_TRUE(report) << report.error();
  EXPECT_GT(report->registrations, 3U);
}

TEST(SipLoad, OutlivesASecureServerThatHangsUp) {
  const TinyDoor door{{.is_secure = true, .messages_max = 7, .answer = test::register_all}};
  auto settings = towards(door, SipLoadMode::refresh);
  settings.is_secure = true;
  const auto report = run_sip_load(settings);
  ASSERT_TRUE(report) << report.error();
  EXPECT_FALSE(report->failures.empty());
}

TEST(SipLoad, AnswersAsTheRegistrarComputesIt) {
  std::string last;
  const TinyDoor door{{.messages_max = 1'000'000, .answer = [&](const std::string& text) {
                         last = text;
                         return test::register_all(text);
                       }}};
  ASSERT_TRUE(run_sip_load(towards(door, SipLoadMode::idle)));
  const auto message = sip::Message::parse(last);
  ASSERT_TRUE(message);
  EXPECT_FALSE(sip::find_defect(*message));
  const std::string value = test::value_of(last, "Authorization");
  const auto login = sip::Credentials::parse(value);
  const std::string ha1 =
      sip::make_ha1(sip::DigestHash::md5, "load0@ims.example", "ims.example", "wonderland");
  const std::string count = *login->text("nc");
  const std::string cnonce = *login->text("cnonce");
  EXPECT_EQ(login->text("response"), sip::make_digest_response({.ha1 = ha1,
                                                                .nonce = "n",
                                                                .nonce_count = count,
                                                                .cnonce = cnonce,
                                                                .method = "REGISTER",
                                                                .uri = "sip:ims.example"}));
}

TEST(SipLoad, StaysWhenItIsIdle) {
  const TinyDoor door{{.answer = test::register_all}};
  const auto report = run_sip_load(towards(door, SipLoadMode::idle));
  ASSERT_TRUE(report) << report.error();
  EXPECT_EQ(report->registrations, 0U);
  EXPECT_EQ(report->connected, 1U);
}

TEST(SipLoad, SaysWhyItCannotBegin) {
  const TinyDoor silent{{.refusal = 403}};
  auto report = run_sip_load(towards(silent, SipLoadMode::refresh));
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().find("refused with 403"), std::string::npos) << report.error();
  const TinyDoor refusing{{.answer = [](const std::string& text) {
    const auto request = sip::Message::parse(text);
    return std::vector<std::string>{sip::make_response(*request, 403, "far").finish()};
  }}};
  report = run_sip_load(towards(refusing, SipLoadMode::refresh));
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().find("403 Forbidden"), std::string::npos) << report.error();
  auto settings = towards(refusing, SipLoadMode::refresh);
  settings.connections = 0;
  EXPECT_FALSE(run_sip_load(settings));
}

}  // namespace
}  // namespace turnpike::client
