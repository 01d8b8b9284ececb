#include "credentials/grant.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string>

#include "credentials/test_claims.hpp"

namespace turnpike::credentials {
namespace {

using By = Revocation::By;

// RFC 5769 section 2.4 and RFC 8489 appendix B.1 as erratum 6268 corrects it.
constexpr std::string_view matrix = "\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9";

TEST(LongTermKey, PassesPublishedVectors) {
  const auto key = [](PasswordAlgorithm algorithm) {
    return to_hex(make_long_term_key(algorithm, matrix, "example.org", "TheMatrIX").reveal());
  };
  EXPECT_EQ(key(PasswordAlgorithm::md5), "e8ca7ad59d5eb0518e312911d2dab2a9");
  EXPECT_EQ(key(PasswordAlgorithm::sha256),
            "dd295a613b9058c3c23d6dc7165bda072304d989c9d0af3a8c7e184b4f9bb4a1");
}

TEST(LongTermKey, TakesAnyCharacterAndAnEmptyPassword) {
  EXPECT_EQ(make_long_term_key(PasswordAlgorithm::md5, "a:b", "r", "").reveal().size(), 16U);
  EXPECT_NE(make_long_term_key(PasswordAlgorithm::md5, "a", "r", std::string_view{"x\0y", 3}),
            make_long_term_key(PasswordAlgorithm::md5, "a", "r", "x"));
}

TEST(Userhash, PassesKnownVectors) {
  EXPECT_EQ(to_hex(make_userhash(matrix, "example.org")),
            "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704");
  EXPECT_EQ(to_hex(make_userhash("1893456000:impi-3f2a@ims.example", "ims.example")),
            "befc0fa5e6992db54b7cf988169f1a6a8f1eafa9d68f9fc950932763a291c303");
  EXPECT_EQ(to_hex(make_userhash("kid-ims-1", "ims.example")),
            "54e46727147903a1abd024afd52cad699c154f358372a221794e9ec3ccc1eba7");
}

TEST(Key, LeavesNothingBehind) {
  alignas(Key) std::array<Byte, sizeof(Key)> memory{};
  const std::array<Byte, 4> bytes{0xde, 0xad, 0xbe, 0xef};
  Key* key = std::construct_at(reinterpret_cast<Key*>(memory.data()), Bytes{bytes});
  ASSERT_FALSE(std::ranges::search(memory, bytes).empty());

  std::destroy_at(key);

  EXPECT_TRUE(std::ranges::search(memory, bytes).empty());
}

TEST(Key, ComparesItsBytes) {
  const std::array<Byte, 16> zeros{};
  EXPECT_EQ(Key{zeros}, Key{zeros});
  EXPECT_NE(Key{zeros}, Key{Bytes{zeros}.first(15)});
  EXPECT_NE(Key{zeros}, Key{});
  EXPECT_TRUE(Key{}.empty());
}

TEST(Names, AreDistinct) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < refusal_count; ++i) names.insert(to_string(static_cast<Refusal>(i)));
  EXPECT_EQ(names.size(), refusal_count);
  EXPECT_EQ(to_string(Refusal::unknown_user), "unknown_user");
  EXPECT_EQ(to_string(Refusal::token_without_lifetime), "token_without_lifetime");
  EXPECT_EQ(to_string(Refusal::wrong_realm), "wrong_realm");
  EXPECT_EQ(to_string(Source::static_user), "static");
  EXPECT_EQ(to_string(Source::computed), "computed");
  EXPECT_EQ(to_string(Source::pushed), "pushed");
  EXPECT_EQ(to_string(Source::token), "token");
}

TEST(Revocation, MatchesByEachKind) {
  const Grant grant{.username = "k1.8f3a.AAxo",
                    .subject = "8f3a",
                    .kid = "k1.8f3a",
                    .token_hash = crypto::sha256(as_bytes("token"))};
  EXPECT_TRUE(matches({By::username, "k1.8f3a.AAxo"}, grant));
  EXPECT_TRUE(matches({By::subject, "8f3a"}, grant));
  EXPECT_TRUE(matches({By::kid, "k1.8f3a"}, grant));
  EXPECT_TRUE(matches({By::token_hash, to_hex(*grant.token_hash)}, grant));

  EXPECT_FALSE(matches({By::username, "8f3a"}, grant));
  EXPECT_FALSE(matches({By::subject, "k1.8f3a"}, grant));
  EXPECT_FALSE(matches({By::kid, "8f3a"}, grant));
  EXPECT_FALSE(matches({By::token_hash, std::string(64, '0')}, grant));
}

TEST(Revocation, OfAMasterMatchesWhatWasDerivedFromIt) {
  const Grant derived{.kid = "k1.8f3a"};
  EXPECT_TRUE(matches({By::kid, "k1"}, derived));
  EXPECT_FALSE(matches({By::kid, "k"}, derived));
  EXPECT_FALSE(matches({By::kid, "k1.8f3"}, derived));
}

TEST(Revocation, OfNothingMatchesNothing) {
  EXPECT_FALSE(matches({By::kid, ""}, Grant{.username = "alice"}));
  EXPECT_FALSE(matches({By::token_hash, ""}, Grant{.username = "alice"}));
}

}  // namespace
}  // namespace turnpike::credentials
