#include "store/waf_ledger.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <fstream>
#include <iterator>
#include <thread>

#include "store/test_ledger.hpp"
#include "store/waf_rows.hpp"
#include "waf/ledger_contract.hpp"

namespace turnpike::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::filesystem::perms;
using waf::digest_of;

waf::Code code(const std::string& text) {
  return {.digest = digest_of(text),
          .family = family("f-" + text),
          .ends_at = now + minute,
          .remembered_until = now + hour};
}
// Its files have no name any more when the test begins, and go with the ledger.
struct MakeWafLedger {
  const Folder folder{};
  std::unique_ptr<waf::Ledger> operator()() const { return open(folder); }
};

// --- what stands in the file ------------------------------------------------------------------------------

TEST(WafLedger, FindsWhatAnotherHasWritten) {
  const Folder folder;
  {
    const auto ledger = open(folder);
    ledger->put_client({.id = "wic",
                        .secrets = {{.digest = digest_of("s")}},
                        .redirect_uris = {"line\nend", "back\\slash", "", "\\n"},
                        .scopes = {"", "ims"}});
    ledger->put_signing_key(signing_key("k1"));
  }
  const auto ledger = open(folder);
  const auto client = ledger->find_client("wic");
  ASSERT_TRUE(client);
  EXPECT_EQ(client->redirect_uris, (std::vector<std::string>{"line\nend", "back\\slash", "", "\\n"}));
  EXPECT_EQ(client->scopes, (waf::Scope{"", "ims"}));
  EXPECT_EQ(client->secrets.front().ends_at, WallTime::max());
  ASSERT_EQ(ledger->signing_keys().size(), 1u);
  EXPECT_EQ(ledger->signing_keys().front().jwk.reveal_text(), R"({"d":"very private"})");
}

TEST(WafLedger, KeepsKeysEncrypted) {
  const Folder folder;
  {
    const auto ledger = open(folder);
    ledger->put_signing_key(signing_key("k1"));
    ledger->add_turn_key(turn_key("w1-a"));
    ledger->add_turn_key(turn_key("w1-b"));
    ledger->withdraw_turn_key("w1-b");
    ledger->put_user({.id = "somebody"});
  }
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
    std::ifstream file{entry.path(), std::ios::binary};
    all.append(std::istreambuf_iterator<char>{file}, {});
  }
  EXPECT_TRUE(all.contains("somebody"));
  EXPECT_TRUE(all.contains("w1-a"));
  EXPECT_FALSE(all.contains("very private"));
}

TEST(WafLedger, OpensWithItsOwnKeyAlone) {
  const Folder folder;
  const auto file = file_in(folder);
  EXPECT_TRUE(open_error(file, Secret{ByteVector(16, 7)}).contains("32 bytes, found 16"));
  EXPECT_FALSE(std::filesystem::exists(file));
  open(folder)->put_signing_key(signing_key("k1"));
  EXPECT_EQ(open_error(file, other_key),
            file + ": it was written with another key than the one that is configured");
  EXPECT_EQ(open(folder)->signing_keys().size(), 1u);
}

TEST(WafLedger, TakesNoSigningKeyThatWasChangedOrMoved) {
  const Folder folder;
  open(folder)->put_signing_key(signing_key("k1"));
  auto database = Database::open(file_in(folder), waf_schema());
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("UPDATE signing_key SET kid = 'k2'"));
  EXPECT_TRUE(open_error(file_in(folder)).contains("the signing key k2 does not open"));
  ASSERT_TRUE(database->execute("UPDATE signing_key SET kid = 'k1', jwk = substr(jwk, 1, 20)"));
  EXPECT_TRUE(open_error(file_in(folder)).contains("the signing key k1 does not open"));
}

TEST(WafLedger, TakesNoTurnKeyThatWasChangedOrMoved) {
  const Folder folder;
  open(folder)->add_turn_key(turn_key("w1-a"));
  auto database = Database::open(file_in(folder), waf_schema());
  ASSERT_TRUE(database);
  for (const char* change : {"kid = 'w1-b'", "kid = 'w1-a', server_name = 'turn2'",
                             "server_name = 'turn1', key = substr(key, 1, 20)", "key = NULL"}) {
    ASSERT_TRUE(database->execute(std::string{"UPDATE turn_key SET "} + change));
    EXPECT_TRUE(open_error(file_in(folder)).contains("does not open")) << change;
  }
}

TEST(WafLedger, TakesTheFileOfAReleaseWithoutTurnKeys) {
  const Folder folder;
  static const Schema before{.application_id = waf_schema().application_id,
                             .migrations = waf_schema().migrations.first(waf_schema().migrations.size() - 1)};
  ASSERT_TRUE(Database::open(file_in(folder), before));
  const auto ledger = open(folder);
  EXPECT_TRUE(ledger->add_turn_key(turn_key("w1-a")));
  EXPECT_EQ(ledger->turn_keys().size(), 1u);
}

TEST(WafLedger, IsForItsOwnerAlone) {
  const Folder folder;
  const auto ledger = open(folder);
  ledger->put_user({.id = "u1"});
  ASSERT_TRUE(ledger->backup_to(folder.file("copy.db")));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
    ++files;
    EXPECT_EQ(entry.status().permissions(), perms::owner_read | perms::owner_write) << entry.path();
  }
  EXPECT_EQ(files, 4u);  // database, log, shared memory, and the copy
}

TEST(WafLedger, WaitsForTheDisk) {
  const Folder folder;
  open(folder);
  auto database = Database::open(file_in(folder), waf_schema());
  ASSERT_TRUE(database);
  auto asked = database->prepare("PRAGMA synchronous");
  ASSERT_TRUE(asked && asked->step().value_or(false));
  EXPECT_EQ(asked->number(0), 2) << "FULL: the log is flushed with each commit";
  auto mode = database->prepare("PRAGMA journal_mode");
  ASSERT_TRUE(mode && mode->step().value_or(false));
  EXPECT_EQ(mode->text(0), "wal");
}

// --- limits -----------------------------------------------------------------------------------------------

TEST(WafLedger, RefusesWhatItHasNoRoomToRemember) {
  const Folder folder;
  const auto ledger = open(folder, {.once_max = 2});
  EXPECT_TRUE(ledger->use_once("a", now + minute, now));
  EXPECT_TRUE(ledger->use_once("b", now + 2 * minute, now));
  EXPECT_FALSE(ledger->use_once("c", now + minute, now));
  EXPECT_TRUE(ledger->use_once("a", now + 2 * minute, now + minute)) << "known: takes no more room";
  EXPECT_FALSE(ledger->use_once("c", now + 3 * minute, now + minute));
  EXPECT_TRUE(ledger->use_once("c", now + 3 * minute, now + 2 * minute)) << "others have ended";
  EXPECT_TRUE(open(folder, {.once_max = 2})->use_once("d", now + 3 * minute, now + 2 * minute));
  EXPECT_FALSE(open(folder, {.once_max = 2})->use_once("e", now + 3 * minute, now + 2 * minute));
  EXPECT_FALSE(ledger->take_failure());
}

TEST(WafLedger, ForgetsTheOldestOfTooManyFailures) {
  const Folder folder;
  const auto ledger = open(folder, {.attempts_max = 2});
  const waf::AttemptRule rule{.failures_max = 1};
  ledger->note_failure("a", rule, now);
  ledger->note_failure("b", rule, now + seconds{1});
  ledger->note_failure("a", rule, now + seconds{2});
  ledger->note_failure("c", rule, now + seconds{3});
  EXPECT_TRUE(ledger->find_lock("a", now + seconds{4}));
  EXPECT_FALSE(ledger->find_lock("b", now + seconds{4}));
  EXPECT_TRUE(ledger->find_lock("c", now + seconds{4}));
}

TEST(WafLedger, KeepsTheNewestOfItsAuditTrail) {
  const Folder folder;
  const auto ledger = open(folder, {.audit_max = 2, .audit_strangers_max = 3});
  const auto events = [&] {
    std::string all;
    for (const waf::AuditEntry& entry : ledger->last_audit_entries(100)) all += entry.event;
    return all;
  };
  for (const char* event : {"a", "b", "c"}) ledger->append_audit(std::array{waf::AuditEntry{.event = event}});
  EXPECT_EQ(events(), "cb");
  for (int i = 0; i < 50; ++i)
    ledger->append_audit(
        std::array{waf::AuditEntry{.event = std::to_string(i % 10), .is_by_stranger = true}});
  EXPECT_EQ(events(), "987cb") << "strangers drive out nothing but themselves";
  ledger->append_audit(std::vector(5, waf::AuditEntry{.event = "d"}));
  EXPECT_EQ(events(), "dd987");
  EXPECT_EQ(failure(*ledger), "none");
}

TEST(WafLedger, ForgetsOldEntriesOfItsAuditTrail) {
  const Folder folder;
  const auto ledger = open(folder, {.audit_for = hour, .forget_max = 2});
  for (int i = 0; i < 5; ++i)
    ledger->append_audit(std::array{waf::AuditEntry{.at = now + i * minute, .event = std::to_string(i)}});
  ledger->forget_ended(now + hour + 3 * minute);
  EXPECT_EQ(ledger->last_audit_entries(9).size(), 3u) << "a little at a time";
  ledger->forget_ended(now + hour + 3 * minute);
  ledger->forget_ended(now + hour + 3 * minute);
  ASSERT_EQ(ledger->last_audit_entries(9).size(), 2u);
  EXPECT_EQ(ledger->last_audit_entries(9).back().event, "3");
  open(folder)->forget_ended(WallTime::max());
  EXPECT_EQ(ledger->last_audit_entries(9).size(), 2u) << "without such a limit they stay";
}

TEST(WafLedger, FindsEntriesOfItsAuditTrail) {
  const Folder folder;
  const auto ledger = open(folder);
  ledger->append_audit(std::array{
      waf::AuditEntry{.at = now, .event = "login", .subject = "u1", .remote = "192.0.2.1"},
      waf::AuditEntry{.at = now + minute, .event = "tokens_issued", .client = "wic", .subject = "u1"},
      waf::AuditEntry{.at = now + hour, .event = "login", .subject = "u2", .remote = "192.0.2.2"}});
  const auto count = [&](const AuditQuery& query) { return ledger->find_audit_entries(query).size(); };
  EXPECT_EQ(count({}), 3u);
  EXPECT_EQ(count({.event = "login"}), 2u);
  EXPECT_EQ(count({.event = "log"}), 0u);
  EXPECT_EQ(count({.subject = "u1"}), 2u);
  EXPECT_EQ(count({.event = "login", .subject = "u1"}), 1u);
  EXPECT_EQ(count({.client = "wic"}), 1u);
  EXPECT_EQ(count({.remote = "192.0.2.2"}), 1u);
  EXPECT_EQ(count({.since = now + minute}), 2u);
  EXPECT_EQ(count({.until = now + minute}), 1u);
  ASSERT_EQ(count({.count = 1}), 1u);
  EXPECT_EQ(ledger->find_audit_entries({.count = 1}).front().subject, "u2") << "the newest";
}

TEST(WafLedger, ForgetsALittleAtATime) {
  const Folder folder;
  const auto ledger = open(folder, {.forget_max = 2});
  ASSERT_TRUE(ledger->note_issued(std::array{token("a"), token("b"), token("c")}, now));
  auto database = Database::open(file_in(folder), waf_schema());
  ASSERT_TRUE(database);
  const auto rows = [&] {
    auto count = database->prepare("SELECT count(*) FROM issued");
    return count && count->step().value_or(false) ? count->number(0) : -1;
  };
  ledger->forget_ended(now + minute);
  EXPECT_EQ(rows(), 1);
  EXPECT_FALSE(ledger->find_issued("c", now + minute)) << "ended, forgotten or not";
  ledger->forget_ended(now + minute);
  EXPECT_EQ(rows(), 0);
}

TEST(WafLedger, ForgetsAsMuchAsItTakesIn) {
  const Folder folder;
  const auto ledger = open(folder);
  auto database = Database::open(file_in(folder), waf_schema());
  ASSERT_TRUE(database);
  const auto rows = [&](const std::string& table) {
    auto count = database->prepare("SELECT count(*) FROM " + table);
    return count && count->step().value_or(false) ? count->number(0) : -1;
  };
  for (int i = 0; i < 100; ++i) {
    const WallTime later = now + i * minute;
    const std::string name = std::to_string(i);
    waf::Issued first = token("a" + name), second = token("b" + name);
    first.ends_at = second.ends_at = later + 3 * minute;
    ASSERT_TRUE(ledger->note_issued(std::array{first, second}, later));
    ASSERT_TRUE(ledger->use_once(name, later + 3 * minute, later));
    EXPECT_LE(rows("issued"), 6);
    EXPECT_LE(rows("once"), 3);
  }
}

// --- calls that are joined --------------------------------------------------------------------------------

TEST(WafLedger, KeepsJoinedCallsTogether) {
  const Folder folder;
  const auto ledger = open(folder), other = open(folder);
  ledger->begin();
  EXPECT_TRUE(ledger->use_once("a", now + hour, now));
  ledger->put_client({.id = "wic"});
  EXPECT_TRUE(ledger->find_client("wic")) << "it sees what it has written";
  EXPECT_FALSE(other->find_client("wic")) << "others do not, until all of it is there";
  ledger->commit();
  EXPECT_TRUE(other->find_client("wic"));
  EXPECT_FALSE(other->use_once("a", now + hour, now));
  ledger->begin();
  EXPECT_FALSE(ledger->find_client("none"));
  EXPECT_TRUE(other->use_once("b", now + hour, now)) << "who only reads holds no lock";
  ledger->commit();
  EXPECT_EQ(failure(*ledger), "none");
}

TEST(WafLedger, KeepsNothingOfJoinedCallsOfWhichOneFails) {
  const Folder folder;
  const auto ledger = open(folder, {.file = {.pages_max = 60}});
  ASSERT_TRUE(open_family(*ledger, "f1"));
  ledger->begin();
  EXPECT_EQ(ledger->rotate("f1", digest_of("r1"), digest_of("r2"), {}, now).outcome,
            waf::Rotation::Outcome::rotated);
  ledger->put_user({.id = "u", .password = std::string(1'000'000, 'x')});
  ledger->put_client({.id = "wic"});
  EXPECT_FALSE(ledger->use_once("a", now + hour, now)) << "nothing is written after it";
  ledger->commit();
  EXPECT_EQ(failure(*ledger), file_in(folder) + ": database or disk is full");
  EXPECT_FALSE(ledger->find_client("wic"));
  EXPECT_TRUE(ledger->use_once("a", now + hour, now));
  EXPECT_EQ(ledger->rotate("f1", digest_of("r1"), digest_of("r2"), {}, now).outcome,
            waf::Rotation::Outcome::rotated)
      << "the refresh token was not used up";
  EXPECT_EQ(failure(*ledger), "none");
}

TEST(WafLedger, KeepsNothingOfTheOuterOfTwoPairsWhereItFailsBehindTheInnerOne) {
  const Folder folder;
  const auto ledger = open(folder, {.file = {.pages_max = 60}}), other = open(folder);
  ledger->begin();
  ledger->put_client({.id = "wic"});
  ledger->begin();
  ledger->put_client({.id = "phone"});
  ledger->commit();
  EXPECT_FALSE(other->find_client("phone")) << "not yet";
  ledger->put_user({.id = "u", .password = std::string(1'000'000, 'x')});
  ledger->commit();
  EXPECT_EQ(failure(*ledger), file_in(folder) + ": database or disk is full");
  EXPECT_FALSE(ledger->find_client("wic"));
  EXPECT_FALSE(ledger->find_client("phone"));
  ledger->begin();
  ledger->begin();
  ledger->put_client({.id = "wic"});
  ledger->commit();
  ledger->commit();
  EXPECT_TRUE(other->find_client("wic"));
}

TEST(WafLedger, NoticesWhatOthersWrite) {
  const Folder folder;
  const auto ledger = open(folder), other = open(folder);
  EXPECT_TRUE(ledger->has_changed_elsewhere()) << "nobody has looked yet";
  EXPECT_FALSE(ledger->has_changed_elsewhere());
  ledger->put_client({.id = "wic"});
  EXPECT_FALSE(ledger->has_changed_elsewhere());
  other->put_client({.id = "web"});
  EXPECT_TRUE(ledger->has_changed_elsewhere());
  EXPECT_FALSE(ledger->has_changed_elsewhere());
}

TEST(WafLedger, TellsOfRevocationsUntilTheyEnd) {
  const Folder folder;
  const auto ledger = open(folder), other = open(folder);
  ASSERT_TRUE(open_family(*ledger, "f1", std::array{token("a", "f1"), turn_token("t", "f1")}));
  EXPECT_TRUE(ledger->is_all_told());
  ASSERT_TRUE(open_family(*ledger, "f0", std::array{token("b", "f0")}));
  other->revoke_family("f0", now + hour, now);
  EXPECT_TRUE(ledger->is_all_told()) << "no relay has to hear of a registration token";
  const std::int64_t before = ledger->find_revoked(0, now).position;
  other->revoke_user("u1", now);
  EXPECT_FALSE(ledger->is_all_told());
  const waf::Revoked found = ledger->find_revoked(before, now);
  ASSERT_EQ(found.batches.size(), 1u);
  ASSERT_EQ(found.batches.front().tokens.size(), 2u);
  EXPECT_EQ(found.batches.front().tokens[0].kind, waf::IssuedKind::registration);
  EXPECT_EQ(found.batches.front().tokens[1].kind, waf::IssuedKind::turn);
  EXPECT_EQ(found.batches.front().tokens[1].twin, "t-twin");
  ledger->note_told(found.position);
  EXPECT_TRUE(other->is_all_told());
  ledger->note_told(0);
  EXPECT_TRUE(other->is_all_told()) << "what is told stays told";
  ledger->forget_ended(now + minute);
  EXPECT_EQ(open(folder)->find_revoked(before, now + minute).batches.size(), 1u)
      << "relays let it in for some seconds longer";
  ledger->forget_ended(now + minute + waf::relay_tolerance);
  EXPECT_TRUE(ledger->find_revoked(0, now).batches.empty());
  ASSERT_TRUE(open_family(*ledger, "f2", std::array{turn_token("t2", "f2")}));
  ledger->revoke_family("f2", now + hour, now);
  EXPECT_GT(ledger->find_revoked(found.position, now).position, found.position) << "no place is given again";
}

// As it was before relays were told by way of the file.
TEST(WafLedger, TakesAnOlderFileOver) {
  const Folder folder;
  {
    const Schema& all = waf_schema();
    auto older = Database::open(
        file_in(folder), {.application_id = all.application_id, .migrations = all.migrations.first(1)});
    ASSERT_TRUE(older) << older.error().text;
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(
          older->execute("INSERT INTO audit VALUES (NULL, 1, 'login_failed', '', 'u1', '::1', 'd');"
                         "INSERT INTO audit VALUES (NULL, 2, 'login', '', 'u1', '::1', '')"));
  }
  const auto ledger = open(folder, {.audit_max = 2, .audit_strangers_max = 3});
  EXPECT_EQ(ledger->last_audit_entries(9).size(), 6u);
  ledger->append_audit(std::array{waf::AuditEntry{.event = "login"},
                                  waf::AuditEntry{.event = "login_failed", .is_by_stranger = true}});
  EXPECT_EQ(ledger->find_audit_entries({.event = "login"}).size(), 2u);
  EXPECT_EQ(ledger->find_audit_entries({.event = "login_failed"}).size(), 3u);
  EXPECT_EQ(failure(*ledger), "none");
}

// --- several at once --------------------------------------------------------------------------------------

// Both do the same at the same time, each with a ledger of its own; returns what each has seen.
template <typename Action>
auto race(const Folder& folder, Action action) {
  using Seen = std::invoke_result_t<Action, WafLedger&>;
  const std::array ledgers{open(folder), open(folder)};
  std::array<Seen, 2> seen{};
  std::barrier start{2};
  const auto run = [&](std::size_t i) {
    start.arrive_and_wait();
    seen[i] = action(*ledgers[i]);
  };
  std::thread other{run, 1};
  run(0);
  other.join();
  for (const auto& ledger : ledgers) EXPECT_EQ(ledger->take_failure().value_or("none"), "none");
  return seen;
}

constexpr int races = 20;

TEST(WafLedger, LetsOneOfTwoRedeemACode) {
  using Outcome = waf::CodeRedemption::Outcome;
  const Folder folder;
  const auto ledger = open(folder);
  for (int i = 0; i < races; ++i) {
    const std::string name = std::to_string(i);
    ledger->add_code(code(name));
    auto seen =
        race(folder, [&](WafLedger& it) { return it.redeem_code(digest_of(name), "wic", now).outcome; });
    std::ranges::sort(seen);
    EXPECT_EQ(seen, (std::array{Outcome::redeemed, Outcome::replayed}));
    EXPECT_FALSE(ledger->open_family(family("f-" + name), digest_of("r"), {}, 100, now).is_open)
        << "the replay has closed it";
  }
}

TEST(WafLedger, LetsOneOfTwoRotateARefreshToken) {
  using Outcome = waf::Rotation::Outcome;
  const Folder folder;
  const auto ledger = open(folder);
  for (int i = 0; i < races; ++i) {
    const std::string name = std::to_string(i);
    ASSERT_TRUE(ledger->open_family(family(name), digest_of("r1"), {}, 100, now).is_open);
    auto seen = race(folder, [&](WafLedger& it) {
      const std::array issued{token("t" + name, name)};
      return it.rotate(name, digest_of("r1"), digest_of("r2"), issued, now).outcome;
    });
    std::ranges::sort(seen);
    EXPECT_EQ(seen, (std::array{Outcome::rotated, Outcome::replayed}));
    EXPECT_FALSE(ledger->find_issued("t" + name, now)) << "the replay has revoked what the winner got";
  }
}

TEST(WafLedger, AdmitsOneOfTwoWhoTakeTheSameIdentity) {
  const Folder folder;
  const auto ledger = open(folder);
  for (int i = 0; i < races; ++i) {
    const std::string impi = std::to_string(i) + "@x";
    std::atomic<int> next = 0;
    auto seen = race(folder, [&](WafLedger& it) {
      const std::string id = impi + std::to_string(next++);
      return it.admit_user({.id = id, .name = id, .identity = {.impi = impi}}, 1000);
    });
    std::ranges::sort(seen);
    EXPECT_EQ(seen, (std::array{waf::Admission::admitted, waf::Admission::taken}));
  }
}

// Of the first schema, which kept no identities apart.
TEST(WafLedger, KnowsTheIdentitiesOfUsersInAnOlderFile) {
  const Folder folder;
  {
    auto older = Database::open(file_in(folder), {.application_id = waf_schema().application_id,
                                                  .migrations = waf_schema().migrations.first(1)});
    ASSERT_TRUE(older) << older.error().text;
    ASSERT_TRUE(
        older->execute("INSERT INTO user VALUES ('u1', 'alice', '', 'Alice@x', 'sip:a@x' || char(10) "
                       "|| 'tel:+1' || char(10), '', 0, 1), ('u2', 'bob', '', '', '', '', 0, 1)"));
  }
  const auto ledger = open(folder);
  const auto admit = [&](waf::Identity identity) {
    return ledger->admit_user({.id = "u3", .name = "corp:3", .identity = std::move(identity)}, 10);
  };
  EXPECT_EQ(admit({.impi = "alice@x"}), waf::Admission::taken);
  EXPECT_EQ(admit({.impi = "b@x", .impus = {"sip:A@x"}}), waf::Admission::taken);
  EXPECT_EQ(admit({.impi = "b@x", .impus = {"tel:+1"}}), waf::Admission::taken);
  EXPECT_EQ(admit({.impi = "b@x", .impus = {"sip:b@x"}}), waf::Admission::admitted);
}

TEST(WafLedger, LetsOneOfTwoUseAKey) {
  const Folder folder;
  const auto ledger = open(folder);
  for (int i = 0; i < races; ++i) {
    const auto seen =
        race(folder, [&](WafLedger& it) { return it.use_once(std::to_string(i), now + minute, now); });
    EXPECT_NE(seen[0], seen[1]);
  }
}

TEST(WafLedger, OpensANewFileTwiceAtOnce) {
  for (int i = 0; i < 5; ++i) {
    const Folder folder;
    race(folder, [](WafLedger& it) { return it.use_once("a", now + minute, now); });
    std::array<std::string, 2> errors{};
    std::thread other{[&] { errors[1] = open_error(folder.file("new.db")); }};
    errors[0] = open_error(folder.file("new.db"));
    other.join();
    EXPECT_EQ(errors, (std::array<std::string, 2>{"none", "none"}));
  }
}

}  // namespace
}  // namespace turnpike::store

namespace turnpike::waf {
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, LedgerContract, store::MakeWafLedger);
}  // namespace turnpike::waf
