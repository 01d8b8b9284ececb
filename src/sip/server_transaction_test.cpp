#include "sip/server_transaction.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace turnpike::sip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = ServerTransaction::State;

Now at(Duration time) { return {.mono = Instant{time}, .wall = {}}; }
ServerTransaction invite(bool is_reliable = false) { return {true, is_reliable, {}, at({})}; }
ServerTransaction other(bool is_reliable = false) { return {false, is_reliable, {}, at({})}; }

TEST(InviteServer, SaysTryingWhereTheCoreIsSilent) {
  auto transaction = invite(true);
  EXPECT_EQ(transaction.on_request(), Step{}) << "nothing to repeat yet";
  EXPECT_EQ(*transaction.next_timeout(), Instant{milliseconds{200}});
  EXPECT_EQ(transaction.on_timeout(at(milliseconds{200})), Step{.send_trying = true});
  EXPECT_FALSE(transaction.next_timeout());
  EXPECT_EQ(transaction.on_request(), Step{.transmit = true});
}

TEST(InviteServer, SaysNothingOfItsOwnOnceTheCoreHasSpoken) {
  auto transaction = invite();
  EXPECT_EQ(transaction.on_response(180, at(milliseconds{100})), Step{.transmit = true});
  EXPECT_FALSE(transaction.next_timeout());
  EXPECT_EQ(transaction.on_request(), Step{.transmit = true});
}

TEST(InviteServer, RepeatsARefusalUntilTimerH) {
  auto transaction = invite();
  EXPECT_EQ(transaction.on_response(486, at({})), Step{.transmit = true});
  std::vector<std::int64_t> transmissions;
  Step last;
  while (const auto next = transaction.next_timeout()) {
    last = transaction.on_timeout({.mono = *next, .wall = {}});
    if (last.transmit)
      transmissions.push_back(std::chrono::duration_cast<milliseconds>(next->time_since_epoch()).count());
  }
  EXPECT_EQ(transmissions,
            (std::vector<std::int64_t>{500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500}));
  EXPECT_EQ(last, Step{.time_out = true});
  EXPECT_TRUE(transaction.is_terminated());
}

TEST(InviteServer, IsConfirmedByTheAckAndLingersForTimerI) {
  auto transaction = invite();
  transaction.on_response(486, at({}));
  EXPECT_EQ(transaction.on_request(), Step{.transmit = true});
  EXPECT_EQ(transaction.on_ack(at(seconds{1})), Step{});
  EXPECT_EQ(transaction.state(), State::confirmed);
  EXPECT_EQ(transaction.on_request(), Step{});
  EXPECT_EQ(transaction.on_ack(at(seconds{2})), Step{});
  EXPECT_EQ(*transaction.next_timeout(), Instant{seconds{6}});
  EXPECT_EQ(transaction.on_timeout(at(seconds{6})), Step{});
  EXPECT_TRUE(transaction.is_terminated());
}

TEST(InviteServer, WaitsForTheAckAloneOverAReliableTransport) {
  auto transaction = invite(true);
  transaction.on_response(486, at({}));
  EXPECT_EQ(*transaction.next_timeout(), Instant{seconds{32}});
  EXPECT_EQ(transaction.on_ack(at(seconds{1})), Step{});
  EXPECT_TRUE(transaction.is_terminated());
}

TEST(InviteServer, AbsorbsTheInviteAfterASuccessUntilTimerL) {
  auto transaction = invite();
  EXPECT_EQ(transaction.on_response(200, at({})), Step{.transmit = true});
  EXPECT_EQ(transaction.state(), State::accepted);
  EXPECT_EQ(transaction.on_request(), Step{});
  EXPECT_EQ(transaction.on_response(200, at(seconds{1})), Step{.transmit = true}) << "the core repeats it";
  EXPECT_EQ(transaction.on_response(486, at(seconds{1})), Step{});
  EXPECT_EQ(transaction.on_ack(at(seconds{1})), Step{.deliver = true});
  EXPECT_EQ(*transaction.next_timeout(), Instant{seconds{32}});
  EXPECT_EQ(transaction.on_timeout(at(seconds{32})), Step{});
  EXPECT_TRUE(transaction.is_terminated());
}

TEST(InviteServer, TakesNoSecondFinalResponse) {
  auto transaction = invite();
  transaction.on_response(486, at({}));
  EXPECT_EQ(transaction.on_response(200, at({})), Step{});
  EXPECT_EQ(transaction.on_response(180, at({})), Step{});
}

TEST(InviteServer, StaysAfterATransportError) {
  auto transaction = invite();
  EXPECT_EQ(transaction.on_transport_error(), Step{.time_out = true});
  EXPECT_FALSE(transaction.is_terminated());
}

TEST(InviteServer, IgnoresAnAckBeforeItsResponse) {
  auto transaction = invite();
  EXPECT_EQ(transaction.on_ack(at({})), Step{});
  EXPECT_EQ(transaction.state(), State::proceeding);
}

TEST(OtherServer, RepeatsWhatTheCoreSaid) {
  auto transaction = other();
  EXPECT_FALSE(transaction.next_timeout());
  EXPECT_EQ(transaction.on_request(), Step{});
  EXPECT_EQ(transaction.on_response(100, at({})), Step{.transmit = true});
  EXPECT_EQ(transaction.state(), State::proceeding);
  EXPECT_EQ(transaction.on_request(), Step{.transmit = true});
  EXPECT_EQ(transaction.on_response(200, at(seconds{1})), Step{.transmit = true});
  EXPECT_EQ(transaction.on_request(), Step{.transmit = true});
  EXPECT_EQ(transaction.on_response(200, at(seconds{1})), Step{});
  EXPECT_EQ(*transaction.next_timeout(), Instant{seconds{33}}) << "timer J";
  EXPECT_EQ(transaction.on_timeout(at(seconds{33})), Step{});
  EXPECT_TRUE(transaction.is_terminated());
}

TEST(OtherServer, EndsWithItsResponseOverAReliableTransport) {
  auto transaction = other(true);
  EXPECT_EQ(transaction.on_response(200, at({})), Step{.transmit = true});
  EXPECT_TRUE(transaction.is_terminated());
  EXPECT_EQ(transaction.on_request(), Step{});
}

TEST(OtherServer, EndsWithATransportError) {
  auto transaction = other();
  EXPECT_EQ(transaction.on_transport_error(), Step{.time_out = true});
  EXPECT_TRUE(transaction.is_terminated());
}

TEST(OtherServer, KnowsNoAck) {
  auto transaction = other();
  transaction.on_response(486, at({}));
  EXPECT_EQ(transaction.on_ack(at({})), Step{});
  EXPECT_EQ(transaction.state(), State::completed);
}

}  // namespace
}  // namespace turnpike::sip
