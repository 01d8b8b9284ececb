// turnpike client and turnpike user.
#include "program/waf_accounts.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "program/test_folder.hpp"
#include "program/waf_client_command.hpp"
#include "program/waf_settings.hpp"
#include "program/waf_user_command.hpp"

namespace turnpike::program {
namespace {

using namespace std::chrono_literals;

struct Accounts {
  Accounts() {
    config = folder.write("t.toml", R"([waf]
certificate = "c.pem"
key = "k.pem"
issuer = "https://waf.ims.example"
database = "waf.db"
secret = "a-secret-of-thirty-two-characters"
audience = "epcscf.ims.example"
[waf.passwords]
log2_n = 10
r = 1
p = 1
)");
    password = folder.write("alice.password", "wonderland\n");
    auto opened = open_accounts(config, true);
    EXPECT_TRUE(opened) << opened.error().complaint;
    accounts.emplace(std::move(*opened));
    accounts->patience = 0ms;
  }
  std::shared_ptr<const waf::Client> client(std::string_view id) { return accounts->ledger->find_client(id); }

  TestFolder folder{};
  std::string config{}, password{};
  std::optional<WafAccounts> accounts{};
  WallTime now{std::chrono::seconds{1'800'000'000}};
};

TEST(WafAccounts, OfOneWhoOnlyLooksAreNotMade) {
  TestFolder folder;
  const std::string config = folder.write("t.toml", "[ims]\ndatabase = \"a\"\nrealm = \"b\"\n");
  EXPECT_EQ(open_accounts(config, true).error().complaint,
            config + ": found no [waf], which names the database");
  Accounts made;
  std::filesystem::remove(made.folder / "waf.db");
  EXPECT_EQ(open_accounts(made.config, false).error().complaint,
            (made.folder / "waf.db") + ": there is no such file");
}

TEST(ClientCommand, AddsListsAndRemoves) {
  Accounts world;
  Answer answer =
      add_client(*world.accounts,
                 {.id = "wic", .redirect_uris = {"https://wic.example/done"}, .is_trusted = true}, world.now);
  EXPECT_EQ(answer.complaint, "");
  EXPECT_EQ(answer.text, "client wic added\n");
  const auto client = world.client("wic");
  ASSERT_TRUE(client);
  EXPECT_FALSE(client->needs_consent);
  EXPECT_EQ(client->scopes, (waf::Scope{"ims", "turn"}));
  EXPECT_TRUE(client->grants.contains(waf::GrantType::token_exchange));
  EXPECT_EQ(add_client(*world.accounts, {.id = "wic"}, world.now).exit_status, exit_no);
  EXPECT_EQ(list_clients(*world.accounts, false).text,
            "wic                  none                 ims turn     "
            "authorization_code,refresh_token,token_exchange https://wic.example/done\n");
  EXPECT_EQ(remove_client(*world.accounts, "wic", world.now).exit_status, exit_ok);
  EXPECT_EQ(remove_client(*world.accounts, "wic", world.now).exit_status, exit_no);
  EXPECT_EQ(list_clients(*world.accounts, false).text, "no clients\n");
}

TEST(ClientCommand, ShowsASecretOnce) {
  Accounts world;
  const std::string file = world.folder / "secret";
  const ClientAddOptions options{.id = "epcscf",
                                 .method = "client_secret_basic",
                                 .introspects = {"epcscf.ims.example"},
                                 .secret_to = file};
  EXPECT_EQ(add_client(*world.accounts, options, world.now).text,
            "client epcscf added\nits secret is in " + file + "\n");
  std::string secret;
  std::ifstream{file} >> secret;
  ASSERT_EQ(secret.size(), 43U);
  EXPECT_EQ(world.client("epcscf")->secrets.front().digest, waf::digest_of(secret));
  EXPECT_FALSE(list_clients(*world.accounts, true).text.contains(secret));

  const Answer rotated = rotate_client(*world.accounts, {.id = "epcscf", .overlap_seconds = 60}, world.now);
  ASSERT_TRUE(rotated.text.starts_with("client_secret: ")) << rotated.text << rotated.complaint;
  const auto secrets = world.client("epcscf")->secrets;
  ASSERT_EQ(secrets.size(), 2U);
  EXPECT_EQ(secrets.front().digest, waf::digest_of(rotated.text.substr(15, 43)));
  EXPECT_EQ(secrets.back().ends_at, world.now + 60s);
  rotate_client(*world.accounts, {.id = "epcscf"}, world.now + 61s);
  EXPECT_EQ(world.client("epcscf")->secrets.size(), 2U) << "what has ended goes";
  EXPECT_EQ(rotate_client(*world.accounts, {.id = "epcscf", .secret_to = file}, world.now).complaint,
            file + " is there already, and a secret is never overwritten");
}

TEST(ClientCommand, SaysWhatIsWrong) {
  Accounts world;
  EXPECT_EQ(add_client(*world.accounts, {.id = "a", .grants = {"password"}}, world.now).complaint,
            "--grant: found \"password\", allowed: authorization_code, refresh_token, client_credentials, "
            "token_exchange, jwt_bearer");
  EXPECT_EQ(add_client(*world.accounts, {.id = "a", .grants = {"client_credentials"}}, world.now).complaint,
            "the grant client_credentials needs a secret or a key");
  EXPECT_EQ(add_client(*world.accounts, {.id = "a", .jwks_file = "nowhere"}, world.now).complaint,
            "--jwks-file nowhere: No such file or directory");
  EXPECT_EQ(rotate_client(*world.accounts, {.id = "a"}, world.now).exit_status, exit_no);
  EXPECT_EQ(list_clients(*world.accounts, false).text, "no clients\n") << "nothing was done";
}

TEST(ClientCommand, AddsNoneThatCouldDoNothing) {
  Accounts world;
  const Answer answer = add_client(*world.accounts, {.id = "a"}, world.now);
  EXPECT_EQ(answer.exit_status, exit_wrong);
  EXPECT_TRUE(answer.complaint.contains("--introspects, for a server")) << answer.complaint;
  EXPECT_FALSE(world.client("a"));
}

TEST(UserCommand, WarnsOfAnIdentityThatIsAnothersAlready) {
  Accounts world;
  const auto add = [&](const std::string& name, bool is_pool) {
    return add_user(*world.accounts, {.name = name, .impi = "alice@ims.example", .is_pool_identity = is_pool},
                    world.now);
  };
  EXPECT_EQ(add("alice", false).text, "user alice added\n");
  EXPECT_EQ(add("carol", false).text,
            "user carol added\nwarning: alice has one of these identities too, and both register with it\n");
  EXPECT_EQ(add("guest", true).text, "user guest added\n") << "a pool is there to be shared";
}

TEST(UserCommand, AddsListsAndRemoves) {
  Accounts world;
  const UserAddOptions options{
      .name = "alice", .password_file = world.password, .id = "u-1", .impi = "alice@ims.example"};
  EXPECT_EQ(add_user(*world.accounts, options, world.now).text, "user alice added\n");
  const auto user = world.accounts->ledger->find_user_by_name("alice");
  ASSERT_TRUE(user);
  EXPECT_EQ(user->identity.impus, std::vector<std::string>{"sip:alice@ims.example"});
  EXPECT_TRUE(matches_password(Secret::from_text("wonderland"), user->password));
  EXPECT_EQ(list_users(*world.accounts, false).text,
            "alice                u-1                      alice@ims.example                "
            "sip:alice@ims.example\n");
  EXPECT_FALSE(list_users(*world.accounts, true).text.contains("scrypt"));
  EXPECT_EQ(add_user(*world.accounts, options, world.now).exit_status, exit_no);
  EXPECT_EQ(add_user(*world.accounts, {.name = "bob", .id = "u-1"}, world.now).exit_status, exit_no);
  EXPECT_EQ(remove_user(*world.accounts, "alice", world.now).exit_status, exit_ok);
  EXPECT_EQ(remove_user(*world.accounts, "alice", world.now).exit_status, exit_no);
}

// Whom another provider logs in has a long name, and is known by the identity.
TEST(UserCommand, DisablesByIdentity) {
  Accounts world;
  const waf::User guest{.id = "u-2",
                        .name = "corp:1234",
                        .identity = {.impi = "guest@ims.example", .impus = {"sip:guest@ims.example"}}};
  world.accounts->ledger->put_user(guest);
  world.accounts->ledger->put_user(
      {.id = "u-3",
       .name = "twin",
       .identity = {.impi = "twin@ims.example", .impus = {"sip:both@ims.example"}}});
  world.accounts->ledger->put_user(
      {.id = "u-4",
       .name = "other",
       .identity = {.impi = "other@ims.example", .impus = {"sip:both@ims.example"}}});
  const auto is_enabled = [&] { return world.accounts->ledger->find_user("u-2")->is_enabled; };
  EXPECT_TRUE(disable_user(*world.accounts, "sip:Guest@ims.example", world.now)
                  .text.starts_with("user corp:1234 disabled, and all that was given to it revoked\n"));
  EXPECT_FALSE(is_enabled());
  EXPECT_EQ(enable_user(*world.accounts, "guest@ims.example", world.now).exit_status, exit_ok);
  EXPECT_TRUE(is_enabled());
  disable_user(*world.accounts, "u-2", world.now);
  EXPECT_FALSE(is_enabled());
  EXPECT_EQ(disable_user(*world.accounts, "sip:both@ims.example", world.now).complaint,
            "2 users share the identity sip:both@ims.example; give a name, or an id");
  EXPECT_EQ(disable_user(*world.accounts, "sip:nobody@ims.example", world.now).exit_status, exit_no);
  EXPECT_TRUE(remove_user(*world.accounts, "corp:1234", world.now)
                  .text.contains("another identity provider may log it in again"));
}

// What alice was given: a TURN token.
void give_token(Accounts& world) {
  add_user(*world.accounts, {.name = "alice", .password_file = world.password, .id = "u-1"}, world.now);
  add_client(*world.accounts, {.id = "wic", .redirect_uris = {"https://wic.example/done"}}, world.now);
  const waf::Family family{
      .id = "f", .client = "wic", .user = "u-1", .authenticated_at = world.now, .ends_at = world.now + 1h};
  const waf::Issued token{.id = "t",
                          .kind = waf::IssuedKind::turn,
                          .family = "f",
                          .client = "wic",
                          .subject = "u-1",
                          .turn_subject = "s",
                          .issued_at = world.now,
                          .ends_at = world.now + 600s};
  store::WafLedger& ledger = *world.accounts->ledger;
  ASSERT_TRUE(ledger.open_family(family, waf::digest_of("r"), std::array{token}, 9, world.now).is_open);
}

TEST(UserCommand, RevokesWhatWasGivenWhenThePasswordChanges) {
  Accounts world;
  give_token(world);
  const std::string next = world.folder.write("next", "looking-glass\n");
  const Answer answer = change_password(*world.accounts, {"alice", next}, world.now);
  EXPECT_EQ(answer.text,
            "the password of alice was changed, and all that was given to it revoked\n"
            "no server has told the relays yet: one that runs on this database does so at once, or when it "
            "starts; until then they let its TURN tokens in, for 600 s at most\n");
  EXPECT_FALSE(world.accounts->ledger->find_issued("t", world.now));
  EXPECT_TRUE(matches_password(Secret::from_text("looking-glass"),
                               world.accounts->ledger->find_user_by_name("alice")->password));
  const std::string none = world.folder.write("none", "\n");
  EXPECT_EQ(change_password(*world.accounts, {"alice", none}, world.now).complaint,
            "--password-file " + none + ": found nothing, allowed: a password");
}

TEST(UserCommand, CutsOffWhoIsDisabled) {
  Accounts world;
  give_token(world);
  store::WafLedger& ledger = *world.accounts->ledger;
  EXPECT_TRUE(disable_user(*world.accounts, "alice", world.now).text.starts_with("user alice disabled, "));
  EXPECT_FALSE(ledger.find_user("u-1")->is_enabled);
  EXPECT_FALSE(ledger.find_issued("t", world.now));
  EXPECT_FALSE(ledger.find_family("f", world.now));
  EXPECT_EQ(ledger.find_revoked(0, world.now).batches.size(), 1U) << "for the server that tells the relays";
  EXPECT_TRUE(list_users(*world.accounts, false).text.contains("  disabled"));
  EXPECT_EQ(disable_user(*world.accounts, "alice", world.now).exit_status, exit_no);
  EXPECT_EQ(enable_user(*world.accounts, "alice", world.now).exit_status, exit_ok);
  EXPECT_TRUE(ledger.find_user("u-1")->is_enabled);
  EXPECT_EQ(enable_user(*world.accounts, "alice", world.now).exit_status, exit_no);
  EXPECT_EQ(enable_user(*world.accounts, "bob", world.now).complaint, "there is no user bob");
  EXPECT_EQ(disable_user(*world.accounts, "bob", world.now).complaint, "there is no user bob");
}

TEST(UserCommand, WaitsForTheServerThatTellsTheRelays) {
  Accounts world;
  give_token(world);
  world.accounts->patience = 10s;
  auto server =
      store::WafLedger::open(world.folder / "waf.db", make_waf_storage_key(*world.accounts->config.waf));
  ASSERT_TRUE(server);
  std::thread serving{[&] {
    waf::Revoked revoked;
    while (revoked.batches.empty()) revoked = (*server)->find_revoked(0, world.now);
    (*server)->note_told(revoked.position);
  }};
  const Answer answer = disable_user(*world.accounts, "alice", world.now);
  serving.join();
  EXPECT_TRUE(answer.text.ends_with("its TURN tokens were taken back at the relays\n")) << answer.text;
}

TEST(UserCommand, WithdrawsAConsentWithWhatItAllowed) {
  Accounts world;
  give_token(world);
  world.accounts->ledger->put_consent({.user = "u-1", .client = "wic", .scope = {"ims"}});
  const Answer answer = withdraw_consent(*world.accounts, {"alice", "wic"}, world.now);
  EXPECT_TRUE(answer.text.starts_with("the consent was withdrawn; what wic was given by alice is revoked\n"));
  EXPECT_FALSE(world.accounts->ledger->find_consent("u-1", "wic"));
  EXPECT_FALSE(world.accounts->ledger->find_issued("t", world.now));
  EXPECT_TRUE(world.accounts->ledger->find_user("u-1")->is_enabled);
  EXPECT_TRUE(withdraw_consent(*world.accounts, {"alice", "wic"}, world.now)
                  .text.starts_with("there was no consent"));
  EXPECT_EQ(withdraw_consent(*world.accounts, {"bob", "wic"}, world.now).complaint, "there is no user bob");
  EXPECT_EQ(withdraw_consent(*world.accounts, {"alice", "x"}, world.now).complaint, "there is no client x");
}

TEST(UserCommand, HashesAtTheCostThatIsConfigured) {
  Accounts world;
  add_user(*world.accounts, {.name = "alice", .password_file = world.password}, world.now);
  EXPECT_TRUE(world.accounts->ledger->find_user_by_name("alice")->password.contains("ln=10,r=1,p=1"));
}

TEST(ClientCommand, DisablesWithAllThatItWasGiven) {
  Accounts world;
  give_token(world);
  store::WafLedger& ledger = *world.accounts->ledger;
  ledger.put_consent({.user = "u-1", .client = "wic", .scope = {"ims"}});
  const Answer answer = disable_client(*world.accounts, "wic", world.now);
  EXPECT_TRUE(answer.text.starts_with("client wic disabled, and all that it was given revoked\n"))
      << answer.text;
  EXPECT_FALSE(ledger.find_client("wic")->is_enabled);
  EXPECT_FALSE(ledger.find_issued("t", world.now));
  EXPECT_TRUE(ledger.find_consent("u-1", "wic"));
  EXPECT_TRUE(list_clients(*world.accounts, false).text.ends_with("  disabled\n"));
  EXPECT_EQ(disable_client(*world.accounts, "wic", world.now).complaint,
            "the client wic is disabled already");
  EXPECT_EQ(enable_client(*world.accounts, "wic", world.now).text,
            "client wic enabled; its users log in again\n");
  EXPECT_TRUE(ledger.find_client("wic")->is_enabled);
  EXPECT_EQ(enable_client(*world.accounts, "wic", world.now).complaint, "the client wic is enabled already");
  EXPECT_EQ(enable_client(*world.accounts, "x", world.now).complaint, "there is no client x");
  EXPECT_EQ(disable_client(*world.accounts, "x", world.now).complaint, "there is no client x");
}

TEST(AccountCommands, AreInTheAuditTrail) {
  Accounts world;
  give_token(world);
  rotate_client(*world.accounts, {.id = "wic"}, world.now);
  disable_user(*world.accounts, "alice", world.now);
  disable_client(*world.accounts, "wic", world.now);
  enable_client(*world.accounts, "wic", world.now);
  remove_client(*world.accounts, "wic", world.now);
  remove_user(*world.accounts, "alice", world.now);
  std::vector<std::string> events;
  for (const waf::AuditEntry& entry : world.accounts->ledger->last_audit_entries(9)) {
    EXPECT_EQ(entry.remote, "command");
    EXPECT_TRUE(entry.detail.starts_with("by ")) << entry.detail;
    EXPECT_EQ(entry.at, world.now);
    events.push_back(entry.event + ' ' + (entry.client.empty() ? entry.subject : entry.client));
  }
  EXPECT_EQ(events, (std::vector<std::string>{"user_removed u-1", "client_removed wic", "client_enabled wic",
                                              "client_disabled wic", "user_disabled u-1", "client_added wic",
                                              "user_added u-1"}))
      << "what was refused is not among them";
}

}  // namespace
}  // namespace turnpike::program
