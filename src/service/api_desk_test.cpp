#include "service/api_desk.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "base/percent.hpp"
#include "credentials/registry.hpp"
#include "provisioning/test_settings.hpp"

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;
using credentials::Revocation;
using credentials::Source;
using nlohmann::json;

constexpr std::string_view edge_key = "a-key-of-the-edge-0123456789";
constexpr std::string_view shop_key = "a-key-of-the-shop-0123456789";

// A relay that acknowledges, refuses or is silent.
class Relay final : public RelayPort {
 public:
  enum class Mood : std::uint8_t { obeys, refuses, is_silent };
  Relay(boost::asio::io_context& loop, credentials::Registry& registry) : loop_(loop), registry_(registry) {}

  void put(const credentials::PushedCredential& credential, Completion on_done) override {
    if (mood == Mood::obeys) (void)registry_.pushed().put(credential, provisioning::test_wall);
    finish(std::move(on_done));
  }
  void revoke(const Revocation& revocation, Completion on_done) override {
    revoked.push_back(revocation);
    (void)registry_.deny_list().add(revocation, provisioning::test_wall);
    (void)registry_.pushed().revoke(revocation);
    finish(std::move(on_done));
  }

  Mood mood = Mood::obeys;
  std::vector<Revocation> revoked{};

 private:
  void finish(Completion on_done) {
    if (mood == Mood::is_silent) return silent_.push_back(std::move(on_done));
    boost::asio::post(
        loop_, [is_done = mood == Mood::obeys, on_done = std::move(on_done)]() mutable { on_done(is_done); });
  }
  boost::asio::io_context& loop_;
  credentials::Registry& registry_;
  std::vector<Completion> silent_{};
};

class Tokens final : public TokenChecker {
 public:
  explicit Tokens(boost::asio::io_context& loop) : loop_(loop) {}
  void check(std::string token, std::function<void(epcscf::TokenAnswer)> on_answer) override {
    boost::asio::post(loop_, [token = std::move(token), on_answer = std::move(on_answer), this] {
      if (token == "late") return on_answer(std::unexpected(epcscf::TokenRefusal::unavailable));
      if (token != "good") return on_answer(std::unexpected(epcscf::TokenRefusal::invalid));
      on_answer(identity);
    });
  }
  epcscf::TokenIdentity identity{.impi = "alice@ims.example",
                                 .impus = {"sip:alice@ims.example", "tel:+15550100"},
                                 .issuer = "https://waf.example",
                                 .expires_at = provisioning::test_wall + 300s};

 private:
  boost::asio::io_context& loop_;
};

class Observer final : public ApiObserver {
 public:
  void on_issued(const Issued& issued) override { subjects.emplace_back(issued.subject); }
  void on_withdrawn(std::string_view, std::size_t count, bool) override { withdrawn += count; }
  void on_refused(std::string_view, const SocketAddress&, ApiRefusal refusal, Now) override {
    refused.push_back(refusal);
  }
  std::vector<std::string> subjects{};
  std::size_t withdrawn = 0;
  std::vector<ApiRefusal> refused{};
};

ApiSettings make_settings(std::vector<Source> sources) {
  ApiSettings settings;
  settings.callers = {{.id = "edge", .key = Secret::from_text(edge_key)},
                      {.id = "shop",
                       .key = Secret::from_text(shop_key),
                       .users = {"*@shop.example"},
                       .ttl_max = 120s,
                       .requests_per_second = 2},
                      {.id = "node", .certificate = "edge1.ims.example"}};
  settings.takes_tokens = true;
  settings.bearer.issuers = {{.name = "https://waf.example"}};
  settings.origins = {"https://web.ims.example"};
  settings.provisioning = provisioning::make_test_settings(std::move(sources));
  settings.push_patience = 20ms;
  settings.withdraw_patience = 20ms;
  return settings;
}

HttpFields with_key(std::string_view key = edge_key) { return {{"X-API-Key", std::string{key}}}; }
HttpFields with_token(const std::string& token) { return {{"authorization", "bearer " + token}}; }

class World {
 public:
  explicit World(std::vector<Source> sources = {Source::computed})
      : World(make_settings(std::move(sources))) {}
  explicit World(ApiSettings with)
      : settings(std::move(with)),
        registry(provisioning::make_test_registry_settings(settings.provisioning)),
        relay(loop, registry),
        tokens(loop),
        desk(loop, settings, {.relays = &relay, .tokens = &tokens}, random, observer,
             [this] { return now; }) {}

  HttpResponse ask(ServedRequest request) {
    std::optional<HttpResponse> answer;
    request.peer.remote = *SocketAddress::parse("192.0.2.9:40000");
    desk.answer(std::move(request), [&](HttpResponse response) { answer = std::move(response); });
    loop.restart();
    while (!answer && loop.run_one_for(5s) != 0) {
    }
    EXPECT_TRUE(answer) << "no answer";
    return answer.value_or(HttpResponse{});
  }
  HttpResponse ask(const std::string& method, const std::string& target, HttpFields fields = with_key(),
                   const std::string& body = "") {
    return ask({.method = method, .target = target, .fields = std::move(fields), .body = body});
  }
  json issued(const std::string& target = "/v1/turn-credentials?user=alice@ims.example",
              HttpFields fields = with_key()) {
    const HttpResponse answer = ask("GET", target, std::move(fields));
    EXPECT_EQ(answer.status, 200U) << answer.body;
    return json::parse(answer.body, nullptr, false);
  }
  std::string error(const std::string& method, const std::string& target, HttpFields fields = with_key(),
                    const std::string& body = "") {
    const HttpResponse answer = ask(method, target, std::move(fields), body);
    const json problem = json::parse(answer.body, nullptr, false);
    EXPECT_EQ(answer.find("Content-Type"), "application/problem+json") << answer.body;
    EXPECT_EQ(problem.value("status", 0U), answer.status);
    return problem.value("error", "");
  }
  // Whether the relay takes what was handed out.
  bool is_good(const json& answer) {
    const auto username = answer.at("username").get<std::string>();
    const auto key = credentials::make_long_term_key(credentials::PasswordAlgorithm::md5, username,
                                                     "ims.example", answer.at("password").get<std::string>());
    const auto proof = [&key](Bytes tried) { return equal(tried, key.reveal()); };
    return registry.authenticate({.realm = "ims.example", .username = username}, proof, now.wall).has_value();
  }

  boost::asio::io_context loop{};
  Now now{.mono = Instant{} + 1h, .wall = provisioning::test_wall};
  SeededRandom random{11};
  Observer observer{};
  ApiSettings settings;
  credentials::Registry registry;
  Relay relay;
  Tokens tokens;
  ApiDesk desk;
};

class EachSource : public testing::TestWithParam<Source> {};
INSTANTIATE_TEST_SUITE_P(All, EachSource, testing::Values(Source::computed, Source::pushed, Source::token));

TEST_P(EachSource, HandsOutWhatTheRelayTakesAndTakesItBack) {
  World world{{GetParam()}};
  const json first = world.issued();
  EXPECT_TRUE(world.is_good(first));
  const json second = world.issued();
  EXPECT_NE(first.at("username"), second.at("username"));
  EXPECT_TRUE(world.is_good(second));
  // One subject, so that quotas hold.
  EXPECT_EQ(world.observer.subjects.at(0), world.observer.subjects.at(1));

  const HttpResponse answer = world.ask("DELETE", "/v1/turn-credentials?user=alice@ims.example");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.body, R"({"withdrawn":1,"confirmed":true})");
  EXPECT_FALSE(world.is_good(first));
  EXPECT_FALSE(world.is_good(second));
  // Whoever comes again is given something that works.
  EXPECT_TRUE(world.is_good(world.issued()));
  EXPECT_EQ(world.desk.counters().issued, 3U);
  EXPECT_EQ(world.desk.users(10).size(), 1U);
}

TEST(ApiDesk, AnswersInEverySpellingAtOnce) {
  World world;
  const HttpResponse raw =
      world.ask("GET", "/v1/turn-credentials?service=turn&user=alice@ims.example&ttl=600");
  EXPECT_EQ(raw.find("Cache-Control"), "no-store");
  EXPECT_EQ(raw.find("Content-Type"), "application/json");
  const json answer = json::parse(raw.body);
  const auto& uris = world.settings.provisioning.uris;
  EXPECT_EQ(answer.at("uris"), json(uris));
  EXPECT_EQ(answer.at("urls"), json(uris));
  EXPECT_EQ(answer.at("credential"), answer.at("password"));
  EXPECT_EQ(answer.at("ttl"), 600);
  EXPECT_EQ(answer.at("realm"), "ims.example");
  EXPECT_EQ(answer.at("type"), "password");
  EXPECT_EQ(answer.at("expires_at"), unix_seconds(provisioning::test_wall + 600s));
  const json& server = answer.at("iceServers").at(0);
  EXPECT_EQ(server.at("urls"), json(uris));
  EXPECT_EQ(server.at("username"), answer.at("username"));
  EXPECT_EQ(server.at("credential"), answer.at("password"));
  EXPECT_EQ(answer.at("ice_servers").size(), uris.size());
  EXPECT_EQ(answer.at("ice_servers").at(1).at("url"), uris[1]);
  EXPECT_EQ(answer.at("ice_servers").at(1).at("urls"), uris[1]);
  const json& service = answer.at("services").at(2);
  EXPECT_EQ(service.at("type"), "turns");
  EXPECT_EQ(service.at("host"), "turn1.ims.example");
  EXPECT_EQ(service.at("port"), 443);
  EXPECT_EQ(service.at("transport"), "tcp");
  EXPECT_EQ(service.at("expires"), "2030-01-01T00:10:00Z");
  const auto row = answer.at("turn_credentials").at(0).get<std::string>();
  EXPECT_TRUE(row.starts_with("<turn:turn1.ims.example:3478?transport=udp>")) << row;
  EXPECT_NE(row.find(answer.at("username").get<std::string>()), std::string::npos);
}

TEST(ApiDesk, AnswersInOneSpellingWhereOneIsAskedFor) {
  World world;
  const auto members = [&](const std::string& format) {
    std::set<std::string> names;
    const json answer = world.issued("/turn-credentials?format=" + format);
    for (const auto& [name, value] : answer.items()) names.insert(name);
    return names;
  };
  using Names = std::set<std::string>;
  EXPECT_EQ(members("draft"), (Names{"username", "password", "ttl", "uris"}));
  EXPECT_EQ(members("matrix"), (Names{"username", "password", "ttl", "uris"}));
  EXPECT_EQ(members("iceservers"), (Names{"iceServers"}));
  EXPECT_EQ(members("xep0215"), (Names{"services"}));
  const json twilio = world.issued("/v1/turn-credentials?format=twilio");
  EXPECT_EQ(twilio.at("ttl"), "3600");
  EXPECT_EQ(twilio.at("date_created"), "Tue, 01 Jan 2030 00:00:00 +0000");
  EXPECT_EQ(twilio.at("ice_servers").size(), 3U);
}

TEST(ApiDesk, TakesTheDraftsQueryAFormAndJson) {
  World world;
  EXPECT_EQ(world.issued("/?service=turn&username=fred").at("ttl"), 3600);
  const auto posted = [&](const char* type, const std::string& body) {
    HttpFields fields = with_key();
    fields.emplace_back("content-type", type);
    return world.ask("POST", "/v1/turn-credentials", std::move(fields), body);
  };
  EXPECT_EQ(
      json::parse(posted("application/json; charset=utf-8", R"({"user":"fred","ttl":90})").body).at("ttl"),
      90);
  EXPECT_EQ(
      json::parse(posted("application/x-www-form-urlencoded", "Ttl=91&transport=tcp").body).at("uris").size(),
      2U);
  EXPECT_EQ(posted("text/plain", "x").status, 415U);
  EXPECT_EQ(posted("application/json", "[]").status, 400U);
  const auto detail = [&](const std::string& query) {
    const HttpResponse answer = world.ask("GET", "/v1/turn-credentials?" + query);
    EXPECT_EQ(answer.status, 400U);
    return json::parse(answer.body).value("detail", "");
  };
  EXPECT_EQ(detail("service=stun"), R"(service: found "stun", allowed: turn)");
  EXPECT_EQ(detail("ttl=0"), R"(ttl: found "0", allowed: 1 to 31622400 seconds)");
  EXPECT_EQ(detail("transport=sctp"), R"(transport: found "sctp", allowed: udp, tcp)");
  EXPECT_EQ(detail("type=x"), R"(type: found "x", allowed: password, oauth)");
  EXPECT_EQ(detail("format=x"),
            R"(format: found "x", allowed: all, draft, iceservers, twilio, matrix, xep0215)");
  EXPECT_EQ(detail("user=a%0Ab"), "user: allowed: 1 to 255 bytes of UTF-8 without control characters");
  EXPECT_EQ(detail("ttl=%FF"), R"(ttl: found "no UTF-8", allowed: 1 to 31622400 seconds)");
  EXPECT_EQ(detail("realm=other.example"), "unknown_realm");
  EXPECT_EQ(detail("user=%zz"), "the query has a \"%\" without two hexadecimal digits");
}

TEST(ApiDesk, KnowsItsCallers) {
  World world;
  const std::string place = "/v1/turn-credentials?user=bob@shop.example";
  EXPECT_EQ(world.error("GET", place, {}), "nothing_shown");
  EXPECT_EQ(world.error("GET", place, with_key("a-key-of-the-edge-012345678x")), "unknown_key");
  EXPECT_EQ(world.error("GET", place, with_key("")), "unknown_key");
  EXPECT_EQ(world.error("GET", place, {{"Authorization", "Basic !"}}), "unknown_key");
  const auto basic = [](const std::string& pair) {
    return HttpFields{{"Authorization", "Basic " + to_base64(as_bytes(pair))}};
  };
  world.issued(place, basic("shop:" + std::string{shop_key}));
  EXPECT_EQ(world.error("GET", place, basic("edge:" + std::string{shop_key})), "unknown_key");
  // In the query alone where the operator wants it.
  EXPECT_EQ(world.error("GET", place + "&key=" + std::string{edge_key}, {}), "nothing_shown");
  world.settings.allows_key_in_query = true;
  world.desk.reconfigure(world.settings);
  world.issued(place + "&key=" + std::string{edge_key}, {});

  EXPECT_EQ(world.ask({.peer = {.names = {"edge1.ims.example"}}, .method = "GET", .target = place}).status,
            200U);
  EXPECT_EQ(world.ask({.peer = {.names = {"edge2.ims.example"}}, .method = "GET", .target = place}).status,
            403U);

  const HttpResponse refused = world.ask("GET", place, with_key("wrong"));
  EXPECT_EQ(refused.status, 401U);
  std::vector<std::string> challenges;
  for (const auto& [name, value] : refused.fields)
    if (name == "WWW-Authenticate") challenges.push_back(value);
  EXPECT_EQ(challenges,
            (std::vector<std::string>{"Bearer realm=\"ims.example\"", "ApiKey realm=\"ims.example\""}));
}

TEST(ApiDesk, LetsACallerSpeakForItsUsersAlone) {
  World world;
  const auto as_shop = with_key(shop_key);
  EXPECT_EQ(world.issued("/v1/turn-credentials?user=bob@shop.example&ttl=900", as_shop).at("ttl"), 120);
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials?user=alice@ims.example", as_shop), "user_not_allowed");
  world.now.mono += 1s;
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials", as_shop), "user_not_allowed");
  EXPECT_EQ(world.error("DELETE", "/v1/turn-credentials?user=alice@ims.example", as_shop),
            "user_not_allowed");
  world.now.mono += 1s;
  EXPECT_EQ(world.error("DELETE", "/v1/turn-credentials?username=somebodys", as_shop), "user_not_allowed");
  EXPECT_TRUE(world.relay.revoked.empty());
}

TEST(ApiDesk, LetsAUserAskForThemselvesWithAToken) {
  World world;
  // No longer than the token.
  EXPECT_EQ(world.issued("/v1/turn-credentials?ttl=900", with_token("good")).at("ttl"), 300);
  world.issued("/v1/turn-credentials?user=sip:alice@ims.example", with_token("good"));
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials?user=bob@ims.example", with_token("good")),
            "user_not_allowed");
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials", with_token("bad")), "token_invalid");
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials", with_token("late")), "token_unchecked");
  EXPECT_EQ(world.error("DELETE", "/v1/turn-credentials?username=x", with_token("good")), "user_not_allowed");
  EXPECT_EQ(world.ask("DELETE", "/v1/turn-credentials", with_token("good")).body,
            R"({"withdrawn":1,"confirmed":true})");
  world.tokens.identity.issuer = "https://other.example";
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials", with_token("good")), "token_not_trusted");
  world.settings.takes_tokens = false;
  world.desk.reconfigure(world.settings);
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials", with_token("good")), "token_not_taken");
}

TEST(ApiDesk, BoundsCallersUsersAndAddresses) {
  World world;
  const auto as_shop = with_key(shop_key);
  const std::string bob = "/v1/turn-credentials?user=bob@shop.example";
  world.issued(bob, as_shop);
  world.issued(bob, as_shop);
  const HttpResponse limited = world.ask("GET", bob, as_shop);
  EXPECT_EQ(limited.status, 429U);
  EXPECT_EQ(limited.find("Retry-After"), "1");
  EXPECT_EQ(world.error("GET", bob, as_shop), "too_many_from_caller");
  world.now.mono += 1s;
  world.issued(bob, as_shop);

  for (int i = 0; i < 60; ++i) world.issued();
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials?user=alice@ims.example"), "too_many_for_user");
  world.now.mono += 1s;
  world.issued();

  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(world.error("GET", bob, with_key("guess-" + std::to_string(i))), "unknown_key");
  EXPECT_EQ(world.error("GET", bob, with_key("guess")), "too_many_from_source");
  EXPECT_EQ(world.error("GET", bob, with_token("good")), "too_many_from_source");
  // Who has a key is not held up by neighbours.
  world.issued("/v1/turn-credentials?user=carol@ims.example");
}

TEST(ApiDesk, FallsBackWhereNoRelayTakesWhatIsPushed) {
  for (const auto mood : {Relay::Mood::refuses, Relay::Mood::is_silent}) {
    World world{{Source::pushed, Source::computed}};
    world.relay.mood = mood;
    const json answer = world.issued();
    EXPECT_NE(answer.at("username").get<std::string>().find(':'), std::string::npos);
    EXPECT_TRUE(world.is_good(answer));
    // It may have reached a relay after all.
    ASSERT_EQ(world.relay.revoked.size(), 1U);
    EXPECT_EQ(world.relay.revoked.front().by, Revocation::By::username);
    EXPECT_EQ(world.desk.counters().issued_by_fallback, 1U);
  }
  World world{{Source::pushed}};
  world.relay.mood = Relay::Mood::refuses;
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials?user=alice"), "not_acknowledged");
  EXPECT_EQ(world.desk.counters().waiting, 1U) << "the revocation";
}

TEST(ApiDesk, SaysWhereARelayHasNotObeyed) {
  World world;
  world.issued();
  world.relay.mood = Relay::Mood::is_silent;
  const HttpResponse answer = world.ask("POST", "/v1/turn-credentials:withdraw?user=alice@ims.example");
  EXPECT_EQ(answer.status, 202U);
  EXPECT_EQ(answer.body, R"({"withdrawn":1,"confirmed":false})");
  EXPECT_EQ(world.desk.counters().withdrawals_unconfirmed, 1U);
  EXPECT_EQ(world.ask("DELETE", "/v1/turn-credentials?user=nobody").body,
            R"({"withdrawn":0,"confirmed":true})");
  EXPECT_EQ(world.error("DELETE", "/v1/turn-credentials"), "bad_request");
  EXPECT_EQ(world.error("DELETE", "/v1/turn-credentials?user=a&username=b"), "bad_request");
}

TEST(ApiDesk, TakesOneCredentialBackByItsName) {
  World world;
  const json anonymous = world.issued("/v1/turn-credentials");
  const json other = world.issued("/v1/turn-credentials");
  const auto name = encode_percent(anonymous.at("username").get<std::string>());
  EXPECT_EQ(world.ask("DELETE", "/v1/turn-credentials?username=" + name).status, 200U);
  EXPECT_FALSE(world.is_good(anonymous));
  EXPECT_TRUE(world.is_good(other));
}

TEST(ApiDesk, AnswersPagesOfConfiguredOriginsAlone) {
  World world;
  const HttpFields from_page{{"Origin", "https://web.ims.example"}, {"X-API-Key", std::string{edge_key}}};
  const HttpResponse good = world.ask("GET", "/v1/turn-credentials", from_page);
  EXPECT_EQ(good.status, 200U);
  EXPECT_EQ(good.find("Access-Control-Allow-Origin"), "https://web.ims.example");
  EXPECT_EQ(good.find("Vary"), "Origin");
  const HttpResponse preflight =
      world.ask("OPTIONS", "/v1/turn-credentials", {{"Origin", "https://web.ims.example"}});
  EXPECT_EQ(preflight.status, 204U);
  EXPECT_EQ(preflight.find("Access-Control-Allow-Methods"), "GET, POST, DELETE, OPTIONS");
  const HttpResponse bad = world.ask("OPTIONS", "/v1/turn-credentials", {{"Origin", "https://evil.example"}});
  EXPECT_EQ(bad.status, 403U);
  EXPECT_FALSE(bad.find("Access-Control-Allow-Origin").has_value());
}

TEST(ApiDesk, RefusesOtherPathsAndMethods) {
  World world;
  EXPECT_EQ(world.error("GET", "/"), "not_found");
  EXPECT_EQ(world.error("GET", "/v1/credentials"), "not_found");
  const HttpResponse put = world.ask("PUT", "/v1/turn-credentials");
  EXPECT_EQ(put.status, 405U);
  EXPECT_EQ(put.find("Allow"), "GET, POST, DELETE, OPTIONS");
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials:withdraw?user=a"), "method_not_allowed");
  EXPECT_EQ(world.ask("GET", "/v1/health", {}).body, R"({"status":"ok"})");
}

TEST(ApiDesk, HandsOutTheRelaysThatLive) {
  World world;
  world.desk.offer({"turn:live.example?transport=udp"});
  EXPECT_EQ(world.issued().at("uris"), json({"turn:live.example?transport=udp"}));
  // No relay's interface answers: they may live all the same.
  world.desk.offer({});
  EXPECT_EQ(world.issued().at("uris"), json(world.settings.provisioning.uris));
  world.settings.provisioning.uris.clear();
  world.desk.reconfigure(world.settings);
  EXPECT_EQ(world.error("GET", "/v1/turn-credentials"), "no_relay");
  EXPECT_EQ(world.ask("GET", "/v1/health", {}).status, 503U);
}

TEST(ApiDesk, HandsATokenOfRfc7635ToThoseWhoAskForOne) {
  World world;
  EXPECT_FALSE(world.issued().contains("oauth"));
  const json answer = world.issued("/v1/turn-credentials?user=alice@ims.example&type=oauth");
  EXPECT_EQ(answer.at("oauth").at(0).at("token_type"), "pop");
  EXPECT_TRUE(world.is_good(answer));
}

TEST(ApiDesk, KeepsWhatUsersHoldWhenTheKeyOfSubjectsChanges) {
  World world;
  const json before = world.issued();
  world.settings.provisioning.opaque_id_key = Secret::from_text("another key of opaque ids");
  world.desk.reconfigure(world.settings);
  const json after = world.issued();
  EXPECT_NE(world.observer.subjects.at(0), world.observer.subjects.at(1));
  EXPECT_EQ(world.desk.withdraw("alice@ims.example"), 2U);
  EXPECT_FALSE(world.is_good(before));
  EXPECT_FALSE(world.is_good(after));
}

}  // namespace
}  // namespace turnpike::service
