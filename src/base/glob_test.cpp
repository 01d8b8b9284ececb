#include "base/glob.hpp"

#include <gtest/gtest.h>

#include <string>

namespace turnpike {
namespace {

TEST(Glob, MatchesAsAWhole) {
  EXPECT_TRUE(matches_glob("pool-*@ims.example", "pool-17@ims.example"));
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("a*b*c", "abbbbc"));
  EXPECT_TRUE(matches_glob("**a", "aa"));
  EXPECT_FALSE(matches_glob("pool-*@ims.example", "pool-17@ims.example.evil"));
  EXPECT_FALSE(matches_glob("a", "ab"));
  EXPECT_FALSE(matches_glob("ab", "a"));
  EXPECT_FALSE(matches_glob("", "a"));
  EXPECT_TRUE(matches_glob("", ""));
  EXPECT_FALSE(matches_glob("a*b", "ac"));
}

TEST(Glob, TakesNoLongerForATextThatIsMeantToBeHard) {
  EXPECT_FALSE(matches_glob("*a*a*a*a*a*a*a*a*b", std::string(10'000, 'a')));
}

}  // namespace
}  // namespace turnpike
