#include "credentials/registry.hpp"
#include "jose/claims.hpp"
#include "waf/test_world.hpp"
#include "waf/token_endpoint.hpp"

namespace turnpike::waf {
namespace {

using namespace std::chrono_literals;

struct Tokens : testing::Test {
  World world;

  // As the eP-CSCF reads it.
  json claims_of(const json& tokens) {
    auto read = jose::read_token(tokens.at("access_token").get<std::string>(), jose::Limits{});
    if (!read) return "malformed";
    const auto keys = jose::KeySet::parse(world.ring.format_jwks(world.now), jose::Limits{});
    auto token = jose::verify(std::move(*read), *keys, {jose::Algorithm::es256});
    if (!token) return to_string(token.error());
    const jose::ClaimRules rules{.issuer = std::string{issuer}, .audience = std::string{epcscf}};
    auto claims = jose::read_claims(std::move(*token), rules, world.now);
    return claims ? claims->payload : json(to_string(claims.error()));
  }
};

Parameters with_turn(Parameters parameters) {
  parameters.emplace_back("audience", turn_name);
  parameters.emplace_back("token_type", "pop");
  return parameters;
}

// As a relay reads it: the subject of the grant, or why it is refused.
std::string relay_says(const World& world, const json& token, bool as_browser) {
  credentials::Registry registry{
      {.realm = "ims.example", .token = world.server->settings().turn.front().token}};
  const json& server = token.at("iceServers").at(0);
  const std::string username = as_browser ? server.at("username") : token.at("kid");
  const auto access_token = from_base64(token.at("access_token").get<std::string>());
  const std::string password = server.at("credential");
  const auto key = as_browser ? to_vector(credentials::make_long_term_key(credentials::PasswordAlgorithm::md5,
                                                                          username, "ims.example", password)
                                              .reveal())
                              : *from_base64(token.at("key").get<std::string>());
  const credentials::Claim claim{
      .realm = "ims.example", .username = username, .token = as_browser ? Bytes{} : Bytes{*access_token}};
  const auto verdict =
      registry.authenticate(claim, [&](Bytes candidate) { return equal(candidate, key); }, world.now);
  return verdict ? (*verdict)->subject : std::string{credentials::to_string(verdict.error())};
}

TEST_F(Tokens, OfALoginRegisterAndRelay) {
  const json tokens = world.login();
  EXPECT_EQ(world.last.status, 200u);
  EXPECT_EQ(world.last.find("cache-control"), "no-store");
  EXPECT_EQ(world.last.find("pragma"), "no-cache");
  EXPECT_EQ(tokens.at("token_type"), "Bearer");
  EXPECT_EQ(tokens.at("expires_in"), 3600);
  EXPECT_EQ(tokens.at("scope"), "ims turn");
  EXPECT_TRUE(tokens.contains("refresh_token"));

  const json claims = claims_of(tokens);
  ASSERT_TRUE(claims.is_object()) << claims;
  EXPECT_EQ(claims.at("sub"), "u-alice");
  EXPECT_EQ(claims.at("client_id"), "wic");
  EXPECT_EQ(claims.at("scope"), "ims turn");
  EXPECT_EQ(claims.at("impi"), "alice@ims.example");
  EXPECT_EQ(claims.at("impus"), json::array({"sip:alice@ims.example", "tel:+15550100"}));
  EXPECT_EQ(claims.at("wwsf"), "shop");
  EXPECT_EQ(claims.at("exp").get<std::int64_t>() - claims.at("iat").get<std::int64_t>(), 3600);
  EXPECT_FALSE(claims.contains("pool"));
  EXPECT_FALSE(claims.contains("cnf"));
}

TEST_F(Tokens, OfALoginBringTheFirstTurnTokenInBothForms) {
  const json turn = world.login().at("turn");
  EXPECT_EQ(turn.at("token_type"), "pop");
  EXPECT_EQ(turn.at("expires_in"), 600);
  EXPECT_EQ(turn.at("refresh_after"), 300);
  EXPECT_EQ(turn.at("alg"), "HMAC-SHA-1");
  EXPECT_EQ(turn.at("server_name"), turn_name);
  EXPECT_EQ(turn.at("key"), turn.at("key_b64"));
  EXPECT_EQ(turn.at("iceServers").at(0).at("urls").at(0), "turn:turn.ims.example:3478?transport=udp");
  EXPECT_EQ(turn.at("iceServers").at(0).at("credentialType"), "password");

  const std::string subject = relay_says(world, turn, false);
  EXPECT_EQ(subject.size(), 16u);
  EXPECT_EQ(relay_says(world, turn, true), subject);
  EXPECT_EQ(turn.at("kid"), "k1." + subject);
  world.now += 606s;
  EXPECT_EQ(relay_says(world, turn, false), "expired");
  EXPECT_EQ(relay_says(world, turn, true), "expired");
}

TEST_F(Tokens, AreForTheTargetsThatAreAskedFor) {
  const auto of = [&](const Parameters& more) {
    Parameters parameters = world.code_request(world.make_code());
    parameters.insert(parameters.end(), more.begin(), more.end());
    return world.token(parameters);
  };
  json tokens = of({{"audience", std::string{epcscf}}});
  EXPECT_EQ(tokens.at("token_type"), "Bearer");
  EXPECT_FALSE(tokens.contains("turn"));
  EXPECT_EQ(of({{"resource", "https://epcscf.ims.example/"}}).at("token_type"), "Bearer");
  for (const Parameters& turn :
       {Parameters{{"audience", std::string{turn_name}}}, Parameters{{"resource", "turn:turn.ims.example"}},
        Parameters{{"aud", std::string{turn_name}}, {"token_type", "pop"}},
        Parameters{{"token_type", "pop"}}}) {
    tokens = of(turn);
    EXPECT_EQ(tokens.at("token_type"), "pop");
    EXPECT_EQ(relay_says(world, tokens, true).size(), 16u);
    EXPECT_TRUE(tokens.contains("refresh_token"));
  }
  tokens = of({{"resource", "turn:turn2.ims.example"}, {"resource", "https://epcscf.ims.example/"}});
  EXPECT_EQ(tokens.at("token_type"), "Bearer");
  EXPECT_EQ(tokens.at("turn").at("server_name"), "turn2.ims.example");
  EXPECT_EQ(relay_says(world, tokens.at("turn"), true), "token_forged") << "it is for another relay";
}

TEST_F(Tokens, AreNotForOtherTargets) {
  const json tokens = world.login();
  const auto refuse = [&](std::string_view name, std::string_view value) {
    return world.error(with(world.exchange_request(tokens), name, value));
  };
  EXPECT_EQ(refuse("audience", "elsewhere.example"), "invalid_target");
  EXPECT_EQ(refuse("resource", "turn.ims.example"), "invalid_target") << "no URI";
  EXPECT_EQ(refuse("resource", "turn:turn.ims.example#x"), "invalid_target");
  EXPECT_EQ(refuse("token_type", "bearer"), "invalid_request");
  EXPECT_EQ(refuse("alg", "HMAC-SHA-256"), "invalid_request");
  Parameters both = world.exchange_request(tokens);
  both.emplace_back("audience", turn_name);
  both.emplace_back("audience", "turn2.ims.example");
  EXPECT_EQ(world.error(both), "invalid_target");
  EXPECT_EQ(world.error(with(with(world.exchange_request(tokens), "audience", epcscf), "token_type", "pop")),
            "invalid_target");
  EXPECT_EQ(world.error(with(with_turn(world.exchange_request(tokens)), "scope", "ims")), "invalid_scope");

  Client client = *world.ledger.find_client("wic");
  client.audiences = {std::string{epcscf}};
  world.ledger.put_client(client);
  EXPECT_EQ(refuse("audience", turn_name), "invalid_target");
  EXPECT_FALSE(world.login().contains("turn"));
}

TEST_F(Tokens, StayWithinTheTargetsOfTheAuthorization) {
  const json tokens = world.login("wic", {{"resource", "https://epcscf.ims.example/"}});
  EXPECT_FALSE(tokens.contains("turn"));
  EXPECT_EQ(world.error(with_turn(world.exchange_request(tokens))), "invalid_target");
  EXPECT_EQ(world.error(with_turn(world.refresh_request(tokens))), "invalid_target");
}

TEST_F(Tokens, AreNotToBeHadWithoutAnIdentity) {
  const auto code_of_carol = [&] {
    Browser browser{world};
    browser.get(authorization_parameters());
    browser.log_in("carol");
    return browser.answer("code");
  };
  EXPECT_EQ(world.token(world.code_request(code_of_carol())).at("token_type"), "pop") << "TURN needs none";
  EXPECT_EQ(world.error(with(world.code_request(code_of_carol()), "audience", epcscf)), "invalid_target");
}

TEST_F(Tokens, RegisterWithoutARelayWhereItHasNoKey) {
  World keyless{[](Settings& settings) { settings.turn.front().token.keys.front().not_after = WallTime{}; }};
  const json tokens = keyless.login();
  EXPECT_EQ(tokens.at("token_type"), "Bearer");
  EXPECT_FALSE(tokens.contains("turn"));
  EXPECT_EQ(keyless.error(with_turn(keyless.exchange_request(tokens))), "invalid_target");
}

struct CodeGrant : Tokens {};

TEST_F(CodeGrant, NeedsTheVerifier) {
  for (const std::string& wrong : {std::string(43, 'w'), std::string(42, 'v'), std::string(129, 'v'),
                                   to_base64url(digest_of(verifier))}) {
    const std::string code = world.make_code();
    EXPECT_EQ(world.error(with(world.code_request(code), "code_verifier", wrong)), "invalid_grant");
    EXPECT_EQ(world.error(world.code_request(code)), "invalid_grant") << "there is one guess";
  }
  EXPECT_EQ(world.error(with(world.code_request(world.make_code()), "code_verifier", "")), "invalid_request");
  EXPECT_EQ(world.error(with(world.code_request("x"), "code", "")), "invalid_request");
}

TEST_F(CodeGrant, IsForTheClientAndTheRedirectThatItWasMadeFor) {
  const std::string code = world.make_code();
  EXPECT_EQ(world.error(world.code_request(code, "other")), "invalid_grant");
  EXPECT_EQ(world.error(with(world.code_request(code), "redirect_uri", "https://wic.example/done")), "none")
      << "what others tried has not used it up";
  EXPECT_EQ(world.error(with(world.code_request(world.make_code()), "redirect_uri", "http://127.0.0.1/done")),
            "invalid_grant");
}

TEST_F(CodeGrant, EndsAfterAMinute) {
  const std::string code = world.make_code();
  world.now += 60s;
  EXPECT_EQ(world.error(world.code_request(code)), "invalid_grant");
}

TEST_F(CodeGrant, TakesEverythingBackWhenItIsReplayed) {
  const std::string code = world.make_code();
  const json tokens = world.token(world.code_request(code));
  const json more = world.token(with_turn(world.exchange_request(tokens)));
  ASSERT_TRUE(world.is_active(tokens.at("access_token")));
  world.now += 2min;
  EXPECT_EQ(world.error(world.code_request(code)), "invalid_grant");
  EXPECT_FALSE(world.is_active(tokens.at("access_token")));
  EXPECT_FALSE(world.is_active(more.at("access_token")));
  EXPECT_EQ(world.error(world.refresh_request(tokens)), "invalid_grant");
  EXPECT_TRUE(world.has_audited("code_replayed"));
}

TEST_F(CodeGrant, TellsTheRelaysWhatIsTakenBack) {
  const std::string code = world.make_code();
  const json tokens = world.token(world.code_request(code));
  const json more = world.token(with_turn(world.exchange_request(tokens)));
  const std::string subject = relay_says(world, more, true);
  world.token(world.code_request(code));
  ASSERT_EQ(world.revocations.size(), 1u);
  EXPECT_EQ(world.revocations.front().by, credentials::Revocation::By::subject);
  EXPECT_EQ(world.revocations.front().value, subject);
  EXPECT_EQ(world.revocations.front().until, world.now + 606s);
}

TEST_F(CodeGrant, BringsNoRefreshTokenToAClientWithoutThatGrant) {
  Client client = *world.ledger.find_client("wic");
  client.grants = {GrantType::authorization_code};
  world.ledger.put_client(client);
  const std::string code = world.make_code();
  const json tokens = world.token(world.code_request(code));
  EXPECT_TRUE(tokens.contains("access_token"));
  EXPECT_FALSE(tokens.contains("refresh_token"));
  world.token(world.code_request(code));
  EXPECT_FALSE(world.is_active(tokens.at("access_token"))) << "a replay is noticed all the same";
}

TEST_F(CodeGrant, IsNotForAUserWhoWasDisabledMeanwhile) {
  const std::string code = world.make_code();
  User alice = *world.ledger.find_user("u-alice");
  alice.is_enabled = false;
  world.ledger.put_user(alice);
  EXPECT_EQ(world.error(world.code_request(code)), "invalid_grant");
}

struct RefreshGrant : Tokens {};

TEST_F(RefreshGrant, BringsNewTokensAndANewRefreshToken) {
  const json first = world.login();
  world.now += 1h;
  const json second = world.token(world.refresh_request(first));
  EXPECT_NE(second.at("refresh_token"), first.at("refresh_token"));
  EXPECT_TRUE(claims_of(second).is_object());
  EXPECT_NE(relay_says(world, second.at("turn"), true), relay_says(world, first.at("turn"), true))
      << "nobody is followed from one to the next";
  const json third = world.token(with_turn(world.refresh_request(second)));
  EXPECT_EQ(third.at("token_type"), "pop") << "a TURN token alone, renewed in the background";
}

TEST_F(RefreshGrant, NarrowsAndNeverWidens) {
  const json tokens = world.login("wic", {{"scope", "ims"}});
  EXPECT_EQ(tokens.at("scope"), "ims");
  EXPECT_FALSE(tokens.contains("turn"));
  EXPECT_EQ(world.error(with(world.refresh_request(tokens), "scope", "ims turn")), "invalid_scope");
  const json wide = world.login();
  const json narrow = world.token(with(world.refresh_request(wide), "scope", "turn"));
  EXPECT_EQ(narrow.at("scope"), "turn");
  EXPECT_EQ(world.token(world.refresh_request(narrow)).at("scope"), "ims turn") << "for that one time";
}

TEST_F(RefreshGrant, StaysWithinWhatTheClientMayAskForToday) {
  const json tokens = world.login();
  Client client = *world.ledger.find_client("wic");
  client.scopes = {"turn"};
  world.ledger.put_client(client);
  const json narrow = world.token(world.refresh_request(tokens));
  EXPECT_EQ(narrow.at("scope"), "turn");
  EXPECT_EQ(narrow.at("token_type"), "pop");
  client.scopes = {};
  world.ledger.put_client(client);
  EXPECT_EQ(world.error(world.refresh_request(narrow)), "invalid_scope");
}

TEST_F(RefreshGrant, TakesEverythingBackWhenAnOldTokenIsShown) {
  const json first = world.login();
  const json second = world.token(world.refresh_request(first));
  EXPECT_EQ(world.error(world.refresh_request(first)), "invalid_grant");
  ASSERT_EQ(world.revocations.size(), 2u);
  EXPECT_EQ(world.revocations.front().by, credentials::Revocation::By::subject);
  EXPECT_FALSE(world.is_active(first.at("access_token")));
  EXPECT_FALSE(world.is_active(second.at("access_token")));
  EXPECT_EQ(world.error(world.refresh_request(second)), "invalid_grant")
      << "the thief has no more than the user";
  EXPECT_TRUE(world.has_audited("refresh_token_replayed"));
}

TEST_F(RefreshGrant, IsNotForOthersAndEndsOneDay) {
  const json tokens = world.login();
  EXPECT_EQ(world.error(with(world.refresh_request(tokens), "client_id", "other")), "invalid_grant");
  for (const char* text : {"x", ".", "x.y", "..."})
    EXPECT_EQ(world.error(with(world.refresh_request(tokens), "refresh_token", text)), "invalid_grant");
  EXPECT_EQ(world.error(with(world.refresh_request(tokens), "refresh_token", "")), "invalid_request");
  world.now += 24h * 29;
  const json renewed = world.token(world.refresh_request(tokens));
  ASSERT_TRUE(renewed.contains("refresh_token")) << "none of that has used it up";
  world.now += 24h;
  EXPECT_EQ(world.error(world.refresh_request(renewed)), "invalid_grant")
      << "rotation does not lengthen its life";
}

TEST_F(RefreshGrant, EndsWithItsUser) {
  const json tokens = world.login();
  world.ledger.remove_user("u-alice", world.now);
  EXPECT_EQ(world.error(world.refresh_request(tokens)), "invalid_grant");
}

struct ExchangeGrant : Tokens {};

TEST_F(ExchangeGrant, SwapsARegistrationTokenForATurnToken) {
  const json tokens = world.login();
  const json turn = world.token(with_turn(world.exchange_request(tokens)));
  EXPECT_EQ(turn.at("token_type"), "pop");
  EXPECT_EQ(turn.at("issued_token_type"), "urn:ietf:params:oauth:token-type:access_token");
  EXPECT_FALSE(turn.contains("refresh_token"));
  EXPECT_EQ(relay_says(world, turn, true), relay_says(world, tokens.at("turn"), true))
      << "both are revoked with the registration";
  world.now += 3500s;
  EXPECT_EQ(world.token(with_turn(world.exchange_request(tokens))).at("expires_in"), 100)
      << "none outlives what it came of";
  world.now += 100s;
  EXPECT_EQ(world.error(with_turn(world.exchange_request(tokens))), "invalid_request");
}

TEST_F(ExchangeGrant, NeedsATokenOfOursForThisClient) {
  const json tokens = world.login();
  const Parameters good = with_turn(world.exchange_request(tokens));
  const auto wrong = [&](std::string_view name, std::string_view value) {
    return world.error(with(good, name, value));
  };
  EXPECT_EQ(wrong("subject_token", ""), "invalid_request");
  EXPECT_EQ(wrong("subject_token", "eyJhbGciOiJub25lIn0.e30."), "invalid_request");
  EXPECT_EQ(wrong("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"), "invalid_request");
  EXPECT_EQ(wrong("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
            "invalid_request");
  EXPECT_EQ(wrong("actor_token", "x"), "invalid_request");
  EXPECT_EQ(wrong("subject_token", tokens.at("turn").at("access_token").get<std::string>()),
            "invalid_request");
  EXPECT_EQ(wrong("client_id", "other"), "invalid_request") << "it was given to another client";
  EXPECT_EQ(wrong("scope", "ims turn admin"), "invalid_scope");
  EXPECT_EQ(world.error(good), "none");

  const jose::TestKey own = jose::TestKey::ec();
  json claims = claims_of(tokens);
  const std::string kid = world.ring.find_signer(world.now)->kid();
  EXPECT_EQ(
      wrong("subject_token", own.sign({{"alg", "ES256"}, {"typ", "at+jwt"}, {"kid", kid}}, claims.dump())),
      "invalid_request");
  EXPECT_EQ(wrong("subject_token",
                  jose::sign_with_secret({{"alg", "HS256"}, {"typ", "at+jwt"}, {"kid", kid}}, claims.dump(),
                                         as_bytes(world.ring.find_signer(world.now)->public_jwk()))),
            "invalid_request")
      << "the public key is no secret";
}

TEST_F(ExchangeGrant, MayBeLeftToAServer) {
  const json tokens = world.login();
  Parameters parameters = with(with_turn(world.exchange_request(tokens)), "client_id", "");
  const Fields basic{{"Authorization", "Basic " + to_base64(as_bytes("web:" + encode_percent(web_secret)))}};
  EXPECT_EQ(world.token(parameters, basic).at("token_type"), "pop");
}

TEST(ClientCredentials, AreForClientsWithASecretAlone) {
  World world;
  const Fields basic{{"Authorization", "Basic " + to_base64(as_bytes("web:" + encode_percent(web_secret)))}};
  const json turn = world.token({{"grant_type", "client_credentials"}}, basic);
  EXPECT_EQ(turn.at("token_type"), "pop") << "it has no identity that could be registered";
  EXPECT_FALSE(turn.contains("refresh_token"));
  EXPECT_EQ(world.error({{"grant_type", "client_credentials"}, {"audience", std::string{epcscf}}}, basic),
            "invalid_target");
  EXPECT_EQ(world.error({{"grant_type", "client_credentials"}, {"scope", "root"}}, basic), "invalid_scope");
  EXPECT_EQ(world.error({{"grant_type", "client_credentials"}, {"client_id", "wic"}}), "unauthorized_client");

  Client web = *world.ledger.find_client("web");
  web.identity = Identity{.impi = "gw@ims.example", .impus = {"sip:gw@ims.example"}};
  world.ledger.put_client(web);
  EXPECT_EQ(world.token({{"grant_type", "client_credentials"}}, basic).at("token_type"), "Bearer");
  Client wic = *world.ledger.find_client("wic");
  wic.grants.insert(GrantType::client_credentials);
  world.ledger.put_client(wic);
  EXPECT_EQ(world.error({{"grant_type", "client_credentials"}, {"client_id", "wic"}}), "unauthorized_client");
}

// Does something else in the middle of a request, as another process on the same ledger would.
struct RacingLedger : MemoryLedger {
  std::optional<Family> find_family(std::string_view id, WallTime now) override {
    auto family = MemoryLedger::find_family(id, now);
    interrupt();
    return family;
  }
  std::shared_ptr<const User> find_user(std::string_view id) override {
    interrupt();
    return MemoryLedger::find_user(id);
  }
  void interrupt() {
    if (const auto other = std::exchange(meanwhile, {})) other();
  }
  std::function<void()> meanwhile{};
};

struct Race : testing::Test {
  World world{{}, std::make_unique<RacingLedger>()};
  RacingLedger& ledger = static_cast<RacingLedger&>(world.ledger);

  // What the two requests of which the second comes in the middle of the first are answered.
  std::pair<json, json> race(const Parameters& request) {
    json inner;
    ledger.meanwhile = [&] { inner = world.token(request); };
    json outer = world.token(request);
    return {std::move(outer), std::move(inner)};
  }
};

TEST_F(Race, IsWonByOneRefreshExactly) {
  const auto [outer, inner] = race(world.refresh_request(world.login()));
  EXPECT_TRUE(inner.contains("access_token"));
  EXPECT_EQ(outer.value("error", ""), "invalid_grant");
  EXPECT_FALSE(world.is_active(inner.at("access_token"))) << "whoever it was, two had the same token";
}

TEST_F(Race, IsWonByNobodyOverACode) {
  const std::string code = world.make_code();
  const auto [outer, inner] = race(world.code_request(code));
  EXPECT_EQ(inner.value("error", ""), "invalid_grant");
  EXPECT_EQ(outer.value("error", ""), "invalid_grant") << "what it would bring has been revoked already";
}

TEST(TokenEndpoint, SaysExactlyWhatIsWrong) {
  World world;
  EXPECT_EQ(world.error({{"client_id", "wic"}}), "invalid_request");
  EXPECT_EQ(world.last.status, 400u);
  EXPECT_EQ(world.error({{"client_id", "wic"}, {"grant_type", "password"}}), "unsupported_grant_type");
  EXPECT_EQ(world.error({{"client_id", "wic"}, {"grant_type", "client_credentials"}}), "unauthorized_client");
  EXPECT_EQ(world.error({{"client_id", "nobody"}, {"grant_type", "refresh_token"}}), "invalid_client");
  EXPECT_EQ(world.last.status, 401u);
  EXPECT_EQ(world.error({{"grant_type", "refresh_token"}}), "invalid_client");
  EXPECT_EQ(world.error({{"client_id", "wic"}, {"client_id", "wic"}}), "invalid_request") << "repeated";
  EXPECT_EQ(world.error({{"client_id", "wic"}, {"code", std::string(17000, 'x')}}), "invalid_request")
      << "oversized";
  const Response response = world.send({.method = "POST",
                                        .path = "/token",
                                        .fields = {{"Content-Type", "application/json"}},
                                        .body = R"({"grant_type":"refresh_token"})"});
  EXPECT_EQ(response.status, 400u);
  EXPECT_TRUE(response.body.contains("invalid_request"));
  EXPECT_EQ(response.find("cache-control"), "no-store");
}

}  // namespace
}  // namespace turnpike::waf
