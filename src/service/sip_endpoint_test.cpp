// An endpoint with real sockets on the loopback interface.
#include "service/sip_endpoint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "service/test_sip_endpoint.hpp"
#include "service/test_sip_peer.hpp"

namespace turnpike::service {
namespace {

using sip::Hop;
using sip::Transport;
using test::local;
using test::make_message;
using test::RunningEndpoint;
using test::Watcher;

TEST(SipEndpoint, SpeaksUdpBothWays) {
  RunningEndpoint endpoint;
  const TestSipPeer peer{SOCK_DGRAM};
  peer.send_to(endpoint.udp(), make_message("a"));
  ASSERT_TRUE(endpoint.watcher.wait_for_messages(1));
  const auto [from, text] = endpoint.watcher.messages().front();
  EXPECT_EQ(from, (Hop{Transport::udp, "127.0.0.1", peer.local().port}));
  EXPECT_EQ(text, make_message("a"));
  endpoint.send(from, "answer");
  EXPECT_EQ(peer.receive(), "answer");
}

TEST(SipEndpoint, CarriesLargeMessagesOverUdp) {
  RunningEndpoint endpoint;
  const TestSipPeer peer{SOCK_DGRAM};
  const std::string large = make_message("large", 60'000);
  peer.send_to(endpoint.udp(), large);
  ASSERT_TRUE(endpoint.watcher.wait_for_messages(1));
  EXPECT_TRUE(endpoint.watcher.messages().front().second == large);
}

TEST(SipEndpoint, GathersWhatOneTurnSendsOverTcp) {
  RunningEndpoint endpoint;
  const TestSipPeer peer{SOCK_STREAM};
  ASSERT_TRUE(peer.connect(endpoint.tcp()));
  peer.send(make_message("a"));
  ASSERT_TRUE(endpoint.watcher.wait_for_messages(1));
  const Hop from = endpoint.watcher.messages().front().first;
  endpoint.send_all(from, {"one", "two", "three"});
  EXPECT_EQ(peer.receive(), "onetwothree");
  const std::string large(100'000, 'x');
  endpoint.send_all(from, {"first", large, "between", large, "last"});
  EXPECT_TRUE(peer.receive(2 * large.size() + 16) == "first" + large + "between" + large + "last");
}

TEST(SipEndpoint, LosesNothingThatWasSentRightBeforeItStops) {
  RunningEndpoint endpoint;
  const TestSipPeer peer{SOCK_STREAM};
  ASSERT_TRUE(peer.connect(endpoint.tcp()));
  peer.send(make_message("a"));
  ASSERT_TRUE(endpoint.watcher.wait_for_messages(1));
  endpoint.send_all_and_stop(endpoint.watcher.messages().front().first, {"one", "two"});
  EXPECT_EQ(peer.receive(6), "onetwo");
  EXPECT_FALSE(peer.receive().has_value());
}

TEST(SipEndpoint, AnswersOnTheConnectionThatAsked) {
  RunningEndpoint endpoint;
  const TestSipPeer peer{SOCK_STREAM};
  ASSERT_TRUE(peer.connect(endpoint.tcp()));
  peer.send(make_message("a") + make_message("b", 100));
  ASSERT_TRUE(endpoint.watcher.wait_for_messages(2));
  const Hop from = endpoint.watcher.messages().front().first;
  EXPECT_EQ(from, (Hop{Transport::tcp, "127.0.0.1", peer.local().port}));
  EXPECT_EQ(endpoint.watcher.messages().back().second, make_message("b", 100));
  endpoint.send(from, "one");
  endpoint.send(from, "two");
  EXPECT_EQ(peer.receive(6), "onetwo");
  EXPECT_EQ(endpoint.counts().connections_active, 1U);
}

TEST(SipEndpoint, ConnectsOnceAndHearsOnItsConnection) {
  RunningEndpoint endpoint;
  const TestSipPeer listener{SOCK_STREAM};
  listener.listen();
  const Hop to{Transport::tcp, "127.0.0.1", listener.local().port};
  endpoint.send(to, "one");
  endpoint.send(to, "two");
  const TestSipPeer peer = listener.accept();
  EXPECT_EQ(peer.receive(6), "onetwo");
  peer.send(make_message("back"));
  ASSERT_TRUE(endpoint.watcher.wait_for_messages(1));
  EXPECT_EQ(endpoint.watcher.messages().front().first, to);
  EXPECT_EQ(endpoint.counts().connections_active, 1U);
}

TEST(SipEndpoint, AnswersPingsOfRfc5626) {
  RunningEndpoint endpoint;
  const TestSipPeer peer{SOCK_STREAM};
  ASSERT_TRUE(peer.connect(endpoint.tcp()));
  peer.send("\r\n\r\n");
  EXPECT_EQ(peer.receive(2), "\r\n");
}

TEST(SipEndpoint, ResolvesNames) {
  RunningEndpoint endpoint;
  const TestSipPeer peer{SOCK_DGRAM};
  endpoint.send({Transport::udp, "localhost", peer.local().port}, "one");
  endpoint.send({Transport::udp, "localhost", peer.local().port}, "two");
  EXPECT_EQ(peer.receive(), "one");
  EXPECT_EQ(peer.receive(), "two");
}

TEST(SipEndpoint, TellsWhatDidNotArrive) {
  RunningEndpoint endpoint;
  TestSipPeer gone{SOCK_DGRAM};
  const std::uint16_t port = gone.local().port;
  gone.hang_up();
  endpoint.send({Transport::udp, "127.0.0.1", port}, "lost");
  EXPECT_TRUE(endpoint.watcher.wait_for_failure({Transport::udp, "127.0.0.1", port}));
  endpoint.send({Transport::tcp, "127.0.0.1", port}, "lost");
  EXPECT_TRUE(endpoint.watcher.wait_for_failure({Transport::tcp, "127.0.0.1", port}));
  const Hop nowhere{Transport::udp, "nowhere.invalid", 5060};
  endpoint.send(nowhere, "lost");
  EXPECT_TRUE(endpoint.watcher.wait_for_failure(nowhere));
  const Hop named{Transport::udp, "localhost", port};
  endpoint.send(named, "lost");
  EXPECT_TRUE(endpoint.watcher.wait_for_failure(named));
}

TEST(SipEndpoint, SendsOnAfterALoss) {
  RunningEndpoint endpoint;
  TestSipPeer gone{SOCK_DGRAM};
  const Hop lost{Transport::udp, "127.0.0.1", gone.local().port};
  gone.hang_up();
  const TestSipPeer peer{SOCK_DGRAM};
  for (int count = 0; count < 20; ++count) {
    endpoint.send(lost, "lost");
    endpoint.send({Transport::udp, "127.0.0.1", peer.local().port}, std::to_string(count));
    ASSERT_EQ(peer.receive(), std::to_string(count));
  }
}

TEST(SipEndpoint, TellsThatAConnectionBrokeUnderARequest) {
  RunningEndpoint endpoint;
  const TestSipPeer listener{SOCK_STREAM};
  listener.listen();
  const Hop to{Transport::tcp, "127.0.0.1", listener.local().port};
  endpoint.send(to, "request");
  listener.accept().hang_up();
  EXPECT_TRUE(endpoint.watcher.wait_for_failure(to));
  endpoint.send(to, "again");
  EXPECT_EQ(listener.accept().receive(5), "again");
}

TEST(SipEndpoint, EndsAConnectionThatLostItsFraming) {
  RunningEndpoint endpoint;
  const TestSipPeer peer{SOCK_STREAM};
  ASSERT_TRUE(peer.connect(endpoint.tcp()));
  peer.send(make_message("good") + "OPTIONS sip:a SIP/2.0\r\nNo: length\r\n\r\n");
  EXPECT_EQ(peer.receive(), std::nullopt);
  EXPECT_EQ(endpoint.watcher.messages().size(), 1U);
  EXPECT_EQ(endpoint.counts().dropped_malformed, 1U);
}

TEST(SipEndpoint, HearsItsPeersAlone) {
  RunningEndpoint endpoint{{.peers = {*IpPrefix::parse("192.0.2.0/24")}}};
  const TestSipPeer stranger{SOCK_STREAM};
  ASSERT_TRUE(stranger.connect(endpoint.tcp()));
  EXPECT_EQ(stranger.receive(), std::nullopt);
  const TestSipPeer datagrams{SOCK_DGRAM};
  datagrams.send_to(endpoint.udp(), make_message("a"));
  while (endpoint.counts().dropped_stranger < 2) std::this_thread::yield();
  EXPECT_TRUE(endpoint.watcher.messages().empty());
}

// Whoever has spoken is taken in: the endpoint has read it.
TestSipPeer connect_and_speak(RunningEndpoint& endpoint, std::uint8_t last_byte = 1) {
  TestSipPeer peer{SOCK_STREAM, {IpAddress::v4({127, 0, 0, last_byte}), 0}};
  EXPECT_TRUE(peer.connect(endpoint.tcp()));
  peer.send("\r\n\r\n");
  EXPECT_EQ(peer.receive(2), "\r\n");
  return peer;
}
bool is_alive(const TestSipPeer& peer) {
  peer.send("\r\n\r\n");
  return peer.receive(2) == "\r\n";
}

TEST(SipEndpoint, WhoIsSilentForLongestMakesRoom) {
  RunningEndpoint endpoint{{.limits = {.connections_max = 3}}};
  std::vector<TestSipPeer> peers;
  for (int count = 0; count < 3; ++count) peers.push_back(connect_and_speak(endpoint));
  EXPECT_TRUE(is_alive(peers[0]));
  const TestSipPeer fourth = connect_and_speak(endpoint);
  EXPECT_EQ(peers[1].receive(), std::nullopt);
  EXPECT_TRUE(is_alive(peers[0]) && is_alive(peers[2]) && is_alive(fourth));
  EXPECT_EQ(endpoint.counts().connections_active, 3U);
}

TEST(SipEndpoint, StrangersTakeNoRoomOfWhomItKnows) {
  RunningEndpoint endpoint{{.limits = {.connections_max = 2}}};
  endpoint.know({"core.ims.example", "127.0.0.2"});
  const TestSipPeer first = connect_and_speak(endpoint, 2);
  const TestSipPeer stranger = connect_and_speak(endpoint, 3);
  const TestSipPeer second = connect_and_speak(endpoint, 2);
  EXPECT_EQ(stranger.receive(), std::nullopt);
  const TestSipPeer late{SOCK_STREAM, {IpAddress::v4({127, 0, 0, 3}), 0}};
  ASSERT_TRUE(late.connect(endpoint.tcp()));
  EXPECT_EQ(late.receive(), std::nullopt);
  EXPECT_TRUE(is_alive(first) && is_alive(second));
  EXPECT_EQ(endpoint.counts().dropped_stranger, 1U);
}

// Nor of the connections that it opens itself, which have a limit of their own.
TEST(SipEndpoint, OpensItsOwnConnectionsHoweverManyOthersHave) {
  RunningEndpoint endpoint{{.limits = {.connections_max = 2, .own_connections_max = 2}}};
  const TestSipPeer one = connect_and_speak(endpoint);
  const TestSipPeer two = connect_and_speak(endpoint);
  std::vector<TestSipPeer> ends;
  for (std::uint8_t last_byte = 2; last_byte < 5; ++last_byte) {
    const TestSipPeer listener{SOCK_STREAM, {IpAddress::v4({127, 0, 0, last_byte}), 0}};
    listener.listen();
    endpoint.send({Transport::tcp, listener.local().ip.to_string(), listener.local().port}, "hello");
    ends.push_back(listener.accept());
    EXPECT_EQ(ends.back().receive(5), "hello");
  }
  EXPECT_EQ(ends[0].receive(), std::nullopt) << "it was used longest ago";
  EXPECT_TRUE(is_alive(ends[1]) && is_alive(ends[2]) && is_alive(one) && is_alive(two));
}

// A peer may connect from where it listens, beside the connection that was opened towards it.
TEST(SipEndpoint, KeepsTwoConnectionsWithOneFarEndApart) {
  RunningEndpoint endpoint;
  TestSipPeer listener{SOCK_STREAM};
  listener.listen();
  const SocketAddress far_end = listener.local();
  const Hop to{Transport::tcp, "127.0.0.1", far_end.port};
  endpoint.send(to, "one");
  TestSipPeer own = listener.accept();
  listener.hang_up();
  EXPECT_EQ(own.receive(3), "one");
  const TestSipPeer back{SOCK_STREAM, far_end};
  ASSERT_TRUE(back.connect(endpoint.tcp()));
  EXPECT_TRUE(is_alive(back));
  EXPECT_EQ(endpoint.counts().connections_active, 2U);
  own.hang_up();
  EXPECT_TRUE(endpoint.watcher.wait_for_failure(to));
  endpoint.send(to, "two");
  EXPECT_EQ(back.receive(3), "two");
}

TEST(SipEndpoint, EndsAConnectionWhoseQueueIsFull) {
  RunningEndpoint endpoint{{.limits = {.queue_bytes_max = 100'000}}};
  const TestSipPeer listener{SOCK_STREAM};
  listener.listen();
  const Hop to{Transport::tcp, "127.0.0.1", listener.local().port};
  for (int count = 0; count < 2000 && endpoint.counts().send_failures == 0; ++count)
    endpoint.send(to, std::string(10'000, 'q'));
  EXPECT_TRUE(endpoint.watcher.wait_for_failure(to));
}

TEST(SipEndpoint, SaysWhatCannotBeOpened) {
  RunningEndpoint endpoint;
  Loop loop;
  Watcher watcher;
  for (const SipListener& listener :
       {SipListener{Transport::udp, endpoint.udp()}, SipListener{Transport::tcp, endpoint.tcp()}}) {
    const auto taken = SipEndpoint::open(loop, {.listeners = {listener}}, watcher);
    ASSERT_FALSE(taken.has_value());
    EXPECT_TRUE(taken.error().starts_with(listener.to_string())) << taken.error();
  }
}

}  // namespace
}  // namespace turnpike::service
