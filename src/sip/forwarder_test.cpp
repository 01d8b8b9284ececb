#include "sip/forwarder.hpp"

#include <gtest/gtest.h>

#include "sip/answers.hpp"
#include "sip/headers.hpp"
#include "sip/test_messages.hpp"

namespace turnpike::sip {
namespace {

using std::chrono::seconds;

constexpr Flow client{.id = 1, .is_reliable = true, .is_shared = false};
constexpr Flow core{.id = 2, .is_reliable = false, .is_shared = true};
constexpr std::string_view via = "UDP proxy.example:5060";

// A proxy that decides nothing: requests of the client go to the core, answers come back.
class World {
 public:
  ServerId receive(std::string_view method = "INVITE") {
    request = test::request("", method);
    const auto message = test::parsed(request);
    const auto arrival = layer.on_request(message, client, now);
    const ServerId id = std::get<NewRequest>(arrival).id;
    Editor edited{message};
    const auto sent = forwarder.forward(id, message, edited, core, via, 42, now, random);
    check(sent.has_value(), "the request was not forwarded");
    leg = *sent;
    return id;
  }
  void answer(std::uint16_t status_code) {
    const std::string text = make_response(test::parsed(to_core.back()), status_code, "far").finish();
    const auto message = test::parsed(text);
    const auto arrival = layer.on_response(message, core, now);
    const auto* fresh = std::get_if<NewResponse>(&arrival);
    if (fresh != nullptr && forwarder.find(fresh->id) != nullptr) {
      Editor edited{message};
      edited.pop_via();
      forwarder.pass_back(fresh->id, status_code, edited.text(), now);
    }
    settle();
  }
  void settle() {
    while (auto effect = layer.next_effect()) {
      if (auto* sent = std::get_if<SendMessage>(&*effect))
        (sent->flow == core.id ? to_core : to_client).push_back(std::move(sent->bytes));
      else if (const auto* client_ended = std::get_if<ClientEnded>(&*effect))
        forwarder.on_ended(client_ended->id);
      else if (const auto* server_ended = std::get_if<ServerEnded>(&*effect))
        forwarder.on_ended(server_ended->id);
      else
        others.push_back(*std::move(effect));
    }
  }
  void advance(Duration by) {
    now.mono += by;
    layer.on_timeout(now);
    forwarder.on_timeout(now);
    settle();
  }

  SeededRandom random{3};
  Now now{};
  TransactionLayer layer;
  Forwarder forwarder{layer};
  ClientId leg{};
  std::string request;
  std::vector<std::string> to_core;
  std::vector<std::string> to_client;
  std::vector<TransactionEffect> others;
};

TEST(Forwarder, SendsUnderItsOwnViaAndPassesTheAnswerBack) {
  World world;
  const ServerId id = world.receive("OPTIONS");
  world.settle();
  const auto sent = test::parsed(world.to_core.at(0));
  EXPECT_EQ(top_via(sent)->host, "proxy.example");
  EXPECT_TRUE(top_via(sent)->has_rfc3261_branch());
  EXPECT_EQ(sent.count(HeaderName::via), 2U);
  const Leg* leg = world.forwarder.find(id);
  ASSERT_NE(leg, nullptr);
  EXPECT_EQ(leg, world.forwarder.find(world.leg));
  EXPECT_EQ(leg->tag, 42U);
  EXPECT_EQ(leg->request, world.request);
  EXPECT_FALSE(world.forwarder.next_timeout());
  world.answer(200);
  const auto back = test::parsed(world.to_client.at(0));
  EXPECT_EQ(back.status_code(), 200);
  EXPECT_EQ(back.count(HeaderName::via), 1U);
  world.advance(seconds{40});
  EXPECT_EQ(world.forwarder.leg_count(), 0U);
}

TEST(Forwarder, RefusesOnceAndNotBehindAnAnswer) {
  World world;
  world.receive("OPTIONS");
  world.forwarder.refuse(world.leg, 503, "Gone", "tag", world.now);
  world.forwarder.refuse(world.leg, 500, {}, "tag", world.now);
  world.settle();
  ASSERT_EQ(world.to_client.size(), 1U);
  EXPECT_TRUE(world.to_client[0].starts_with("SIP/2.0 503 Gone\r\n"));
  world.answer(200);
  EXPECT_EQ(world.to_client.size(), 1U);
}

TEST(Forwarder, CancelsOnceTheOtherSideHasBeenHeard) {
  World world;
  const ServerId id = world.receive();
  world.forwarder.cancel(id, world.now);
  world.settle();
  EXPECT_EQ(world.to_core.size(), 1U);
  world.answer(180);
  ASSERT_EQ(world.to_core.size(), 2U);
  const auto cancel = test::parsed(world.to_core[1]);
  EXPECT_EQ(cancel.method(), Method::cancel);
  EXPECT_EQ(top_via(cancel)->text, top_via(test::parsed(world.to_core[0]))->text);
}

TEST(Forwarder, GivesUpOnARingThatNeverEnds) {
  World world;
  world.receive();
  world.settle();
  world.answer(180);
  ASSERT_TRUE(world.forwarder.next_timeout());
  EXPECT_EQ(*world.forwarder.next_timeout(), world.now.mono + Forwarder::timer_c);
  world.advance(seconds{100});
  const std::string ringing = make_response(test::parsed(world.to_core[0]), 180, "far").finish();
  const auto message = test::parsed(ringing);
  EXPECT_TRUE(std::holds_alternative<NewResponse>(world.layer.on_response(message, core, world.now)));
  world.forwarder.pass_back(world.leg, 180, ringing, world.now);
  EXPECT_EQ(*world.forwarder.next_timeout(), world.now.mono + Forwarder::timer_c) << "RFC 3261 16.7 step 2";
  world.advance(Forwarder::timer_c);
  EXPECT_EQ(test::parsed(world.to_core.back()).method(), Method::cancel);
  EXPECT_FALSE(world.forwarder.next_timeout());
}

TEST(Forwarder, KeepsNothingOfAFlowThatIsLost) {
  World world;
  world.receive("OPTIONS");
  world.layer.on_flow_closed(core.id, world.now);
  while (auto effect = world.layer.next_effect()) {
    if (const auto* failed = std::get_if<ClientFlowFailed>(&*effect))
      world.forwarder.refuse(failed->id, 430, {}, "tag", world.now);
    if (const auto* ended = std::get_if<ClientEnded>(&*effect)) world.forwarder.on_ended(ended->id);
    if (auto* sent = std::get_if<SendMessage>(&*effect); sent != nullptr && sent->flow == client.id)
      world.to_client.push_back(std::move(sent->bytes));
  }
  ASSERT_EQ(world.to_client.size(), 1U);
  EXPECT_EQ(test::parsed(world.to_client[0]).status_code(), 430);
  EXPECT_EQ(world.forwarder.leg_count(), 0U);
}

TEST(Forwarder, TakesAnAnswerOnlyFromWhereItsRequestWent) {
  World world;
  world.receive("OPTIONS");
  world.settle();
  const std::string text = make_response(test::parsed(world.to_core[0]), 200, "far").finish();
  const auto message = test::parsed(text);
  EXPECT_TRUE(std::holds_alternative<Stray>(world.layer.on_response(message, client, world.now)));
  constexpr Flow elsewhere{.id = 3, .is_reliable = false, .is_shared = true};
  EXPECT_TRUE(std::holds_alternative<NewResponse>(world.layer.on_response(message, elsewhere, world.now)));
}

}  // namespace
}  // namespace turnpike::sip
