#include "ims/subscriber_review.hpp"

#include <gtest/gtest.h>

#include "ims/test_core.hpp"

namespace turnpike::ims {
namespace {

using std::chrono::seconds;
using test::Sent;
using test::World;

World make_world() {
  Settings settings = test::settings();
  settings.review_every = seconds{1};
  return World{settings};
}

void let_pass(World& world, Duration by) {
  world.now.mono += by;
  world.now.wall += by;
  world.core.on_timeout(world.now);
  world.take();
}

TEST(SubscriberReview, EndsTheRegistrationOfWhoWasRemoved) {
  World world = make_world();
  world.register_user("alice");
  world.register_user("bob");
  world.changes.clear();
  let_pass(world, seconds{2});
  EXPECT_TRUE(world.changes.empty());
  world.subscribers.remove("alice@ims.example");
  let_pass(world, seconds{1});
  ASSERT_EQ(world.changes.size(), 1U);
  EXPECT_EQ(world.changes.front().change.registration.impi, "alice@ims.example");
  ASSERT_EQ(world.changes.front().change.ended.size(), 1U);
  EXPECT_EQ(world.changes.front().change.ended.front().event, ContactEvent::rejected);
  EXPECT_EQ(world.core.registrations().size(), 1U);
}

TEST(SubscriberReview, EndsTheRegistrationOfWhoWasBarred) {
  World world = make_world();
  world.register_user("alice");
  auto alice = *world.subscribers.find_private("alice@ims.example");
  alice.is_barred = true;
  world.subscribers.add(alice);
  let_pass(world, seconds{1});
  EXPECT_EQ(world.core.registrations().size(), 0U);
}

TEST(SubscriberReview, LooksAtThousandsSomeAtATimeAndAgainWhereTheyChangeMeanwhile) {
  MemorySubscribers subscribers;
  Registrations registrations{8};
  for (int i = 0; i < 2'000; ++i) {
    const std::string impi = "user" + std::to_string(1'000'000 + i) + "@ims.example";
    subscribers.add({.impi = impi, .impus = {"sip:" + impi}});
    registrations.bind(impi, {"sip:" + impi}, {{.contact = "sip:a@b"}});
  }
  SubscriberReview review{seconds{1}, subscribers, registrations};
  Now now{.mono = Instant{seconds{10}}};
  EXPECT_TRUE(review.on_timeout(now).empty());
  const Instant next = *review.next_timeout();
  EXPECT_LT(next, now.mono + std::chrono::milliseconds{100}) << "the rest follows soon";
  now.mono = next;
  subscribers.remove("user1000000@ims.example");  // who was looked at already
  std::vector<std::string> gone;
  for (int turn = 0; turn < 10 && gone.empty(); ++turn) {
    gone = review.on_timeout(now);
    now.mono = *review.next_timeout();
  }
  EXPECT_EQ(gone, std::vector<std::string>{"user1000000@ims.example"});
}

TEST(SubscriberReview, ComesToEverybodyHoweverOftenTheyChange) {
  MemorySubscribers subscribers;
  Registrations registrations{8};
  for (int i = 0; i < 2'000; ++i) {
    const std::string impi = "user" + std::to_string(1'000'000 + i) + "@ims.example";
    if (i != 1'999) subscribers.add({.impi = impi, .impus = {"sip:" + impi}});
    registrations.bind(impi, {"sip:" + impi}, {{.contact = "sip:a@b"}});
  }
  SubscriberReview review{seconds{1}, subscribers, registrations};
  Now now{.mono = Instant{seconds{10}}};
  std::vector<std::string> gone;
  for (int turn = 0; turn < 10 && gone.empty(); ++turn) {
    subscribers.add({.impi = "new" + std::to_string(turn), .impus = {"sip:new"}});
    gone = review.on_timeout(now);
    now.mono = *review.next_timeout();
  }
  EXPECT_EQ(gone, std::vector<std::string>{"user1001999@ims.example"});
}

class Sometimes final : public Subscribers {
 public:
  std::optional<Subscriber> find_private(std::string_view impi) override {
    if (is_down) return std::nullopt;
    return Subscriber{.impi = std::string{impi}, .is_barred = is_barred};
  }
  std::optional<Subscriber> find_public(std::string_view) override { return std::nullopt; }
  bool store_sqn(std::string_view, std::uint64_t) override { return false; }
  std::uint64_t version() override { return number; }
  [[nodiscard]] bool has_failed() const override { return is_down; }
  bool is_down = false, is_barred = false;
  std::uint64_t number = 1;
};

TEST(SubscriberReview, TakesNobodyForRemovedWhoCannotBeLookedUp) {
  Sometimes subscribers;
  Registrations registrations{8};
  registrations.bind("a@ims.example", {"sip:a@ims.example"}, {{.contact = "sip:a@b"}});
  SubscriberReview review{seconds{1}, subscribers, registrations};
  Now now{.mono = Instant{seconds{10}}};
  subscribers.is_down = true;
  EXPECT_TRUE(review.on_timeout(now).empty());
  subscribers.is_down = false;
  subscribers.is_barred = true;
  now.mono += seconds{1};
  EXPECT_EQ(review.on_timeout(now), std::vector<std::string>{"a@ims.example"});
}

}  // namespace
}  // namespace turnpike::ims
