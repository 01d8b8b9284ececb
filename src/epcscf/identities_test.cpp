#include "epcscf/identities.hpp"

#include <gtest/gtest.h>

namespace turnpike::epcscf {
namespace {

TEST(IdentityPattern, HasStarsForUsersAndNamesItsDomain) {
  EXPECT_TRUE(matches_identity_pattern("*@pool.example", "anybody@pool.example"));
  EXPECT_TRUE(matches_identity_pattern("pool-*@ims.example", "pool-17@IMS.example"));
  EXPECT_TRUE(matches_identity_pattern("a@ims.example", "a@ims.example"));
  EXPECT_FALSE(matches_identity_pattern("pool-*@ims.example", "alice@ims.example"));
  EXPECT_FALSE(matches_identity_pattern("*@pool.example", "anybody@sub.pool.example"));
  EXPECT_FALSE(matches_identity_pattern("*@pool.example", "@pool.example"));
  EXPECT_FALSE(matches_identity_pattern("*@*", "anybody@pool.example"));
  EXPECT_FALSE(matches_identity_pattern("*", "anybody@pool.example"));
}

}  // namespace
}  // namespace turnpike::epcscf
