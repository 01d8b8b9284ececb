#include "relay/datagram_writer.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>
#include <vector>

#include "relay/test_socket.hpp"

namespace turnpike::relay {
namespace {

constexpr SegmentOffload with_trains{.receive = true, .send = true};
constexpr SegmentOffload without_trains{};

TEST(TrainShape, TakesEqualDatagramsAndOneShorterThatEndsIt) {
  TrainShape shape{100};
  EXPECT_FALSE(shape.takes(101));
  EXPECT_FALSE(shape.takes(0));
  ASSERT_TRUE(shape.takes(100));
  shape.add(100);
  ASSERT_TRUE(shape.takes(40));
  shape.add(40);
  EXPECT_FALSE(shape.takes(40));
  EXPECT_FALSE(shape.takes(100));
  EXPECT_EQ(shape.count(), 3U);
  EXPECT_EQ(shape.segment_bytes(), 100U);
}

TEST(TrainShape, HasAtMost64DatagramsAndFitsIntoOneDatagram) {
  TrainShape many{100};
  while (many.takes(100)) many.add(100);
  EXPECT_EQ(many.count(), train_segments_max);

  TrainShape large{1400};
  while (large.takes(1400)) large.add(1400);
  EXPECT_EQ(large.count(), 46U);  // 64400 bytes

  TrainShape empty{0};
  EXPECT_FALSE(empty.takes(0));
}

// The kernel segments nothing that has no checksum.
void refuse_trains(int fd) {
  const int on = 1;
  check(setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on) == 0);
}

// A receiver that tells trains from single datagrams.
class TrainReceiver {
 public:
  explicit TrainReceiver(std::string_view local = "127.0.0.1:0") : socket_(local) {
    const int on = 1;
    setsockopt(socket_.fd(), IPPROTO_UDP, UDP_GRO, &on, sizeof on);
  }
  [[nodiscard]] SocketAddress local() const { return socket_.local(); }
  [[nodiscard]] std::string receive_train() const { return socket_.receive_text(); }
  [[nodiscard]] bool is_silent() const { return socket_.is_silent(); }

 private:
  TestSocket socket_;
};

struct Ports {
  explicit Ports(const SegmentOffload& offload, std::string_view local = "127.0.0.1:0")
      : ports(offload), writer(ports, offload) {
    for (turn::RelayPortId id : {0U, 1U}) check(ports.open(id, address(local)).has_value());
  }
  void add(turn::RelayPortId port, const SocketAddress& peer, std::string_view text,
           bool dont_fragment = false) {
    writer.add({.port = port, .peer = peer, .payload = as_bytes(text), .dont_fragment = dont_fragment});
  }
  int discover_option(turn::RelayPortId port) {
    int value = -1;
    socklen_t size = sizeof value;
    const bool is_v4 = ports.find(port)->is_v4;
    getsockopt(ports.find(port)->descriptor.value(), is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
               is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &value, &size);
    return value;
  }
  RelayPorts ports;
  PeerWriter writer;
};

TEST(PeerWriter, SendsNothingBeforeTheFlush) {
  Ports sender{with_trains};
  const TestSocket peer;
  sender.add(0, peer.local(), "one");
  EXPECT_TRUE(peer.is_silent());
  sender.writer.flush();
  EXPECT_EQ(peer.receive_text(), "one");
  sender.writer.flush();
  EXPECT_TRUE(peer.is_silent());
}

TEST(PeerWriter, JoinsEqualDatagramsOfOnePortForOnePeer) {
  Ports sender{with_trains};
  const TrainReceiver peer, other;
  const std::string long_text = pattern(100), short_text = pattern(30, 's'), other_text = pattern(100, 'o');
  sender.add(0, peer.local(), long_text);
  sender.add(1, other.local(), other_text);  // another port between them does not part them
  sender.add(0, peer.local(), long_text);
  sender.add(0, peer.local(), short_text);
  sender.add(0, peer.local(), long_text);
  sender.writer.flush();

  EXPECT_EQ(peer.receive_train(), long_text + long_text + short_text);
  EXPECT_EQ(peer.receive_train(), long_text);
  EXPECT_EQ(other.receive_train(), other_text);
  EXPECT_TRUE(peer.is_silent());
}

TEST(PeerWriter, KeepsTheOrderWhenSizesAndPeersChange) {
  Ports sender{with_trains};
  const TestSocket peer, other;
  const std::vector<std::string> texts{pattern(20), pattern(50), pattern(50),
                                       pattern(7),  pattern(0),  pattern(9)};
  for (const auto& text : texts) sender.add(0, peer.local(), text);
  sender.add(0, other.local(), "other");
  sender.add(0, peer.local(), "last");
  sender.writer.flush();

  for (const auto& text : texts) EXPECT_EQ(peer.receive_text(), text);
  EXPECT_EQ(peer.receive_text(), "last");
  EXPECT_EQ(other.receive_text(), "other");
  EXPECT_EQ(sender.writer.dropped(), 0U);
}

TEST(PeerWriter, SplitsWhatIsMoreThanATrain) {
  Ports sender{with_trains};
  const TestSocket peer;
  std::vector<std::string> texts;
  texts.reserve(150);
  for (int i = 0; i < 150; ++i) texts.push_back(pattern(1200, static_cast<char>('a' + i % 26)));
  for (const auto& text : texts) sender.add(0, peer.local(), text);
  sender.writer.flush();
  for (const auto& text : texts) EXPECT_EQ(peer.receive_text(), text);
}

TEST(PeerWriter, SendsOneByOneWithoutOffload) {
  Ports sender{without_trains, "[::1]:0"};
  const TrainReceiver peer{"[::1]:0"};
  for (int i = 0; i < 2; ++i) sender.add(0, peer.local(), "text");
  sender.writer.flush();
  EXPECT_EQ(peer.receive_train(), "text");
  EXPECT_EQ(peer.receive_train(), "text");
}

TEST(PeerWriter, SendsOneByOneWhereTrainsAreRefused) {
  Ports sender{with_trains};
  const TrainReceiver peer;
  refuse_trains(sender.ports.find(0)->descriptor.value());
  for (const char* text : {"one", "two"}) sender.add(0, peer.local(), text);
  sender.writer.flush();
  EXPECT_EQ(peer.receive_train(), "one");
  EXPECT_EQ(peer.receive_train(), "two");
  EXPECT_EQ(sender.writer.dropped(), 0U);
}

TEST(PeerWriter, SendsTheLargestDatagramsAlone) {
  Ports sender{with_trains};
  const TestSocket peer;
  const std::string largest = pattern(65507);
  for (int i = 0; i < 2; ++i) sender.add(0, peer.local(), largest);
  sender.writer.flush();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(peer.receive_text(), largest);
}

TEST(PeerWriter, CountsWhatTheKernelRefuses) {
  Ports sender{with_trains};
  const TestSocket peer;
  const std::string too_large = pattern(65508);
  sender.add(0, peer.local(), too_large);
  sender.add(0, peer.local(), "next");
  sender.writer.flush();
  EXPECT_EQ(sender.writer.dropped(), 1U);
  EXPECT_EQ(peer.receive_text(), "next");
}

TEST(PeerWriter, ForgetsPortsThatAreNotOpen) {
  Ports sender{with_trains};
  const TestSocket peer;
  sender.add(7, peer.local(), "nowhere");
  sender.add(0, peer.local(), "closed before the flush");
  sender.ports.close(0);
  sender.writer.flush();
  sender.ports.forget_closed();
  ASSERT_TRUE(sender.ports.open(0, address("127.0.0.1:0")));
  sender.add(0, peer.local(), "reopened");
  sender.writer.flush();
  EXPECT_EQ(peer.receive_text(), "reopened");
}

TEST(PeerWriter, SendsBehindAnIcmpError) {
  Ports sender{with_trains};
  const SocketAddress closed = closed_address();
  const TestSocket peer;
  for (int i = 0; i < 3; ++i) {
    sender.add(0, closed, "into the void");
    sender.writer.flush();
    sender.add(0, peer.local(), "heard");
    sender.writer.flush();
    EXPECT_EQ(peer.receive_text(), "heard");
  }
}

TEST(PeerWriter, SetsTheDontFragmentOptionWhereADatagramAsksForIt) {
  for (const char* local : {"127.0.0.1:0", "[::1]:0"}) {
    Ports sender{with_trains, local};
    const TrainReceiver peer{local};
    // The options of IPv4 and IPv6 have the same values.
    constexpr int clear = IP_PMTUDISC_DONT, set = IP_PMTUDISC_DO;
    EXPECT_EQ(sender.discover_option(0), clear);

    sender.add(0, peer.local(), "clear");
    sender.add(0, peer.local(), "whole", true);
    sender.writer.flush();
    EXPECT_EQ(sender.discover_option(0), set);
    EXPECT_EQ(peer.receive_train(), "clear");  // not one train with the next
    EXPECT_EQ(peer.receive_train(), "whole");

    sender.add(0, peer.local(), "clear");
    sender.writer.flush();
    EXPECT_EQ(sender.discover_option(0), clear);
  }
}

struct ClientSide {
  explicit ClientSide(const SegmentOffload& offload, std::string_view local = "127.0.0.1:0")
      : listener(*open_listener(address(local), offload)), writer(listener.value(), offload) {}
  static turn::Deliver channel_data(const SocketAddress& to, std::string_view text) {
    turn::Deliver deliver;
    deliver.to = {.listener = 0, .client = to};
    deliver.prefix = {0x40, 0x01, 0, static_cast<Byte>(text.size())};
    deliver.prefix_size = 4;
    deliver.padding = 0;
    deliver.payload = as_bytes(text);
    return deliver;
  }
  FileDescriptor listener;
  ClientWriter writer;
};

std::string framed(std::string_view text) {
  return std::string{"\x40\x01", 2} + '\0' + static_cast<char>(text.size()) + std::string{text};
}

TEST(ClientWriter, PutsPrefixPayloadAndPaddingTogether) {
  ClientSide server{with_trains};
  const TestSocket client;
  auto deliver = ClientSide::channel_data(client.local(), "abc");
  deliver.padding = 1;
  server.writer.add(deliver);
  EXPECT_TRUE(client.is_silent());
  server.writer.flush();

  const auto received = client.receive();
  ASSERT_TRUE(received);
  EXPECT_EQ(received->text, framed("abc") + '\0');
  EXPECT_EQ(received->from, *local_address(server.listener.value()));
}

TEST(ClientWriter, SendsToManyClientsAtOnce) {
  ClientSide server{with_trains};
  const std::vector<TestSocket> clients(20);
  for (int round = 0; round < 2; ++round)
    for (const auto& client : clients) server.writer.add(ClientSide::channel_data(client.local(), "text"));
  server.writer.flush();
  for (const auto& client : clients) {
    EXPECT_EQ(client.receive_text(), framed("text"));
    EXPECT_EQ(client.receive_text(), framed("text"));
  }
}

TEST(ClientWriter, JoinsEqualDatagramsForOneClient) {
  ClientSide server{with_trains, "[::1]:0"};
  const TrainReceiver client{"[::1]:0"};
  const std::string long_text = pattern(100), short_text = pattern(30, 's');
  const std::vector<std::string_view> texts{long_text, long_text, short_text, long_text};
  for (const std::string_view text : texts) server.writer.add(ClientSide::channel_data(client.local(), text));
  server.writer.flush();
  EXPECT_EQ(client.receive_train().size(), 104U + 104U + 34U);
  EXPECT_EQ(client.receive_train().size(), 104U);
}

TEST(ClientWriter, KeepsBytesThatAreGivenToIt) {
  ClientSide server{with_trains};
  const TestSocket client;
  for (const char* text : {"answer one", "answer two"})
    server.writer.add(client.local(), to_vector(as_bytes(text)));
  server.writer.flush();
  EXPECT_EQ(client.receive_text(), "answer one");
  EXPECT_EQ(client.receive_text(), "answer two");
}

TEST(ClientWriter, SendsByItselfWhenItIsFull) {
  ClientSide server{without_trains};
  const TestSocket client;
  while (!server.writer.is_full()) server.writer.add(ClientSide::channel_data(client.local(), "text"));
  EXPECT_TRUE(client.is_silent());
  server.writer.add(ClientSide::channel_data(client.local(), "next"));
  EXPECT_EQ(client.receive_text(), framed("text"));
}

TEST(ClientWriter, DropsWhatIsTooLargeAndSendsTheRest) {
  ClientSide server{with_trains};
  const TestSocket client;
  const std::string too_large = pattern(65507);
  server.writer.add(ClientSide::channel_data(client.local(), "first"));
  server.writer.add(ClientSide::channel_data(client.local(), too_large));
  server.writer.add(ClientSide::channel_data(client.local(), "last"));
  server.writer.flush();
  EXPECT_EQ(server.writer.dropped(), 1U);
  EXPECT_EQ(client.receive_text(), framed("first"));
  EXPECT_EQ(client.receive_text(), framed("last"));
}

TEST(ClientWriter, SendsOneByOneWhereTrainsAreRefused) {
  ClientSide server{with_trains};
  const TrainReceiver client;
  refuse_trains(server.listener.value());
  for (const char* text : {"one", "two"}) server.writer.add(ClientSide::channel_data(client.local(), text));
  server.writer.flush();
  EXPECT_EQ(client.receive_train(), framed("one"));
  EXPECT_EQ(client.receive_train(), framed("two"));
  EXPECT_EQ(server.writer.dropped(), 0U);
}

}  // namespace
}  // namespace turnpike::relay
