#include "relay/server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "relay/machine.hpp"
#include "relay/test_relay.hpp"
#include "relay/udp_socket.hpp"
#include "stun/channel_data.hpp"

namespace turnpike::relay {
namespace {

using std::chrono::seconds;

std::string frame(std::uint16_t channel, std::string_view payload) {
  const auto header = stun::encode_channel_header(channel, payload.size());
  return std::string{as_text(Bytes{header})} + std::string{payload};
}

// --- relaying ---------------------------------------------------------------------------------------------

TEST(Server, RelaysBothWaysThroughChannelsAndIndications) {
  TestRelay relay;
  for (const SocketAddress& server : {relay.v4(), relay.v6()}) {
    const bool is_v4 = server.ip.is_v4();
    const TestPeer peer{is_v4 ? "127.0.0.2:0" : free_v6_relay_port()};
    TestClient client{server,
                      {.credential = alice(), .family = is_v4 ? AddressFamily::ipv4 : AddressFamily::ipv6}};
    ASSERT_TRUE(client.allocate());
    client.permit(peer.local());

    client.send(peer.local(), "up by indication");
    const auto up = peer.receive();
    ASSERT_TRUE(up);
    EXPECT_EQ(up->text, "up by indication");
    EXPECT_EQ(up->from, client.relayed());
    peer.send_to(client.relayed(), "down by indication");
    EXPECT_EQ(client.receive_text(), "down by indication");

    client.bind(peer.local());
    client.send(peer.local(), "up by channel");
    EXPECT_EQ(peer.receive_text(), "up by channel");
    peer.send_to(client.relayed(), "down by channel");
    const auto down = client.wait_for<turn::Received>();
    ASSERT_TRUE(down);
    EXPECT_EQ(as_text(down->payload), "down by channel");
    EXPECT_TRUE(down->by_channel);
  }
  const auto counters = relay.server->counters();
  EXPECT_EQ(counters.packets_from_clients, 4U);
  EXPECT_EQ(counters.packets_to_clients, 4U);
  EXPECT_EQ(counters.allocations_active, 2U);
}

TEST(Server, RelaysNothingFromPeersWithoutPermission) {
  TestRelay relay;
  const TestPeer peer, stranger{"127.0.0.3:0"};
  TestClient client{relay.v4()};
  ASSERT_TRUE(client.allocate());
  client.permit(peer.local());
  stranger.send_to(client.relayed(), "let me in");
  peer.send_to(client.relayed(), "hello");
  EXPECT_EQ(client.receive_text(), "hello");
  EXPECT_EQ(relay.server->counters().dropped_no_permission, 1U);
}

TEST(Server, CutsTrainsOfClients) {
  TestRelay relay;
  const TestPeer peer;
  TestClient client{relay.v4()};
  ASSERT_TRUE(client.allocate());
  const auto channel = client.bind(peer.local());

  std::vector<std::string> payloads;
  std::string train;
  for (char first = 'a'; first <= 'j'; ++first) payloads.push_back(pattern(100, first));
  payloads.push_back(pattern(40));
  for (const auto& payload : payloads) train += frame(channel, payload);
  ASSERT_TRUE(client.socket().send_train_to(client.server(), train, 104));

  for (const auto& payload : payloads) EXPECT_EQ(peer.receive_text(), payload);
  EXPECT_TRUE(peer.is_silent());
}

TEST(Server, CutsTrainsOfPeers) {
  TestRelay relay;
  const TestPeer peer;
  TestClient client{relay.v4()};
  ASSERT_TRUE(client.allocate());
  const auto channel = client.bind(peer.local());

  ASSERT_TRUE(peer.send_train_to(client.relayed(), pattern(1000), 300));
  for (const std::size_t at : {0U, 300U, 600U, 900U})
    EXPECT_EQ(client.socket().receive_text(), frame(channel, pattern(1000).substr(at, 300)));
  EXPECT_TRUE(client.socket().is_silent());
}

TEST(Server, KeepsOrderAndSizesOfMixedDatagrams) {
  TestRelay relay;
  const TestPeer peer, other;
  TestClient client{relay.v4()};
  ASSERT_TRUE(client.allocate());
  const auto channel = client.bind(peer.local());
  const auto other_channel = client.bind(other.local());

  std::vector<std::string> payloads;
  for (const std::size_t size : {20U, 160U, 160U, 0U, 1200U, 1200U, 31U, 1200U, 1U, 60000U, 160U})
    payloads.push_back(pattern(size));
  for (const auto& payload : payloads) {
    client.socket().send_to(client.server(), frame(channel, payload));
    client.socket().send_to(client.server(), frame(other_channel, payload));
  }
  for (const auto& payload : payloads) {
    EXPECT_EQ(peer.receive_text(), payload);
    EXPECT_EQ(other.receive_text(), payload);
  }

  for (const auto& payload : payloads) peer.send_to(client.relayed(), payload);
  for (const auto& payload : payloads) EXPECT_EQ(client.socket().receive_text(), frame(channel, payload));
}

TEST(Server, OutlivesDatagramsThatMakeNoSense) {
  TestRelay relay;
  const TestPeer peer;
  const TestSocket stranger;
  TestClient client{relay.v4()};
  ASSERT_TRUE(client.allocate());
  const auto channel = client.bind(peer.local());

  for (const auto* text : {"", "x", "\x40"}) stranger.send_to(relay.v4(), text);
  stranger.send_to(relay.v4(), pattern(65507));
  client.socket().send_to(relay.v4(), "");
  client.socket().send_to(relay.v4(), frame(channel, pattern(50)).substr(0, 20));
  peer.send_to(client.relayed(), pattern(65507));  // does not fit behind a header

  client.send(peer.local(), "still here");
  EXPECT_EQ(peer.receive_text(), "still here");
  peer.send_to(client.relayed(), "so am I");
  EXPECT_EQ(client.receive_text(), "so am I");
}

TEST(Server, SendsWholeDatagramsWhereDontFragmentIsAsked) {
  TestRelay relay;
  const TestPeer peer;
  TestClient client{relay.v4(), {.credential = alice(), .dont_fragment = true}};
  ASSERT_TRUE(client.allocate());
  client.permit(peer.local());
  client.send(peer.local(), "whole");
  EXPECT_EQ(peer.receive_text(), "whole");
}

TEST(Server, TellsAClientThatItsPeerCannotBeReached) {
  TestRelay relay;
  const SocketAddress closed = closed_address("127.0.0.2:0");
  TestClient client{relay.v4()};
  ASSERT_TRUE(client.allocate());
  client.permit(closed);
  client.send(closed, "anybody there?");

  const auto told = client.wait_for<turn::PeerUnreachable>();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->peer.ip, closed.ip);
  EXPECT_EQ(told->icmp.type, 3);
  EXPECT_EQ(told->icmp.code, 3);
}

TEST(Server, TakesAnotherPortWhereSomebodyElseHasOne) {
  auto settings = test_settings();
  settings.turn.relay_port_min = 11900;
  settings.turn.relay_port_max = 11903;
  settings.turn.limits.port_attempts = 4;
  std::vector<std::unique_ptr<TestSocket>> taken;
  for (const char* local : {"127.0.0.1:11900", "127.0.0.1:11901", "127.0.0.1:11903"})
    taken.push_back(std::make_unique<TestSocket>(local));
  TestRelay relay{std::move(settings)};
  TestClient client{relay.v4()};
  ASSERT_TRUE(client.allocate());
  EXPECT_EQ(client.relayed().port, 11902);
}

// --- control ----------------------------------------------------------------------------------------------

TEST(Server, EndsRelayingWithinASecondOfARevocation) {
  TestRelay relay;
  const TestPeer peer;
  TestClient client{relay.v4()}, other{relay.v4()};
  ASSERT_TRUE(client.allocate());
  ASSERT_TRUE(other.allocate());
  client.bind(peer.local());
  client.send(peer.local(), "before");
  EXPECT_EQ(peer.receive_text(), "before");

  const auto begun_at = read_clocks().mono;
  std::size_t ended = 0;
  std::thread{[&] {
    ended = relay.server->revoke({.by = credentials::Revocation::By::username, .value = "alice"});
  }}.join();
  EXPECT_LT(read_clocks().mono - begun_at, seconds{1});
  EXPECT_EQ(ended, 2U);
  EXPECT_EQ(relay.observer.end_reasons(), (std::vector{turn::EndReason::revoked, turn::EndReason::revoked}));

  EXPECT_TRUE(claim_address(client.relayed()));  // the socket is gone
  client.send(peer.local(), "after");
  EXPECT_FALSE(TestClient{relay.v4()}.allocate());
  EXPECT_TRUE(peer.is_silent());
  ASSERT_EQ(relay.server->list_revocations().size(), 1U);
  EXPECT_EQ(relay.server->list_revocations()[0].value, "alice");
}

TEST(Server, TakesPushedCredentialsAndExtendsThem) {
  TestRelay relay;
  const WallTime soon = read_clocks().wall + seconds{60};
  const auto stored = credentials::make_pushed_credential("bob", "secret", test_realm, "b", soon, {});
  ASSERT_TRUE(relay.server->put(stored));
  EXPECT_TRUE(TestClient(relay.v4(), password_of("bob", "secret")).allocate());
  EXPECT_FALSE(TestClient(relay.v4(), password_of("bob", "guess")).allocate());

  ASSERT_TRUE(relay.server->extend("bob", soon + seconds{60}));
  const auto entries = relay.server->list_pushed("b");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].username, "bob");
  EXPECT_EQ(entries[0].expires_at, soon + seconds{60});
  EXPECT_TRUE(relay.server->list_pushed("somebody else").empty());

  const auto unknown = relay.server->extend("carol", soon);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error(), "there is no such pushed credential");
  EXPECT_FALSE(relay.server->put({.username = "", .subject = ""}));
}

TEST(Server, TakesNewSettingsAndKeepsAllocations) {
  TestRelay relay;
  const TestPeer peer;
  TestClient client{relay.v4()};
  ASSERT_TRUE(client.allocate());
  client.bind(peer.local());

  relay.server->reconfigure(test_credentials({{"alice", "wonderland"}, {"dave", "hal"}}));
  EXPECT_TRUE(TestClient(relay.v4(), password_of("dave", "hal")).allocate());
  client.send(peer.local(), "still relayed");
  EXPECT_EQ(peer.receive_text(), "still relayed");
}

TEST(Server, EndsTheAllocationsOfUsersWhomAReloadRemoves) {
  TestRelay relay;
  TestClient client{relay.v4()};
  ASSERT_TRUE(client.allocate());
  relay.server->reconfigure(test_credentials({{"dave", "hal"}}));
  EXPECT_TRUE(relay.server->sessions(10).empty());
  EXPECT_FALSE(TestClient{relay.v4()}.allocate());
}

TEST(Server, RefusesNewAllocationsWhileItDrains) {
  TestRelay relay;
  const TestPeer peer;
  TestClient client{relay.v4()}, late{relay.v4()};
  ASSERT_TRUE(client.allocate());
  client.bind(peer.local());
  relay.server->drain();
  EXPECT_FALSE(late.allocate());
  EXPECT_EQ(late.refusal(), 486);
  client.send(peer.local(), "still relayed");
  EXPECT_EQ(peer.receive_text(), "still relayed");
}

TEST(Server, TellsItsSessions) {
  TestRelay relay{test_settings(2)};
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<TestClient>(relay.v4()));
    ASSERT_TRUE(clients.back()->allocate());
  }
  const auto sessions = relay.server->sessions(100);
  ASSERT_EQ(sessions.size(), 5U);
  for (const auto& session : sessions) {
    EXPECT_EQ(session.grant->username, "alice");
    const bool is_known = std::any_of(clients.begin(), clients.end(), [&](const auto& client) {
      return client->relayed() == session.relayed && client->socket().local() == session.path.client;
    });
    EXPECT_TRUE(is_known);
  }
  EXPECT_EQ(relay.server->sessions(3).size(), 3U);
}

// --- shards -----------------------------------------------------------------------------------------------

TEST(Server, ServesClientsOnAllShards) {
  TestRelay relay{test_settings(4)};
  EXPECT_EQ(relay.server->shard_count(), 4U);
  const TestPeer peer;
  const WallTime later = read_clocks().wall + seconds{60};
  ASSERT_TRUE(
      relay.server->put(credentials::make_pushed_credential("bob", "secret", test_realm, "", later, {})));

  // With 24 clients it is as good as certain that each shard has some.
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 24; ++i) {
    clients.push_back(std::make_unique<TestClient>(relay.v4(), password_of("bob", "secret")));
    ASSERT_TRUE(clients.back()->allocate()) << i;
    clients.back()->bind(peer.local());
  }
  for (int round = 0; round < 3; ++round)
    for (auto& client : clients) {
      client->send(peer.local(), "up");
      EXPECT_EQ(peer.receive_text(), "up");
      peer.send_to(client->relayed(), "down");
      EXPECT_EQ(client->receive_text(), "down");
    }
  EXPECT_EQ(relay.server->counters().allocations_active, 24U);
  EXPECT_EQ(relay.server->counters().packets_to_clients, 72U);
  EXPECT_EQ(relay.server->revoke({.by = credentials::Revocation::By::username, .value = "bob"}), 24U);
  EXPECT_EQ(relay.server->counters().allocations_active, 0U);
}

TEST(Server, TakesManyChangesInOneTurnOfEachShard) {
  TestRelay relay{test_settings(2)};
  const WallTime later = read_clocks().wall + std::chrono::hours{1};
  const auto credential = [&](const std::string& name) {
    return credentials::make_pushed_credential(name, "secret", test_realm, "bob", later, {});
  };
  auto results = relay.server->apply(
      {credential("bob1"), credential("bob2"), credentials::Extension{"nobody", later}, credential("")});
  ASSERT_EQ(results.size(), 4U);
  using enum credentials::PushOutcome;
  EXPECT_EQ(results[0].outcome, done);
  EXPECT_EQ(results[2].outcome, unknown);
  EXPECT_EQ(results[3].outcome, invalid);
  std::deque<TestClient> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back(relay.v4(), password_of(i % 2 == 0 ? "bob1" : "bob2", "secret"));
    ASSERT_TRUE(clients.back().allocate());
  }
  using enum credentials::Revocation::By;
  results = relay.server->apply({credentials::Revocation{.by = username, .value = "bob1", .until = later},
                                 credentials::Revocation{.by = subject, .value = "bob", .until = later},
                                 credential("bob3")});
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].allocations_ended, 4U);
  EXPECT_EQ(results[1].allocations_ended, 4U);
  EXPECT_EQ(relay.server->list_pushed().size(), 1U);
}

TEST(Server, HasOneShardPerCpuUnlessToldOtherwise) {
  EXPECT_EQ(TestRelay{test_settings(0)}.server->shard_count(), allowed_cpus().size());
}

// --- start ------------------------------------------------------------------------------------------------

std::string refusal_of(ServerSettings settings) {
  TestObserver observer;
  const auto started = Server::start(std::move(settings), observer);
  return started ? "started" : started.error();
}

TEST(Server, RefusesToStartOnATakenPort) {
  const TestSocket taken;
  auto settings = test_settings();
  settings.turn.listeners.push_back(taken.local());
  EXPECT_EQ(refusal_of(settings), "listener " + taken.local().to_string() + " is in use");

  const TestRelay other{test_settings(2)};  // which shares its ports among its own shards
  settings.turn.listeners.back() = other.v4();
  EXPECT_EQ(refusal_of(settings), "listener " + other.v4().to_string() + " is in use");
}

TEST(Server, LeavesNothingOpenWhenItRefusesToStart) {
  const TestSocket taken;
  const SocketAddress free = closed_address();
  auto settings = test_settings();
  settings.turn.listeners = {free, taken.local()};
  EXPECT_NE(refusal_of(settings), "started");
  EXPECT_TRUE(claim_address(free));
}

TEST(Server, RefusesToStartOnWhatCannotWork) {
  const auto refusal_with = [](auto change) {
    auto settings = test_settings();
    change(settings.turn);
    return refusal_of(std::move(settings));
  };
  EXPECT_EQ(refusal_with([](turn::Settings& turn) { turn.listeners = {address("192.0.2.1:3478")}; }),
            "listener 192.0.2.1:3478 is not an address of this machine");
  EXPECT_EQ(refusal_with([](turn::Settings& turn) { turn.listeners = {address("0.0.0.0:3478")}; }),
            "listener 0.0.0.0:3478 is a wildcard; name the addresses of this machine");
  EXPECT_EQ(refusal_with([](turn::Settings& turn) { turn.listeners.clear(); }), "there is no listener");
  const SocketAddress twice = closed_address();
  EXPECT_EQ(refusal_with([&](turn::Settings& turn) { turn.listeners = {twice, twice}; }),
            "listener " + twice.to_string() + " is there twice");
  EXPECT_EQ(refusal_with([](turn::Settings& turn) { turn.relay_addresses.clear(); }),
            "there is no relay address");
  EXPECT_EQ(refusal_with(
                [](turn::Settings& turn) { turn.relay_addresses[0].bind = *IpAddress::parse("192.0.2.1"); }),
            "relay address 192.0.2.1 is not an address of this machine");
  EXPECT_EQ(refusal_with([](turn::Settings& turn) { turn.relay_port_min = 40000; }),
            "relay ports 40000-31999 are no range of ports");
  EXPECT_EQ(refusal_with([](turn::Settings& turn) { turn.listeners[0].port = 15000; }),
            "listener 127.0.0.1:15000 lies among the relay ports 12000-31999");
}

TEST(Server, WarnsOfRelayPortsThatTheKernelHandsOut) {
  EXPECT_TRUE(TestRelay{}.server->warnings().empty());
  auto settings = test_settings();
  settings.turn.relay_port_max = 65535;
  const TestRelay relay{std::move(settings)};
  ASSERT_EQ(relay.server->warnings().size(), 1U);
  EXPECT_NE(relay.server->warnings()[0].find("overlap the ephemeral ports"), std::string::npos);
}

TEST(Server, PutsTheMachinesAddressesInPlaceOfWildcards) {
  const auto has = [](const std::vector<SocketAddress>& all, std::string_view text) {
    return std::find(all.begin(), all.end(), address(text)) != all.end();
  };
  const auto v4 = expand_wildcards({address("0.0.0.0:3478")});
  EXPECT_TRUE(has(v4, "127.0.0.1:3478"));
  EXPECT_FALSE(has(v4, "[::1]:3478"));
  const auto v6 = expand_wildcards({address("[::]:3478")});
  EXPECT_TRUE(has(v6, "[::1]:3478"));
  const auto both =
      expand_wildcards({address("127.0.0.1:3478"), address("0.0.0.0:3478"), address("127.0.0.1:5349")});
  EXPECT_EQ(both.size(), v4.size() + 1);
  EXPECT_EQ(both.front(), address("127.0.0.1:3478"));
  EXPECT_EQ(both.back(), address("127.0.0.1:5349"));
}

// --- stop -------------------------------------------------------------------------------------------------

TEST(Server, StopsWhileTrafficFlows) {
  TestRelay relay{test_settings(2)};
  const TestPeer peer;
  std::vector<std::unique_ptr<TestClient>> clients;
  std::vector<std::uint16_t> channels;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<TestClient>(relay.v4()));
    ASSERT_TRUE(clients.back()->allocate());
    channels.push_back(clients.back()->bind(peer.local()));
  }
  std::atomic<bool> is_over = false;
  std::thread traffic{[&] {
    while (!is_over)
      for (std::size_t i = 0; i < clients.size(); ++i) {
        clients[i]->socket().send_to(relay.v4(), frame(channels[i], pattern(160)));
        peer.send_to(clients[i]->relayed(), pattern(160));
      }
  }};
  std::thread control{[&] {
    while (!is_over) (void)relay.server->counters();
  }};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(peer.receive_text(), pattern(160));
  relay.server->stop();
  is_over = true;
  traffic.join();
  control.join();

  EXPECT_EQ(relay.observer.end_reasons(), std::vector(8, turn::EndReason::shutdown));
  EXPECT_EQ(relay.server->counters().allocations_active, 0U);
  for (const auto& client : clients) EXPECT_TRUE(claim_address(client->relayed()));
  relay.server->stop();
}

TEST(Server, AnswersControlCallsAfterItHasStopped) {
  TestRelay relay{test_settings(2)};
  ASSERT_TRUE(TestClient{relay.v4()}.allocate());
  relay.server->stop();
  EXPECT_EQ(relay.server->counters().allocations_ended, 1U);
  EXPECT_TRUE(relay.server->sessions(10).empty());
  EXPECT_EQ(relay.server->revoke({.by = credentials::Revocation::By::username, .value = "alice"}), 0U);
  relay.server->drain();
  const SocketAddress listener = relay.v4();
  relay.server.reset();
  EXPECT_TRUE(claim_address(listener));
}

}  // namespace
}  // namespace turnpike::relay
