#include "sip/client_transaction.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace turnpike::sip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = ClientTransaction::State;
using Times = std::vector<std::int64_t>;

Now at(Duration time) { return {.mono = Instant{time}, .wall = {}}; }
ClientTransaction invite(bool is_reliable = false) { return {true, is_reliable, {}, at({})}; }
ClientTransaction other(bool is_reliable = false) { return {false, is_reliable, {}, at({})}; }

struct Course {
  Times transmissions;     // ms
  std::int64_t ended = 0;  // ms
  bool timed_out = false;
};
// Lets time pass until nothing is waited for.
Course run(ClientTransaction& transaction) {
  Course course;
  while (const auto next = transaction.next_timeout()) {
    const Now now{.mono = *next, .wall = {}};
    const auto ms = std::chrono::duration_cast<milliseconds>(now.mono.time_since_epoch()).count();
    const Step step = transaction.on_timeout(now);
    if (step.transmit) course.transmissions.push_back(ms);
    course.timed_out = course.timed_out || step.time_out;
    course.ended = ms;
  }
  return course;
}

TEST(InviteClient, DoublesTimerAUntilTimerB) {
  auto transaction = invite();
  const Course course = run(transaction);
  EXPECT_EQ(course.transmissions, (Times{500, 1500, 3500, 7500, 15500, 31500}));
  EXPECT_EQ(course.ended, 32000);
  EXPECT_TRUE(course.timed_out);
  EXPECT_TRUE(transaction.is_terminated());
}

TEST(InviteClient, SendsOnceOverAReliableTransport) {
  auto transaction = invite(true);
  const Course course = run(transaction);
  EXPECT_TRUE(course.transmissions.empty());
  EXPECT_EQ(course.ended, 32000);
  EXPECT_TRUE(course.timed_out);
}

TEST(InviteClient, WaitsWithoutEndOnceItRings) {
  auto transaction = invite();
  EXPECT_EQ(transaction.on_response(180, at(seconds{1})), Step{.deliver = true});
  EXPECT_EQ(transaction.on_response(183, at(seconds{2})), Step{.deliver = true});
  EXPECT_EQ(transaction.state(), State::proceeding);
  EXPECT_FALSE(transaction.next_timeout());
}

TEST(InviteClient, DeliversEachSuccessUntilTimerM) {
  auto transaction = invite();
  EXPECT_EQ(transaction.on_response(200, at(seconds{1})), Step{.deliver = true});
  EXPECT_EQ(transaction.state(), State::accepted);
  EXPECT_EQ(transaction.on_response(200, at(seconds{2})), Step{.deliver = true});
  EXPECT_EQ(transaction.on_response(180, at(seconds{2})), Step{});
  EXPECT_EQ(transaction.on_response(486, at(seconds{2})), Step{});
  const Course course = run(transaction);
  EXPECT_EQ(course.ended, 33000);
  EXPECT_FALSE(course.timed_out);
}

TEST(InviteClient, AcknowledgesARefusalEachTimeAndDeliversItOnce) {
  auto transaction = invite();
  EXPECT_EQ(transaction.on_response(486, at(seconds{1})), (Step{.acknowledge = true, .deliver = true}));
  EXPECT_EQ(transaction.on_response(486, at(seconds{2})), Step{.acknowledge = true});
  EXPECT_EQ(transaction.on_response(200, at(seconds{2})), Step{});
  EXPECT_EQ(transaction.on_response(180, at(seconds{2})), Step{});
  const Course course = run(transaction);
  EXPECT_EQ(course.ended, 33000) << "timer D";
  EXPECT_FALSE(course.timed_out);
}

TEST(InviteClient, EndsWithARefusalOverAReliableTransport) {
  auto transaction = invite(true);
  EXPECT_EQ(transaction.on_response(603, at(seconds{1})), (Step{.acknowledge = true, .deliver = true}));
  EXPECT_TRUE(transaction.is_terminated());
  EXPECT_EQ(transaction.on_response(603, at(seconds{1})), Step{});
}

TEST(InviteClient, TellsATransportErrorWhileItMatters) {
  auto calling = invite();
  EXPECT_EQ(calling.on_transport_error(), Step{.time_out = true});
  EXPECT_TRUE(calling.is_terminated());
  auto accepted = invite();
  accepted.on_response(200, at({}));
  EXPECT_EQ(accepted.on_transport_error(), Step{});
  EXPECT_TRUE(accepted.is_terminated());
  auto completed = invite();
  completed.on_response(486, at({}));
  EXPECT_EQ(completed.on_transport_error(), Step{.time_out = true});
}

TEST(InviteClient, EndsInTimeOnceItWasCancelled) {
  auto transaction = invite();
  transaction.on_response(180, at(seconds{1}));
  transaction.on_cancelled(at(seconds{2}));
  EXPECT_EQ(transaction.on_response(180, at(seconds{3})), Step{.deliver = true});
  const Course course = run(transaction);
  EXPECT_EQ(course.ended, 34000);
  EXPECT_TRUE(course.timed_out);
}

TEST(OtherClient, DoublesTimerEUpToT2UntilTimerF) {
  auto transaction = other();
  const Course course = run(transaction);
  EXPECT_EQ(course.transmissions, (Times{500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500}));
  EXPECT_EQ(course.ended, 32000);
  EXPECT_TRUE(course.timed_out);
}

TEST(OtherClient, RetransmitsEveryT2OnceSomethingWasHeard) {
  auto transaction = other();
  EXPECT_EQ(transaction.on_response(100, at(milliseconds{100})), Step{.deliver = true});
  const Course course = run(transaction);
  EXPECT_EQ(course.transmissions, (Times{500, 4500, 8500, 12500, 16500, 20500, 24500, 28500}));
  EXPECT_TRUE(course.timed_out) << "timer F runs in proceeding too";
}

TEST(OtherClient, LingersForTimerK) {
  auto transaction = other();
  EXPECT_EQ(transaction.on_response(200, at(seconds{1})), Step{.deliver = true});
  EXPECT_EQ(transaction.on_response(200, at(seconds{2})), Step{});
  const Course course = run(transaction);
  EXPECT_EQ(course.ended, 6000);
  EXPECT_FALSE(course.timed_out);
}

TEST(OtherClient, EndsWithItsAnswerOverAReliableTransport) {
  auto transaction = other(true);
  EXPECT_EQ(*transaction.next_timeout(), Instant{seconds{32}});
  EXPECT_EQ(transaction.on_response(401, at(seconds{1})), Step{.deliver = true});
  EXPECT_TRUE(transaction.is_terminated());
  EXPECT_FALSE(transaction.next_timeout());
}

TEST(OtherClient, IsNotCancelled) {
  auto transaction = other(true);
  transaction.on_cancelled(at(seconds{20}));
  EXPECT_EQ(*transaction.next_timeout(), Instant{seconds{32}});
  EXPECT_EQ(transaction.on_timeout(at(seconds{1})), Step{});
}

}  // namespace
}  // namespace turnpike::sip
