#include "waf/dpop.hpp"

#include "waf/test_world.hpp"

namespace turnpike::waf {
namespace {

using namespace std::chrono_literals;

struct Dpop : testing::Test {
  World world;
  ClientKey key;
  int count = 0;

  std::string nonce() { return make_dpop_nonce(world.server->settings(), world.now); }
  json claims() {
    return {{"jti", std::to_string(++count)},
            {"htm", "POST"},
            {"htu", std::string{issuer} + "/token"},
            {"iat", unix_seconds(world.now)},
            {"nonce", nonce()}};
  }
  json claims_with(const char* name, const json& value) {
    json changed = claims();
    changed[name] = value;
    return changed;
  }
  static Fields proof(const std::string& text) { return {{"DPoP", text}}; }
  std::string error(const std::string& proof_text) {
    return world.error(world.code_request(world.make_code()), proof(proof_text));
  }
};

TEST_F(Dpop, BindsTheRegistrationTokenToAKey) {
  const json tokens = world.token(world.code_request(world.make_code()), proof(key.prove(claims())));
  EXPECT_EQ(tokens.at("token_type"), "DPoP");
  EXPECT_EQ(tokens.at("turn").at("token_type"), "pop");
  const json answer = world.introspect(tokens.at("access_token"));
  EXPECT_EQ(answer.at("cnf").at("jkt"), key.jkt());
  EXPECT_EQ(answer.at("token_type"), "DPoP");
}

TEST_F(Dpop, AsksForANonceAndGivesItWithEachAnswer) {
  json without = claims();
  without.erase("nonce");
  const Parameters request = world.code_request(world.make_code());
  EXPECT_EQ(world.error(request, proof(key.prove(without))), "use_dpop_nonce");
  EXPECT_EQ(world.last.status, 400u);
  const std::string given{world.last.find("dpop-nonce").value_or("")};
  EXPECT_EQ(given, nonce());
  EXPECT_EQ(world.error(request, proof(key.prove(claims_with("nonce", given)))), "none")
      << "the code is still good";
  EXPECT_TRUE(world.last.find("dpop-nonce"));

  EXPECT_EQ(error(key.prove(claims_with("nonce", "AAAA"))), "use_dpop_nonce");
  const std::string old = nonce();
  world.now += 300s;
  EXPECT_EQ(error(key.prove(claims_with("nonce", old))), "use_dpop_nonce");
}

TEST_F(Dpop, TakesAProofOnce) {
  const std::string text = key.prove(claims());
  EXPECT_EQ(error(text), "none");
  EXPECT_EQ(error(text), "invalid_dpop_proof") << "replayed";
  EXPECT_EQ(error(ClientKey{}.prove(claims_with("jti", "1"))), "none") << "another key may have the same jti";
}

TEST_F(Dpop, IsAProofOfThisRequestByTheKeyThatItShows) {
  EXPECT_EQ(error(key.prove(claims_with("htm", "GET"))), "invalid_dpop_proof");
  EXPECT_EQ(error(key.prove(claims_with("htu", "https://evil.example/token"))), "invalid_dpop_proof");
  EXPECT_EQ(error(key.prove(claims_with("htu", std::string{issuer} + "/revoke"))), "invalid_dpop_proof");
  EXPECT_EQ(error(key.prove(claims_with("htu", "https://WAF.ims.example:443/token?x=1"))), "none");
  EXPECT_EQ(error(key.prove(claims_with("jti", ""))), "invalid_dpop_proof");
  EXPECT_EQ(error(key.prove(claims_with("iat", "now"))), "invalid_dpop_proof");
  EXPECT_EQ(error(key.prove(claims(), {{"typ", "jwt"}})), "invalid_dpop_proof");
  EXPECT_EQ(error(key.prove(claims(), {{"alg", "none"}})), "invalid_dpop_proof");
  EXPECT_EQ(error(key.prove(claims(), {{"alg", "HS256"}})), "invalid_dpop_proof");
  EXPECT_EQ(error(key.prove(claims(), {{"jwk", ClientKey{}.key.jwk("")}})), "invalid_dpop_proof");
  json private_key = key.key.jwk("");
  private_key["d"] = "AAAA";
  EXPECT_EQ(error(key.prove(claims(), {{"jwk", private_key}})), "invalid_dpop_proof");
  EXPECT_EQ(error(key.prove(claims(), {{"jwk", "x"}})), "invalid_dpop_proof");
  EXPECT_EQ(error("x"), "invalid_dpop_proof");
  const std::string good = key.prove(claims());
  EXPECT_EQ(world.error(world.code_request(world.make_code()), {{"DPoP", good}, {"DPoP", good}}),
            "invalid_dpop_proof");
}

TEST_F(Dpop, LooksAtItsAgeWhereNoNonceIsAskedFor) {
  World relaxed{[](Settings& settings) { settings.dpop_requires_nonce = false; }};
  const auto outcome = [&](std::int64_t seconds) {
    json changed = claims_with("iat", unix_seconds(relaxed.now) + seconds);
    changed.erase("nonce");
    return relaxed.error(relaxed.code_request(relaxed.make_code()), proof(key.prove(changed)));
  };
  EXPECT_EQ(outcome(0), "none");
  EXPECT_EQ(outcome(-60), "none");
  EXPECT_EQ(outcome(-61), "invalid_dpop_proof");
  EXPECT_EQ(outcome(61), "invalid_dpop_proof");
}

TEST_F(Dpop, BindsTheRefreshTokensOfPublicClients) {
  const json tokens = world.token(world.code_request(world.make_code()), proof(key.prove(claims())));
  const Parameters refresh = world.refresh_request(tokens);
  EXPECT_EQ(world.error(refresh), "invalid_grant");
  EXPECT_EQ(world.error(refresh, proof(ClientKey{}.prove(claims()))), "invalid_grant");
  EXPECT_EQ(world.error(refresh, proof(key.prove(claims()))), "none")
      << "none of that was taken for a replay";
}

TEST_F(Dpop, KeepsABoundTokenFromBeingExchangedByOthers) {
  const json tokens = world.token(world.code_request(world.make_code()), proof(key.prove(claims())));
  Parameters exchange = world.exchange_request(tokens);
  exchange.emplace_back("audience", turn_name);
  EXPECT_EQ(world.error(exchange), "invalid_dpop_proof");
  EXPECT_EQ(world.error(exchange, proof(ClientKey{}.prove(claims()))), "invalid_dpop_proof");
  EXPECT_EQ(world.error(exchange, proof(key.prove(claims()))), "none");
}

TEST_F(Dpop, IsNotStrippedByAServerThatExchangesForTheHolder) {
  const json tokens = world.token(world.code_request(world.make_code()), proof(key.prove(claims())));
  const Parameters exchange = with(world.exchange_request(tokens), "client_id", "");
  const Fields basic{{"Authorization", "Basic " + to_base64(as_bytes("web:" + encode_percent(web_secret)))}};
  EXPECT_EQ(world.error(with(exchange, "audience", epcscf), basic), "invalid_request");
  EXPECT_EQ(world.token(with(exchange, "audience", turn_name), basic).at("token_type"), "pop");
}

TEST_F(Dpop, BindsACodeFromTheAuthorizationRequestOn) {
  const Parameters more{{"dpop_jkt", key.jkt()}};
  EXPECT_EQ(world.error(world.code_request(world.make_code("wic", more))), "invalid_grant");
  EXPECT_EQ(world.error(world.code_request(world.make_code("wic", more)), proof(ClientKey{}.prove(claims()))),
            "invalid_grant");
  EXPECT_EQ(world.error(world.code_request(world.make_code("wic", more)), proof(key.prove(claims()))),
            "none");
}

TEST_F(Dpop, MayBeDemandedOfAClient) {
  Client client = *world.ledger.find_client("wic");
  client.requires_dpop = true;
  world.ledger.put_client(client);
  EXPECT_EQ(world.error(world.code_request(world.make_code())), "invalid_dpop_proof");
  EXPECT_EQ(error(key.prove(claims())), "none");
}

}  // namespace
}  // namespace turnpike::waf
