// Backup and restore, and what happens where the file or the disk is not as it should be.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "store/subscriber_book.hpp"
#include "store/test_ledger.hpp"
#include "store/waf_rows.hpp"

namespace turnpike::store {
namespace {

using std::chrono::milliseconds;
using std::filesystem::perms;
using waf::digest_of;

waf::Rotation::Outcome rotate(WafLedger& ledger, std::string_view id, std::string_view from,
                              std::string_view to) {
  return ledger.rotate(id, digest_of(from), digest_of(to), {}, now).outcome;
}
constexpr auto rotated = waf::Rotation::Outcome::rotated;
constexpr auto unknown = waf::Rotation::Outcome::unknown;

// Adds users until it fails; how many it has.
int fill(WafLedger& ledger, int users_max) {
  for (int count = 0; count < users_max; ++count) {
    ledger.put_user({.id = "user" + std::to_string(count), .password = std::string(1000, 'x')});
    if (ledger.users().size() != static_cast<std::size_t>(count) + 1) return count;
  }
  return users_max;
}

// The superuser may write everywhere; nobody else may.
class OrdinaryUser {
 public:
  static constexpr uid_t nobody = 65534;
  OrdinaryUser() { check(!is_root_ || ::seteuid(nobody) == 0, "the superuser can become another"); }
  OrdinaryUser(const OrdinaryUser&) = delete;
  OrdinaryUser& operator=(const OrdinaryUser&) = delete;
  ~OrdinaryUser() { check(!is_root_ || ::seteuid(0) == 0, "and himself again"); }
  static void give(const std::filesystem::path& path) {
    check(::geteuid() != 0 || ::chown(path.c_str(), nobody, 0) == 0, "the superuser can give files away");
  }

 private:
  bool is_root_ = ::geteuid() == 0;
};

// --- backup and restore -----------------------------------------------------------------------------------

TEST(WafBackup, IsAWholeLedger) {
  const Folder folder;
  const std::string copy = folder.file("copy.db");
  const auto ledger = open(folder.file("waf.db"));
  ledger->put_client({.id = "wic", .name = "before"});
  ledger->put_signing_key({.kid = "k1", .jwk = Secret::from_text("private")});
  ASSERT_TRUE(open_family(*ledger, "f1"));
  ASSERT_TRUE(ledger->backup_to(copy));
  ledger->put_client({.id = "wic", .name = "after"});
  EXPECT_TRUE(WafLedger::open(copy, other_key).error().contains("another key"));
  const auto restored = open(copy);
  EXPECT_EQ(restored->find_client("wic")->name, "before");
  EXPECT_EQ(restored->signing_keys().front().jwk.reveal_text(), "private");
  EXPECT_EQ(rotate(*restored, "f1", "r1", "r2"), rotated);
  EXPECT_EQ(ledger->find_client("wic")->name, "after");
}

TEST(WafBackup, TakesThePlaceOfALedgerThatIsLost) {
  const Folder folder;
  const std::string file = folder.file("waf.db"), copy = folder.file("copy.db");
  {
    const auto ledger = open(file);
    ledger->put_client({.id = "wic"});
    ledger->put_signing_key(signing_key("k1"));
    ledger->append_audit(std::array{waf::AuditEntry{.at = now - hour, .event = "login"}});
    ASSERT_TRUE(open_family(*ledger, "f1") && open_family(*ledger, "f2"));
    ASSERT_TRUE(ledger->backup_to(copy));
    ASSERT_EQ(rotate(*ledger, "f1", "r1", "r2"), rotated);
  }
  const waf::AuditEntry entry{.at = now, .event = "restored"};
  EXPECT_EQ(WafLedger::restore(copy, file, key, entry).error(), copy + ": " + file + " is there already");
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file + suffix);
  const auto contents = WafLedger::restore(copy, file, key, entry);
  ASSERT_TRUE(contents) << contents.error();
  EXPECT_EQ(contents->clients, 1u);
  EXPECT_EQ(contents->authorizations, 2u);
  EXPECT_EQ(contents->signing_keys, 1u);
  EXPECT_EQ(contents->last_entry_at, now - hour);
  EXPECT_EQ(std::filesystem::status(file).permissions(), perms::owner_read | perms::owner_write);
  const auto ledger = open(file);
  EXPECT_EQ(ledger->last_audit_entries(1).front().event, "restored");
  EXPECT_EQ(rotate(*ledger, "f2", "r1", "r2"), rotated);
  EXPECT_EQ(rotate(*ledger, "f1", "r2", "r3"), waf::Rotation::Outcome::replayed)
      << "a refresh token that the backup has not seen is none of its last ones";
  EXPECT_EQ(open(copy)->last_audit_entries(1).front().event, "login") << "the copy is as it was";
}

TEST(WafBackup, IsRestoredFromAFolderThatIsReadOnly) {
  const Folder folder;
  const std::string shelf = folder.file("a shelf?#%"), file = folder.file("waf.db");
  std::filesystem::create_directory(shelf);
  const std::string copy = shelf + "/copy.db";
  ASSERT_TRUE(open(folder.file("old.db"))->backup_to(copy));
  OrdinaryUser::give(copy);
  OrdinaryUser::give(folder.path());
  std::filesystem::permissions(copy, perms::owner_read | perms::others_read);
  std::filesystem::permissions(shelf, perms::owner_read | perms::group_read | perms::group_exec |
                                          perms::owner_exec | perms::others_read | perms::others_exec);
  {
    const OrdinaryUser user;
    const auto restored = WafLedger::restore(copy, file, key, {.at = now, .event = "restored"});
    EXPECT_TRUE(restored) << restored.error();
  }
  std::filesystem::permissions(shelf, perms::owner_all);
  EXPECT_EQ(std::ranges::distance(std::filesystem::directory_iterator{shelf}), 1)
      << "nothing is left beside the copy";
}

TEST(WafBackup, IsRestoredWholeOrNotAtAll) {
  const Folder folder;
  const std::string copy = folder.file("copy.db"), file = folder.file("waf.db");
  const auto error = [&](const std::string& from, const Secret& with = key) {
    const auto restored = WafLedger::restore(from, file, with, {.at = now, .event = "restored"});
    for (const auto& entry : std::filesystem::directory_iterator{folder.path()})
      EXPECT_FALSE(entry.path().string().starts_with(file)) << entry.path();
    return restored ? "none" : restored.error();
  };
  const auto source = open(folder.file("old.db"));
  fill(*source, 200);
  ASSERT_TRUE(source->backup_to(copy));
  EXPECT_EQ(error(copy, other_key),
            copy + ": it was written with another key than the one that is configured");
  EXPECT_EQ(error(folder.file("none.db")), folder.file("none.db") + ": unable to open database file");
  ASSERT_TRUE(SubscriberBook::open(folder.file("subscribers.db")));
  EXPECT_TRUE(error(folder.file("subscribers.db")).contains("a database of another kind"));
  std::ofstream{folder.file("text")} << std::string(8192, 'x');
  EXPECT_TRUE(error(folder.file("text")).contains("file is not a database"));
  source->put_client({.id = "wic"});
  EXPECT_TRUE(error(folder.file("old.db")).contains("old.db-wal lies beside it"))
      << "half of a database that is in use";
  {
    std::fstream stream{copy, std::ios::binary | std::ios::in | std::ios::out};
    stream.seekp(4096 * 8);
    stream << std::string(4096 * 4, '\xff');
  }
  const std::string damaged = error(copy);
  EXPECT_TRUE(damaged.contains("damaged") || damaged.contains("malformed")) << damaged;
}

TEST(WafBackup, IsOneStateWhileOthersWrite) {
  const Folder folder;
  const auto ledger = open(folder.file("waf.db"));
  std::atomic<bool> is_done = false;
  std::thread writer{[&] {
    const auto own = open(folder.file("waf.db"));
    for (int i = 0; !is_done; ++i) {
      const std::string id = std::to_string(i);
      const std::array pair{waf::Issued{.id = "a" + id, .subject = "u", .ends_at = now + hour},
                            waf::Issued{.id = "b" + id, .subject = "u", .ends_at = now + hour}};
      check(own->note_issued(pair, now), "it is not kept from writing");
    }
  }};
  for (int i = 0; i < 5; ++i) {
    const std::string copy = folder.file("copy" + std::to_string(i));
    const auto made = ledger->backup_to(copy);
    EXPECT_TRUE(made) << made.error();
    EXPECT_EQ(open(copy)->revoke_user("u", now).size() % 2, 0U);
  }
  is_done = true;
  writer.join();
}

TEST(WafBackup, ReplacesNothing) {
  const Folder folder;
  const auto ledger = open(folder.file("waf.db"));
  const auto error_of = [&](const std::string& name) {
    const auto made = ledger->backup_to(folder.file(name));
    return made ? "none" : made.error();
  };
  std::ofstream{folder.file("there")} << "precious";
  EXPECT_TRUE(error_of("there").contains("there is there already"));
  EXPECT_EQ(std::filesystem::file_size(folder.file("there")), 8U);
  std::ofstream{folder.file("old-wal")} << "of another database";
  EXPECT_TRUE(error_of("old").contains("old-wal is there already"));
  EXPECT_TRUE(error_of("none/copy").contains("No such file or directory"));
  EXPECT_TRUE(error_of("waf.db").contains("is there already"));
  EXPECT_EQ(failure(*ledger), "none");
}

// --- disks ------------------------------------------------------------------------------------------------

TEST(WafDisk, KeepsWhatItHasWhenItIsFull) {
  const Folder folder;
  const std::string file = folder.file("waf.db");
  ASSERT_TRUE(open_family(*open(file), "f1"));
  {
    const auto ledger = open(file, {.file = {.pages_max = 60}});
    const int count = fill(*ledger, 1000);
    EXPECT_LT(count, 1000);
    EXPECT_EQ(failure(*ledger), file + ": database or disk is full");
    EXPECT_EQ(ledger->users().size(), static_cast<std::size_t>(count));
    const std::string large(100'000, 'x');
    const std::array issued{waf::Issued{.id = large, .ends_at = now + hour}};
    EXPECT_EQ(ledger->rotate("f1", digest_of("r1"), digest_of("r2"), issued, now).outcome, unknown);
    EXPECT_EQ(failure(*ledger), file + ": database or disk is full");
    EXPECT_EQ(failure(*ledger), "none") << "told once";
  }
  EXPECT_EQ(rotate(*open(file), "f1", "r1", "r2"), rotated) << "the refresh token was not used up";
}

// No file of this process grows beyond so many bytes.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::uintmax_t bytes) : old_action_(std::signal(SIGXFSZ, SIG_IGN)) {
    check(::getrlimit(RLIMIT_FSIZE, &old_) == 0, "there is a limit");
    const rlimit limit{.rlim_cur = bytes, .rlim_max = old_.rlim_max};
    check(::setrlimit(RLIMIT_FSIZE, &limit) == 0, "it can be lowered");
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_action_);
  }

 private:
  rlimit old_{};
  void (*old_action_)(int);
};

TEST(WafDisk, KeepsWhatItHasWhenWritesFail) {
  const Folder folder;
  const std::string file = folder.file("waf.db");
  const auto ledger = open(file);
  ASSERT_TRUE(open_family(*ledger, "f1"));
  {
    const FileSizeLimit limit{std::filesystem::file_size(file + "-wal")};
    EXPECT_EQ(rotate(*ledger, "f1", "r1", "r2"), unknown);
    EXPECT_EQ(failure(*ledger), file + ": disk I/O error");
    EXPECT_FALSE(ledger->use_once("a", now + hour, now)) << "what cannot be remembered is not let pass";
    EXPECT_NE(failure(*ledger), "none");
    EXPECT_TRUE(ledger->find_family("f1", now)) << "what is there can be read";
    EXPECT_EQ(failure(*ledger), "none");
  }
  {
    const FileSizeLimit limit{8192};
    EXPECT_FALSE(ledger->backup_to(folder.file("copy.db")));
    EXPECT_FALSE(std::filesystem::exists(folder.file("copy.db")));
    EXPECT_FALSE(std::filesystem::exists(folder.file("copy.db.partial")));
  }
  EXPECT_EQ(rotate(*ledger, "f1", "r1", "r2"), rotated) << "and works again by itself";
  EXPECT_TRUE(ledger->use_once("a", now + hour, now));
}

TEST(WafDisk, SaysThatAnotherHoldsTheFile) {
  const Folder folder;
  const std::string file = folder.file("waf.db");
  const auto ledger = open(file, {.file = {.busy_timeout = milliseconds{1}}});
  auto other = Database::open(file, waf_schema());
  ASSERT_TRUE(other);
  const auto transaction = Transaction::begin(*other);
  ASSERT_TRUE(transaction);
  EXPECT_FALSE(ledger->use_once("a", now + hour, now));
  EXPECT_EQ(failure(*ledger), file + ": database is locked by another process; try again");
  EXPECT_FALSE(ledger->find_client("wic"));
  EXPECT_EQ(failure(*ledger), "none") << "readers do not wait";
}

// --- files ------------------------------------------------------------------------------------------------

TEST(WafFile, SaysThatItMayNotBeWritten) {
  const Folder folder;
  const std::string file = folder.file("waf.db");
  open(file)->put_client({.id = "wic"});
  OrdinaryUser::give(file);
  OrdinaryUser::give(folder.path());
  std::filesystem::permissions(file, perms::owner_read);
  {
    const OrdinaryUser user;
    EXPECT_EQ(open_error(file), file + ": Permission denied");
  }
  std::filesystem::permissions(file, perms::owner_read | perms::owner_write);
  std::filesystem::permissions(folder.path(), perms::owner_read | perms::owner_exec);
  {
    const OrdinaryUser user;
    EXPECT_TRUE(open_error(file).ends_with("; the file and its folder have to be writable"));
  }
  std::filesystem::permissions(folder.path(), perms::owner_all);
  const OrdinaryUser user;
  EXPECT_NE(open(file)->find_client("wic"), nullptr);
}

TEST(WafFile, SaysThatItIsNoLedger) {
  const Folder folder;
  const auto error_of = [&](const std::string& name) {
    const std::string error = open_error(folder.file(name));
    EXPECT_TRUE(error.starts_with(folder.file(name) + ": ")) << error;
    return error;
  };
  ASSERT_TRUE(SubscriberBook::open(folder.file("subscribers.db")));
  EXPECT_TRUE(error_of("subscribers.db").contains("a database of another kind"));
  open(folder.file("waf.db"));
  EXPECT_EQ(SubscriberBook::open(folder.file("waf.db")).error().fault, StoreFault::other_kind);
  ASSERT_TRUE(Database::open(folder.file("waf.db"), waf_schema())->execute("PRAGMA user_version = 99"));
  EXPECT_TRUE(error_of("waf.db").contains("found schema 99, known here: up to " +
                                          std::to_string(waf_schema().migrations.size())));
  std::ofstream{folder.file("text")} << std::string(8192, 'x');
  std::filesystem::permissions(folder.file("text"), perms::owner_read | perms::owner_write);
  EXPECT_TRUE(error_of("text").contains("file is not a database"));
  std::filesystem::permissions(folder.file("text"), perms::all);
  EXPECT_TRUE(error_of("text").contains("chmod 600"));
  EXPECT_TRUE(error_of("none/waf.db").contains("No such file or directory"));
  std::filesystem::create_directory(folder.file("folder"));
  EXPECT_TRUE(error_of("folder").contains("Is a directory"));
}

TEST(WafFile, SaysThatItIsDamaged) {
  const Folder folder;
  const std::string file = folder.file("waf.db");
  fill(*open(file), 200);
  const auto damage = [&](std::uintmax_t from, std::uintmax_t bytes) {
    std::fstream stream{file, std::ios::binary | std::ios::in | std::ios::out};
    stream.seekp(static_cast<std::streamoff>(from));
    stream << std::string(bytes, '\xff');
  };
  const std::uintmax_t pages = std::filesystem::file_size(file) / 4096;
  damage(4096 * (pages - 4), 4096 * 4);  // of the users, who come last
  {
    const auto ledger = open(file);
    EXPECT_TRUE(ledger->users().empty());
    EXPECT_EQ(failure(*ledger), file + ": database disk image is malformed");
    EXPECT_TRUE(open_family(*ledger, "f1")) << "the rest is good";
    const auto made = ledger->backup_to(folder.file("copy.db"));
    ASSERT_FALSE(made) << "what is damaged does not become a backup";
    EXPECT_TRUE(made.error().contains("damaged") || made.error().contains("malformed")) << made.error();
    EXPECT_FALSE(std::filesystem::exists(folder.file("copy.db")));
    EXPECT_FALSE(std::filesystem::exists(folder.file("copy.db.partial")));
  }
  damage(4096, 4096 * (pages - 1));
  EXPECT_TRUE(open_error(file).contains("malformed")) << open_error(file);
  std::filesystem::resize_file(file, 4096 + 100);
  EXPECT_TRUE(open_error(file).contains("malformed")) << open_error(file);
}

}  // namespace
}  // namespace turnpike::store
