#include "credentials/deny_list.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "credentials/test_claims.hpp"

namespace turnpike::credentials {
namespace {

using namespace std::chrono_literals;
using By = Revocation::By;

Grant make_grant() {
  return {.username = "1893456600:k1.mfzwizltoq",
          .subject = "mfzwizltoq",
          .kid = "k1.8f3a",
          .token_hash = crypto::sha256(as_bytes("token"))};
}

TEST(DenyList, DeniesByEachKind) {
  const Grant grant = make_grant();
  const std::string hash = to_hex(*grant.token_hash);
  for (const Revocation& revocation :
       {Revocation{By::username, grant.username}, Revocation{By::subject, grant.subject},
        Revocation{By::kid, grant.kid}, Revocation{By::kid, "k1"}, Revocation{By::token_hash, hash}}) {
    DenyList list;
    EXPECT_FALSE(list.denies(grant, test_wall));
    EXPECT_TRUE(list.add(revocation, test_wall));
    EXPECT_TRUE(list.denies(grant, test_wall)) << revocation.value;
    EXPECT_TRUE(matches(revocation, grant)) << revocation.value;
  }
}

TEST(DenyList, KeepsTheKindsApart) {
  const Grant grant = make_grant();
  DenyList list;
  for (const By by : {By::username, By::subject, By::kid, By::token_hash}) {
    EXPECT_TRUE(list.add({by, "somebody else"}, test_wall));
    if (by != By::subject) {
      EXPECT_TRUE(list.add({by, grant.subject}, test_wall));
    }
    if (by != By::username) {
      EXPECT_TRUE(list.add({by, grant.username}, test_wall));
    }
  }
  EXPECT_TRUE(list.add({By::kid, "k"}, test_wall));
  EXPECT_TRUE(list.add({By::kid, "k1.8f3a.x"}, test_wall));
  EXPECT_FALSE(list.denies(grant, test_wall));
  EXPECT_FALSE(list.denies(Grant{.username = "alice"}, test_wall));
}

TEST(DenyList, EndsWithTheCredential) {
  DenyList list;
  EXPECT_TRUE(list.add({By::subject, "mfzwizltoq", test_wall + 10s}, test_wall));
  EXPECT_TRUE(list.denies(make_grant(), test_wall + 10s - 1ns));
  EXPECT_FALSE(list.denies(make_grant(), test_wall + 10s));
}

TEST(DenyList, KeepsTheLaterEnd) {
  DenyList list;
  for (const auto seconds : {10s, 20s, 5s})
    EXPECT_TRUE(list.add({By::subject, "mfzwizltoq", test_wall + seconds}, test_wall));
  EXPECT_EQ(list.size(), 1U);
  EXPECT_TRUE(list.denies(make_grant(), test_wall + 19s));
}

TEST(DenyList, DeniesWhatHadEndedByAClockThatIsSetBack) {
  DenyList list;
  EXPECT_TRUE(list.add({By::subject, "mfzwizltoq", test_wall}, test_wall + 1h));
  EXPECT_FALSE(list.denies(Grant{.subject = "mfzwizltoq"}, test_wall + 1h));
  EXPECT_TRUE(list.denies(Grant{.subject = "mfzwizltoq"}, test_wall - 1s));
  EXPECT_TRUE(list.list(test_wall).empty());
}

TEST(DenyList, ListsWhatHasNotEndedInOrder) {
  DenyList list;
  EXPECT_TRUE(list.add({By::kid, "k1", test_wall + 30s}, test_wall));
  EXPECT_TRUE(list.add({By::username, "bob", test_wall + 20s}, test_wall));
  EXPECT_TRUE(list.add({By::username, "alice", test_wall + 10s}, test_wall));
  const auto values = [&](WallTime wall) {
    std::vector<std::string> all;
    for (const Revocation& revocation : list.list(wall)) all.push_back(revocation.value);
    return all;
  };
  EXPECT_EQ(values(test_wall), (std::vector<std::string>{"alice", "bob", "k1"}));
  EXPECT_EQ(values(test_wall + 10s), (std::vector<std::string>{"bob", "k1"}));
  EXPECT_EQ(list.list(test_wall + 25s)[0].by, By::kid);
  EXPECT_EQ(list.list(test_wall + 25s)[0].until, test_wall + 30s);
}

TEST(DenyList, HasTheRoomThatItIsGiven) {
  DenyList list{1};
  const Revocation first{By::subject, "first", test_wall + 1h};
  const Revocation second{By::subject, "second", test_wall + 1h};
  EXPECT_TRUE(list.add(first, test_wall));
  EXPECT_FALSE(list.add(second, test_wall));
  EXPECT_TRUE(list.holds(first, test_wall));
  EXPECT_FALSE(list.holds(second, test_wall));
}

TEST(DenyList, IsLimitedAndMakesRoomWhereEntriesHaveEnded) {
  DenyList list;
  for (std::size_t i = 0; i < DenyList::entries_max; ++i) {
    const auto until = i % 1000 == 0 ? test_wall + 10s : test_wall + 20s;
    ASSERT_TRUE(list.add({By::username, std::to_string(i), until}, test_wall));
  }
  EXPECT_FALSE(list.add({By::subject, "one more"}, test_wall));
  EXPECT_TRUE(list.add({By::username, "7", test_wall + 30s}, test_wall));  // is there already
  EXPECT_FALSE(list.denies(Grant{.subject = "one more"}, test_wall));
  EXPECT_TRUE(list.add({By::subject, "has ended", test_wall}, test_wall))
      << "nothing is lost by leaving it out";
  EXPECT_EQ(list.size(), DenyList::entries_max);

  EXPECT_TRUE(list.add({By::subject, "one more"}, test_wall + 10s));
  EXPECT_EQ(list.size(), DenyList::entries_max - 100 + 1);
  EXPECT_TRUE(list.denies(Grant{.username = "7"}, test_wall + 25s));
}

}  // namespace
}  // namespace turnpike::credentials
