#include "credentials/pushed_table.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>
#include <string>

#include "base/random.hpp"
#include "credentials/test_claims.hpp"

namespace turnpike::credentials {
namespace {

using namespace std::chrono_literals;
using By = Revocation::By;

PushedCredential make_credential(std::string username, std::string subject = "s1", Duration ttl = 600s) {
  const Key key = make_long_term_key(PasswordAlgorithm::md5, username, test_realm, "secret");
  return {.username = std::move(username),
          .subject = std::move(subject),
          .key_md5 = key,
          .expires_at = test_wall + ttl};
}

PushedChange make_put(std::uint64_t sequence, std::string username) {
  return {sequence, PushedChange::Put{make_credential(std::move(username))}};
}

PushedTable make_table(std::size_t credentials_max = 10) {
  return {std::string{test_realm}, credentials_max};
}

std::vector<std::string> names_of(const PushedTable& table, std::string_view subject = {}) {
  std::vector<std::string> names;
  for (const PushedEntry& entry : table.list(subject)) names.push_back(entry.username);
  return names;
}

using Names = std::vector<std::string>;

TEST(PushedTable, FindsByNameAndByHash) {
  PushedTable table = make_table();
  EXPECT_EQ(table.put(make_credential("alice"), test_wall), PushOutcome::done);
  const PushedCredential* found = table.find("alice");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->subject, "s1");
  EXPECT_EQ(table.find(make_userhash("alice", test_realm)), found);
  EXPECT_EQ(table.find("bob"), nullptr);
  EXPECT_EQ(table.find(make_userhash("alice", "another realm")), nullptr);
}

TEST(PushedTable, ReplacesTheOlderCredential) {
  PushedTable table = make_table(1);
  EXPECT_EQ(table.put(make_credential("alice", "s1"), test_wall), PushOutcome::done);
  PushedCredential newer = make_credential("alice", "s2", 900s);
  newer.policy.allocations_max = 3;
  EXPECT_EQ(table.put(newer, test_wall), PushOutcome::done);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(
      table.list(),
      (std::vector<PushedEntry>{{"alice", "s2", WallTime::min(), test_wall + 900s, {.allocations_max = 3}}}));
  EXPECT_EQ(names_of(table, "s1"), Names{});
  EXPECT_EQ(names_of(table, "s2"), Names{"alice"});
}

TEST(PushedTable, TakesTheUsernameForAMissingSubject) {
  PushedTable table = make_table();
  EXPECT_EQ(table.put(make_credential("alice", ""), test_wall), PushOutcome::done);
  EXPECT_EQ(table.revoke({By::subject, "alice"}), 1U);
}

TEST(PushedTable, RefusesWhatIsInvalid) {
  PushedTable table = make_table();
  PushedCredential keyless = make_credential("alice");
  keyless.key_md5 = Key{};
  PushedCredential odd = make_credential("alice");
  odd.key_md5 = Key{ByteVector(15)};
  PushedCredential odd_sha256 = make_credential("alice");
  odd_sha256.key_sha256 = Key{ByteVector(16)};
  for (const PushedCredential& credential :
       {keyless, odd, odd_sha256, make_credential(""), make_credential(std::string(509, 'a')),
        make_credential("alice", "s1", 0s)})
    EXPECT_EQ(table.put(credential, test_wall), PushOutcome::invalid);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.sequence(), 0U);
  EXPECT_EQ(table.put(make_credential(std::string(508, 'a')), test_wall), PushOutcome::done);
}

TEST(PushedTable, IsLimitedAndMakesRoomWhereCredentialsHaveExpired) {
  PushedTable table = make_table(2);
  EXPECT_EQ(table.put(make_credential("alice", "s1", 10s), test_wall), PushOutcome::done);
  EXPECT_EQ(table.put(make_credential("bob"), test_wall), PushOutcome::done);
  EXPECT_EQ(table.put(make_credential("carol"), test_wall), PushOutcome::full);
  EXPECT_EQ(table.put(make_credential("carol"), test_wall + 10s), PushOutcome::done);
  EXPECT_EQ(names_of(table), (Names{"bob", "carol"}));
  table.limit(3);
  EXPECT_EQ(table.put(make_credential("dave"), test_wall), PushOutcome::done);
  table.limit(1);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(table.put(make_credential("erin"), test_wall), PushOutcome::full);
}

TEST(PushedTable, ForgetsWhatExpiredLongAgo) {
  PushedTable table = make_table();
  EXPECT_EQ(table.put(make_credential("alice", "s1", 10s), test_wall), PushOutcome::done);
  const WallTime later = test_wall + 10s + PushedTable::kept_after_expiry;
  EXPECT_EQ(table.put(make_credential("bob", "s1", 24h), later - 1ns), PushOutcome::done);
  EXPECT_EQ(names_of(table), (Names{"alice", "bob"}));
  EXPECT_EQ(table.put(make_credential("carol", "s1", 24h), later), PushOutcome::done);
  EXPECT_EQ(names_of(table), (Names{"bob", "carol"}));
}

TEST(PushedTable, DropsTheExpiredWhenAsked) {
  PushedTable table = make_table();
  EXPECT_EQ(table.put(make_credential("alice", "s1", 10s), test_wall), PushOutcome::done);
  EXPECT_EQ(table.put(make_credential("bob", "s1", 20s), test_wall), PushOutcome::done);
  table.drop_expired(test_wall + 10s);
  EXPECT_EQ(names_of(table), Names{"bob"});
  EXPECT_EQ(names_of(table, "s1"), Names{"bob"});
  EXPECT_EQ(table.find(make_userhash("alice", test_realm)), nullptr);
}

TEST(PushedTable, Extends) {
  PushedTable table = make_table();
  EXPECT_EQ(table.put(make_credential("alice", "s1", 10s), test_wall), PushOutcome::done);
  EXPECT_EQ(table.extend("alice", test_wall + 100s), PushOutcome::done);
  EXPECT_EQ(table.extend("bob", test_wall + 100s), PushOutcome::unknown);
  table.drop_expired(test_wall + 99s);
  ASSERT_NE(table.find("alice"), nullptr);
  EXPECT_EQ(table.find("alice")->expires_at, test_wall + 100s);
  table.drop_expired(test_wall + 100s);
  EXPECT_EQ(table.find("alice"), nullptr);
}

TEST(PushedTable, RevokesByUsernameAndBySubject) {
  PushedTable table = make_table();
  for (const auto& [username, subject] :
       {std::pair{"alice", "s1"}, std::pair{"anna", "s1"}, std::pair{"bob", "s2"}, std::pair{"carl", "s10"}})
    EXPECT_EQ(table.put(make_credential(username, subject), test_wall), PushOutcome::done);
  EXPECT_EQ(table.revoke({By::username, "s2"}), 0U);
  EXPECT_EQ(table.revoke({By::kid, "bob"}), 0U);
  EXPECT_EQ(table.revoke({By::username, "bob"}), 1U);
  EXPECT_EQ(table.revoke({By::username, "bob"}), 0U);
  EXPECT_EQ(table.revoke({By::subject, "s1"}), 2U);
  EXPECT_EQ(names_of(table), Names{"carl"});
  EXPECT_EQ(table.find(make_userhash("anna", test_realm)), nullptr);
}

TEST(PushedTable, NumbersItsLocalChanges) {
  PushedTable table = make_table();
  EXPECT_EQ(table.put(make_credential("alice"), test_wall), PushOutcome::done);
  EXPECT_EQ(table.extend("alice", test_wall + 900s), PushOutcome::done);
  EXPECT_EQ(table.extend("bob", test_wall + 900s), PushOutcome::unknown);
  EXPECT_EQ(table.revoke({By::username, "bob"}), 0U);
  EXPECT_EQ(table.revoke({By::username, "alice"}), 1U);
  EXPECT_EQ(table.sequence(), 3U);
  EXPECT_EQ(table.apply(make_put(4, "bob"), test_wall), PushOutcome::done);
}

TEST(PushedTable, AcknowledgesARepeatedChangeOnce) {
  PushedTable table = make_table();
  EXPECT_EQ(table.apply(make_put(1, "alice"), test_wall), PushOutcome::done);
  EXPECT_EQ(table.apply({2, PushedChange::RevokeUsername{"alice"}}, test_wall), PushOutcome::done);
  // The network delivers the first change again.
  EXPECT_EQ(table.apply(make_put(1, "alice"), test_wall), PushOutcome::repeated);
  EXPECT_EQ(table.find("alice"), nullptr);
  EXPECT_EQ(table.sequence(), 2U);
}

TEST(PushedTable, NoticesAGap) {
  PushedTable table = make_table();
  EXPECT_EQ(table.apply(make_put(2, "bob"), test_wall), PushOutcome::gap);
  EXPECT_EQ(table.find("bob"), nullptr);
  EXPECT_EQ(table.apply(make_put(1, "alice"), test_wall), PushOutcome::done);
  EXPECT_EQ(table.apply(make_put(UINT64_MAX, "carol"), test_wall), PushOutcome::gap);
  EXPECT_EQ(table.apply(make_put(2, "bob"), test_wall), PushOutcome::done);
}

TEST(PushedTable, SpendsANumberWhateverBecomesOfTheChange) {
  PushedTable table = make_table(1);
  EXPECT_EQ(table.apply(make_put(1, "alice"), test_wall), PushOutcome::done);
  EXPECT_EQ(table.apply(make_put(2, "bob"), test_wall), PushOutcome::full);
  EXPECT_EQ(table.apply(make_put(3, ""), test_wall), PushOutcome::invalid);
  EXPECT_EQ(table.apply({4, PushedChange::Extend{"bob", test_wall + 1s}}, test_wall), PushOutcome::unknown);
  EXPECT_EQ(table.apply({5, PushedChange::RevokeSubject{"nobody"}}, test_wall), PushOutcome::done);
  EXPECT_EQ(table.apply({6, PushedChange::Extend{"alice", test_wall + 900s}}, test_wall), PushOutcome::done);
  EXPECT_EQ(table.apply({7, PushedChange::RevokeSubject{"s1"}}, test_wall), PushOutcome::done);
  EXPECT_EQ(table.size(), 0U);
}

TEST(PushedTable, StartsAgainFromAResync) {
  PushedTable table = make_table(2);
  EXPECT_EQ(table.apply(make_put(1, "alice"), test_wall), PushOutcome::done);
  EXPECT_EQ(table.apply(make_put(7, "bob"), test_wall), PushOutcome::gap);
  const std::size_t taken = table.resync(7,
                                         {make_credential("bob"), make_credential("gone", "s1", 0s),
                                          make_credential("carol"), make_credential("too many")},
                                         test_wall);
  EXPECT_EQ(taken, 2U);
  EXPECT_EQ(names_of(table), (Names{"bob", "carol"}));
  EXPECT_EQ(table.find(make_userhash("alice", test_realm)), nullptr);
  EXPECT_EQ(table.sequence(), 7U);
  EXPECT_EQ(table.apply(make_put(7, "bob"), test_wall), PushOutcome::repeated);
  EXPECT_EQ(table.apply({8, PushedChange::RevokeUsername{"bob"}}, test_wall), PushOutcome::done);
}

TEST(PushedTable, NamesItsOutcomes) {
  std::set<std::string_view> names;
  for (const auto outcome : {PushOutcome::done, PushOutcome::repeated, PushOutcome::gap, PushOutcome::full,
                             PushOutcome::unknown, PushOutcome::invalid})
    names.insert(to_string(outcome));
  EXPECT_EQ(names, (std::set<std::string_view>{"done", "repeated", "gap", "full", "unknown", "invalid"}));
}

// Against the simplest table there is: a map.
class Model {
 public:
  void put(const PushedCredential& credential) { all_[credential.username] = credential; }
  void extend(const std::string& username, WallTime end) {
    if (const auto at = all_.find(username); at != all_.end()) at->second.expires_at = end;
  }
  void revoke_username(const std::string& username) { all_.erase(username); }
  void revoke_subject(const std::string& subject) {
    std::erase_if(all_, [&](const auto& entry) { return entry.second.subject == subject; });
  }
  void drop_expired(WallTime wall) {
    std::erase_if(all_, [&](const auto& entry) { return entry.second.expires_at <= wall; });
  }
  [[nodiscard]] std::vector<PushedEntry> list() const {
    std::vector<PushedEntry> entries;
    entries.reserve(all_.size());
    for (const auto& [username, at] : all_)
      entries.push_back({username, at.subject, at.not_before, at.expires_at, at.policy});
    return entries;
  }

 private:
  std::map<std::string, PushedCredential> all_;
};

TEST(PushedTable, BehavesAsAMapDoes) {
  SeededRandom random{99};
  PushedTable table = make_table(1000);
  Model model;
  for (int i = 0; i < 5000; ++i) {
    const std::string username = "user" + std::to_string(random.below(40));
    const std::string subject = "s" + std::to_string(random.below(5));
    const WallTime end = test_wall + std::chrono::seconds{1 + random.below(1000)};
    switch (random.below(8)) {
      case 0:
        table.extend(username, end) == PushOutcome::done ? model.extend(username, end) : void();
        break;
      case 1:
        table.revoke({By::username, username});
        model.revoke_username(username);
        break;
      case 2:
        if (random.below(10) > 0) break;
        table.revoke({By::subject, subject});
        model.revoke_subject(subject);
        break;
      case 3: {
        const WallTime wall = test_wall + std::chrono::seconds{random.below(100)};
        table.drop_expired(wall);
        model.drop_expired(wall);
        break;
      }
      default: {
        const PushedCredential credential = make_credential(username, subject, end - test_wall);
        ASSERT_EQ(table.put(credential, test_wall), PushOutcome::done);
        model.put(credential);
      }
    }
    ASSERT_EQ(table.list(), model.list());
    for (const PushedEntry& entry : model.list()) {
      ASSERT_EQ(table.find(entry.username)->subject, entry.subject);
      ASSERT_EQ(table.find(make_userhash(entry.username, test_realm)), table.find(entry.username));
    }
  }
}

}  // namespace
}  // namespace turnpike::credentials
