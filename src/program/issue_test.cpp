#include "program/issue.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program/explain.hpp"

namespace turnpike::program {
namespace {

using credentials::Source;
using Json = nlohmann::json;

const WallTime wall = from_unix_seconds(1'893'456'000);

Config config_with(std::string_view more) {
  LoadedConfig loaded = parse_config(
      "[turn]\nlisten = [\"udp:192.0.2.1:3478\"]\nrealm = \"ims.example\"\nserver_name = "
      "\"turn.ims.example\"\n"
      "[admin]\nsocket = \"/run/admin.sock\"\n" +
          std::string{more},
      "t.toml");
  EXPECT_EQ(loaded.problems, std::vector<std::string>{});
  return std::move(loaded.config);
}

constexpr std::string_view all_sources = R"([credentials.computed]
secrets = [{ id = "k1", secret = "0123456789abcdef" }]
[credentials.pushed]
[credentials.token]
keys = [{ kid = "t1", key = "SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM=" }]
)";

Issued issued(const Config& config, const IssueRequest& request, WallTime at = wall) {
  SeededRandom random{7};
  auto result = issue(config, request, at, random);
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error());
  return result ? std::move(*result) : Issued{};
}

Json json_of(const Config& config, const IssueRequest& request, WallTime at = wall) {
  return Json::parse(issued(config, request, at).json);
}

std::string refused(const Config& config, const IssueRequest& request) {
  SeededRandom random{7};
  const auto result = issue(config, request, wall, random);
  return result ? "issued" : result.error();
}

std::string username_in(const Json& json) { return json["iceServers"][0]["username"]; }

Explanation explained(const Config& config, const std::string& username, WallTime at = wall) {
  return explain(credentials::Registry{config.credentials}, username, at);
}

TEST(Issue, PrintsIceServersThatGoIntoAPeerConnection) {
  const Json json =
      json_of(config_with(all_sources), {.source = Source::computed, .user = "sip:bob@ims.example"});
  EXPECT_EQ(json["iceServers"].size(), 1U);
  EXPECT_EQ(json["iceServers"][0]["urls"], Json::array({"turn:192.0.2.1:3478?transport=udp"}));
  EXPECT_EQ(json["iceServers"][0]["credentialType"], "password");
  EXPECT_EQ(json["ttl"], 600);
  EXPECT_EQ(json["expires_at"], 1'893'456'600);
  EXPECT_EQ(json["refresh_after"], 300);
  EXPECT_TRUE(username_in(json).starts_with("1893456600:k1."));
}

TEST(Issue, NeverShowsTheUser) {
  const Config config = config_with(all_sources);
  for (const Source source : {Source::computed, Source::pushed, Source::token})
    EXPECT_EQ(issued(config, {.source = source, .user = "sip:bob"}).json.find("bob"), std::string::npos);
  EXPECT_EQ(issued(config, {.source = Source::token, .user = "sip:bob", .rfc7635 = true}).json.find("bob"),
            std::string::npos);
}

TEST(Issue, MakesWhatTheRegistryAccepts) {
  const Config config = config_with(all_sources);
  const auto computed =
      explained(config, username_in(json_of(config, {.source = Source::computed, .user = "bob"})));
  ASSERT_TRUE(computed.is_valid());
  EXPECT_EQ(computed.grant->source, Source::computed);
  EXPECT_EQ(computed.grant->kid, "k1");

  const IssueRequest browser{.source = Source::token, .user = "bob", .policy = {.allocations_max = 2}};
  const auto token = explained(config, username_in(json_of(config, browser)));
  ASSERT_TRUE(token.is_valid());
  EXPECT_EQ(token.grant->source, Source::token);
  EXPECT_EQ(token.grant->policy.allocations_max, 2U);
}

TEST(Issue, HandsOverWhatHasToBePushed) {
  const Issued pushed = issued(config_with(all_sources), {.source = Source::pushed, .user = "bob"});
  const Json json = Json::parse(pushed.json);
  ASSERT_TRUE(pushed.push.has_value());
  EXPECT_EQ(pushed.push->username, username_in(json));
  EXPECT_EQ(std::string{pushed.push->password.reveal_text()},
            json["iceServers"][0]["credential"].get<std::string>());
  EXPECT_EQ(pushed.push->expires_at, wall + std::chrono::seconds{600});
}

TEST(Issue, PrintsATokenForANativeClient) {
  const Json json =
      json_of(config_with(all_sources), {.source = Source::token, .user = "bob", .rfc7635 = true});
  EXPECT_EQ(json["token_type"], "pop");
  EXPECT_EQ(json["expires_in"], 600);
  EXPECT_EQ(json["alg"], "HMAC-SHA-1");
  EXPECT_EQ(json["server_name"], "turn.ims.example");
  EXPECT_TRUE(json["kid"].get<std::string>().starts_with("t1."));
  EXPECT_EQ(json["iceServers"][0]["credential"]["accessToken"], json["access_token"]);
  EXPECT_EQ(json["iceServers"][0]["credential"]["macKey"], json["key_b64"]);
}

TEST(Issue, UsesTheKidItselfWhereTheKeyDoesNotDerive) {
  const Config config = config_with(
      "[credentials.token]\nkeys = [{ kid = \"t1\", key = \"SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM=\", "
      "derives = false }]");
  EXPECT_EQ(json_of(config, {.source = Source::token, .user = "bob", .rfc7635 = true})["kid"], "t1");
}

TEST(Issue, SaysWhatIsMissing) {
  const Config none = config_with("[credentials.static]\nusers = { a = \"b\" }");
  EXPECT_EQ(refused(none, {.source = Source::computed, .user = "b"}),
            "--source: found computed, but there is no [credentials.computed]");
  EXPECT_EQ(refused(none, {.source = Source::pushed, .user = "b"}),
            "--source: found pushed, but there is no [credentials.pushed]");
  EXPECT_EQ(refused(none, {.source = Source::token, .user = "b"}),
            "--source: found token, but there is no [credentials.token]");
  const Config ends = config_with(
      "[credentials.token]\nkeys = [{ kid = \"t1\", key = \"SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM=\", "
      "not_after = 2026-01-01T00:00:00Z }]");
  EXPECT_EQ(refused(ends, {.source = Source::token, .user = "b"}),
            "no key of [credentials.token] is valid now and for the next 600 s");
}

TEST(OpaqueIds, AreTheSameForADayAndThenOthers) {
  const Config config = config_with(all_sources);
  const IssueRequest request{.source = Source::computed, .user = "bob"};
  const auto id = [&](WallTime at) {
    const std::string name = username_in(json_of(config, request, at));
    return name.substr(name.find('.') + 1);
  };
  EXPECT_EQ(id(wall), id(wall + std::chrono::hours{1}));
  EXPECT_NE(id(wall), id(wall + std::chrono::hours{25}));
  EXPECT_NE(id(wall), username_in(json_of(config, {.source = Source::computed, .user = "alice"}, wall)));
}

TEST(OpaqueIds, OfAUserAreWhatRevocationNames) {
  const Config config = config_with(all_sources);
  const auto subjects = subjects_of(config, "bob", wall);
  const auto has = [&](const std::string& subject) {
    return std::ranges::find(subjects, subject) != subjects.end();
  };
  for (const Source source : {Source::computed, Source::token})
    EXPECT_TRUE(has(
        explained(config, username_in(json_of(config, {.source = source, .user = "bob"}))).grant->subject));
  EXPECT_TRUE(has(issued(config, {.source = Source::pushed, .user = "bob"}).push->subject));
  const WallTime yesterday = wall - std::chrono::days{1};
  const std::string old = username_in(json_of(
      config, {.source = Source::computed, .user = "bob", .ttl = std::chrono::seconds{86400}}, yesterday));
  EXPECT_TRUE(has(explained(config, old, yesterday).grant->subject));
}

TEST(OpaqueIds, AreNewEachTimeWithoutAnyKey) {
  const Config config = config_with("[credentials.pushed]");
  SeededRandom random{1};
  const IssueRequest request{.source = Source::pushed, .user = "bob"};
  EXPECT_NE(issue(config, request, wall, random)->push->subject,
            issue(config, request, wall, random)->push->subject);
  EXPECT_TRUE(subjects_of(config, "bob", wall).empty());
}

TEST(Explain, SaysWhatAComputedNameIs) {
  const Config config = config_with(all_sources);
  const std::string text = format_explanation(explained(config, "1893459600:k1.mfzwizltoq"), wall);
  EXPECT_EQ(text,
            "username     1893459600:k1.mfzwizltoq\n"
            "looks like   a computed one (expiry \":\" id), made to expire 2030-01-01T01:00:00Z (in 1 h)\n"
            "source       computed\n"
            "issuer key   k1\n"
            "subject      mfzwizltoq\n"
            "expires      2030-01-01T01:00:01Z (in 1 h)\n"  // good to the end of its second
            "verdict      valid; with the right password it is accepted\n");
}

TEST(Explain, SaysWhyANameIsRefused) {
  const Config config = config_with(all_sources);
  const auto verdict = [&](const std::string& username, WallTime at = wall) {
    const std::string text = format_explanation(explained(config, username, at), at);
    return text.substr(text.find("verdict"));
  };
  EXPECT_EQ(verdict("1893452400:k1.mfzwizltoq"), "verdict      refused, expired: its time is over\n");
  EXPECT_EQ(verdict("nobody"), "verdict      refused, unknown_user: no source knows this name\n");
  const std::string token = username_in(json_of(config, {.source = Source::token, .user = "bob"}));
  EXPECT_EQ(verdict(token, wall + std::chrono::hours{1}),
            "verdict      refused, expired: its time is over\n");
  std::string forged = token;
  forged[forged.size() - 5] = forged[forged.size() - 5] == 'A' ? 'B' : 'A';
  EXPECT_EQ(verdict(forged),
            "verdict      refused, token_forged: the token does not open: another key or server name, or it "
            "was altered\n");
}

TEST(Explain, ShortensATokenAndNamesItsKid) {
  const Config config = config_with(all_sources);
  const std::string token = username_in(json_of(config, {.source = Source::token, .user = "bob"}));
  const std::string text = format_explanation(explained(config, token), wall);
  EXPECT_EQ(text.find(token), std::string::npos);
  EXPECT_NE(text.find("a token in its browser form (kid \".\" token), kid \"t1\"\n"), std::string::npos);
}

TEST(Explain, HasWordsForEveryRefusal) {
  for (std::size_t at = 0; at < credentials::refusal_count; ++at)
    EXPECT_FALSE(explain_refusal(static_cast<credentials::Refusal>(at)).empty()) << at;
}

}  // namespace
}  // namespace turnpike::program
