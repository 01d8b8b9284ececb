#include "credentials/registry.hpp"

#include <gtest/gtest.h>

namespace turnpike::credentials {
namespace {

TEST(Registry, GrantsAStaticUser) {
  Registry registry{{.realm = "ims.example",
                     .static_users = StaticSettings{.users = {{"alice", Secret::from_text("wonderland")}}}}};
  const Key key = make_long_term_key(PasswordAlgorithm::md5, "alice", "ims.example", "wonderland");
  const auto grant = registry.authenticate(
      {.realm = "ims.example", .username = "alice"}, [&](Bytes tried) { return equal(tried, key.reveal()); },
      from_unix_seconds(1'893'456'000));
  ASSERT_TRUE(grant);
  EXPECT_EQ((*grant)->subject, "alice");
}

}  // namespace
}  // namespace turnpike::credentials
