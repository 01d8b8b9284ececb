#include "credentials/sources.hpp"

#include <gtest/gtest.h>

#include <string>

namespace turnpike::credentials {
namespace {

constexpr std::string_view good_key = "HGkj32KJGiuy098sdfaqbNjOiaz71923";

std::string problem_of(std::string id, std::string_view secret) {
  return find_problem(ComputedSecret{std::move(id), Secret::from_text(secret)}).value_or("");
}

std::string problem_of_kid(std::string kid, std::string_view key = good_key,
                           TokenAlgorithm algorithm = TokenAlgorithm::a256gcm) {
  return find_problem(TokenKey{.kid = std::move(kid), .key = Secret::from_text(key), .algorithm = algorithm})
      .value_or("");
}

TEST(ComputedSecret, IsLongAndVariedEnough) {
  EXPECT_EQ(problem_of("k1", "correct horse battery"), "");
  EXPECT_EQ(problem_of("", "abcde67890123456"), "");
  EXPECT_EQ(problem_of("", "abcde6789012345"), "the secret has 15 bytes, at least 16 are needed");
  EXPECT_NE(problem_of("", std::string(40, 'a')), "");
  EXPECT_NE(problem_of("", "abababababababababab"), "");
  EXPECT_NE(problem_of("", "abcdabcdabcdabcdabcd"), "");
  EXPECT_EQ(problem_of("", "abcdeabcdeabcdeabcde"), "");
}

TEST(ComputedSecret, HasAnIdThatItsUsernameCanCarry) {
  EXPECT_NE(problem_of("k.1", "correct horse battery"), "");
  EXPECT_NE(problem_of("k:1", "correct horse battery"), "");
  EXPECT_NE(problem_of("k 1", "correct horse battery"), "");
}

TEST(TokenKey, SuitsItsAlgorithm) {
  EXPECT_EQ(problem_of_kid("k1"), "");
  EXPECT_EQ(problem_of_kid("k1", good_key.substr(0, 16), TokenAlgorithm::a128gcm), "");
  EXPECT_EQ(problem_of_kid("k1", good_key.substr(0, 31)), "the key has 31 bytes, A256GCM needs 32");
  EXPECT_EQ(problem_of_kid("k1", good_key, TokenAlgorithm::a128gcm),
            "the key has 32 bytes, A128GCM needs 16");
  EXPECT_NE(problem_of_kid("k1", std::string(32, '\0')), "");
}

TEST(TokenKey, HasAKidThatIsAUsername) {
  EXPECT_NE(problem_of_kid(""), "");
  EXPECT_EQ(problem_of_kid(std::string(508, 'k')), "");
  EXPECT_NE(problem_of_kid(std::string(509, 'k')), "");
  EXPECT_NE(problem_of_kid("k 1"), "");
  EXPECT_NE(problem_of_kid("k1\n"), "");
  EXPECT_NE(problem_of_kid("k1\x7f"), "");
  EXPECT_EQ(problem_of_kid("22BIjxU93h/IgwEb"), "");
}

TEST(TokenKey, BeginsBeforeItEnds) {
  TokenKey key{.kid = "k1", .key = Secret::from_text(good_key)};
  key.not_before = key.not_after = from_unix_seconds(1'893'456'000);
  EXPECT_TRUE(find_problem(key));
}

TEST(Problem, DoesNotShowTheSecret) {
  EXPECT_EQ(problem_of("", "hunter2").find("hunter2"), std::string::npos);
  EXPECT_EQ(problem_of_kid("k1", "hunter2").find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace turnpike::credentials
