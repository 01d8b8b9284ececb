#include "waf/client_login.hpp"

#include "waf/test_world.hpp"

namespace turnpike::waf {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view jwt_bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

std::string basic(const std::string& id, const std::string& secret) {
  return "Basic " + to_base64(as_bytes(encode_percent(id) + ':' + encode_percent(secret)));
}

struct ClientLogin : testing::Test {
  World world;
  const Parameters ask{{"grant_type", "client_credentials"}};

  std::string error(const Parameters& parameters, std::string authorization = {}) {
    return world.error(parameters,
                       authorization.empty() ? Fields{} : Fields{{"Authorization", authorization}});
  }
  Parameters with_secret(std::string_view id, std::string_view secret) {
    return with(with(ask, "client_id", id), "client_secret", secret);
  }
};

TEST_F(ClientLogin, IsByTheMethodThatIsRegisteredAlone) {
  EXPECT_EQ(error(ask, basic("web", web_secret)), "none");
  EXPECT_EQ(error(with(ask, "client_id", "web"), basic("web", web_secret)), "none");
  EXPECT_EQ(error(with_secret("web", web_secret)), "invalid_client") << "is client_secret_post";
  EXPECT_EQ(error(with(ask, "client_id", "web")), "invalid_client") << "is none";
  EXPECT_EQ(error(with_secret("epcscf", web_secret)), "unauthorized_client") << "is who it is";
  EXPECT_EQ(error(ask, basic("epcscf", web_secret)), "invalid_client");
  EXPECT_EQ(error(with_secret("wic", web_secret)), "invalid_client") << "has no secret";
}

TEST_F(ClientLogin, NeedsTheSecretThatIsValidToday) {
  EXPECT_EQ(error(ask, basic("web", "another")), "invalid_client");
  EXPECT_EQ(world.last.status, 401u);
  EXPECT_TRUE(world.last.find("www-authenticate")->starts_with("Basic realm="));
  EXPECT_EQ(error(with_secret("epcscf", "another")), "invalid_client");
  EXPECT_TRUE(world.last.find("www-authenticate")->starts_with("Basic realm="))
      << "RFC 9110 section 15.5.2: also where it has not tried that";
  EXPECT_TRUE(world.has_audited("client_refused"));
  for (const char* malformed :
       {"Basic", "Basic !", "Basic d2Vi", "Bearer abc", "Basic OnNlY3JldA==", "Basic JTpi"})
    EXPECT_EQ(error(ask, malformed), "invalid_client") << malformed;

  Client web = *world.ledger.find_client("web");
  web.secrets = {{.digest = digest_of("old"), .ends_at = world.now + 1h}, {.digest = digest_of("new")}};
  world.ledger.put_client(web);
  EXPECT_EQ(error(ask, basic("web", "old")), "none") << "both work while one is introduced";
  EXPECT_EQ(error(ask, basic("web", "new")), "none");
  world.now += 1h;
  EXPECT_EQ(error(ask, basic("web", "old")), "invalid_client");
  web.is_enabled = false;
  world.ledger.put_client(web);
  EXPECT_EQ(error(ask, basic("web", "new")), "invalid_client");
}

TEST_F(ClientLogin, IsWrittenDownWhereAClientThatIsKnownIsRefused) {
  EXPECT_EQ(error(ask, basic("invented", "another")), "invalid_client");
  const std::string unknown = world.last.body;
  EXPECT_FALSE(world.has_audited("client_refused"));
  EXPECT_EQ(error(ask, basic("web", "another")), "invalid_client");
  EXPECT_EQ(world.last.body, unknown) << "one answer for all";
  const AuditEntry entry = world.ledger.last_audit_entries(1).front();
  EXPECT_EQ(entry.event, "client_refused");
  EXPECT_EQ(entry.client, "web");
  EXPECT_TRUE(entry.is_by_stranger);
}

TEST_F(ClientLogin, IsDoneInOneWayAtATime) {
  EXPECT_EQ(error(with(ask, "client_secret", web_secret), basic("web", web_secret)), "invalid_request");
  EXPECT_EQ(error(with(ask, "client_assertion_type", jwt_bearer), basic("web", web_secret)),
            "invalid_request");
  EXPECT_EQ(error(with(ask, "client_id", "wic"), basic("web", web_secret)), "invalid_request");
}

struct KeyLogin : ClientLogin {
  ClientKey key;
  json claims{{"iss", "keyed"}, {"sub", "keyed"},       {"aud", issuer},
              {"jti", "1"},     {"iat", 1'800'000'000}, {"exp", 1'800'000'060}};

  KeyLogin() {
    world.ledger.put_client({.id = "keyed",
                             .method = ClientMethod::private_key_jwt,
                             .jwks = key.key_set(),
                             .grants = {GrantType::client_credentials},
                             .scopes = {"turn"}});
  }
  std::string login(const std::string& assertion, std::string_view type = jwt_bearer) {
    return error(with(with(ask, "client_assertion", assertion), "client_assertion_type", type));
  }
  std::string login_with(const char* name, const json& value) {
    json changed = claims;
    changed["jti"] = std::to_string(++count);
    changed[name] = value;
    return login(key.assert_that(changed));
  }
  int count = 10;
};

TEST_F(KeyLogin, IsByAnAssertionThatIsUsedOnce) {
  EXPECT_EQ(login(key.assert_that(claims)), "none");
  EXPECT_EQ(login(key.assert_that(claims)), "invalid_client");
  EXPECT_TRUE(world.last.body.contains("used before"));
  EXPECT_EQ(login_with("aud", std::string{issuer} + "/token"), "none");
  EXPECT_EQ(login_with("aud", json::array({issuer, std::string{issuer} + "/token"})), "none");
}

TEST_F(KeyLogin, IsRefusedWhenTheAssertionIsNotTheClientsAndForUs) {
  EXPECT_EQ(login_with("aud", "https://other.example"), "invalid_client");
  EXPECT_EQ(login_with("aud", json::array({issuer, "https://other.example"})), "invalid_client")
      << "the other could replay it here";
  EXPECT_EQ(login_with("aud", json::array()), "invalid_client");
  EXPECT_EQ(login_with("sub", "web"), "invalid_client");
  EXPECT_EQ(login_with("iss", "web"), "invalid_client");
  EXPECT_EQ(login_with("iss", "nobody"), "invalid_client");
  EXPECT_EQ(login_with("exp", 1'799'999'900), "invalid_client");
  EXPECT_EQ(login_with("exp", 1'800'010'000), "invalid_client") << "it lives too long";
  EXPECT_EQ(login_with("nbf", 1'800'000'600), "invalid_client");
  json without = claims;
  without.erase("jti");
  EXPECT_EQ(login(key.assert_that(without)), "invalid_client");
  EXPECT_EQ(login(ClientKey{}.assert_that(claims)), "invalid_client") << "by another key";
  EXPECT_EQ(login(key.assert_that(claims, {{"typ", "dpop+jwt"}})), "invalid_client");
  EXPECT_EQ(login(key.assert_that(claims), "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
            "invalid_client");
  EXPECT_EQ(login("e30.e30.e30"), "invalid_client");
  EXPECT_EQ(error(with(with(with(ask, "client_id", "web"), "client_assertion", key.assert_that(claims)),
                       "client_assertion_type", jwt_bearer)),
            "invalid_client");
}

TEST_F(KeyLogin, IsNotFooledByTheAlgorithm) {
  const std::string unsigned_token =
      to_base64url(as_bytes(R"({"alg":"none"})")) + '.' + to_base64url(as_bytes(claims.dump())) + '.';
  EXPECT_EQ(login(unsigned_token), "invalid_client");
  EXPECT_EQ(login(unsigned_token + "AAAA"), "invalid_client");
  const std::string published = key.key.jwk("c1").dump();
  EXPECT_EQ(
      login(jose::sign_with_secret({{"alg", "HS256"}, {"kid", "c1"}}, claims.dump(), as_bytes(published))),
      "invalid_client");
  EXPECT_EQ(login(key.assert_that(claims, {{"alg", "RS256"}})), "invalid_client");
  EXPECT_EQ(login(key.assert_that(claims)), "none");
}

struct UserAssertion : testing::Test {
  jose::TestKey key = jose::TestKey::rsa();
  World world{[&](Settings& settings) {
    const auto keys = *jose::KeySet::parse(jose::key_set_of({key.jwk("i1")}), jose::Limits{});
    settings.assertion_issuers = {{.issuer = "https://idp.example", .keys = keys},
                                  {.issuer = "https://shop.example",
                                   .keys = keys,
                                   .impis = {"pool-*@ims.example"},
                                   .wwsf = "shop",
                                   .is_pool = true},
                                  {.issuer = "https://phones.example",
                                   .keys = keys,
                                   .impis = {"desk-*@ims.example"},
                                   .impus = {"tel:+4930*", "sip:+4930*@ims.example"}}};
  }};
  json claims{{"iss", "https://idp.example"}, {"sub", "alice"}, {"aud", issuer}, {"exp", 1'800'000'060}};
  int count = 0;

  json ask(json changed) {
    changed["jti"] = std::to_string(++count);
    return world.token({{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                        {"assertion", key.sign({{"alg", "RS256"}, {"kid", "i1"}}, changed.dump())}},
                       {{"Authorization", basic("web", web_secret)}});
  }
  std::string refusal(const char* name, const json& value) {
    json changed = claims;
    changed[name] = value;
    return ask(changed).value("error", "none");
  }
};

TEST_F(UserAssertion, BringsTheTokensOfAUser) {
  const json tokens = ask(claims);
  EXPECT_EQ(tokens.at("token_type"), "Bearer");
  EXPECT_TRUE(tokens.contains("turn"));
  EXPECT_FALSE(tokens.contains("refresh_token"));
  EXPECT_EQ(world.introspect(tokens.at("access_token")).at("sub"), "u-alice");
}

TEST_F(UserAssertion, IsOfATrustedIssuerAboutAUserOfOurs) {
  EXPECT_EQ(refusal("iss", "https://evil.example"), "invalid_grant");
  EXPECT_EQ(refusal("sub", "nobody"), "invalid_grant");
  EXPECT_EQ(refusal("sub", ""), "invalid_grant");
  EXPECT_EQ(refusal("aud", "https://other.example"), "invalid_grant");
  EXPECT_EQ(refusal("exp", 1'700'000'000), "invalid_grant");
  EXPECT_EQ(world.error({{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"}},
                        {{"Authorization", basic("web", web_secret)}}),
            "invalid_request");
}

TEST_F(UserAssertion, NamesIdentitiesThatBelongToItsIssuerAlone) {
  claims["iss"] = "https://shop.example";
  claims["sub"] = "visitor 17";
  claims["impi"] = "pool-3@ims.example";
  claims["impus"] = "sip:pool-3@ims.example";
  const json answer = world.introspect(ask(claims).at("access_token"));
  EXPECT_EQ(answer.at("impi"), "pool-3@ims.example");
  EXPECT_EQ(answer.at("impus"), json::array({"sip:pool-3@ims.example"}));
  EXPECT_EQ(answer.at("wwsf"), "shop");
  EXPECT_EQ(answer.at("pool"), true);
  EXPECT_EQ(refusal("impi", "alice@ims.example"), "invalid_grant");
  EXPECT_EQ(refusal("impi", ""), "invalid_grant");
  EXPECT_EQ(refusal("impus", json::array()), "invalid_grant");
  EXPECT_EQ(refusal("impus", "sips:pool-3@ims.example"), "none");
  for (const char* impu :
       {"sip:alice@ims.example", "tel:+4930123", "sip:pool-3@ims.example;user=phone", "pool-3@ims.example"})
    EXPECT_EQ(refusal("impus", {"sip:pool-3@ims.example", impu}), "invalid_grant") << impu;
}

TEST_F(UserAssertion, NamesThePublicIdentitiesThatItsIssuerMayName) {
  claims["iss"] = "https://phones.example";
  claims["impi"] = "desk-1@ims.example";
  EXPECT_EQ(refusal("impus", {"tel:+4930123", "sip:+4930123@ims.example"}), "none");
  EXPECT_EQ(refusal("impus", "tel:+4940123"), "invalid_grant");
  EXPECT_EQ(refusal("impus", "sip:desk-1@ims.example"), "invalid_grant")
      << "what is listed replaces what is not";
}

}  // namespace
}  // namespace turnpike::waf
