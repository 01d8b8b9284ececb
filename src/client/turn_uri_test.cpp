#include "client/turn_uri.hpp"

#include <gtest/gtest.h>

namespace turnpike::client {
namespace {

std::string problem_of(std::string_view text) {
  const auto uri = parse_turn_uri(text);
  return uri ? "accepted as " + uri->to_string() : uri.error();
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(TurnUri, NamesHostAndPort) {
  EXPECT_EQ(parse_turn_uri("turn:turn.example.org"), (TurnUri{"turn.example.org", 3478}));
  EXPECT_EQ(parse_turn_uri("turn:turn.example.org:443"), (TurnUri{"turn.example.org", 443}));
  EXPECT_EQ(parse_turn_uri("TURN:192.0.2.1:3479?transport=udp"), (TurnUri{"192.0.2.1", 3479}));
}

TEST(TurnUri, TakesIpv6LiteralsInBrackets) {
  EXPECT_EQ(parse_turn_uri("turn:[2001:db8::1]"), (TurnUri{"2001:db8::1", 3478}));
  EXPECT_EQ(parse_turn_uri("turn:[::1]:5000?transport=UDP"), (TurnUri{"::1", 5000}));
  EXPECT_EQ(parse_turn_uri("turn:[::1]:5000")->to_string(), "turn:[::1]:5000");
}

TEST(TurnUri, SaysThatOnlyUdpIsSpokenYet) {
  EXPECT_TRUE(contains(problem_of("turns:turn.example.org"), "yet: UDP only"));
  EXPECT_TRUE(contains(problem_of("turn:turn.example.org?transport=tcp"), "yet: UDP only"));
}

TEST(TurnUri, SaysWhatIsWrongAndHowToWriteIt) {
  EXPECT_TRUE(contains(problem_of("turn.example.org"), "Write turn:HOST:PORT"));
  EXPECT_TRUE(contains(problem_of("turn.example.org:3478"), "does not begin with turn:"));
  EXPECT_TRUE(contains(problem_of("stun:stun.example.org"), "STUN server"));
  EXPECT_TRUE(contains(problem_of("turn://turn.example.org"), "turn:turn.example.org"));
  EXPECT_TRUE(contains(problem_of("turn:2001:db8::1"), "turn:[2001:db8::1]"));
  EXPECT_TRUE(contains(problem_of("turn:alice:pw@turn.example.org"), "as options"));
  EXPECT_TRUE(contains(problem_of("turn:"), "names no host"));
  EXPECT_TRUE(contains(problem_of("turn:a b"), "no host name"));
}

TEST(TurnUri, RefusesWhatIsNoPort) {
  for (const char* text : {"turn:h:0", "turn:h:65536", "turn:h:", "turn:h:34x", "turn:[::1]:", "turn:[::1]5"})
    EXPECT_TRUE(contains(problem_of(text), "is no port")) << text << ": " << problem_of(text);
}

TEST(TurnUri, RefusesBrokenBracketsAndQueries) {
  EXPECT_TRUE(contains(problem_of("turn:[::1"), "not closed"));
  EXPECT_TRUE(contains(problem_of("turn:[192.0.2.1]"), "no IPv6 address"));
  EXPECT_TRUE(contains(problem_of("turn:h?transport=sctp"), "udp or tcp"));
  EXPECT_TRUE(contains(problem_of("turn:h?foo"), "?transport=udp"));
}

}  // namespace
}  // namespace turnpike::client
