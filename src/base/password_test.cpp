#include "base/password.hpp"

#include <gtest/gtest.h>

namespace turnpike {
namespace {

constexpr PasswordCost cheap{.log2_n = 4, .r = 1, .p = 1};

Secret secret(std::string_view text) { return Secret::from_text(text); }

TEST(Password, IsKnownAgainAndNoOtherIs) {
  SeededRandom random{1};
  const std::string stored = hash_password(secret("pa$$word \xc3\xa4"), cheap, random);
  EXPECT_TRUE(matches_password(secret("pa$$word \xc3\xa4"), stored));
  EXPECT_FALSE(matches_password(secret("pa$$word a"), stored));
  EXPECT_FALSE(matches_password(secret(""), stored));
}

TEST(Password, HasASaltOfItsOwn) {
  SeededRandom random{1};
  EXPECT_NE(hash_password(secret("a"), cheap, random), hash_password(secret("a"), cheap, random));
}

TEST(Password, IsNeverThatOfADecoy) {
  const std::string decoy = make_decoy_hash(cheap);
  EXPECT_TRUE(decoy.starts_with("$scrypt$ln=4,r=1,p=1$"));
  EXPECT_FALSE(matches_password(secret(""), decoy));
  EXPECT_FALSE(matches_password(secret("a"), decoy));
}

TEST(Password, PassesAPublishedVector) {
  // RFC 7914 section 12: scrypt("pleaseletmein", "SodiumChloride", N = 16384, r = 8, p = 1), its first half.
  EXPECT_TRUE(matches_password(
      secret("pleaseletmein"),
      "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI"));
}

TEST(Password, IsNotKnownByWhatIsNoHash) {
  SeededRandom random{1};
  const std::string stored = hash_password(secret("a"), cheap, random);
  for (std::size_t size = 0; size < stored.size(); ++size)
    EXPECT_FALSE(matches_password(secret("a"), stored.substr(0, size))) << size;
  for (const char* text : {"a", "$scrypt$ln=60,r=8,p=1$AAAA$AAAA", "$scrypt$ln=4,r=1,p=99$AAAAAAAA$AAAA",
                           "$scrypt$ln=4,r=1$AAAA$AAAA", "$scrypt$ln=-4,r=1,p=1$AAAA$AAAA"})
    EXPECT_FALSE(matches_password(secret("a"), text)) << text;
}

}  // namespace
}  // namespace turnpike
