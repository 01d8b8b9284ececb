// Endpoints of one process, with and without each other's help: who listens cannot tell the difference.
#include "service/sip_neighbours.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <regex>
#include <thread>

#include "ims/memory_subscribers.hpp"
#include "service/epcscf_node.hpp"
#include "service/home_core_node.hpp"
#include "service/test_sip_endpoint.hpp"
#include "service/test_sip_peer.hpp"
#include "service/test_web_client.hpp"
#include "sip/answers.hpp"
#include "sip/digest.hpp"
#include "sip/headers.hpp"

namespace turnpike::service {
namespace {

using sip::Hop;
using sip::Transport;
using test::local;
using test::make_message;
using test::RunningEndpoint;

std::shared_ptr<SipNeighbours> make_neighbours() { return std::make_shared<SipNeighbours>(); }

Hop hop_to(const RunningEndpoint& endpoint, Transport transport) {
  const SocketAddress address = transport == Transport::udp ? endpoint.udp() : endpoint.tcp();
  return {transport, "127.0.0.1", address.port};
}

// Over sockets, and handed over.
class EitherWay : public testing::TestWithParam<std::tuple<Transport, bool>> {
 protected:
  [[nodiscard]] Transport transport() const { return std::get<0>(GetParam()); }
  [[nodiscard]] bool is_handed_over() const { return std::get<1>(GetParam()); }
  SipEndpointSettings settings() { return {.neighbours = is_handed_over() ? neighbours_ : nullptr}; }

 private:
  std::shared_ptr<SipNeighbours> neighbours_ = make_neighbours();
};

TEST_P(EitherWay, ArrivesAsItWasSentAndIsAnswered) {
  RunningEndpoint asker{settings()};
  RunningEndpoint answerer{settings()};
  const std::vector<std::string> sent{make_message("a"), make_message("b", 5000), make_message("c")};
  asker.send_all(hop_to(answerer, transport()), sent);
  ASSERT_TRUE(answerer.watcher.wait_for_messages(sent.size()));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const auto [from, text] = answerer.watcher.messages()[i];
    EXPECT_EQ(text, sent[i]);
    EXPECT_EQ(from.transport, transport());
    EXPECT_EQ(from.host, "127.0.0.1");
    if (transport() == Transport::udp) {
      EXPECT_EQ(from.port, asker.udp().port);
    }
    answerer.send(from, make_message(std::to_string(i)));
  }
  ASSERT_TRUE(asker.watcher.wait_for_messages(sent.size()));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(asker.watcher.messages()[i].first, hop_to(answerer, transport()));
    EXPECT_EQ(asker.watcher.messages()[i].second, make_message(std::to_string(i)));
  }
  EXPECT_EQ(answerer.counts().messages_in, sent.size());
  EXPECT_EQ(asker.counts().messages_out, sent.size());
  const bool uses_connection = transport() == Transport::tcp && !is_handed_over();
  EXPECT_EQ(asker.counts().connections_active, uses_connection ? 1U : 0U);
}

TEST_P(EitherWay, IsNotHeardWhereItIsAStranger) {
  RunningEndpoint asker{settings()};
  SipEndpointSettings guarded = settings();
  guarded.peers = {*IpPrefix::parse("192.0.2.0/24")};
  RunningEndpoint answerer{std::move(guarded)};
  asker.send(hop_to(answerer, transport()), make_message("a"));
  while (answerer.counts().dropped_stranger == 0) std::this_thread::yield();
  EXPECT_TRUE(answerer.watcher.messages().empty());
}

TEST_P(EitherWay, IsToldWhereNobodyListensAnyMore) {
  RunningEndpoint asker{settings()};
  RunningEndpoint answerer{settings()};
  const Hop to = hop_to(answerer, transport());
  asker.send(to, make_message("a"));
  ASSERT_TRUE(answerer.watcher.wait_for_messages(1));
  answerer.stop();
  asker.send(to, make_message("b"));
  EXPECT_TRUE(asker.watcher.wait_for_failure(to));
}

INSTANTIATE_TEST_SUITE_P(Transports, EitherWay,
                         testing::Combine(testing::Values(Transport::udp, Transport::tcp), testing::Bool()));

TEST(SipNeighbours, AreReachedOverSocketsWhereTheKernelChoosesTheSource) {
  const auto neighbours = make_neighbours();
  const SocketAddress anywhere{IpAddress{}, 0};
  RunningEndpoint asker{
      {.listeners = {{Transport::udp, anywhere}, {Transport::tcp, anywhere}}, .neighbours = neighbours}};
  RunningEndpoint answerer{{.neighbours = neighbours}};
  asker.send(hop_to(answerer, Transport::tcp), make_message("a"));
  ASSERT_TRUE(answerer.watcher.wait_for_messages(1));
  EXPECT_EQ(answerer.counts().connections_active, 1U);
}

TEST(SipNeighbours, HearWhatComesOverSocketsToo) {
  const auto neighbours = make_neighbours();
  RunningEndpoint endpoint{{.neighbours = neighbours}};
  const TestSipPeer peer{SOCK_DGRAM};
  peer.send_to(endpoint.udp(), make_message("a"));
  ASSERT_TRUE(endpoint.watcher.wait_for_messages(1));
  endpoint.send(endpoint.watcher.messages().front().first, "answer");
  EXPECT_EQ(peer.receive(), "answer");
}

TEST(SipNeighbours, TakeNoMoreThanTheirQueueHolds) {
  const auto neighbours = make_neighbours();
  RunningEndpoint asker{{.neighbours = neighbours}};
  RunningEndpoint answerer{{.neighbours = neighbours}};
  const SipEndpointLimits limits;
  const std::string large = make_message("large", 60'000);
  const std::vector<std::string> too_many(limits.queue_bytes_max / large.size() + 1, large);
  asker.send_all(hop_to(answerer, Transport::udp), too_many);
  asker.send_all(hop_to(answerer, Transport::tcp), too_many);
  EXPECT_TRUE(asker.watcher.wait_for_failure(hop_to(answerer, Transport::tcp)));
  asker.send(hop_to(answerer, Transport::tcp), make_message("a"));
  ASSERT_TRUE(answerer.watcher.wait_for_messages(1));
  EXPECT_EQ(answerer.watcher.messages().front().second, make_message("a"));
  // Over UDP it is a loss like any other.
  EXPECT_EQ(asker.counts().send_failures, 1U);
}

TEST(SipNeighbours, DropWhatIsLargerThanTheReceiverTakes) {
  const auto neighbours = make_neighbours();
  RunningEndpoint asker{{.neighbours = neighbours}};
  RunningEndpoint answerer{{.limits = {.message_bytes_max = 1000}, .neighbours = neighbours}};
  asker.send_all(hop_to(answerer, Transport::tcp), {make_message("large", 1000), make_message("a")});
  ASSERT_TRUE(answerer.watcher.wait_for_messages(1));
  EXPECT_EQ(answerer.watcher.messages().front().second, make_message("a"));
  EXPECT_EQ(answerer.counts().dropped_malformed, 1U);
}

TEST(SipNeighbours, KeepTheOrderOfManyThreads) {
  constexpr std::size_t count = 2000;
  const auto neighbours = make_neighbours();
  RunningEndpoint answerer{{.neighbours = neighbours}};
  RunningEndpoint one{{.neighbours = neighbours}};
  RunningEndpoint other{{.neighbours = neighbours}};
  const auto send_all = [&](RunningEndpoint& asker) {
    for (std::size_t i = 0; i < count; ++i)
      asker.send(hop_to(answerer, Transport::tcp), make_message(std::to_string(i)));
  };
  std::thread thread{[&] { send_all(one); }};
  send_all(other);
  thread.join();
  ASSERT_TRUE(answerer.watcher.wait_for_messages(2 * count));
  std::map<std::uint16_t, std::size_t> heard;
  for (const auto& [from, text] : answerer.watcher.messages())
    EXPECT_EQ(text, make_message(std::to_string(heard[from.port]++)));
  EXPECT_EQ(heard.size(), 2U);
}

// --- eP-CSCF and home core --------------------------------------------------------------------------------

class Unconcerned final : public EpcscfObserver, public HomeCoreObserver {
 public:
  void on_report(const epcscf::Report&, Now) override {}
  void on_client_refused(const SocketAddress&, DoorRefusal, Now) override {}
  void on_core_failed(const sip::Hop&, Now) override { failed = true; }
  void on_revoked(bool, Now) override {}
  void on_registration(const ims::RegistrationReport&, Now) override {}
  void on_refusal(const ims::RefusalReport&, Now) override {}
  std::atomic<bool> failed = false;
};

constexpr std::string_view domain = "ims.example";

// Both nodes in this process, and two WICs that register and say something to each other.
class Chain {
 public:
  Chain(Transport transport, bool is_handed_over) {
    if (is_handed_over) neighbours_ = make_neighbours();
    for (const char* impi : {"alice@ims.example", "bob@ims.example"})
      subscribers_.add_with_password(impi, domain, impi);
    const std::uint16_t core_port = find_port(), edge_port = find_port();
    const auto listeners = [](std::uint16_t port) {
      return std::vector<SipListener>{{Transport::udp, local(port)}, {Transport::tcp, local(port)}};
    };
    const Hop core{transport, "127.0.0.1", core_port};
    auto home = HomeCoreNode::open(
        {.endpoint = {.listeners = listeners(core_port), .neighbours = neighbours_},
         .core = {.domain = std::string{domain}, .self = core, .trusted_nodes = {"127.0.0.1"}}},
        subscribers_, observer);
    EXPECT_TRUE(home.has_value()) << (home ? "" : home.error());
    home_ = std::move(*home);
    EpcscfSettings edge;
    edge.door.listeners = {{.address = local(), .is_secure = false}};
    edge.core = {.listeners = listeners(edge_port), .neighbours = neighbours_};
    edge.proxy = {.home_domain = std::string{domain},
                  .own_host = "127.0.0.1:" + std::to_string(edge_port),
                  .core = core};
    auto node = EpcscfNode::open(std::move(edge), observer);
    EXPECT_TRUE(node.has_value()) << (node ? "" : node.error());
    node_ = std::move(*node);
    ports_ = {{std::to_string(core_port), "CORE"}, {std::to_string(edge_port), "EDGE"}};
    home_->start();
    node_->start({});
  }

  [[nodiscard]] SocketAddress door() const { return node_->listeners().front().address; }
  [[nodiscard]] std::uint64_t connections() const { return node_->core_counts().connections_active; }

  // Without what is drawn anew in every run.
  [[nodiscard]] std::string without_chance(std::string text) const {
    for (const auto& [port, name] : ports_)
      text = std::regex_replace(text, std::regex{":" + port + "\\b"}, ":" + name);
    text = std::regex_replace(text, std::regex{"rport=[0-9]+"}, "rport=*");
    return std::regex_replace(text, std::regex{"[A-Za-z0-9_+/=-]{16,}"}, "*");
  }

  Unconcerned observer;

 private:
  // Free for both transports: each node is told where the other one is before it is opened.
  static std::uint16_t find_port() {
    for (;;) {
      const TestSipPeer datagrams{SOCK_DGRAM};
      const NativeAddress native{datagrams.local()};
      const int stream = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const bool is_free = ::bind(stream, &native.any, native.size) == 0;
      ::close(stream);
      if (is_free) return datagrams.local().port;
    }
  }

  std::shared_ptr<SipNeighbours> neighbours_{};
  ims::MemorySubscribers subscribers_;
  std::unique_ptr<HomeCoreNode> home_;
  std::unique_ptr<EpcscfNode> node_;
  std::map<std::string, std::string> ports_;
};

class Wic {
 public:
  Wic(const Chain& chain, std::string user) : user_(std::move(user)), client_(chain.door()) {
    EXPECT_TRUE(client_.upgrade());
  }
  std::string ask(const std::string& request) {
    EXPECT_TRUE(client_.send_frame(TestWebClient::text, request));
    return hear();
  }
  std::string hear() {
    const auto frame = client_.read_frame();
    EXPECT_TRUE(frame.has_value());
    return frame ? frame->payload : "";
  }
  void say(const std::string& response) { EXPECT_TRUE(client_.send_frame(TestWebClient::text, response)); }

  // The challenge and the answer.
  std::pair<std::string, std::string> enter() {
    const std::string challenge = ask(make_register(1, ""));
    const auto message = sip::Message::parse(challenge);
    const auto asked =
        message ? sip::find_credentials(*message, sip::HeaderName::www_authenticate, "Digest", domain)
                : std::nullopt;
    EXPECT_TRUE(asked.has_value()) << challenge;
    const std::string impi = user_ + "@ims.example";
    const auto proof = sip::answer_challenge(*asked, {.username = impi,
                                                      .password = impi,
                                                      .method = "REGISTER",
                                                      .uri = "sip:ims.example",
                                                      .cnonce = "0a4f113b"});
    return {challenge, ask(make_register(2, "Authorization: " + *proof + "\r\n"))};
  }
  [[nodiscard]] std::string make_message_to(const std::string& other) const {
    return "MESSAGE sip:" + other + "@ims.example SIP/2.0\r\nVia: SIP/2.0/WS w.invalid;branch=z9hG4bKm" +
           user_ + "\r\nMax-Forwards: 70\r\nFrom: <sip:" + user_ +
           "@ims.example>;tag=m1\r\nTo: <sip:" + other + "@ims.example>\r\nCall-ID: m-" + user_ +
           "\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n"
           "Content-Length: 5\r\n\r\nhello";
  }

 private:
  [[nodiscard]] std::string make_register(int number, const std::string& rows) const {
    return "REGISTER sip:ims.example SIP/2.0\r\nVia: SIP/2.0/WS w.invalid;branch=z9hG4bK" + user_ +
           std::to_string(number) + "\r\nMax-Forwards: 70\r\nFrom: <sip:" + user_ +
           "@ims.example>;tag=r1\r\nTo: <sip:" + user_ + "@ims.example>\r\nCall-ID: r-" + user_ +
           "\r\nCSeq: " + std::to_string(number) + " REGISTER\r\n" + rows +
           "Supported: path, outbound\r\nContact: <sip:" + user_ +
           "@w.invalid;transport=ws>;reg-id=1;+sip.instance=\"<urn:uuid:" + user_ +
           ">\"\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n";
  }

  std::string user_;
  TestWebClient client_;
};

// Everything that the WICs hear.
std::vector<std::string> talk(Transport transport, bool is_handed_over) {
  Chain chain{transport, is_handed_over};
  Wic alice{chain, "alice"}, bob{chain, "bob"};
  std::vector<std::string> heard;
  for (Wic* wic : {&alice, &bob}) {
    auto [challenge, answer] = wic->enter();
    heard.push_back(std::move(challenge));
    heard.push_back(std::move(answer));
  }
  alice.say(alice.make_message_to("bob"));
  heard.push_back(bob.hear());
  if (const auto message = sip::Message::parse(heard.back()); message)
    bob.say(sip::make_response(*message, 200, "b1").finish());
  heard.push_back(alice.hear());
  EXPECT_EQ(chain.connections() > 0, transport == Transport::tcp && !is_handed_over);
  EXPECT_FALSE(chain.observer.failed);
  for (std::string& text : heard) text = chain.without_chance(std::move(text));
  return heard;
}

class NodesOfOneProcess : public testing::TestWithParam<Transport> {};

TEST_P(NodesOfOneProcess, SayTheSameOverSocketsAndHandedOver) {
  const auto over_sockets = talk(GetParam(), false);
  const auto handed_over = talk(GetParam(), true);
  EXPECT_EQ(handed_over, over_sockets);
  ASSERT_EQ(handed_over.size(), 6U);
  EXPECT_TRUE(handed_over[1].starts_with("SIP/2.0 200")) << handed_over[1];
  EXPECT_TRUE(handed_over[4].starts_with("MESSAGE ")) << handed_over[4];
  EXPECT_TRUE(handed_over[5].starts_with("SIP/2.0 200")) << handed_over[5];
}

INSTANTIATE_TEST_SUITE_P(Transports, NodesOfOneProcess, testing::Values(Transport::udp, Transport::tcp));

}  // namespace
}  // namespace turnpike::service
