#include "base/log.hpp"

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <type_traits>
#include <vector>

#include "base/log_line.hpp"
#include "base/secret.hpp"

namespace turnpike {
namespace {

static_assert(!std::is_constructible_v<LogField, LogKey, Secret>);
static_assert(!std::is_constructible_v<LogField, LogKey, const Secret&>);
static_assert(!std::is_constructible_v<LogField, LogKey, Bytes>);
static_assert(!std::is_constructible_v<LogField, LogKey, const void*>);
static_assert(std::is_constructible_v<LogField, LogKey, std::string>);
static_assert(!LogKey::is_acceptable("Relay"));
static_assert(!LogKey::is_acceptable("two words"));
static_assert(!LogKey::is_acceptable("time"));
static_assert(!LogKey::is_acceptable(""));

TEST(LogLine, IsKeyAndValue) {
  EXPECT_EQ(
      format_log_text(LogLevel::info, "allocation created",
                      {{"relay", "192.0.2.1:50000"}, {"lifetime_seconds", 600U}, {"mobile", false}}),
      R"(level=info event="allocation created" relay=192.0.2.1:50000 lifetime_seconds=600 mobile=false)");
}

TEST(LogLine, PrintsEachKindOfNumber) {
  EXPECT_EQ(
      format_log_text(LogLevel::debug, "numbers",
                      {{"least", INT64_MIN}, {"most", UINT64_MAX}, {"half", 0.5}, {"byte", std::uint8_t{7}}}),
      "level=debug event=numbers least=-9223372036854775808 most=18446744073709551615 half=0.5 byte=7");
}

TEST(LogLine, CannotBeForgedByAValue) {
  EXPECT_EQ(
      format_log_text(LogLevel::warn, "refused", {{"username", "a\" level=error\nevent=\\\x1b[2J\x7f"}}),
      R"(level=warn event=refused username="a\" level=error\nevent=\\\x1b[2J\x7f")");
}

TEST(LogLine, QuotesAnEmptyValueAndOneWithAnEqualsSign) {
  EXPECT_EQ(format_log_text(LogLevel::info, "x", {{"empty", ""}, {"pair", "a=b"}}),
            R"(level=info event=x empty="" pair="a=b")");
}

TEST(LogLine, KeepsTextOfOtherAlphabetsAndSpellsOutBytesThatAreNoText) {
  EXPECT_EQ(format_log_text(LogLevel::info, "x", {{"good", "マ€é"}, {"bad", "\xc0\x80\xff"}}),
            "level=info event=x good=\"マ€é\" bad=\"\\xc0\\x80\\xff\"");
}

TEST(LogLine, IsJsonWhenAskedFor) {
  EXPECT_EQ(
      format_log_json(LogLevel::error, "no socket", {{"port", 3478}, {"tried", true}, {"why", "in use"}}),
      R"("level":"error","event":"no socket","port":3478,"tried":true,"why":"in use")");
}

TEST(LogLine, EscapesForJson) {
  EXPECT_EQ(format_log_json(LogLevel::info, "x",
                            {{"value", "\"\\\n\x01\x7f"}, {"bad", "\xed\xa0\x80\xf4\x90\x80\x80"}}),
            "\"level\":\"info\",\"event\":\"x\",\"value\":\"\\\"\\\\\\n\\u0001\\u007f\",\"bad\":\""
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(LogLine, HasNoJsonForANumberThatIsNone) {
  EXPECT_EQ(format_log_json(LogLevel::info, "x", {{"share", 0.0 / 0.0}}),
            R"("level":"info","event":"x","share":null)");
}

struct Lines {
  std::vector<std::string> lines;
  Log::Sink sink() {
    return [this](std::string_view line) { lines.emplace_back(line); };
  }
};

TEST(Log, StampsEachLineWithTheTimeInUtc) {
  Lines seen;
  Log log{LogLevel::info, LogFormat::text, seen.sink()};
  log.info("ready", {{"shards", 2}});
  ASSERT_EQ(seen.lines.size(), 1U);
  EXPECT_TRUE(std::regex_match(
      seen.lines[0],
      std::regex{R"(time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info event=ready shards=2)"}))
      << seen.lines[0];
}

TEST(Log, WritesOneObjectPerLineInJson) {
  Lines seen;
  Log log{LogLevel::info, LogFormat::json, seen.sink()};
  log.warn("100% full", {{"pattern", "%v {}"}});
  ASSERT_EQ(seen.lines.size(), 1U);
  EXPECT_TRUE(seen.lines[0].starts_with(R"({"time":")")) << seen.lines[0];
  EXPECT_TRUE(seen.lines[0].ends_with(R"(","level":"warn","event":"100% full","pattern":"%v {}"})"))
      << seen.lines[0];
}

TEST(Log, IsSilentBelowItsLevel) {
  Lines seen;
  Log log{LogLevel::warn, LogFormat::text, seen.sink()};
  log.trace("a");
  log.debug("b");
  log.info("c");
  log.warn("d");
  log.error("e");
  EXPECT_EQ(seen.lines.size(), 2U);
  EXPECT_FALSE(log.shows(LogLevel::info));
}

TEST(Log, ChangesItsLevelWhileItRuns) {
  Lines seen;
  Log log{LogLevel::error, LogFormat::text, seen.sink()};
  log.debug("before");
  log.set_level_min(LogLevel::debug);
  log.debug("after");
  ASSERT_EQ(seen.lines.size(), 1U);
  EXPECT_TRUE(seen.lines[0].ends_with("event=after"));
}

TEST(Log, WritesToStandardErrorByDefault) {
  testing::internal::CaptureStderr();
  Log{LogLevel::info, LogFormat::text}.error("stopped");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(text.ends_with(" level=error event=stopped\n")) << text;
}

}  // namespace
}  // namespace turnpike
