// Logins that are under way at the same time: an office that comes back, and a guesser.
#include "epcscf/login_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <initializer_list>
#include <set>

#include "epcscf/test_world.hpp"

namespace turnpike::epcscf {
namespace {

using namespace test;

// WICs of one source that log in, each over a connection of its own, and a core that answers by hand.
class Office {
 public:
  explicit Office(std::uint32_t failures, std::size_t waiting_max = 2'000)
      : world(make(failures, waiting_max)) {}

  void log_in(std::uint64_t who) {
    const FlowId flow{1'000 + who};
    if (is_connected_.insert(who).second) world.connect(flow);
    world.send(world.make_register(ask_of(who)), flow);
    take_in();
  }
  void leave(std::uint64_t who) {
    world.close(FlowId{1'000 + who});
    take_in();
  }
  // The core answers the first that it has.
  void answer(std::uint16_t status_code) {
    const std::string request = std::move(at_core.front());
    at_core.pop_front();
    const std::string user = value(request, "To");
    world.answer_core(request, status_code,
                      status_code == 200 ? world.make_accepted(ask_of(std::stoull(user.substr(5)))) : "");
    take_in();
  }
  void advance(Duration by) {
    world.advance(by);
    world.to_core.clear();  // retransmissions
  }
  std::size_t count_answers(int status_code) {
    return static_cast<std::size_t>(std::ranges::count_if(
        world.to_client, [&](const auto& sent) { return status(sent.second) == status_code; }));
  }

  World world;
  std::deque<std::string> at_core;
  std::size_t forwarded = 0;

 private:
  static Settings make(std::uint32_t failures, std::size_t waiting_max) {
    Settings settings = make_settings();
    settings.limits.failed_logins_per_minute = failures;
    settings.limits.waiting_logins_per_source_max = waiting_max;
    settings.has_reg_event = false;
    return settings;
  }
  static Ask ask_of(std::uint64_t who) {
    const std::string user = std::to_string(who) + "@ims.example";
    std::string authorization = digest_answer;
    authorization.replace(authorization.find("alice@ims.example"), 17, user);
    return {.user = user, .authorization = authorization};
  }
  void take_in() {
    forwarded += world.to_core.size();
    for (std::string& text : world.to_core) at_core.push_back(std::move(text));
    world.to_core.clear();
  }

  std::set<std::uint64_t> is_connected_;
};

TEST(Logins, OfAWholeOfficeAtOncePassWhereTheyAreRight) {
  Office office{60};
  for (std::uint64_t who = 0; who < 500; ++who) office.log_in(who);
  EXPECT_EQ(office.at_core.size(), 60U);
  while (!office.at_core.empty()) {
    office.answer(200);
    ASSERT_LE(office.at_core.size(), 60U);
  }
  EXPECT_EQ(office.forwarded, 500U);
  EXPECT_EQ(office.count_answers(200), 500U);
}

TEST(Logins, ThatAreWrongPassNoMoreOftenHoweverManyAreUnderWay) {
  Office office{60, 10'000};
  for (std::uint64_t count = 0; count < 2'000; ++count) office.log_in(count % 50);
  while (!office.at_core.empty()) office.answer(403);
  EXPECT_EQ(office.forwarded, 60U);
  EXPECT_EQ(office.count_answers(403), 60U);
  EXPECT_EQ(office.count_answers(503), 1'940U);
  office.advance(seconds{1});
  for (std::uint64_t who = 0; who < 50; ++who) office.log_in(who);
  EXPECT_EQ(office.at_core.size(), 1U);
}

TEST(Logins, OfWhoHangsUpBeforeTheAnswerCount) {
  Office office{2};
  for (std::uint64_t who = 0; who < 2; ++who) {
    office.log_in(who);
    office.leave(who);
    office.answer(403);
  }
  office.log_in(2);
  EXPECT_EQ(office.count_answers(503), 1U);
  EXPECT_TRUE(office.at_core.empty());
}

TEST(Logins, OfWhichTheCoreSaysNothingCostNothing) {
  Office office{2};
  for (const std::uint16_t status_code : std::initializer_list<std::uint16_t>{500, 503, 408, 404, 500, 480}) {
    office.log_in(0);
    ASSERT_EQ(office.at_core.size(), 1U) << status_code;
    office.answer(status_code);
  }
  for (std::uint64_t who = 0; who < 5; ++who) office.log_in(who);
  EXPECT_EQ(office.at_core.size(), 2U);
  office.advance(seconds{33});
  EXPECT_EQ(office.count_answers(504), 5U) << "two for which the core was silent, three that waited for them";
  office.at_core.clear();
  office.log_in(0);
  EXPECT_EQ(office.at_core.size(), 1U);
}

TEST(Logins, WaitForTheirTurnInOrder) {
  Office office{1, 2};
  for (std::uint64_t who = 0; who < 4; ++who) office.log_in(who);
  EXPECT_EQ(office.count_answers(503), 1U) << "more than may wait";
  office.leave(1);
  office.log_in(4);
  ASSERT_EQ(office.at_core.size(), 1U);
  office.answer(200);
  ASSERT_EQ(office.at_core.size(), 1U);
  EXPECT_TRUE(holds(value(office.at_core.front(), "To"), "2@"));
  office.answer(403);
  EXPECT_TRUE(office.at_core.empty());
  EXPECT_EQ(office.count_answers(503), 2U) << "there is nothing left for the one who waits";
}

}  // namespace
}  // namespace turnpike::epcscf
