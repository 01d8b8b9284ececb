#include "store/waf_ledger.hpp"

#include <unistd.h>

#include <array>
#include <barrier>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/check.hpp"
#include "store/test_folder.hpp"
#include "store/waf_rows.hpp"
#include "waf/ledger_contract.hpp"

namespace turnpike::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::filesystem::perms;
using waf::digest_of;

constexpr WallTime now{seconds{1'800'000'000}};
constexpr seconds minute{60};
const Secret key{ByteVector(32, 7)};

std::string file_in(const Folder& folder) { return folder.file("waf.db"); }

std::unique_ptr<WafLedger> open(const Folder& folder, const WafLedgerLimits& limits = {}) {
  auto ledger = WafLedger::open(file_in(folder), key, limits);
  EXPECT_TRUE(ledger) << ledger.error();
  check(ledger.has_value(), "the ledger opens");
  return *std::move(ledger);
}

std::string open_error(const std::string& file, const Secret& with = key) {
  const auto ledger = WafLedger::open(file, with);
  return ledger ? "none" : ledger.error();
}

waf::Issued token(std::string id, std::string family = "") {
  return {.id = std::move(id),
          .family = std::move(family),
          .client = "wic",
          .subject = "u1",
          .issued_at = now,
          .ends_at = now + minute};
}
waf::Family family(std::string id) {
  return {.id = std::move(id), .client = "wic", .user = "u1", .ends_at = now + 60 * minute};
}
waf::Code code(const std::string& text) {
  return {.digest = digest_of(text),
          .family = family("f-" + text),
          .ends_at = now + minute,
          .remembered_until = now + 60 * minute};
}
waf::StoredKey signing_key(std::string kid) {
  return {.kid = std::move(kid), .jwk = Secret::from_text(R"({"d":"very private"})")};
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

TEST(WafLedger, KeepsSigningKeysEncrypted) {
  const Folder folder;
  {
    const auto ledger = open(folder);
    ledger->put_signing_key(signing_key("k1"));
    ledger->put_user({.id = "somebody"});
  }
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
    std::ifstream file{entry.path(), std::ios::binary};
    all.append(std::istreambuf_iterator<char>{file}, {});
  }
  EXPECT_TRUE(all.contains("somebody"));
  EXPECT_FALSE(all.contains("very private"));
}

TEST(WafLedger, OpensWithItsOwnKeyAlone) {
  const Folder folder;
  const auto file = file_in(folder);
  EXPECT_TRUE(open_error(file, Secret{ByteVector(16, 7)}).contains("32 bytes, found 16"));
  EXPECT_FALSE(std::filesystem::exists(file));
  open(folder)->put_signing_key(signing_key("k1"));
  EXPECT_EQ(open_error(file, Secret{ByteVector(32, 8)}),
            file + ": it was written with another key than the one that is configured");
  EXPECT_EQ(open(folder)->signing_keys().size(), 1u);
}

TEST(WafLedger, TakesAnotherKeyOnceItsSigningKeysAreGone) {
  const Folder folder;
  {
    const auto ledger = open(folder);
    ledger->put_client({.id = "wic"});
    ledger->put_signing_key(signing_key("k1"));
  }
  auto database = Database::open(file_in(folder), waf_schema());
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("DELETE FROM signing_key; DELETE FROM setting"));  // as docs/waf.md says
  const auto ledger = WafLedger::open(file_in(folder), Secret{ByteVector(32, 8)});
  ASSERT_TRUE(ledger) << ledger.error();
  EXPECT_TRUE((*ledger)->signing_keys().empty());
  EXPECT_TRUE((*ledger)->find_client("wic"));
  EXPECT_TRUE(open_error(file_in(folder)).contains("another key"));
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
  const auto ledger = open(folder, {.audit_max = 2});
  for (const char* event : {"a", "b", "c"}) ledger->append_audit({.event = event});
  const auto all = ledger->last_audit_entries(10);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all.front().event, "c");
  EXPECT_EQ(all.back().event, "b");
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
