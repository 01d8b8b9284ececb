#include "credentials/grant_cache.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "credentials/test_claims.hpp"

namespace turnpike::credentials {
namespace {

Grant make_computed(std::string username) {
  return {.source = Source::computed, .username = std::move(username)};
}

TEST(GrantCache, SharesEqualGrants) {
  GrantCache cache;
  const GrantPtr first = cache.share(make_computed("1:x"));
  EXPECT_EQ(cache.share(make_computed("1:x")), first);
  EXPECT_EQ(cache.find_name("1:x", PasswordAlgorithm::md5), first);
  EXPECT_EQ(cache.find_name("1:x", PasswordAlgorithm::sha256), nullptr);
  EXPECT_EQ(cache.find_name("1:y", PasswordAlgorithm::md5), nullptr);
}

TEST(GrantCache, TakesTheNewerOfOneName) {
  GrantCache cache;
  const GrantPtr first = cache.share(make_computed("1:x"));
  Grant changed = make_computed("1:x");
  changed.policy.allocations_max = 1;
  const GrantPtr second = cache.share(changed);
  EXPECT_NE(first, second);
  EXPECT_EQ(cache.find_name("1:x", PasswordAlgorithm::md5), second);
}

TEST(GrantCache, FindsOnlyWhatHoldsItself) {
  GrantCache cache;
  cache.share({.source = Source::static_user, .username = "alice"});
  cache.share({.source = Source::pushed, .username = "p1"});
  EXPECT_EQ(cache.find_name("alice", PasswordAlgorithm::md5), nullptr);
  EXPECT_EQ(cache.find_name("p1", PasswordAlgorithm::md5), nullptr);
}

TEST(GrantCache, KeepsTheTwoFormsOfTokensApart) {
  GrantCache cache;
  const crypto::Sha256 hash = crypto::sha256(as_bytes("token"));
  const GrantPtr shown =
      cache.share({.source = Source::token, .username = "k1", .kid = "k1", .token_hash = hash});
  EXPECT_EQ(cache.find_token("k1", hash), shown);
  EXPECT_EQ(cache.find_token("k2", hash), nullptr);
  EXPECT_EQ(cache.find_token("k1", crypto::sha256(as_bytes("another"))), nullptr);
  EXPECT_EQ(cache.find_name("k1", PasswordAlgorithm::md5), nullptr);

  const GrantPtr browser =
      cache.share({.source = Source::token, .username = "k1.dG9rZW4", .kid = "k1", .token_hash = hash});
  EXPECT_EQ(cache.find_name("k1.dG9rZW4", PasswordAlgorithm::md5), browser);
  EXPECT_EQ(cache.find_token("k1", hash), shown);
}

TEST(GrantCache, IsBoundedAndCleared) {
  GrantCache cache;
  std::vector<std::weak_ptr<const Grant>> grants;
  grants.reserve(4 * GrantCache::grants_max);
  for (std::size_t i = 0; i < 4 * GrantCache::grants_max; ++i)
    grants.push_back(cache.share(make_computed(std::to_string(i) + ":x")));
  const auto count = [&] {
    return std::ranges::count_if(grants, [](const auto& grant) { return !grant.expired(); });
  };
  EXPECT_GT(count(), 0);
  EXPECT_LE(static_cast<std::size_t>(count()), GrantCache::grants_max);
  cache.clear();
  EXPECT_EQ(count(), 0);
}

}  // namespace
}  // namespace turnpike::credentials
