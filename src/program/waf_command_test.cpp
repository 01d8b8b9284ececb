// turnpike waf.
#include "program/waf_command.hpp"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "program/test_folder.hpp"
#include "program/waf_audit_command.hpp"
#include "program/waf_settings.hpp"
#include "waf/key_ring.hpp"

namespace turnpike::program {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now{std::chrono::seconds{1'800'000'000}};

struct Desk {
  Desk() {
    configure("a-secret-of-thirty-two-characters");
    auto opened = open_accounts(config, true);
    EXPECT_TRUE(opened) << opened.error().complaint;
    accounts.emplace(std::move(*opened));
    accounts->ledger->put_client({.id = "wic"});
    accounts->ledger->put_user({.id = "u-1", .name = "alice"});
  }
  void configure(const std::string& secret) {
    config = folder.write("t.toml", R"([waf]
certificate = "c.pem"
key = "k.pem"
issuer = "https://waf.ims.example"
database = "waf.db"
audience = "epcscf.ims.example"
secret = ")" + secret + "\"\n");
  }
  waf::KeyRing make_ring() {
    auto ring = *waf::KeyRing::open(*accounts->ledger);
    ring.rotate(*accounts->ledger, {}, 1h, now);
    return ring;
  }
  std::string last_event() { return accounts->ledger->last_audit_entries(1).front().event; }

  TestFolder folder{};
  std::string config{};
  std::optional<WafAccounts> accounts{};
};

TEST(WafCommand, BacksUpAndRestores) {
  Desk desk;
  const std::string copy = desk.folder / "copy.db";
  const Answer made = back_up(*desk.accounts, copy, now);
  EXPECT_EQ(made.complaint, "");
  EXPECT_TRUE(made.text.starts_with(copy + " is a verified copy of " + (desk.folder / "waf.db") +
                                    ": 1 clients, 1 users, "))
      << made.text;
  EXPECT_EQ(desk.last_event(), "backup_made");
  EXPECT_EQ(back_up(*desk.accounts, copy, now).exit_status, exit_wrong);
  EXPECT_TRUE(back_up(*desk.accounts, copy, now).complaint.contains("is there already"));

  const Config config = desk.accounts->config;
  EXPECT_TRUE(restore_backup(config, copy, now).complaint.contains("waf.db is there already"));
  desk.accounts.reset();
  std::filesystem::remove(desk.folder / "waf.db");
  const Answer restored = restore_backup(config, copy, now);
  EXPECT_EQ(restored.complaint, "");
  EXPECT_TRUE(restored.text.contains("1 clients, 1 users")) << restored.text;
  EXPECT_TRUE(restored.text.contains("no earlier than 2027-01-15T08:11:00Z")) << restored.text;
  auto opened = open_accounts(desk.config, false);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->ledger->find_user("u-1"));
  EXPECT_EQ(opened->ledger->last_audit_entries(1).front().event, "restored");
}

TEST(WafCommand, ListsRotatesAndReplacesSigningKeys) {
  Desk desk;
  EXPECT_EQ(list_signing_keys(*desk.accounts, false, now).text,
            "no signing keys; the server makes one when it starts\n");
  const waf::KeyRing ring = desk.make_ring();
  const std::string first = ring.find_signer(now)->kid();
  EXPECT_TRUE(
      list_signing_keys(*desk.accounts, false, now).text.contains("signs until 2027-02-14T08:00:00Z"));
  const Answer rotated = rotate_signing_key(*desk.accounts, now);
  EXPECT_TRUE(rotated.text.contains("is published and signs from 2027-01-16T05:00:00Z")) << rotated.text;
  EXPECT_EQ(rotate_signing_key(*desk.accounts, now).exit_status, exit_no);
  const auto listed = nlohmann::json::parse(list_signing_keys(*desk.accounts, true, now).text);
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed.at(0).at("kid"), first);

  EXPECT_EQ(replace_signing_key(*desk.accounts, "none", now).complaint, "there is no signing key none");
  const Answer replaced = replace_signing_key(*desk.accounts, first, now);
  EXPECT_EQ(replaced.exit_status, exit_ok) << replaced.complaint;
  const auto after = waf::KeyRing::open(*desk.accounts->ledger);
  ASSERT_TRUE(after);
  EXPECT_TRUE(replaced.text.contains(after->find_signer(now)->kid() + " signs now"));
  EXPECT_NE(after->find_signer(now)->kid(), first);
  EXPECT_FALSE(list_signing_keys(*desk.accounts, true, now).text.contains(first));
}

TEST(WafCommand, ChangesTheSecretFromTheOldOneToThatOfTheConfiguration) {
  Desk desk;
  desk.make_ring();
  desk.accounts.reset();
  const std::string old = desk.folder.write("old", "a-secret-of-thirty-two-characters\n");
  desk.configure("another-secret-of-thirty-two-characters");
  EXPECT_TRUE(open_accounts(desk.config, false).error().complaint.contains("another key"));
  const ChangeSecretOptions options{.config = desk.config, .old_secret_file = old};
  EXPECT_TRUE(change_secret(options, now).text.starts_with("1 signing keys are encrypted with the secret"));
  EXPECT_TRUE(change_secret(options, now).complaint.contains("another key")) << "that is not the old one";
  const auto opened = open_accounts(desk.config, false);
  ASSERT_TRUE(opened) << opened.error().complaint;
  EXPECT_EQ(opened->ledger->signing_keys().size(), 1U);
  EXPECT_EQ(opened->ledger->last_audit_entries(1).front().event, "secret_changed");
}

TEST(WafCommand, GivesSigningKeysUpWithALostSecret) {
  Desk desk;
  desk.make_ring();
  desk.accounts.reset();
  desk.configure("another-secret-of-thirty-two-characters");
  EXPECT_EQ(change_secret({.config = desk.config}, now).complaint,
            "found both or neither of --old-secret-file and --lost, allowed: one of them");
  EXPECT_EQ(change_secret({.config = desk.config, .is_lost = true}, now).exit_status, exit_ok);
  const auto opened = open_accounts(desk.config, false);
  ASSERT_TRUE(opened) << opened.error().complaint;
  EXPECT_TRUE(opened->ledger->signing_keys().empty());
  EXPECT_TRUE(opened->ledger->find_client("wic"));
}

TEST(AuditCommand, ListsWhatMatchesTheNewestLast) {
  Desk desk;
  const std::array entries{
      waf::AuditEntry{.at = now, .event = "login", .subject = "u-1", .remote = "192.0.2.1"},
      waf::AuditEntry{.at = now + 1h, .event = "tokens_issued", .client = "wic", .subject = "u-1"},
      waf::AuditEntry{.at = now + 24h, .event = "login", .subject = "u-gone", .remote = "192.0.2.2"}};
  desk.accounts->ledger->append_audit(entries);
  const Answer all = list_audit(*desk.accounts, {});
  EXPECT_EQ(all.text,
            "2027-01-15T08:00:00Z  login                  alice                -                192.0.2.1    "
            "    \n"
            "2027-01-15T09:00:00Z  tokens_issued          alice                wic              -            "
            "    \n"
            "2027-01-16T08:00:00Z  login                  u-gone               -                192.0.2.2    "
            "    \n");
  const auto count = [&](AuditOptions options) {
    options.as_json = true;
    const Answer answer = list_audit(*desk.accounts, options);
    return answer.exit_status == exit_ok ? nlohmann::json::parse(answer.text).size() : 99;
  };
  EXPECT_EQ(count({}), 3U);
  EXPECT_EQ(count({.count = 2}), 2U);
  EXPECT_EQ(count({.user = "alice"}), 2U);
  EXPECT_EQ(count({.user = "u-gone"}), 1U) << "who has no account any more";
  EXPECT_EQ(count({.event = "login"}), 2U);
  EXPECT_EQ(count({.client = "wic"}), 1U);
  EXPECT_EQ(count({.remote = "192.0.2.2"}), 1U);
  EXPECT_EQ(count({.since = "2027-01-16"}), 1U);
  EXPECT_EQ(count({.since = "2027-01-15T09:00:00Z", .until = "2027-01-16"}), 1U);
  EXPECT_EQ(list_audit(*desk.accounts, {.until = "tomorrow"}).complaint,
            "--until: found \"tomorrow\", allowed: a day or a moment of UTC, \"2026-11-27\" or "
            "\"2026-11-27T16:00:00Z\"");
  EXPECT_EQ(list_audit(*desk.accounts, {.event = "none"}).text, "no entries\n");
  const auto json = nlohmann::json::parse(list_audit(*desk.accounts, {.count = 1, .as_json = true}).text);
  EXPECT_EQ(json.at(0).at("sub"), "u-gone");
  EXPECT_EQ(json.at(0).at("user"), "");
}

}  // namespace
}  // namespace turnpike::program
