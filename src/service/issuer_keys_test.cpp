#include "service/issuer_keys.hpp"

#include <gtest/gtest.h>

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;
using Advice = IssuerKeys::Advice;

const Instant start{1000s};

jose::KeySet some_keys() { return *jose::KeySet::share(Secret{ByteVector(32, 1)}, "a"); }

struct Keys : IssuerKeys {
  Keys() : IssuerKeys({}, start) {}
  void fetch_well(Instant now, std::optional<std::chrono::seconds> lifetime = {}) {
    on_fetch_started();
    on_fetched(some_keys(), lifetime, now);
  }
  void fetch_badly(Instant now) {
    on_fetch_started();
    on_fetch_failed(now);
  }
};

TEST(IssuerKeys, AreFetchedAtOnceAndAgainBeforeTheyEnd) {
  Keys keys;
  EXPECT_EQ(keys.keys(), nullptr);
  EXPECT_EQ(keys.next_fetch(), start);
  keys.on_fetch_started();
  EXPECT_FALSE(keys.next_fetch());
  keys.on_fetched(some_keys(), std::nullopt, start);
  EXPECT_NE(keys.keys(), nullptr);
  EXPECT_EQ(keys.next_fetch(), start + 2880s);
  keys.fetch_well(start, 100s);
  EXPECT_EQ(keys.next_fetch(), start + 80s);
}

TEST(IssuerKeys, AreNeitherFetchedAllTheTimeNorKeptForever) {
  Keys keys;
  keys.fetch_well(start, 0s);
  EXPECT_EQ(keys.next_fetch(), start + 48s);
  keys.fetch_well(start, 1'000'000s);
  EXPECT_EQ(keys.next_fetch(), start + 69'120s);
}

TEST(IssuerKeys, StayWhenTheNextOnesCannotBeHad) {
  Keys keys;
  keys.fetch_well(start);
  keys.fetch_badly(start + 2880s);
  EXPECT_NE(keys.keys(), nullptr);
  EXPECT_EQ(keys.next_fetch(), start + 2881s);
}

TEST(IssuerKeys, BackOffWithEachFailure) {
  Keys keys;
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 12; ++i) {
    keys.fetch_badly(start);
    waits.push_back(std::chrono::duration_cast<std::chrono::seconds>(*keys.next_fetch() - start).count());
  }
  EXPECT_EQ(waits, (std::vector<std::int64_t>{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300}));
  keys.fetch_well(start);
  keys.fetch_badly(start);
  EXPECT_EQ(keys.next_fetch(), start + 1s);
}

TEST(IssuerKeys, AreAskedForAnUnknownOneNowAndThen) {
  Keys keys;
  EXPECT_EQ(keys.on_missing(start), Advice::wait);
  keys.on_fetch_started();
  EXPECT_EQ(keys.on_missing(start), Advice::wait);
  keys.on_fetched(some_keys(), std::nullopt, start);
  EXPECT_EQ(keys.on_missing(start + 9s), Advice::believe);
  EXPECT_EQ(keys.on_missing(start + 10s), Advice::wait);
}

TEST(IssuerKeys, ThatCannotBeHadAreNotWaitedFor) {
  Keys keys;
  keys.fetch_badly(start);
  EXPECT_EQ(keys.on_missing(start), Advice::give_up);
  EXPECT_EQ(keys.on_missing(start + 1s), Advice::wait);
  keys.fetch_well(start + 1s);
  EXPECT_EQ(keys.on_missing(start + 1s), Advice::believe);
  keys.fetch_badly(start + 20s);
  EXPECT_EQ(keys.on_missing(start + 20s), Advice::give_up);
}

TEST(MaxAge, IsReadFromCacheControl) {
  EXPECT_EQ(read_max_age("public, max-age=600, must-revalidate"), 600s);
  EXPECT_EQ(read_max_age("max-age=0"), 0s);
  EXPECT_EQ(read_max_age("no-store"), 0s);
  EXPECT_EQ(read_max_age("private,no-cache"), 0s);
  for (const char* text :
       {"", "public", "max-age", "max-age=", "max-age=x", "max-age=99999999999", "s-max-age=5", ", ,"})
    EXPECT_FALSE(read_max_age(text)) << text;
}

}  // namespace
}  // namespace turnpike::service
