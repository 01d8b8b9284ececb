// Tokens of others at the token endpoint: exchanged (RFC 8693), and assertions whose keys are fetched (RFC
// 7523).
#include "waf/foreign_token.hpp"

#include "waf/test_provider.hpp"

namespace turnpike::waf {

namespace {

using namespace std::chrono_literals;

struct ForeignToken : testing::Test {
  // An access token of the provider (RFC 9068) for us.
  std::string access_token(const json& more = json::object(), const std::string& type = "at+jwt") {
    provider.header = {{"typ", type}};
    provider.more = {{"aud", "urn:waf"}};
    provider.more.update(more);
    return provider.id_token();
  }
  Parameters exchange(const std::string& token, std::string_view type = "access_token") {
    return {{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
            {"subject_token", token},
            {"subject_token_type", "urn:ietf:params:oauth:token-type:" + std::string{type}}};
  }
  std::string error_of(const std::string& token, std::string_view type = "access_token") {
    return world.error(exchange(token, type), web);
  }
  static std::string description(const Response& response) {
    return json::parse(response.body).value("error_description", "");
  }

  World world{[](Settings& settings) {
    settings.providers = {make_provider()};
    settings.providers.front().token_audience = "urn:waf";
  }};
  TestProvider provider{world, world.server->settings().providers.front()};
  const Fields web{{"Authorization", "Basic " + to_base64(as_bytes("web:" + encode_percent(web_secret)))}};
};

TEST_F(ForeignToken, BringsTokensOfTheUserThatItSpeaksOf) {
  const json tokens = world.token(exchange(access_token({{"exp", unix_seconds(world.now) + 100}})), web);
  ASSERT_TRUE(tokens.contains("turn")) << world.last.body;
  EXPECT_EQ(tokens.at("issued_token_type"), "urn:ietf:params:oauth:token-type:access_token");
  EXPECT_EQ(tokens.at("expires_in"), 100) << "no longer than the token lives";
  EXPECT_FALSE(tokens.contains("refresh_token"));
  const json said = world.introspect(tokens.at("access_token"));
  EXPECT_EQ(said.at("impi"), "guest-alice@ims.example");
  EXPECT_EQ(said.at("sub"), make_federated_id(corp, "a-1")) << "the same user as by a login";
  ASSERT_EQ(provider.needs.size(), 1u);
  EXPECT_TRUE(provider.needs.front().keys);
  Browser browser{world};
  provider.header = json::object();
  provider.more = json::object();
  provider.log_in(browser);
  EXPECT_NE(browser.answer("code"), "");
  EXPECT_EQ(world.ledger.users().size(), 4u);
}

TEST_F(ForeignToken, ComesInEachType) {
  EXPECT_EQ(error_of(access_token(json::object(), "JWT"), "id_token"), "none");
  EXPECT_EQ(error_of(access_token(), "jwt"), "none");
  EXPECT_EQ(error_of(access_token(), "refresh_token"), "invalid_request");
  EXPECT_EQ(error_of(access_token(json::object(), "dpop+jwt")), "invalid_request");
}

TEST_F(ForeignToken, IsOfTheProviderForUsAndValid) {
  const auto now = unix_seconds(world.now);
  EXPECT_EQ(error_of(access_token({{"aud", "another"}})), "invalid_request");
  EXPECT_EQ(error_of(access_token({{"aud", "waf at:corp"}})), "invalid_request")
      << "ID tokens of logins are no currency";
  EXPECT_EQ(error_of(access_token({{"iss", "https://evil.example"}})), "invalid_request");
  EXPECT_EQ(error_of(access_token({{"exp", now - 31}})), "invalid_request");
  EXPECT_EQ(error_of(access_token({{"iat", now + 31}})), "invalid_request");
  EXPECT_EQ(error_of(access_token({{"email_verified", false}})), "invalid_request");
  EXPECT_EQ(error_of(access_token({{"cnf", {{"jkt", "x"}}}})), "invalid_request") << "it is bound to a key";
  std::string forged = access_token();
  forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
  EXPECT_EQ(error_of(forged), "invalid_request");
  provider.dropped = {"sub"};
  EXPECT_EQ(error_of(access_token()), "invalid_request");
  provider.dropped.clear();
  EXPECT_EQ(error_of(access_token()), "none");
}

TEST_F(ForeignToken, IsTakenOfClientsThatActForOthersAlone) {
  Parameters request = exchange(access_token());
  request.emplace_back("client_id", "wic");
  EXPECT_EQ(world.error(request), "invalid_request");
  EXPECT_EQ(description(world.last), "the client may not exchange tokens that others were given");
}

TEST_F(ForeignToken, IsNotTakenWhereNoAudienceIsConfigured) {
  World plain{[](Settings& settings) { settings.providers = {make_provider()}; }};
  EXPECT_EQ(plain.error(exchange(access_token()), web), "invalid_request");
  EXPECT_EQ(plain.error(exchange(access_token(), "id_token"), web), "invalid_request");
}

TEST_F(ForeignToken, ChangesNobodyAndRevokesNothing) {
  Browser browser{world};
  provider.log_in(browser);
  const json given = world.token(world.code_request(browser.answer("code")));
  const User before = *provider.find_user();
  for (const json& other : {json{{"email_verified", false}}, json{{"preferred_username", "ann"}}}) {
    EXPECT_EQ(error_of(access_token(other)), "invalid_request") << other;
    EXPECT_TRUE(world.revocations.empty()) << other;
    EXPECT_EQ(*provider.find_user(), before) << other;
    EXPECT_TRUE(world.is_active(given.at("access_token"))) << other;
  }
  EXPECT_TRUE(world.has_audited("federation_refused"));
  EXPECT_EQ(error_of(access_token()), "none");
  EXPECT_EQ(world.error(world.refresh_request(given)), "none");
}

TEST_F(ForeignToken, OfAUserWhoIsDisabledIsRefused) {
  EXPECT_EQ(error_of(access_token()), "none");
  User user = *world.ledger.find_user(make_federated_id(corp, "a-1"));
  user.is_enabled = false;
  world.ledger.put_user(user);
  EXPECT_EQ(error_of(access_token()), "invalid_request");
}

TEST_F(ForeignToken, WaitsForKeysOnce) {
  provider.is_up = false;
  EXPECT_EQ(error_of(access_token()), "temporarily_unavailable");
  EXPECT_EQ(world.last.status, 503u);
  provider.is_up = true;
  EXPECT_EQ(error_of(access_token()), "none");
  EXPECT_EQ(provider.needs.size(), 2u);
  EXPECT_EQ(error_of(access_token()), "none");
  EXPECT_EQ(provider.needs.size(), 2u) << "its key is known";
  provider.kid = "p2";
  provider.key = jose::TestKey::ec();
  EXPECT_EQ(error_of(access_token()), "none") << "a key that is new";
  EXPECT_EQ(provider.needs.size(), 3u);
}

// What is asked first uses nothing up.
TEST_F(ForeignToken, LeavesTheAssertionOfTheClientToTheSecondTry) {
  const ClientKey key;
  Client keyed = *world.ledger.find_client("web");
  keyed.id = "keyed";
  keyed.method = ClientMethod::private_key_jwt;
  keyed.secrets.clear();
  keyed.jwks = key.key_set();
  world.ledger.put_client(keyed);
  Parameters request = exchange(access_token());
  request.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  request.emplace_back("client_assertion", key.assert_that({{"iss", "keyed"},
                                                            {"sub", "keyed"},
                                                            {"aud", issuer},
                                                            {"jti", "1"},
                                                            {"exp", unix_seconds(world.now) + 60}}));
  EXPECT_EQ(world.error(request), "none");
  EXPECT_EQ(provider.needs.size(), 1u);
}

TEST(FetchedKeys, VerifyAssertionsOfTheirIssuer) {
  World world{[](Settings& settings) {
    settings.assertion_issuers = {{.issuer = "https://partner.example", .impis = {"*@partner.example"}}};
  }};
  const ClientKey key;
  int fetches = 0;
  world.on_fetch = [&](const FetchNeeded& needed) {
    ++fetches;
    EXPECT_EQ(needed.issuer, "https://partner.example");
    EXPECT_TRUE(needed.keys);
    if (fetches > 1) world.issuers[needed.issuer].keys = *jose::KeySet::parse(key.key_set(), {});
  };
  const auto bearer = [&](const std::string& id) {
    return Parameters{{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                      {"assertion", key.assert_that({{"iss", "https://partner.example"},
                                                     {"sub", "p"},
                                                     {"aud", issuer},
                                                     {"jti", id},
                                                     {"exp", unix_seconds(world.now) + 60},
                                                     {"impi", "p@partner.example"},
                                                     {"impus", {"sip:p@partner.example"}}})}};
  };
  const Fields web{{"Authorization", "Basic " + to_base64(as_bytes("web:" + encode_percent(web_secret)))}};
  EXPECT_EQ(world.error(bearer("1"), web), "temporarily_unavailable");
  EXPECT_EQ(world.error(bearer("2"), web), "none");
  EXPECT_EQ(world.error(bearer("3"), web), "none");
  EXPECT_EQ(fetches, 2);
  EXPECT_EQ(world.error(bearer("3"), web), "invalid_grant") << "it is used once";
}

}  // namespace
}  // namespace turnpike::waf
