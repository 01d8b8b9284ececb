#include "relay/mailbox.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "relay/epoll.hpp"

namespace turnpike::relay {
namespace {

TEST(Mailbox, GivesTasksInTheOrderOfPosting) {
  Mailbox mailbox{*Mailbox::open_event()};
  std::vector<int> done;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(mailbox.post([&done, i] { done.push_back(i); }));
  for (auto& task : mailbox.take_all()) task();
  EXPECT_EQ(done, (std::vector{0, 1, 2}));
  EXPECT_TRUE(mailbox.take_all().empty());
}

TEST(Mailbox, WakesTheShardForEachPost) {
  auto epoll = Epoll::open();
  ASSERT_TRUE(epoll);
  Mailbox mailbox{*Mailbox::open_event()};
  ASSERT_TRUE(epoll->add(mailbox.event(), 42));
  EXPECT_TRUE(epoll->wait(Duration{0}).empty());

  for (int round = 0; round < 3; ++round) {
    std::thread poster{[&] { EXPECT_TRUE(mailbox.post([] {})); }};
    const auto events = epoll->wait(std::chrono::seconds{5});
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].data.u64, 42U);
    EXPECT_EQ(mailbox.take_all().size(), 1U);
    poster.join();
  }
}

TEST(Mailbox, GivesWhatIsLeftWhenItClosesAndTakesNothingMore) {
  Mailbox mailbox{*Mailbox::open_event()};
  ASSERT_TRUE(mailbox.post([] {}));
  EXPECT_EQ(mailbox.close().size(), 1U);
  EXPECT_FALSE(mailbox.post([] {}));
}

TEST(Mailbox, LosesNothingBetweenThreads) {
  Mailbox mailbox{*Mailbox::open_event()};
  constexpr int posts = 1000;
  int done = 0;
  std::vector<std::thread> posters;
  posters.reserve(4);
  for (int i = 0; i < 4; ++i)
    posters.emplace_back([&] {
      for (int post = 0; post < posts; ++post) EXPECT_TRUE(mailbox.post([&done] { ++done; }));
    });
  while (done < 2 * posts)
    for (auto& task : mailbox.take_all()) task();
  for (auto& poster : posters) poster.join();
  for (auto& task : mailbox.close()) task();
  EXPECT_EQ(done, 4 * posts);
}

}  // namespace
}  // namespace turnpike::relay
