#include "turn/recent_deletions.hpp"

#include <gtest/gtest.h>

namespace turnpike::turn {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ClientPath path{0, {IpAddress::v4({198, 51, 100, 7}), 40000}};
constexpr stun::TransactionId id{1, 2, 3};
const Instant start{seconds{100}};

TEST(RecentDeletions, RemembersForFortySecondsAtLeast) {
  for (const auto added_after : {seconds{0}, seconds{39}, seconds{40}, seconds{79}}) {
    RecentDeletions deletions{5};
    deletions.add({1, path.client}, id, start);
    const Instant added = start + added_after;
    deletions.on_timeout(added);
    deletions.add(path, id, added);
    deletions.on_timeout(added + seconds{40} - milliseconds{1});
    EXPECT_TRUE(deletions.contains(path, id)) << added_after.count();
    while (const auto next = deletions.next_deadline()) {
      EXPECT_LE(*next, added + seconds{80});
      deletions.on_timeout(*next);
    }
    EXPECT_FALSE(deletions.contains(path, id));
  }
}

TEST(RecentDeletions, TellsTransactionsAndPathsApart) {
  RecentDeletions deletions{5};
  deletions.add(path, id, start);
  EXPECT_TRUE(deletions.contains(path, id));
  EXPECT_FALSE(deletions.contains(path, {1, 2, 4}));
  EXPECT_FALSE(deletions.contains({1, path.client}, id));
  EXPECT_FALSE(deletions.contains({0, {path.client.ip, 40001}}, id));
}

TEST(RecentDeletions, ForgetsEverythingAfterALongSilence) {
  RecentDeletions deletions{5};
  deletions.add(path, id, start);
  deletions.on_timeout(start + seconds{81});
  EXPECT_FALSE(deletions.contains(path, id));
  EXPECT_FALSE(deletions.next_deadline());
}

TEST(RecentDeletions, DoesNotGrowWithoutBound) {
  RecentDeletions deletions{5};
  deletions.add(path, id, start);
  for (std::uint32_t i = 0; i < 2 * RecentDeletions::per_generation_max; ++i) {
    stun::TransactionId each{};
    store_big(each.data(), i);
    deletions.add({2, path.client}, each, start);
  }
  EXPECT_FALSE(deletions.contains(path, id)) << "the oldest make room";
}

}  // namespace
}  // namespace turnpike::turn
