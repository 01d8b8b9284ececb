// What the options of wic become; what it does is tested with src/client.
#include "program/wic_command.hpp"

#include <gtest/gtest.h>

#include "program/test_folder.hpp"

namespace turnpike::program {
namespace {

using client::WicTask;

WicOptions alice() {
  WicOptions options;
  options.server = "wss://127.0.0.1:8443";
  options.user = "alice@ims.example";
  options.password = "wonderland";
  return options;
}

std::string complaint(const WicOptions& options, WicTask task = WicTask::registration) {
  const auto settings = make_wic_settings(options, task);
  return settings ? "no complaint" : settings.error();
}

TEST(WicCommand, MakesAnIdentityOfTheUser) {
  const auto settings = make_wic_settings(alice(), WicTask::registration);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->agent.identity, "sip:alice@ims.example");
  EXPECT_EQ(std::get<client::DigestLogin>(settings->agent.login).password.reveal_text(), "wonderland");
  EXPECT_EQ(settings->door.uri.port, 8443);
  EXPECT_TRUE(settings->agent.is_secure);
  WicOptions options = alice();
  options.server = "ws://127.0.0.1:8080";
  options.identity = "sip:alice.work@ims.example";
  options.source = "token";
  const auto other = make_wic_settings(options, WicTask::registration);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->agent.identity, "sip:alice.work@ims.example");
  EXPECT_FALSE(other->agent.is_secure);
  EXPECT_EQ(other->agent.wanted.form, provisioning::Form::oauth);
  EXPECT_TRUE(other->prefers_tokens);
}

TEST(WicCommand, TellsNoLoginInClearToAnotherMachine) {
  WicOptions options = alice();
  for (const char* server : {"ws://edge.example", "ws://192.0.2.1:8080"}) {
    options.server = server;
    for (const WicTask task : {WicTask::registration, WicTask::echo, WicTask::call}) {
      options.callee = "sip:bob@ims.example";
      options.allow_cleartext = false;
      EXPECT_NE(complaint(options, task).find("would be told the login in clear"), std::string::npos)
          << complaint(options, task);
      options.allow_cleartext = true;
      EXPECT_EQ(complaint(options, task), "no complaint");
    }
  }
}

TEST(WicCommand, ReadsSecretsOfFiles) {
  TestFolder folder;
  const std::string file = folder.write("token", "eyJ.a.b\n");
  WicOptions options = alice();
  options.password.reset();
  options.token_file = file;
  options.bare_token = true;
  const auto settings = make_wic_settings(options, WicTask::registration);
  ASSERT_TRUE(settings) << settings.error();
  const auto& login = std::get<client::BearerLogin>(settings->agent.login);
  EXPECT_EQ(login.token.reveal_text(), "eyJ.a.b");
  EXPECT_EQ(login.spelling, client::BearerSpelling::bare);
  options.token_file = file + ".not";
  EXPECT_NE(complaint(options).find("--token-file: found"), std::string::npos);
}

TEST(WicCommand, TakesACard) {
  WicOptions options = alice();
  options.password.reset();
  options.aka_k = "465b5ce8b199b49faa5f0a2ee238a6bc";
  EXPECT_EQ(complaint(options), "--user, --aka-k and --aka-opc belong together");
  options.aka_opc = "cd63cb71954a9f4e48a5994e37a02baf";
  const auto settings = make_wic_settings(options, WicTask::registration);
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_EQ(std::get<client::AkaLogin>(settings->agent.login).card.k.size(), 16U);
  options.aka_k = "465b";
  EXPECT_EQ(complaint(options), "--aka-k: found 4 characters, allowed: 32 hex digits");
}

TEST(WicCommand, SaysWhatIsMissingOrTooMuch) {
  WicOptions options = alice();
  options.token = "eyJ";
  EXPECT_EQ(complaint(options), "found more than one login, allowed: a password, a token or a card");
  options = alice();
  options.password.reset();
  EXPECT_EQ(complaint(options),
            "a login is missing: --user and --password, or --waf, or --token, or --aka-k and --aka-opc");
  options.token = "eyJ";
  options.user.reset();
  EXPECT_EQ(complaint(options), "--identity is missing: whom to register, such as sip:alice@ims.example");
  options = alice();
  options.user = "alice";
  EXPECT_NE(complaint(options).find("--user: \"sip:alice\" is no SIP identity"), std::string::npos);
  options = alice();
  options.server = "127.0.0.1:8443";
  EXPECT_NE(complaint(options).find("wss://"), std::string::npos);
  options = alice();
  options.callee = "bob at home";
  EXPECT_NE(complaint(options, WicTask::call).find("CALLEE: found"), std::string::npos);
  options.password_file = "somewhere";
  EXPECT_NE(complaint(options).find("found --password and --password-file"), std::string::npos);
}

WicOptions web(std::uint64_t scenario) {
  WicOptions options;
  options.server = "wss://127.0.0.1:8443";
  options.scenario = scenario;
  options.source = "token";
  options.waf = "https://localhost:8445";
  options.waf_user = "alice";
  options.waf_password = "wonderland";
  return options;
}

TEST(WicCommand, LogsInAtTheWaf) {
  const auto settings = make_wic_settings(web(2), WicTask::call);
  ASSERT_FALSE(settings);  // whom to call
  WicOptions options = web(2);
  options.callee = "sip:bob@ims.example";
  const auto call = make_wic_settings(options, WicTask::call);
  ASSERT_TRUE(call) << call.error();
  EXPECT_EQ(call->scenario, client::Scenario::web);
  EXPECT_TRUE(call->registers_with_waf);
  EXPECT_TRUE(call->takes_turn_of_waf);
  EXPECT_EQ(call->agent.credentials, client::CredentialsAsk::none);
  EXPECT_EQ(call->agent.identity, "");  // the token names it
  EXPECT_FALSE(call->reconnects);
  ASSERT_TRUE(call->waf);
  EXPECT_EQ(call->waf->way, client::WafLoginWay::form);
  EXPECT_EQ(call->waf->login.password.reveal_text(), "wonderland");
  EXPECT_EQ(call->waf->scope, "ims turn");
  EXPECT_EQ(call->waf->client_id, "wic");

  options = web(3);
  options.waf_user.reset();
  options.waf_password.reset();
  options.source = "pushed";
  const auto browser = make_wic_settings(options, WicTask::echo);
  ASSERT_TRUE(browser) << browser.error();
  EXPECT_EQ(browser->scenario, client::Scenario::pool);
  EXPECT_EQ(browser->waf->way, client::WafLoginWay::browser);
  EXPECT_EQ(browser->waf->scope, "ims");
  EXPECT_FALSE(browser->takes_turn_of_waf);
  EXPECT_EQ(browser->agent.wanted.source, credentials::Source::pushed);
  EXPECT_EQ(browser->agent.credentials, client::CredentialsAsk::header);
  EXPECT_TRUE(browser->reconnects);
}

// A web login beside a registration with the password of the core.
TEST(WicCommand, TakesATurnTokenOfTheWafInScenario1) {
  WicOptions options = web(1);
  options.user = "alice@ims.example";
  options.password = "wonderland";
  const auto settings = make_wic_settings(options, WicTask::registration);
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_FALSE(settings->registers_with_waf);
  EXPECT_TRUE(settings->takes_turn_of_waf);
  EXPECT_EQ(settings->waf->scope, "turn");
  EXPECT_EQ(settings->agent.identity, "sip:alice@ims.example");
  EXPECT_TRUE(std::holds_alternative<client::DigestLogin>(settings->agent.login));
  options.source = "computed";
  EXPECT_EQ(complaint(options),
            "--scenario 1 takes nothing but a TURN token from the WAF: --source computed needs no --waf");
}

TEST(WicCommand, AsksTheEdgeForASource) {
  WicOptions options = alice();
  options.source = "token";
  options.form = "browser";
  const auto settings = make_wic_settings(options, WicTask::registration);
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_EQ(settings->agent.wanted.source, credentials::Source::token);
  EXPECT_FALSE(settings->agent.wanted.form);
  EXPECT_FALSE(settings->prefers_tokens);
  options.source = "computed";
  EXPECT_EQ(complaint(options), "--form browser is of a token: --source token");
  options = web(2);
  options.form = "browser";
  EXPECT_EQ(complaint(options), "--form browser: allowed where the eP-CSCF issues the token, without --waf");
}

TEST(WicCommand, TakesTheIdentityOfAToken) {
  WicOptions options;
  options.server = "wss://127.0.0.1:8443";
  options.token =
      "e30." + to_base64url(as_bytes(R"({"impus":["sip:pool-1@ims.example"],"pool":true})")) + ".c2ln";
  const auto settings = make_wic_settings(options, WicTask::registration);
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_EQ(settings->agent.identity, "sip:pool-1@ims.example");
  options.scenario = 3;
  EXPECT_EQ(complaint(options), "no complaint");
  options.scenario = 2;
  EXPECT_EQ(complaint(options), "The token is of an identity that is lent from a pool: that is scenario 3.");
}

TEST(WicCommand, SaysWhatDoesNotGoTogether) {
  WicOptions options = alice();
  options.scenario = 2;
  EXPECT_NE(complaint(options).find("--scenario 2 registers with a token"), std::string::npos)
      << complaint(options);
  options = alice();
  options.password.reset();
  options.scenario = 2;
  EXPECT_EQ(complaint(options), "--scenario 2 needs --waf, where to log in, or --token-file");
  options.scenario = 1;
  EXPECT_EQ(complaint(options), "--scenario 1 needs --user and --password, or --aka-k and --aka-opc");
  options.token = "t";
  EXPECT_EQ(complaint(options), "--scenario 1 registers with a password or a card; a token is for 2 and 3");
  options = web(2);
  options.waf.reset();
  options.token = "t";
  EXPECT_EQ(complaint(options), "found options of a login at a WAF without --waf, which says where that is");
  options = web(2);
  options.token = "t";
  EXPECT_EQ(complaint(options), "found --token and --waf, allowed: one of them");
  options = web(2);
  options.user = "alice@ims.example";
  EXPECT_EQ(complaint(options), "--user is of a password or a card; the user at the WAF is --waf-user");
  options = web(2);
  options.waf_password.reset();
  EXPECT_NE(complaint(options).find("--waf-user and --waf-password"), std::string::npos);
  options = web(2);
  options.waf_as_client = true;
  EXPECT_EQ(complaint(options), "found --waf-as-client and a user, allowed: one of them");
  options.waf_user.reset();
  options.waf_password.reset();
  EXPECT_EQ(complaint(options), "--waf-as-client needs --waf-client-secret-file");
  for (const char* issuer :
       {"waf.example", "http://waf.example", "https://waf.example/", "https://u@waf.example"}) {
    options = web(2);
    options.waf = issuer;
    EXPECT_NE(complaint(options).find("--waf: found"), std::string::npos) << issuer;
  }
}

}  // namespace
}  // namespace turnpike::program
