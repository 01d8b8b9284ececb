#include "base/random.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace turnpike {
namespace {

TEST(SeededRandom, RepeatsItselfForTheSameSeed) {
  SeededRandom one{42};
  SeededRandom two{42};
  SeededRandom other{43};
  const auto drawn = one.draw<37>();
  EXPECT_EQ(two.draw<37>(), drawn);
  EXPECT_NE(other.draw<37>(), drawn);
}

TEST(SeededRandom, IsTheSameOnEveryMachine) {
  SeededRandom random{1};
  EXPECT_EQ(to_hex(random.draw<16>()), "c510c70f6daff2b3ea4c364796553b85");
}

TEST(SeededRandom, ForksIntoIndependentGenerators) {
  SeededRandom parent{42};
  SeededRandom first = parent.fork();
  SeededRandom second = parent.fork();
  EXPECT_NE(first.next_u64(), second.next_u64());

  SeededRandom same_parent{42};
  SeededRandom same_first = same_parent.fork();
  same_first.draw<100>();  // draws of one child leave the next child alone
  SeededRandom same_second = same_parent.fork();
  same_second.next_u64();
  EXPECT_EQ(same_second.next_u64(), second.next_u64());
}

// Always draws the words of its list, then zeros.
class ListedRandom final : public Random {
 public:
  explicit ListedRandom(std::vector<std::uint32_t> words) : words_(std::move(words)) {}
  void fill(MutableBytes bytes) override {
    ASSERT_EQ(bytes.size(), 4U);
    store_big<std::uint32_t>(bytes.data(), drawn_ < words_.size() ? words_[drawn_] : 0);
    ++drawn_;
  }
  [[nodiscard]] std::size_t drawn() const { return drawn_; }

 private:
  std::vector<std::uint32_t> words_;
  std::size_t drawn_ = 0;
};

TEST(Random, DrawsAgainRatherThanFavourSmallNumbers) {
  ListedRandom random{{3, 4, 5}};  // 2^32 = 6 * 715827882 + 4: the four lowest words are one too many
  EXPECT_EQ(random.below(6), 4U);
  EXPECT_EQ(random.drawn(), 2U);
}

TEST(Random, BelowOneIsZero) { EXPECT_EQ(SeededRandom{1}.below(1), 0U); }

TEST(Random, IsEvenlyDistributedBelowABound) {
  SeededRandom random{7};
  std::map<std::uint32_t, int> counts;
  for (int i = 0; i < 60000; ++i) ++counts[random.below(6)];
  ASSERT_EQ(counts.size(), 6U);
  for (const auto& [value, count] : counts)
    EXPECT_NEAR(count, 10000, 500) << value;  // five standard deviations
  EXPECT_EQ(counts.rbegin()->first, 5U);
}

TEST(RandomDeath, BelowZeroIsOurBug) { EXPECT_DEATH(SeededRandom{1}.below(0), "below zero"); }

TEST(SystemRandom, FillsEverySize) {
  SystemRandom random;
  std::set<ByteVector> seen;
  for (const std::size_t size : {16U, 255U, 256U, 257U, 1024U, 5000U}) {
    ByteVector bytes(size);
    random.fill(bytes);
    EXPECT_TRUE(seen.insert(bytes).second);
    EXPECT_NE(bytes, ByteVector(size)) << size;
    EXPECT_NE(
        Bytes{bytes}.last(8)[0] | Bytes{bytes}.last(8)[7] | Bytes{bytes}.last(8)[4] | Bytes{bytes}.last(8)[2],
        0);
  }
  random.fill({});
}

TEST(SystemRandom, DoesNotRepeatItself) {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 2000; ++i) seen.insert(random.next_u64());  // beyond several refills of its pool
  EXPECT_EQ(seen.size(), 2000U);
}

}  // namespace
}  // namespace turnpike
