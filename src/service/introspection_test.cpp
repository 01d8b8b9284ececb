#include "service/introspection.hpp"

#include <gtest/gtest.h>

#include "service/test_http_server.hpp"
#include "service/test_issuer.hpp"
#include "service/token_desk.hpp"

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

const IntrospectionSettings defaults{.issuer = "https://waf.example"};

std::string meaning(const json& answer, const IntrospectionSettings& settings = defaults) {
  const auto read = read_introspection(answer.dump(), settings, 30s, {}, read_clocks().wall);
  return read ? describe(*read) : "none";
}
json with(const char* name, const json& value) {
  json answer = TestIssuer::claims();
  answer[name] = value;
  return answer;
}

TEST(IntrospectionAnswer, SaysWhoTheHolderIs) {
  EXPECT_EQ(meaning(TestIssuer::claims()), "alice@ims.example");
  json nameless = TestIssuer::claims();
  nameless.erase("iss");
  EXPECT_EQ(meaning(nameless), "alice@ims.example");
}

TEST(IntrospectionAnswer, MayRefuse) {
  EXPECT_EQ(meaning({{"active", false}}), "invalid");
  EXPECT_EQ(meaning(with("active", false)), "invalid");
  EXPECT_EQ(meaning(with("exp", 1000)), "expired");
  EXPECT_EQ(meaning(with("nbf", 9'000'000'000)), "not_yet_valid");
  EXPECT_EQ(meaning(with("iss", "https://other.example")), "invalid");
  EXPECT_EQ(meaning(with("impi", 7)), "invalid");
  EXPECT_EQ(meaning(with("exp", "soon")), "invalid");
  EXPECT_EQ(meaning(with("cnf", {{"jkt", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}})), "bound");
  EXPECT_EQ(meaning(with("token_type", "DPoP")), "bound");
  EXPECT_EQ(meaning(with("token_type", "Bearer")), "alice@ims.example");
  json endless = TestIssuer::claims();
  endless.erase("exp");
  EXPECT_EQ(meaning(endless), "invalid");
}

TEST(IntrospectionAnswer, IsHeldAgainstTheAudienceWhereOneIsConfigured) {
  IntrospectionSettings settings = defaults;
  settings.audience = "epcscf";
  EXPECT_EQ(meaning(TestIssuer::claims(), settings), "alice@ims.example");
  EXPECT_EQ(meaning(with("aud", "other"), settings), "invalid");
  EXPECT_EQ(meaning(with("aud", "other")), "alice@ims.example");
}

TEST(IntrospectionAnswer, IsNoneWhereItIsNoAnswer) {
  EXPECT_EQ(meaning(json::object()), "none");
  EXPECT_EQ(meaning({{"active", "true"}}), "none");
  EXPECT_EQ(meaning({{"active", 1}}), "none");
  EXPECT_EQ(meaning(json::array()), "none");
  for (const char* text : {"", "<html>", R"({"active":false,"active":true})"})
    EXPECT_FALSE(read_introspection(text, defaults, 30s, {}, read_clocks().wall)) << text;
}

TEST(IntrospectionCache, BelievesForAWhileAndNotLongerThanTheTokenLives) {
  IntrospectionCache cache{10s, 100};
  const Now now{.mono = Instant{1000s}, .wall = from_unix_seconds(1'800'000'000)};
  const auto later = [&](std::chrono::seconds by) { return Now{now.mono + by, now.wall + by}; };
  cache.insert({1}, {.impi = "long", .expires_at = now.wall + 300s}, now);
  cache.insert({2}, {.impi = "short", .expires_at = now.wall + 3s}, now);

  EXPECT_NE(cache.find({1}, later(9s)), nullptr);
  EXPECT_EQ(cache.find({1}, later(10s)), nullptr);
  EXPECT_NE(cache.find({2}, later(2s)), nullptr);
  EXPECT_EQ(cache.find({2}, later(3s)), nullptr);
  EXPECT_EQ(cache.find({3}, now), nullptr);
  EXPECT_EQ(cache.find({1}, Now{later(10s).mono, now.wall}), nullptr)
      << "a clock that is set back saves nothing";
}

TEST(IntrospectionCache, IsBoundedAndForgetsTheOldestFirst) {
  IntrospectionCache cache{10s, 3};
  Now now{.mono = Instant{1000s}, .wall = from_unix_seconds(1'800'000'000)};
  const epcscf::TokenIdentity identity{.expires_at = now.wall + 300s};
  for (Byte i = 0; i < 100; ++i) cache.insert({i}, identity, now);
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_EQ(cache.find({96}, now), nullptr);
  EXPECT_NE(cache.find({97}, now), nullptr);
  now.mono += 10s;
  cache.insert({200}, identity, now);
  EXPECT_EQ(cache.size(), 1u);
  for (int i = 0; i < 10; ++i) cache.insert({200}, identity, now);
  EXPECT_EQ(cache.size(), 1u);
}

TEST(IntrospectionCache, MayBeOff) {
  IntrospectionCache cache{0s, 3};
  cache.insert({1}, {.expires_at = WallTime::max()}, {});
  EXPECT_EQ(cache.size(), 0u);
}

// A WAF that knows one token, "good-token+/=".
struct World {
  boost::asio::io_context loop{};
  std::string status = "200 OK";
  std::string said_instead{};
  std::vector<std::string> lines{};
  Log log{LogLevel::debug, LogFormat::text, [this](std::string_view line) { lines.emplace_back(line); }};
  TestHttpServer server{loop, [this](const SeenRequest& request) -> std::optional<std::string> {
                          if (status.empty()) return std::nullopt;
                          if (!said_instead.empty()) return make_http_answer(said_instead, status);
                          const bool is_good = request.body.starts_with("token=good-token%2B%2F%3D&");
                          return make_http_answer(
                              (is_good ? TestIssuer::claims() : json{{"active", false}}).dump(), status);
                        }};
  TokenSettings settings{.introspection =
                             IntrospectionSettings{.endpoint = server.url("/introspect"),
                                                   .client_id = "epcscf",
                                                   .client_secret = Secret::from_text("s:e%c ret"),
                                                   .issuer = "https://waf.example"}};
  std::unique_ptr<TokenChecker> checker() {
    auto made = IntrospectingChecker::make(loop, settings, log);
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }
};

const std::string good = "good-token+/=";

TEST(Introspection, AsksTheWafWithOurCredentials) {
  World world;
  const auto checker = world.checker();

  EXPECT_EQ(check_one(world.loop, *checker, good), "alice@ims.example");

  const SeenRequest& seen = world.server.seen().front();
  EXPECT_TRUE(seen.head.starts_with("POST /introspect ")) << seen.head;
  EXPECT_TRUE(seen.has("Authorization: Basic " + to_base64(as_bytes("epcscf:s%3Ae%25c%20ret")))) << seen.head;
  EXPECT_TRUE(seen.has("Content-Type: application/x-www-form-urlencoded")) << seen.head;
  EXPECT_TRUE(seen.body.ends_with("&token_type_hint=access_token")) << seen.body;
}

TEST(Introspection, AsksOnceForWhatItIsAskedSeveralTimes) {
  World world;
  const auto checker = world.checker();
  EXPECT_EQ(check_all(world.loop, *checker, {good, good, good}),
            std::vector<std::string>(3, "alice@ims.example"));
  EXPECT_EQ(check_one(world.loop, *checker, good), "alice@ims.example");
  EXPECT_EQ(world.server.seen().size(), 1u);
}

TEST(Introspection, RemembersNoRefusal) {
  World world;
  const auto checker = world.checker();
  EXPECT_EQ(check_one(world.loop, *checker, "bad"), "invalid");
  EXPECT_EQ(check_one(world.loop, *checker, "bad"), "invalid");
  EXPECT_EQ(world.server.seen().size(), 2u);
}

TEST(Introspection, RefusesWhatCannotBeATokenWithoutAsking) {
  World world;
  const auto checker = world.checker();
  EXPECT_EQ(check_one(world.loop, *checker, ""), "malformed");
  EXPECT_EQ(check_one(world.loop, *checker, std::string(9000, 'x')), "malformed");
  EXPECT_TRUE(world.server.seen().empty());
}

TEST(Introspection, IsUnavailableWhenTheWafIsSilentOrAnswersSomethingElse) {
  World world;
  world.settings.introspection->deadline = 200ms;
  const auto checker = world.checker();
  for (const char* status : {"", "401 Who", "500 Oh", "302 Elsewhere", "204 Nothing"}) {
    world.status = status;
    EXPECT_EQ(check_one(world.loop, *checker, good), "unavailable") << status;
  }
  world.status = "200 OK";
  EXPECT_EQ(check_one(world.loop, *checker, good), "alice@ims.example");
  EXPECT_EQ(std::ranges::count_if(
                world.lines, [](const std::string& line) { return line.find("warn") != std::string::npos; }),
            1)
      << "one warning for a row of failures";
  for (const std::string& line : world.lines) EXPECT_EQ(line.find("good-token"), std::string::npos) << line;
}

TEST(Introspection, TakesTokensThatAreNoneOfTheWafsForBadOnes) {
  World world;
  const auto checker = world.checker();
  world.status = "400 Bad Request";
  world.said_instead = R"({"error":"unsupported_token_type"})";
  EXPECT_EQ(check_one(world.loop, *checker, good), "invalid");
  for (const char* body : {R"({"error":"invalid_request"})", "{}", "[]", "no JSON"}) {
    world.said_instead = body;
    EXPECT_EQ(check_one(world.loop, *checker, good), "unavailable") << body;
  }
}

TEST(Introspection, ForgetsWhoAskedWhenItEnds) {
  World world;
  world.status = "";
  auto checker = world.checker();
  for (int i = 0; i < 20; ++i)
    checker->check(good + std::to_string(i), [](const epcscf::TokenAnswer&) { FAIL(); });
  world.loop.run_for(10ms);
  checker.reset();
  world.loop.run_for(20ms);
}

TEST(TokenDesk, VerifiesWhatItCanAndAsksAboutTheRest) {
  World world;
  TestIssuer waf;
  TestHttpServer keys{world.loop, [&](const SeenRequest&) { return make_http_answer(waf.key_set()); }};
  world.settings.issuers = {
      {.issuer = "https://waf.example", .audience = "epcscf", .jwks_uri = keys.url("/jwks")}};
  const auto desk = TokenDesk::make(world.loop, world.settings, world.log);
  ASSERT_TRUE(desk) << desk.error();

  EXPECT_EQ(check_one(world.loop, **desk, waf.token()), "alice@ims.example");
  EXPECT_TRUE(world.server.seen().empty());
  EXPECT_EQ(check_one(world.loop, **desk, good), "alice@ims.example");
  EXPECT_EQ(world.server.seen().size(), 1u);
  EXPECT_EQ(check_one(world.loop, **desk, TestIssuer{}.token()), "invalid")
      << "a forged token of a known issuer";
  EXPECT_EQ(world.server.seen().size(), 1u);
}

TEST(TokenDesk, RefusesWhatNobodyCanCheck) {
  World world;
  world.settings.introspection.reset();
  const auto desk = TokenDesk::make(world.loop, world.settings, world.log);
  ASSERT_TRUE(desk) << desk.error();
  EXPECT_EQ(check_one(world.loop, **desk, good), "malformed");
  EXPECT_EQ(check_one(world.loop, **desk, TestIssuer{}.token()), "invalid");
}

TEST(TokenDesk, TakesOtherIssuersWhileItRunsAndKeepsTheOldOnesWhereTheNewAreNoGood) {
  World world;
  TestIssuer waf, other;
  TestHttpServer keys{world.loop, [&](const SeenRequest& request) {
                        return make_http_answer(request.has("/waf") ? waf.key_set() : other.key_set());
                      }};
  world.settings.introspection.reset();
  world.settings.issuers = {
      {.issuer = "https://waf.example", .audience = "epcscf", .jwks_uri = keys.url("/waf")}};
  const auto desk = TokenDesk::make(world.loop, world.settings, world.log);
  ASSERT_TRUE(desk) << desk.error();
  EXPECT_EQ(check_one(world.loop, **desk, waf.token()), "alice@ims.example");
  EXPECT_EQ(check_one(world.loop, **desk, other.token()), "invalid");

  world.settings.issuers.front().jwks_uri = keys.url("/other");
  EXPECT_TRUE((*desk)->reconfigure(world.settings));
  EXPECT_EQ(check_one(world.loop, **desk, other.token()), "alice@ims.example");
  EXPECT_EQ(check_one(world.loop, **desk, waf.token()), "invalid");

  world.settings.issuers.front().jwks_uri.clear();
  world.settings.issuers.front().jwks_file = "/no/such/file";
  EXPECT_FALSE((*desk)->reconfigure(world.settings));
  EXPECT_EQ(check_one(world.loop, **desk, other.token()), "alice@ims.example");
}

TEST(TokenDesk, OwesItsAnswersAcrossAReload) {
  World world;
  const auto desk = TokenDesk::make(world.loop, world.settings, world.log);
  ASSERT_TRUE(desk) << desk.error();
  std::vector<bool> answers;
  (*desk)->check(good, [&](const epcscf::TokenAnswer& answer) { answers.push_back(answer.has_value()); });
  world.settings.introspection.reset();
  EXPECT_TRUE((*desk)->reconfigure(world.settings));
  EXPECT_EQ(check_one(world.loop, **desk, good), "malformed");
  const auto end = read_clocks().mono + 5s;
  while (answers.empty() && read_clocks().mono < end) world.loop.run_one_for(10ms);
  EXPECT_EQ(answers, std::vector{true});
  world.loop.run_for(5ms);  // and the ones who asked are gone
}

}  // namespace
}  // namespace turnpike::service
