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
  options.type = "oauth";
  const auto other = make_wic_settings(options, WicTask::registration);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->agent.identity, "sip:alice.work@ims.example");
  EXPECT_FALSE(other->agent.is_secure);
  EXPECT_EQ(other->agent.wanted.form, provisioning::Form::oauth);
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
            "a login is missing: --user and --password, or --token, or --aka-k and --aka-opc");
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

}  // namespace
}  // namespace turnpike::program
