#include "waf/server.hpp"

#include "waf/test_world.hpp"

namespace turnpike::waf {
namespace {

using By = credentials::Revocation::By;

struct Introspection : testing::Test {
  World world;
  Parameters ask(const std::string& token) {
    return {{"token", token}, {"client_id", "epcscf"}, {"client_secret", web_secret}};
  }
};

TEST_F(Introspection, TellsAServerWhatItsTokenSays) {
  const json tokens = world.login();
  const json answer = world.introspect(tokens.at("access_token"));
  EXPECT_EQ(world.last.find("cache-control"), "no-store");
  EXPECT_EQ(answer.at("active"), true);
  EXPECT_EQ(answer.at("iss"), issuer);
  EXPECT_EQ(answer.at("aud"), epcscf);
  EXPECT_EQ(answer.at("sub"), "u-alice");
  EXPECT_EQ(answer.at("client_id"), "wic");
  EXPECT_EQ(answer.at("scope"), "ims turn");
  EXPECT_EQ(answer.at("impi"), "alice@ims.example");
  EXPECT_EQ(answer.at("impus").size(), 2u);
  EXPECT_EQ(answer.at("wwsf"), "shop");
  EXPECT_EQ(answer.at("token_type"), "Bearer");
  EXPECT_EQ(answer.at("exp").get<std::int64_t>(), unix_seconds(world.now) + 3600);

  const json& turn = tokens.at("turn");
  for (const std::string& text : {turn.at("access_token").get<std::string>(),
                                  turn.at("iceServers").at(0).at("username").get<std::string>()}) {
    const json answer_of_turn = world.introspect(text);
    EXPECT_EQ(answer_of_turn.at("active"), true);
    EXPECT_EQ(answer_of_turn.at("token_type"), "pop");
    EXPECT_EQ(answer_of_turn.at("aud"), turn_name);
    EXPECT_FALSE(answer_of_turn.contains("impi"));
  }
}

TEST_F(Introspection, SaysNothingOfWhatIsNotValid) {
  const json tokens = world.login();
  const std::string token = tokens.at("access_token");
  for (const std::string& text : {std::string{"x"}, token + "x", token.substr(0, token.rfind('.') + 1),
                                  tokens.at("refresh_token").get<std::string>(), std::string(9000, 'x')}) {
    world.introspect(text);
    EXPECT_EQ(world.last.status, 200u);
    EXPECT_EQ(world.last.body, R"({"active":false})") << text;
  }
  world.now += std::chrono::hours{1};
  EXPECT_FALSE(world.is_active(token));
}

TEST_F(Introspection, IsForServersAboutTheirOwnTokens) {
  const std::string token = world.login().at("access_token");
  EXPECT_EQ(world.post_for_json("/introspect", {{"token", token}}).at("error"), "invalid_client");
  EXPECT_EQ(world.last.status, 401u);
  EXPECT_EQ(world.post_for_json("/introspect", {{"token", token}, {"client_id", "wic"}}).at("error"),
            "unauthorized_client");
  EXPECT_EQ(world.post_for_json("/introspect", with(ask(token), "token", "")).at("error"), "invalid_request");
  Client server = *world.ledger.find_client("epcscf");
  server.introspects = {"elsewhere.example"};
  world.ledger.put_client(server);
  EXPECT_FALSE(world.is_active(token)) << "it is for another audience";
}

struct RevocationEndpoint : testing::Test {
  World world;
  std::string revoke(const json& token, const std::string& client = "wic") {
    const json answer =
        world.post_for_json("/revoke", {{"token", token.get<std::string>()}, {"client_id", client}});
    return answer.contains("error") ? answer.at("error").get<std::string>()
                                    : std::to_string(world.last.status);
  }
};

TEST_F(RevocationEndpoint, TakesARegistrationTokenBackWithItsTurnTokens) {
  const json tokens = world.login();
  EXPECT_EQ(revoke(tokens.at("access_token")), "200");
  ASSERT_EQ(world.revocations.size(), 1u);
  EXPECT_EQ(world.revocations.front().by, By::subject);
  EXPECT_EQ(tokens.at("turn").at("kid"), "k1." + world.revocations.front().value);
  EXPECT_FALSE(world.is_active(tokens.at("access_token")));
  EXPECT_FALSE(world.is_active(tokens.at("turn").at("access_token")));
  const json renewed = world.token(world.refresh_request(tokens));
  ASSERT_TRUE(renewed.contains("turn")) << "the authorization itself lives on";
  EXPECT_NE(renewed.at("turn").at("kid"), tokens.at("turn").at("kid"));
}

TEST_F(RevocationEndpoint, TakesATurnTokenBackAlone) {
  const json tokens = world.login();
  const json& turn = tokens.at("turn");
  EXPECT_EQ(revoke(turn.at("iceServers").at(0).at("username")), "200");
  ASSERT_EQ(world.revocations.size(), 2u) << "in both forms";
  EXPECT_EQ(world.revocations.front().by, By::token_hash);
  EXPECT_EQ(world.revocations.front().value,
            to_hex(crypto::sha256(*from_base64(turn.at("access_token").get<std::string>()))));
  EXPECT_FALSE(world.is_active(turn.at("access_token")));
  EXPECT_TRUE(world.is_active(tokens.at("access_token")));
}

TEST_F(RevocationEndpoint, TakesAFamilyBackByItsRefreshToken) {
  const json tokens = world.login();
  EXPECT_EQ(revoke(tokens.at("refresh_token")), "200");
  ASSERT_EQ(world.revocations.size(), 1u);
  EXPECT_EQ(tokens.at("turn").at("kid"), "k1." + world.revocations.front().value);
  EXPECT_FALSE(world.is_active(tokens.at("access_token")));
  EXPECT_EQ(world.error(world.refresh_request(tokens)), "invalid_grant");
}

TEST(CoturnTarget, HasPlainKidsAndShortKeysAndIsRevokedByHash) {
  World world{[](Settings& settings) {
    settings.turn.front().token.keys.front().derives = false;
    settings.turn.front().token.mac_key = credentials::MacKeyRule::coturn16;
  }};
  const json tokens = world.login();
  EXPECT_EQ(tokens.at("turn").at("kid"), "k1");
  const std::string key = tokens.at("turn").at("key");
  EXPECT_EQ(from_base64(key)->size(), 16u);
  world.post("/revoke", {{"token", tokens.at("access_token").get<std::string>()}, {"client_id", "wic"}});
  ASSERT_EQ(world.revocations.size(), 2u);
  for (const auto& revocation : world.revocations) EXPECT_EQ(revocation.by, By::token_hash);
}

TEST_F(RevocationEndpoint, LeavesAloneWhatBelongsToOthers) {
  const json tokens = world.login();
  EXPECT_EQ(revoke(tokens.at("access_token"), "other"), "invalid_grant");
  EXPECT_EQ(revoke(tokens.at("refresh_token"), "other"), "invalid_grant");
  EXPECT_EQ(revoke(tokens.at("turn").at("access_token"), "other"), "invalid_grant");
  EXPECT_EQ(revoke(tokens.at("access_token"), "nobody"), "invalid_client");
  EXPECT_TRUE(world.is_active(tokens.at("access_token")));
  EXPECT_TRUE(world.revocations.empty());
  EXPECT_EQ(revoke("not a token"), "200") << "it is not valid, as was wanted";
  EXPECT_EQ(world.post_for_json("/revoke", {{"client_id", "wic"}}).at("error"), "invalid_request");
}

struct PublicPages : testing::Test {
  World world;
  Response get(std::string_view path, Fields fields = {}) {
    return world.send({.path = std::string{path}, .fields = std::move(fields)});
  }
};

TEST_F(PublicPages, SayWhatTheServerCan) {
  const Response response = get("/.well-known/oauth-authorization-server");
  EXPECT_EQ(response.find("content-type"), "application/json");
  EXPECT_EQ(response.find("cache-control"), "public, max-age=300");
  const json document = json::parse(response.body);
  EXPECT_EQ(document.at("issuer"), issuer);
  EXPECT_EQ(document.at("token_endpoint"), std::string{issuer} + "/token");
  EXPECT_EQ(document.at("code_challenge_methods_supported"), json::array({"S256"}));
  EXPECT_EQ(document.at("response_types_supported"), json::array({"code"}));
  EXPECT_EQ(document.at("authorization_response_iss_parameter_supported"), true);
  EXPECT_EQ(document.at("grant_types_supported").size(), 5u);
  EXPECT_FALSE(json(document.at("introspection_endpoint_auth_methods_supported")).contains("none"));
  EXPECT_EQ(get("/.well-known/openid-configuration").body, response.body);
}

TEST_F(PublicPages, PublishTheKeysThatSign) {
  const json keys = json::parse(get("/jwks").body).at("keys");
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys.at(0).at("kid"), world.ring.find_signer(world.now)->kid());
  EXPECT_FALSE(keys.at(0).contains("d"));
}

TEST_F(PublicPages, StandBelowAnIssuerThatHasAPath) {
  World below{[](Settings& settings) { settings.issuer = "https://ims.example/waf"; }};
  const auto status = [&](std::string_view path) { return below.send({.path = std::string{path}}).status; };
  EXPECT_EQ(status("/.well-known/oauth-authorization-server/waf"), 200u) << "RFC 8414 section 3.1";
  EXPECT_EQ(status("/waf/.well-known/openid-configuration"), 200u);
  EXPECT_EQ(status("/waf/jwks"), 200u);
  for (const char* path :
       {"/jwks", "/waf", "/wafjwks", "/.well-known/oauth-authorization-server", "/waf/jwks/"})
    EXPECT_EQ(status(path), 404u) << path;
}

TEST_F(PublicPages, AreReadByTheirMethodAlone) {
  const auto answer = [&](std::string_view method, std::string_view path) {
    return world.send({.method = std::string{method}, .path = std::string{path}});
  };
  EXPECT_EQ(answer("GET", "/token").status, 405u) << "secrets do not belong into a query";
  EXPECT_EQ(answer("GET", "/token").find("allow"), "POST");
  EXPECT_EQ(answer("POST", "/authorize").status, 405u);
  EXPECT_EQ(answer("GET", "/introspect").status, 405u);
  EXPECT_EQ(answer("PUT", "/jwks").status, 405u);
  EXPECT_EQ(answer("GET", "/nothing").status, 404u);
}

TEST_F(PublicPages, AreReadByScriptsOfConfiguredOriginsAlone) {
  const auto allowed = [&](const Response& response) {
    return std::string{response.find("access-control-allow-origin").value_or("")};
  };
  const Fields own{{"Origin", "https://wic.example"}}, foreign{{"Origin", "https://evil.example"}};
  EXPECT_EQ(allowed(get("/jwks", foreign)), "*");
  EXPECT_EQ(allowed(world.post("/token", {}, own)), "https://wic.example");
  EXPECT_EQ(allowed(world.post("/token", {}, foreign)), "");
  EXPECT_EQ(world.post("/token", {}, foreign).find("vary"), "Origin");
  EXPECT_EQ(allowed(world.post("/introspect", {}, own)), "");
  EXPECT_EQ(allowed(get("/authorize", own)), "");

  const Response preflight = world.send({.method = "OPTIONS", .path = "/token", .fields = own});
  EXPECT_EQ(preflight.status, 204u);
  EXPECT_EQ(allowed(preflight), "https://wic.example");
  EXPECT_EQ(preflight.find("access-control-allow-methods"), "POST");
  EXPECT_TRUE(preflight.find("access-control-allow-headers")->contains("DPoP"));
  EXPECT_EQ(allowed(world.send({.method = "OPTIONS", .path = "/token", .fields = foreign})), "");
  EXPECT_EQ(world.send({.method = "OPTIONS", .path = "/login", .fields = own}).status, 405u);
  EXPECT_FALSE(preflight.find("access-control-allow-credentials"));
}

TEST(MixUp, IsSeenByTheIssuerInEachAnswer) {
  World honest;
  World evil{[](Settings& settings) { settings.issuer = "https://evil.example"; }};
  Browser browser{honest};
  browser.get(authorization_parameters());
  browser.log_in("alice");
  EXPECT_EQ(browser.answer("iss"), issuer);
  // A client that was led to the wrong token endpoint gets nothing there, and the code stays good.
  EXPECT_EQ(evil.error(evil.code_request(browser.answer("code"))), "invalid_grant");
  EXPECT_EQ(honest.error(honest.code_request(browser.answer("code"))), "none");
  // And a token of the one is none at the other.
  const json tokens = honest.login();
  EXPECT_EQ(evil.error(evil.exchange_request(tokens)), "invalid_request");
  EXPECT_FALSE(evil.is_active(tokens.at("access_token")));
}

// Its disk is full whenever the test says so.
struct FullLedger : MemoryLedger {
  bool is_full = false;
  std::optional<std::string> failure{};
  void open_session(const Session& session, std::size_t per_user_max) override {
    if (is_full)
      failure = "waf.db: database or disk is full";
    else
      MemoryLedger::open_session(session, per_user_max);
  }
  Rotation rotate(std::string_view family, const Digest& old_refresh, const Digest& new_refresh,
                  std::span<const Issued> issued, WallTime now) override {
    if (!is_full) return MemoryLedger::rotate(family, old_refresh, new_refresh, issued, now);
    failure = "waf.db: database or disk is full";
    return {};
  }
  std::optional<std::string> take_failure() override { return std::exchange(failure, std::nullopt); }
};

TEST(WafServer, AnswersThatItCannotStoreAndDecidesNothing) {
  auto full = std::make_unique<FullLedger>();
  FullLedger& ledger = *full;
  World world{{}, std::move(full)};
  const json tokens = world.login();
  ledger.is_full = true;
  EXPECT_EQ(world.error(world.refresh_request(tokens)), "temporarily_unavailable");
  EXPECT_EQ(world.last.status, 503u);
  EXPECT_TRUE(world.last.find("retry-after"));
  EXPECT_EQ(world.last.find("cache-control"), "no-store");
  EXPECT_TRUE(world.revocations.empty());
  ledger.is_full = false;
  EXPECT_EQ(world.error(world.refresh_request(tokens)), "none") << "the refresh token was not used up";
}

TEST(WafServer, TellsPeopleOnAPageThatItCannotStore) {
  auto full = std::make_unique<FullLedger>();
  FullLedger& ledger = *full;
  World world{{}, std::move(full)};
  Browser browser{world};
  browser.get(authorization_parameters());
  const Parameters form = browser.form();
  ledger.is_full = true;
  const Response page = browser.log_in("alice");
  EXPECT_EQ(page.status, 503u);
  EXPECT_EQ(page.find("content-type"), "text/html; charset=utf-8");
  EXPECT_TRUE(page.find("retry-after"));
  EXPECT_TRUE(page.body.contains("Nothing can be stored at the moment."));
  EXPECT_FALSE(page.body.contains("waf.db")) << "what is wrong is for the operator";
  EXPECT_FALSE(page.find("set-cookie"));
  ledger.is_full = false;
  Parameters again = form;
  again.emplace_back("name", "alice");
  again.emplace_back("password", "wonderland");
  browser.post("/login", again);
  EXPECT_NE(browser.answer("code"), "") << "the form is good for another try";
}

struct JoiningLedger : MemoryLedger {
  int depth = 0, units = 0;
  void begin() override {
    ++depth;
    ++units;
  }
  void commit() override { --depth; }
  Rotation rotate(std::string_view family, const Digest& old_refresh, const Digest& new_refresh,
                  std::span<const Issued> issued, WallTime now) override {
    EXPECT_EQ(depth, 1);
    return MemoryLedger::rotate(family, old_refresh, new_refresh, issued, now);
  }
  void append_audit(std::span<const AuditEntry> entries) override {
    EXPECT_TRUE(units == 0 || depth == 1) << "with what it is about";
    MemoryLedger::append_audit(entries);
  }
};

TEST(WafServer, JoinsAllThatARequestChanges) {
  auto joining = std::make_unique<JoiningLedger>();
  JoiningLedger& ledger = *joining;
  World world{{}, std::move(joining)};
  const json tokens = world.login();
  const int before = ledger.units;
  EXPECT_EQ(world.error(world.refresh_request(tokens)), "none");
  EXPECT_EQ(ledger.units, before + 1);
  EXPECT_EQ(ledger.depth, 0);
}

// --- the audit trail --------------------------------------------------------------------------------------

TEST(AuditTrail, TellsWhatAUserDidAndGot) {
  World world;
  const json tokens = world.login("other");
  EXPECT_EQ(world.error(with(world.refresh_request(tokens), "client_id", "other")), "none");
  EXPECT_EQ(world.audited(), (std::vector<std::string>{"tokens_issued", "tokens_issued", "authorized",
                                                       "consent_given", "login", "signing_key_added"}));
  const auto all = world.ledger.last_audit_entries(100);
  EXPECT_EQ(all.at(0).detail, "refresh_token");
  EXPECT_EQ(all.at(1).detail, "authorization_code");
  EXPECT_EQ(all.at(1).client, "other");
  EXPECT_EQ(all.at(1).subject, "u-alice");
  EXPECT_EQ(all.at(1).remote, "192.0.2.1");
  EXPECT_EQ(all.at(5).detail, world.ring.find_signer(world.now)->kid());
  for (const AuditEntry& entry : all) EXPECT_FALSE(entry.is_by_stranger) << entry.event;
}

TEST(AuditTrail, TellsOfEachWayToTokens) {
  World world;
  const json tokens = world.login();
  EXPECT_EQ(world.error(world.exchange_request(tokens)), "none");
  EXPECT_EQ(world.ledger.last_audit_entries(1).front().detail, "token_exchange");
  const Fields basic{{"Authorization", "Basic " + to_base64(as_bytes("web:" + encode_percent(web_secret)))}};
  EXPECT_EQ(world.error({{"grant_type", "client_credentials"}, {"scope", "turn"}}, basic), "none");
  EXPECT_EQ(world.ledger.last_audit_entries(1).front().detail, "client_credentials");
  EXPECT_EQ(world.ledger.last_audit_entries(1).front().subject, "web");
}

TEST(AuditTrail, TellsOfGuessersApart) {
  World world;
  Browser browser{world};
  browser.get(authorization_parameters());
  for (int i = 0; i < 5; ++i) browser.log_in("alice", "not wonderland");
  const auto all = world.ledger.last_audit_entries(100);
  EXPECT_EQ(all.at(0).event, "locked_out");
  EXPECT_EQ(all.at(0).detail, "the name from this source for 30 s");
  EXPECT_EQ(all.at(1).event, "login_failed");
  EXPECT_EQ(all.at(1).subject, "u-alice");
  EXPECT_TRUE(all.at(0).is_by_stranger && all.at(1).is_by_stranger);
  EXPECT_EQ(browser.log_in("alice").status, 429u);
  EXPECT_EQ(world.ledger.last_audit_entries(100).size(), all.size()) << "who is locked out writes no more";
  EXPECT_EQ(world.error({{"grant_type", "client_credentials"}, {"client_id", "web"}, {"client_secret", "x"}}),
            "invalid_client");
  EXPECT_EQ(world.ledger.last_audit_entries(1).front().event, "client_refused");
  EXPECT_TRUE(world.ledger.last_audit_entries(1).front().is_by_stranger);
}

}  // namespace
}  // namespace turnpike::waf
