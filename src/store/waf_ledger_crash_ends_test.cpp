// What waf_ledger_crash_test.cpp asks of what is given, asked of what is taken back, and of the keys of TURN
// servers.

#include "store/test_child.hpp"
#include "store/waf_rows.hpp"

namespace turnpike::store {
namespace {

using waf::digest_of;

// All that a user and a client of this name can have; together.
void give(WafLedger& ledger, const std::string& name) {
  const waf::Issued token{.id = name,
                          .kind = waf::IssuedKind::turn,
                          .family = name,
                          .client = name,
                          .subject = name,
                          .turn_subject = name,
                          .issued_at = now,
                          .ends_at = now + hour};
  ledger.begin();
  ledger.put_user({.id = name, .name = name, .identity = {.impi = name}});
  ledger.put_client({.id = name});
  ledger.put_consent({.user = name, .client = name});
  ledger.open_session({.id = digest_of(name), .user = name, .ends_at = now + hour}, 3);
  ledger.open_family({.id = name, .client = name, .user = name, .ends_at = now + hour}, digest_of("r1"),
                     std::array{token}, 10, now);
  ledger.commit();
}

waf::StoredTurnKey turn_key_of(const std::string& name) {
  waf::StoredTurnKey next = turn_key(name);
  next.server_name = name;
  next.used_until = now + hour;
  return next;
}

constexpr std::array<Step, 18> steps{
    [](WafLedger& ledger, const std::string& name) { give(ledger, "consent " + name); },
    [](WafLedger& ledger, const std::string& name) {
      ledger.remove_consent("consent " + name, "consent " + name, now);
    },
    [](WafLedger& ledger, const std::string& name) { give(ledger, "client " + name); },
    [](WafLedger& ledger, const std::string& name) { ledger.revoke_client("client " + name, now); },
    [](WafLedger& ledger, const std::string& name) { ledger.remove_client("client " + name, now); },
    [](WafLedger& ledger, const std::string& name) { give(ledger, "user " + name); },
    [](WafLedger& ledger, const std::string& name) { ledger.revoke_user("user " + name, now); },
    [](WafLedger& ledger, const std::string& name) { ledger.remove_user("user " + name, now); },
    [](WafLedger& ledger, const std::string& name) {
      ledger.admit_user({.id = name, .name = name, .identity = {.impi = name, .impus = {"sip:" + name}}},
                        1'000'000);
    },
    [](WafLedger& ledger, const std::string& name) {
      ledger.note_issued(std::array{token("1 " + name), token("2 " + name)}, now);
    },
    [](WafLedger& ledger, const std::string& name) { ledger.add_turn_key(turn_key_of(name)); },
    [](WafLedger& ledger, const std::string& name) { ledger.note_turn_keys_fetched(name, now); },
    [](WafLedger& ledger, const std::string& name) { ledger.end_turn_key_use(name, now + minute); },
    [](WafLedger& ledger, const std::string& name) { ledger.withdraw_turn_key(name); },
    // What these begin they end.
    [](WafLedger& ledger, const std::string& name) {
      ledger.add_turn_key(turn_key_of("removed " + name));
      ledger.remove_turn_key("removed " + name);
      ledger.put_signing_key(signing_key("removed " + name));
      ledger.remove_signing_key("removed " + name);
    },
    [](WafLedger& ledger, const std::string& name) {
      ledger.open_session({.id = digest_of(name), .user = name, .ends_at = now + hour}, 3);
      ledger.close_session(digest_of(name));
      ledger.note_failure(name, {.failures_max = 1}, now);
      ledger.forget_failures(name);
    },
    [](WafLedger& ledger, const std::string& name) {
      ledger.open_session({.id = digest_of(name), .user = name, .ends_at = now}, 3);
      ledger.forget_ended(now);
    },
    [](WafLedger& ledger, const std::string&) { ledger.note_told(ledger.find_revoked(0, now).position); },
};

struct Witness : Rows {
  [[nodiscard]] bool is(const std::string& sql, std::string_view name) const { return ask(sql, name) == 1; }
  [[nodiscard]] bool has_user(const std::string& name) const {
    const bool is_there = ledger.find_user_by_name(name) != nullptr;
    EXPECT_EQ(ask("SELECT count(*) > 0 FROM user_identity WHERE user = ?", name) == 1, is_there) << name;
    return is_there;
  }
  // Nothing of it is valid then, and relays are told for certain.
  [[nodiscard]] bool is_revoked(const std::string& name) const {
    const bool is_over = is("SELECT is_revoked FROM family WHERE id = ?", name);
    const bool is_open = is("SELECT NOT is_revoked FROM family WHERE id = ?", name);
    EXPECT_EQ(has(name), is_open) << name;
    EXPECT_EQ(is("SELECT 1 FROM revoked WHERE id = ?", name), is_over) << name;
    return is_over;
  }
  [[nodiscard]] bool was_given(const std::string& name) const {
    return is("SELECT 1 FROM family WHERE id = ?", name);
  }

  // Of a name whose first `done` steps were reported; the next one may have happened, whole.
  void expect(const std::string& name, int done) const {
    const auto was = [&](int step, bool has_happened) {
      EXPECT_TRUE(has_happened || step >= done) << name << ": step " << step << " is lost";
      EXPECT_FALSE(has_happened && step > done) << name << ": step " << step << " has not begun";
    };
    const std::string consent = "consent " + name, client = "client " + name, user = "user " + name;
    was(0, was_given(consent));
    was(1, is_revoked(consent));
    EXPECT_EQ(ledger.find_consent(consent, consent).has_value(), was_given(consent) && !is_revoked(consent));
    EXPECT_EQ(has_user(consent), was_given(consent));

    was(2, was_given(client));
    was(3, is_revoked(client));
    was(4, was_given(client) && !ledger.find_client(client));
    EXPECT_EQ(ledger.find_consent(client, client).has_value(), ledger.find_client(client) != nullptr);

    was(5, was_given(user));
    was(6, is_revoked(user));
    was(7, was_given(user) && !has_user(user));
    EXPECT_EQ(ledger.find_consent(user, user).has_value(), has_user(user));
    EXPECT_EQ(ledger.find_session(digest_of(user), now).has_value(), was_given(user) && !is_revoked(user));

    was(8, has_user(name));
    was(9, has("2 " + name));
    EXPECT_EQ(has("1 " + name), has("2 " + name));
    expect_turn_keys(name, was);
    expect_nothing_left(name, done);
  }
  void expect_nothing_left(const std::string& name, int done) const {
    const std::string removed = "removed " + name;
    EXPECT_TRUE(done == 14 || !is("SELECT 1 FROM turn_key WHERE kid = ?", removed)) << name;
    EXPECT_TRUE(done == 14 || !is("SELECT 1 FROM signing_key WHERE kid = ?", removed)) << name;
    EXPECT_TRUE(done == 15 || !ledger.find_session(digest_of(name), now)) << name;
    EXPECT_TRUE(done == 15 || !ledger.find_lock(name, now)) << name;
    EXPECT_TRUE(done == 15 || done == 16 || !is("SELECT 1 FROM session WHERE user = ?", name)) << name;
    EXPECT_TRUE(done <= 17 || !is("SELECT 1 FROM revoked, told WHERE id = ? AND revoked.place > told.place",
                                  "user " + name))
        << name;
  }
  template <typename Was>
  void expect_turn_keys(const std::string& name, Was was) const {
    was(10, is("SELECT 1 FROM turn_key WHERE kid = ?", name));
    was(11, is("SELECT fetched_at > 0 FROM turn_key WHERE kid = ?", name));
    was(12, ask("SELECT used_until FROM turn_key WHERE kid = ?", name) ==
                (now + minute).time_since_epoch().count());
    was(13, is("SELECT is_withdrawn FROM turn_key WHERE kid = ?", name));
    EXPECT_FALSE(is("SELECT is_withdrawn <> (key IS NULL) FROM turn_key WHERE kid = ?", name)) << name;
  }
};

TEST(WafLedgerCrash, LosesNothingThatWasTakenBack) { expect_nothing_lost<Witness>(steps, 25); }

}  // namespace
}  // namespace turnpike::store
