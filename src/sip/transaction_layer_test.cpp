#include "sip/transaction_layer.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>

#include "sip/answers.hpp"
#include "sip/headers.hpp"
#include "sip/test_messages.hpp"

namespace turnpike::sip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Flow client{.id = 1, .is_reliable = true, .is_shared = false};
constexpr Flow core{.id = 2, .is_reliable = false, .is_shared = true};

std::string request(std::string_view method, std::string_view branch,
                    std::string_view sent_by = "a.invalid") {
  std::string text = test::request("", method);
  const std::string via = "SIP/2.0/UDP " + std::string{sent_by} + ";branch=" + std::string{branch};
  const std::string_view old = "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf;rport";
  return text.replace(text.find(old), old.size(), via);
}
std::string response_to(const std::string& text, std::uint16_t status_code) {
  return make_response(test::parsed(text), status_code, "far").finish();
}

// The layer with its shell and its core played by hand.
class World {
 public:
  explicit World(const TransactionLimits& limits = {}) : layer(limits) {}

  RequestArrival receive(const std::string& text, const Flow& from) {
    return layer.on_request(test::parsed(text), from, now);
  }
  ResponseArrival receive_response(const std::string& text) {
    return layer.on_response(test::parsed(text), now);
  }
  ServerId start_server(const std::string& text, const Flow& from = core) {
    const auto arrival = receive(text, from);
    check(std::holds_alternative<NewRequest>(arrival), "a new request was expected");
    return std::get<NewRequest>(arrival).id;
  }
  ClientId send(const std::string& text, const Flow& to = core) {
    const auto id = layer.send_request(text, to, now);
    check(id.has_value(), "a request was not sent");
    return *id;
  }
  void advance(Duration by) {
    now.mono += by;
    layer.on_timeout(now);
  }
  // Messages sent since the last call; other effects are kept.
  std::vector<std::string> take_sent() {
    drain();
    return std::exchange(sent_, {});
  }
  std::string take_one() {
    auto sent = take_sent();
    check(sent.size() == 1, "exactly one message was expected");
    return sent.front();
  }
  template <typename Effect>
  std::optional<Effect> take() {
    drain();
    for (auto at = effects_.begin(); at != effects_.end(); ++at)
      if (const auto* found = std::get_if<Effect>(&*at)) {
        Effect effect = *found;
        effects_.erase(at);
        return effect;
      }
    return std::nullopt;
  }

  TransactionLayer layer;
  Now now{};

 private:
  void drain() {
    while (auto effect = layer.next_effect()) {
      if (auto* message = std::get_if<SendMessage>(&*effect))
        sent_.push_back(std::move(message->bytes));
      else
        effects_.push_back(*std::move(effect));
    }
  }
  std::vector<std::string> sent_;
  std::vector<TransactionEffect> effects_;
};

TEST(TransactionServer, AbsorbsWhatIsRepeatedAndRepeatsItsResponse) {
  World world;
  const std::string registration = request("REGISTER", "z9hG4bK1");
  const ServerId id = world.start_server(registration);
  EXPECT_TRUE(std::holds_alternative<Absorbed>(world.receive(registration, core)));
  EXPECT_TRUE(world.take_sent().empty());
  const std::string ok = response_to(registration, 200);
  EXPECT_TRUE(world.layer.respond(id, ok, world.now));
  EXPECT_EQ(world.take_one(), ok);
  EXPECT_TRUE(std::holds_alternative<Absorbed>(world.receive(registration, core)));
  EXPECT_EQ(world.take_one(), ok);
  EXPECT_FALSE(world.layer.respond(id, ok, world.now));
  world.advance(seconds{32});
  EXPECT_EQ(world.take<ServerEnded>()->id, id);
  EXPECT_EQ(world.layer.transaction_count(), 0U);
  EXPECT_FALSE(world.layer.next_timeout());
}

TEST(TransactionServer, IsToldByBranchSentByAndMethod) {
  World world;
  const ServerId first = world.start_server(request("OPTIONS", "z9hG4bK1"));
  EXPECT_NE(world.start_server(request("OPTIONS", "z9hG4bK2")), first);
  EXPECT_NE(world.start_server(request("OPTIONS", "z9hG4bK1", "b.invalid")), first);
  EXPECT_NE(world.start_server(request("OPTIONS", "z9hG4bK1", "a.invalid:5060")), first);
  EXPECT_NE(world.start_server(request("MESSAGE", "z9hG4bK1")), first);
  EXPECT_TRUE(
      std::holds_alternative<Absorbed>(world.receive(request("OPTIONS", "Z9HG4BK1", "A.invalid"), core)));
}

TEST(TransactionServer, OfOneClientIsNotMetByAnother) {
  World world;
  world.start_server(request("INVITE", "z9hG4bK1"), client);
  const auto arrival = world.receive(request("CANCEL", "z9hG4bK1"), Flow{.id = 7});
  EXPECT_FALSE(std::get<NewRequest>(arrival).cancelled);
  world.start_server(request("INVITE", "z9hG4bK1"), Flow{.id = 7});
}

TEST(TransactionServer, IsToldAsInRfc2543WithoutACookie) {
  World world;
  for (const auto* branch : {"z9hG4bK", "1"}) {
    const std::string invite = request("INVITE", branch);
    const ServerId id = world.start_server(invite);
    EXPECT_TRUE(std::holds_alternative<Absorbed>(world.receive(invite, core)));
    EXPECT_TRUE(world.layer.respond(id, response_to(invite, 486), world.now));
    std::string ack = request("ACK", branch);
    ack.replace(ack.find("To: <sip:alice@ims.example>"), 27, "To: <sip:alice@ims.example>;tag=far");
    EXPECT_TRUE(std::holds_alternative<Absorbed>(world.receive(ack, core)));
    std::string next = invite;
    world.start_server(next.replace(next.find("CSeq: 1"), 7, "CSeq: 2"));
  }
}

TEST(TransactionServer, SaysTryingAfter200Milliseconds) {
  World world;
  const std::string invite = request("INVITE", "z9hG4bK1");
  world.start_server(invite);
  world.advance(milliseconds{199});
  EXPECT_TRUE(world.take_sent().empty());
  world.advance(milliseconds{1});
  EXPECT_EQ(world.take_one(), make_response(test::parsed(invite), 100, {}).finish());
  world.receive(invite, core);
  EXPECT_TRUE(world.take_one().starts_with("SIP/2.0 100 "));
}

TEST(TransactionServer, TakesTheAckOfARefusalForItself) {
  World world;
  const std::string invite = request("INVITE", "z9hG4bK1");
  const ServerId id = world.start_server(invite, client);
  world.layer.respond(id, response_to(invite, 486), world.now);
  EXPECT_TRUE(std::holds_alternative<Absorbed>(world.receive(request("ACK", "z9hG4bK1"), client)));
  EXPECT_EQ(world.take<ServerEnded>()->id, id) << "timer I is 0";
}

TEST(TransactionServer, TellsOfARefusalWithoutAck) {
  World world;
  const std::string invite = request("INVITE", "z9hG4bK1");
  const ServerId id = world.start_server(invite, client);
  world.layer.respond(id, response_to(invite, 486), world.now);
  world.advance(seconds{32});
  EXPECT_EQ(world.take<ServerLacksAck>()->id, id);
  EXPECT_EQ(world.take<ServerEnded>()->id, id);
  EXPECT_EQ(world.take_sent().size(), 1U);
}

TEST(TransactionServer, LeavesTheAckOfASuccessToTheCore) {
  World world;
  const std::string invite = request("INVITE", "z9hG4bK1");
  const ServerId id = world.start_server(invite);
  world.layer.respond(id, response_to(invite, 200), world.now);
  EXPECT_EQ(std::get<NewAck>(world.receive(request("ACK", "z9hG4bK1"), core)).invite, id);
  EXPECT_FALSE(std::get<NewAck>(world.receive(request("ACK", "z9hG4bK2"), core)).invite);
  EXPECT_TRUE(std::holds_alternative<Absorbed>(world.receive(invite, core)));
}

TEST(TransactionServer, FindsTheInviteOfACancel) {
  World world;
  const ServerId invite = world.start_server(request("INVITE", "z9hG4bK1"));
  const auto arrival = world.receive(request("CANCEL", "z9hG4bK1"), core);
  EXPECT_EQ(std::get<NewRequest>(arrival).cancelled, invite);
  EXPECT_NE(std::get<NewRequest>(arrival).id, invite);
  EXPECT_FALSE(std::get<NewRequest>(world.receive(request("CANCEL", "z9hG4bK2"), core)).cancelled);
}

TEST(TransactionServer, IsLimitedPerClientAndInAll) {
  World world{{.transactions_max = 4, .servers_per_flow_max = 2}};
  const ServerId first = world.start_server(request("OPTIONS", "z9hG4bK1"), client);
  world.start_server(request("OPTIONS", "z9hG4bK2"), client);
  EXPECT_TRUE(std::holds_alternative<TooMany>(world.receive(request("OPTIONS", "z9hG4bK3"), client)));
  EXPECT_TRUE(std::holds_alternative<Absorbed>(world.receive(request("OPTIONS", "z9hG4bK2"), client)));
  world.start_server(request("OPTIONS", "z9hG4bK3"), core);
  world.start_server(request("OPTIONS", "z9hG4bK4"), core);
  EXPECT_TRUE(std::holds_alternative<TooMany>(world.receive(request("OPTIONS", "z9hG4bK5"), core)));
  EXPECT_EQ(world.layer.send_request(request("OPTIONS", "z9hG4bK6"), core, world.now).error(),
            SendRefusal::too_many);
  world.layer.respond(first, response_to(request("OPTIONS", "z9hG4bK1"), 200), world.now);
  world.start_server(request("OPTIONS", "z9hG4bK3"), client);
}

TEST(TransactionClient, RetransmitsUntilItHasItsAnswer) {
  World world;
  const std::string options = request("OPTIONS", "z9hG4bK1");
  const ClientId id = world.send(options);
  EXPECT_EQ(world.take_one(), options);
  world.advance(milliseconds{500});
  EXPECT_EQ(world.take_one(), options);
  EXPECT_EQ(std::get<NewResponse>(world.receive_response(response_to(options, 200))).id, id);
  EXPECT_TRUE(std::holds_alternative<Absorbed>(world.receive_response(response_to(options, 200))));
  world.advance(seconds{5});
  EXPECT_TRUE(world.take_sent().empty());
  EXPECT_EQ(world.take<ClientEnded>()->id, id);
  EXPECT_TRUE(std::holds_alternative<Stray>(world.receive_response(response_to(options, 200))));
}

TEST(TransactionClient, TellsOfSilence) {
  World world;
  const ClientId id = world.send(request("REGISTER", "z9hG4bK1"), client);
  world.advance(seconds{31});
  EXPECT_FALSE(world.take<ClientTimedOut>());
  world.advance(seconds{1});
  EXPECT_EQ(world.take<ClientTimedOut>()->id, id);
  EXPECT_EQ(world.take<ClientEnded>()->id, id);
  EXPECT_EQ(world.take_sent().size(), 1U) << "nothing is repeated over a WebSocket";
}

TEST(TransactionClient, IsToldByBranchAndMethod) {
  World world;
  const std::string options = request("OPTIONS", "z9hG4bK1");
  world.send(options);
  EXPECT_TRUE(std::holds_alternative<Stray>(
      world.receive_response(response_to(request("OPTIONS", "z9hG4bK2"), 200))));
  EXPECT_TRUE(std::holds_alternative<Stray>(
      world.receive_response(response_to(request("MESSAGE", "z9hG4bK1"), 200))));
  EXPECT_TRUE(
      std::holds_alternative<Stray>(world.receive_response(response_to(request("OPTIONS", "1"), 200))));
  EXPECT_TRUE(std::holds_alternative<NewResponse>(world.receive_response(response_to(options, 200))));
}

TEST(TransactionClient, RefusesWhatCannotBeMatched) {
  World world;
  world.send(request("OPTIONS", "z9hG4bK1"));
  const auto error_of = [&](const std::string& text) {
    const auto sent = world.layer.send_request(text, core, world.now);
    check(!sent.has_value(), "a request was sent");
    return sent.error();
  };
  EXPECT_EQ(error_of(request("OPTIONS", "z9hG4bK1")), SendRefusal::duplicate);
  EXPECT_EQ(error_of(request("OPTIONS", "z9hG4bK")), SendRefusal::unusable);
  EXPECT_EQ(error_of(request("ACK", "z9hG4bK2")), SendRefusal::unusable);
  EXPECT_EQ(error_of(test::response(200)), SendRefusal::unusable);
  EXPECT_EQ(error_of("nothing"), SendRefusal::unusable);
}

TEST(TransactionClient, AcknowledgesEachRefusal) {
  World world;
  const std::string invite = request("INVITE", "z9hG4bK1");
  const ClientId id = world.send(invite);
  world.take_sent();
  const std::string busy = response_to(invite, 486);
  EXPECT_EQ(std::get<NewResponse>(world.receive_response(busy)).id, id);
  const std::string ack = world.take_one();
  EXPECT_EQ(ack, make_ack(test::parsed(invite), test::parsed(busy)));
  EXPECT_TRUE(std::holds_alternative<Absorbed>(world.receive_response(busy)));
  EXPECT_EQ(world.take_one(), ack);
}

TEST(TransactionClient, SendsTheCancelOnceItRings) {
  World world;
  const std::string invite = request("INVITE", "z9hG4bK1");
  const ClientId id = world.send(invite);
  world.take_sent();
  world.layer.cancel(id, world.now);
  EXPECT_TRUE(world.take_sent().empty());
  EXPECT_TRUE(std::holds_alternative<NewResponse>(world.receive_response(response_to(invite, 180))));
  const std::string cancel = world.take_one();
  EXPECT_EQ(cancel, make_cancel(test::parsed(invite)));
  world.layer.cancel(id, world.now);
  EXPECT_TRUE(world.take_sent().empty()) << "once is enough";
  EXPECT_TRUE(std::holds_alternative<NewResponse>(world.receive_response(response_to(cancel, 200))));
  EXPECT_EQ(std::get<NewResponse>(world.receive_response(response_to(invite, 487))).id, id);
}

TEST(TransactionClient, EndsWhereACancelledInviteStaysUnanswered) {
  World world;
  const std::string invite = request("INVITE", "z9hG4bK1");
  const ClientId id = world.send(invite, client);
  world.receive_response(response_to(invite, 180));
  world.advance(seconds{60});
  world.layer.cancel(id, world.now);
  world.advance(seconds{32});
  std::set<ClientId> timed_out;
  while (const auto effect = world.take<ClientTimedOut>()) timed_out.insert(effect->id);
  EXPECT_TRUE(timed_out.contains(id));
  EXPECT_EQ(world.layer.transaction_count(), 0U);
}

TEST(TransactionClient, SendsNoCancelForWhatIsOverOrNoInvite) {
  World world;
  const std::string options = request("OPTIONS", "z9hG4bK1");
  const ClientId id = world.send(options);
  world.receive_response(response_to(options, 100));
  world.take_sent();
  world.layer.cancel(id, world.now);
  world.layer.cancel(ClientId{12345}, world.now);
  EXPECT_TRUE(world.take_sent().empty());
}

TEST(TransactionFlow, EndsWhatIsOnItWhenItCloses) {
  World world;
  const ClientId sent = world.send(request("NOTIFY", "z9hG4bK1"), client);
  const ClientId elsewhere = world.send(request("NOTIFY", "z9hG4bK2"), core);
  const ServerId options = world.start_server(request("OPTIONS", "z9hG4bK3"), client);
  const ServerId invite = world.start_server(request("INVITE", "z9hG4bK4"), client);
  world.layer.on_flow_closed(client.id, world.now);
  EXPECT_EQ(world.take<ClientFlowFailed>()->id, sent);
  EXPECT_EQ(world.take<ClientEnded>()->id, sent);
  std::set<ServerId> failed{world.take<ServerFlowFailed>()->id, world.take<ServerFlowFailed>()->id};
  EXPECT_EQ(failed, (std::set<ServerId>{options, invite}));
  EXPECT_EQ(world.layer.transaction_count(), 2U) << "the INVITE stays to absorb, and the other flow's stays";
  EXPECT_FALSE(world.layer.respond(options, response_to(request("OPTIONS", "z9hG4bK3"), 200), world.now));
  EXPECT_TRUE(world.layer.respond(invite, response_to(request("INVITE", "z9hG4bK4"), 480), world.now));
  world.advance(seconds{32});
  EXPECT_EQ(world.take<ClientTimedOut>()->id, elsewhere);
  EXPECT_EQ(world.layer.transaction_count(), 0U);
  world.layer.on_flow_closed(99, world.now);
}

// Random traffic over a lossy, repeating network of two layers: each request has one outcome at its sender,
// reaches the other core at most once, and all state is gone in the end.
TEST(TransactionLayer, DeliversOnceOverALossyNetworkAndForgetsEverything) {
  test::MessageMaker maker{6};
  for (int round = 0; round < 10; ++round) {
    World near;
    World far;
    std::map<ClientId, int> outcomes;
    std::size_t arrivals = 0;
    constexpr int requests = 20;
    std::vector<std::pair<World*, std::string>> wire;
    const auto put = [&](World& to, World& from) {
      for (auto& text : from.take_sent())
        for (std::size_t copies = maker.below(4); copies > 0; --copies) wire.emplace_back(&to, text);
    };
    const auto deliver = [&](World& at, const std::string& text) {
      const Message message = test::parsed(text);
      if (message.is_response()) {
        const auto arrival = at.layer.on_response(message, at.now);
        if (const auto* answer = std::get_if<NewResponse>(&arrival); answer && message.status_code() >= 200)
          ++outcomes[answer->id];
        return;
      }
      const auto arrival = at.layer.on_request(message, core, at.now);
      if (const auto* fresh = std::get_if<NewRequest>(&arrival)) {
        ++arrivals;
        at.layer.respond(fresh->id, response_to(text, maker.once_in(2) ? 486 : 404), at.now);
      }
    };
    for (int i = 0; i < requests; ++i)
      outcomes[near.send(request(maker.once_in(2) ? "INVITE" : "MESSAGE", "z9hG4bK" + std::to_string(i)))] =
          0;
    for (int turn = 0; turn < 900; ++turn) {
      put(far, near);
      put(near, far);
      for (const auto& [at, text] : std::exchange(wire, {})) deliver(*at, text);
      near.advance(milliseconds{100});
      far.advance(milliseconds{100});
      while (const auto effect = near.take<ClientTimedOut>()) ++outcomes[effect->id];
    }
    for (const auto& [id, count] : outcomes) EXPECT_EQ(count, 1) << static_cast<std::uint64_t>(id);
    EXPECT_EQ(outcomes.size(), static_cast<std::size_t>(requests));
    EXPECT_LE(arrivals, static_cast<std::size_t>(requests));
    EXPECT_EQ(near.layer.transaction_count() + far.layer.transaction_count(), 0U);
  }
}

}  // namespace
}  // namespace turnpike::sip
