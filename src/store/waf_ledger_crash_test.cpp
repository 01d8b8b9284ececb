// "A crash in the middle of any write loses nothing that was answered": children that write are killed, and
// what they had reported by then has to be there, whole, and of the write that was under way all or nothing.

#include <unistd.h>

#include "base/random.hpp"
#include "store/test_child.hpp"
#include "store/test_ledger.hpp"
#include "store/waf_rows.hpp"

namespace turnpike::store {
namespace {

using waf::digest_of;

waf::Family family_of(const std::string& id) {
  return {.id = id, .client = "wic", .user = "u-" + id, .ends_at = now + hour};
}
waf::Issued token_of(const std::string& id, const std::string& of, waf::IssuedKind kind = {}) {
  return {.id = id + of,
          .kind = kind,
          .family = of,
          .client = "wic",
          .subject = "u-" + of,
          .turn_subject = "s-" + of,
          .issued_at = now,
          .ends_at = now + hour};
}

constexpr std::array<Step, 14> steps{
    [](WafLedger& ledger, const std::string& name) {
      ledger.add_code({.digest = digest_of(name),
                       .family = family_of(name),
                       .ends_at = now + hour,
                       .remembered_until = now + hour});
    },
    [](WafLedger& ledger, const std::string& name) { ledger.redeem_code(digest_of(name), "wic", now); },
    [](WafLedger& ledger, const std::string& name) {
      ledger.open_family(family_of(name), digest_of("r1"),
                         std::array{token_of("a", name), token_of("t", name, waf::IssuedKind::turn)}, 10,
                         now);
    },
    [](WafLedger& ledger, const std::string& name) {
      ledger.rotate(name, digest_of("r1"), digest_of("r2"), std::array{token_of("b", name)}, now);
    },
    [](WafLedger& ledger, const std::string& name) { ledger.revoke_issued("a" + name, now); },
    [](WafLedger& ledger, const std::string& name) { ledger.use_once(name, now + hour, now); },
    [](WafLedger& ledger, const std::string& name) { ledger.put_client({.id = name}); },
    [](WafLedger& ledger, const std::string& name) { ledger.put_user({.id = name, .name = name}); },
    [](WafLedger& ledger, const std::string& name) { ledger.put_consent({.user = name, .client = name}); },
    [](WafLedger& ledger, const std::string& name) {
      ledger.open_session({.id = digest_of(name), .user = name, .ends_at = now + hour}, 3);
    },
    [](WafLedger& ledger, const std::string& name) {
      ledger.note_failure(name, {.failures_max = 1}, now);
      ledger.append_audit(std::array{waf::AuditEntry{.at = now, .event = name}});
    },
    [](WafLedger& ledger, const std::string& name) {
      ledger.put_signing_key({.kid = name, .jwk = Secret::from_text(name)});
    },
    [](WafLedger& ledger, const std::string& name) {
      ledger.begin();
      ledger.use_once("joined " + name, now + hour, now);
      ledger.put_client({.id = "joined " + name});
      ledger.commit();
    },
    [](WafLedger& ledger, const std::string& name) { ledger.revoke_family(name, now + hour, now); },
};
constexpr int revocation = static_cast<int>(steps.size()) - 1;

struct Witness : Rows {
  // Of a name whose first `done` steps were reported; the next one may have happened, whole.
  void expect(const std::string& name, int done) const {
    const auto is = [&](int step, bool has_happened) {
      EXPECT_TRUE(has_happened || step >= done) << name << ": step " << step << " is lost";
      EXPECT_FALSE(has_happened && step > done) << name << ": step " << step << " has not begun";
    };
    const std::string code = "SELECT is_redeemed FROM code WHERE family = ?";
    is(0, ask(code, name) >= 0);
    is(1, ask(code, name) == 1);
    const bool is_revoked = ask("SELECT is_revoked FROM family WHERE id = ?", name) == 1;
    is(revocation, is_revoked);
    if (is_revoked) {
      EXPECT_FALSE(has("a" + name) || has("b" + name) || has("t" + name));
      EXPECT_EQ(ask("SELECT 1 FROM revoked WHERE id = ?", "t" + name), 1) << "relays are told for certain";
    } else {
      expect_tokens(name, is);
    }
    is(5, ask("SELECT 1 FROM once WHERE key = ?", name) == 1);
    is(6, ledger.find_client(name) != nullptr);
    is(7, ledger.find_user_by_name(name) != nullptr);
    is(8, ledger.find_consent(name, name).has_value());
    is(9, ledger.find_session(digest_of(name), now).has_value());
    EXPECT_TRUE(ledger.find_lock(name, now) || done <= 10) << name;
    is(10, ask("SELECT 1 FROM audit WHERE event = ?", name) == 1);
    is(11, ask("SELECT 1 FROM signing_key WHERE kid = ?", name) == 1);
    const std::string joined = "joined " + name;
    is(12, ledger.find_client(joined) != nullptr);
    EXPECT_EQ(ask("SELECT 1 FROM once WHERE key = ?", joined) == 1, ledger.find_client(joined) != nullptr);
  }
  template <typename Is>
  void expect_tokens(const std::string& name, Is is) const {
    const bool is_open = ledger.find_family(name, now).has_value();
    const bool is_rotated = has("b" + name);
    is(2, is_open);
    is(3, is_rotated);
    is(4, is_open && !has("a" + name));
    EXPECT_EQ(has("a" + name), has("t" + name)) << "one came and went with the other";
    const waf::Digest refresh = digest_of(is_rotated ? "r2" : "r1");
    const std::string is_last = "SELECT refresh = x'" + to_hex(refresh) + "' FROM family WHERE id = ?";
    EXPECT_EQ(ask(is_last, name), is_open ? 1 : -1) << name;
  }
};

TEST(WafLedgerCrash, LosesNothingThatWasAnswered) { expect_nothing_lost<Witness>(steps, 20); }

TEST(WafLedgerCrash, OpensAFileWhoseMakingWasCutShort) {
  const Folder folder;
  SeededRandom random{21};
  for (int round = 0; round < 10; ++round) {
    const std::string file = folder.file(std::to_string(round));
    Child child{[&](const auto& report) {
      report();
      const auto ledger = open(file);
      while (true) ledger->use_once("a", now, now);
    }};
    ASSERT_TRUE(child.wait_for_report());
    child.wait_for_report(std::chrono::microseconds{random.below(8000)});
    child.kill();
    const auto ledger = open(file);
    EXPECT_TRUE(ledger->use_once("b", now + hour, now));
  }
}

TEST(WafLedgerCrash, LeavesAWholeBackupOrNone) {
  const Folder folder;
  const std::string file = folder.file("waf.db"), copy = folder.file("copy.db");
  open(file)->put_client({.id = "wic", .name = std::string(200'000, 'x')});
  SeededRandom random{22};
  for (int round = 0; round < 10; ++round) {
    Child child{[&](const auto& report) {
      const auto ledger = open(file);
      report();
      while (true) {
        if (!ledger->backup_to(copy)) ::_exit(2);
        ::unlink(copy.c_str());
      }
    }};
    ASSERT_TRUE(child.wait_for_report());
    child.wait_for_report(std::chrono::microseconds{random.below(8000)});
    child.kill();
    EXPECT_TRUE(!std::filesystem::exists(copy) || open(copy)->find_client("wic") != nullptr);
    std::filesystem::remove(copy);
    EXPECT_TRUE(open(file)->backup_to(copy)) << "what is left of the last one is in nobody's way";
    std::filesystem::remove(copy);
  }
}

TEST(WafLedgerCrash, RestoresAWholeLedgerOrNone) {
  const Folder folder;
  const std::string file = folder.file("waf.db"), copy = folder.file("copy.db");
  {
    const auto ledger = open(folder.file("old.db"));
    ledger->put_client({.id = "wic", .name = std::string(200'000, 'x')});
    ASSERT_TRUE(ledger->backup_to(copy));
  }
  const waf::AuditEntry entry{.at = now, .event = "restored"};
  const auto remove = [&] {
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file + suffix);
  };
  SeededRandom random{23};
  for (int round = 0; round < 10; ++round) {
    Child child{[&](const auto& report) {
      report();
      while (true) {
        if (!WafLedger::restore(copy, file, key, entry)) ::_exit(2);
        ::unlink(file.c_str());
      }
    }};
    ASSERT_TRUE(child.wait_for_report());
    child.wait_for_report(std::chrono::microseconds{random.below(12000)});
    child.kill();
    if (std::filesystem::exists(file)) {
      const auto ledger = open(file);
      EXPECT_TRUE(ledger->find_client("wic"));
      EXPECT_EQ(ledger->last_audit_entries(1).size(), 1u);
    }
    remove();
    EXPECT_TRUE(WafLedger::restore(copy, file, key, entry))
        << "what is left of the last one is in nobody's way";
    remove();
  }
}

TEST(WafLedgerCrash, IsEncryptedWithOneKeyOrTheOther) {
  const Folder folder;
  const std::string file = folder.file("waf.db");
  {
    const auto ledger = open(file);
    for (int i = 0; i < 20; ++i) ledger->put_signing_key(signing_key("k" + std::to_string(i)));
  }
  SeededRandom random{24};
  for (int round = 0; round < 10; ++round) {
    Child child{[&](const auto& report) {
      auto ledger = WafLedger::open(file, key);
      if (!ledger) ledger = WafLedger::open(file, other_key);
      if (!ledger) ::_exit(2);
      report();
      while (true)
        if (!(*ledger)->change_key(other_key) || !(*ledger)->change_key(key)) ::_exit(3);
    }};
    ASSERT_TRUE(child.wait_for_report());
    child.wait_for_report(std::chrono::microseconds{random.below(8000)});
    child.kill();
    auto ledger = WafLedger::open(file, key);
    if (!ledger) ledger = WafLedger::open(file, other_key);
    ASSERT_TRUE(ledger) << ledger.error();
    EXPECT_EQ((*ledger)->signing_keys().size(), 20u);
  }
}

}  // namespace
}  // namespace turnpike::store
