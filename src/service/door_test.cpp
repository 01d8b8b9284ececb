// A door with real sockets on the loopback interface.
#include "service/door.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "service/certificate.hpp"
#include "service/test_notebook.hpp"
#include "service/test_web_client.hpp"

namespace turnpike::service {
namespace {

using Client = TestWebClient;
using epcscf::FlowId;

SocketAddress local(std::uint16_t port = 0) { return {IpAddress::v4({127, 0, 0, 1}), port}; }

// What the door has told, and what it shall do with messages. The door tells it on its loop's thread; the
// test reads copies.
class Watcher final : public DoorOwner, public TestNotebook {
 public:
  void on_client_connected(FlowId flow, const epcscf::ClientInfo& info) override {
    note([&] { connected_.emplace_back(flow, info); });
  }
  void on_client_message(FlowId flow, std::string_view text) override {
    note([&] { messages_.emplace_back(flow, text); });
    if (on_message) on_message(flow, text);
  }
  void on_client_closed(FlowId flow, DoorEnd end) override {
    note([&] { closed_.emplace_back(flow, end); });
  }
  void on_client_refused(const SocketAddress&, DoorRefusal refusal) override {
    note([&] { refused_.push_back(refusal); });
  }
  bool wait_for_refusal(DoorRefusal refusal) {
    return wait([&] { return !refused_.empty() && refused_.back() == refusal; });
  }
  bool wait_for_end(DoorEnd end) {
    return wait([&] { return !closed_.empty() && closed_.back().second == end; });
  }
  bool wait_for_ends(std::size_t count) {
    return wait([&] { return closed_.size() == count; });
  }
  auto connected() { return copy(connected_); }
  auto messages() { return copy(messages_); }
  auto closed() { return copy(closed_); }
  auto refused() { return copy(refused_); }

  std::function<void(FlowId, std::string_view)> on_message;  // to be set before anybody connects

 private:
  std::vector<std::pair<FlowId, epcscf::ClientInfo>> connected_;
  std::vector<std::pair<FlowId, std::string>> messages_;
  std::vector<std::pair<FlowId, DoorEnd>> closed_;
  std::vector<DoorRefusal> refused_;
};

class Files {
 public:
  Files() : folder_(std::filesystem::temp_directory_path() / ("door_test." + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    write("");
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  ~Files() { std::filesystem::remove_all(folder_); }
  void write(const std::string& more_name) const {
    std::vector<std::string> names{"localhost", "127.0.0.1"};
    if (!more_name.empty()) names.insert(names.begin(), more_name);
    const auto pair = make_certificate(names, std::chrono::days{30}, read_clocks().wall);
    ASSERT_TRUE(pair.has_value()) << pair.error();
    std::ofstream{certificate()} << pair->certificate;
    std::ofstream{key()} << pair->key.reveal_text();
  }
  [[nodiscard]] std::string certificate() const { return (folder_ / "certificate.pem").string(); }
  [[nodiscard]] std::string key() const { return (folder_ / "key.pem").string(); }

 private:
  std::filesystem::path folder_;
};

class RunningDoor {
 public:
  explicit RunningDoor(DoorSettings settings = {}, bool is_secure = false) {
    if (settings.listeners.empty()) settings.listeners = {{local(), is_secure}};
    settings.certificate = files.certificate();
    settings.key = files.key();
    auto opened = Door::open(loop_, std::move(settings), watcher);
    EXPECT_TRUE(opened.has_value()) << (opened ? "" : opened.error());
    door_ = std::move(*opened);
    loop_.start("door-test");
  }
  ~RunningDoor() { loop_.stop(); }

  [[nodiscard]] SocketAddress address(std::size_t listener = 0) const {
    return door_->listeners()[listener].address;
  }
  [[nodiscard]] Client connect() const { return Client{address()}; }
  // The client has its answer before the door has its flow.
  [[nodiscard]] Client connect_flow(int receive_buffer = 0) {
    const auto begun = counts().flows_begun + 1;
    Client client{address(), receive_buffer};
    EXPECT_TRUE(client.upgrade());
    EXPECT_TRUE(watcher.wait([&] { return watcher.connected().size() == begun; }));
    return client;
  }
  bool send(FlowId flow, std::string bytes) {
    bool sent = false;
    on_loop([&] { sent = door_->send(flow, std::move(bytes)); });
    return sent;
  }
  void on_loop(FunctionRef<void()> work) { EXPECT_TRUE(loop_.ask(work)); }
  Door& door() { return *door_; }
  [[nodiscard]] const DoorCounts& counts() const { return door_->counts(); }

  Files files;
  Watcher watcher;

 private:
  Loop loop_;
  std::unique_ptr<Door> door_;
};

// --- handshake --------------------------------------------------------------------------------------------

TEST(Door, OpensForSipOverWebSocket) {
  RunningDoor door;
  Client client = door.connect();
  const std::string answer =
      client.request_upgrade("Sec-WebSocket-Protocol: chat, sip\r\nOrigin: https://127.0.0.1:8443\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 "));
  EXPECT_NE(answer.find("Sec-WebSocket-Protocol: sip\r\n"), std::string::npos);
  EXPECT_NE(answer.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos);
  ASSERT_TRUE(door.watcher.wait([&] { return door.watcher.connected().size() == 1; }));
  const auto [flow, info] = door.watcher.connected().front();
  EXPECT_EQ(flow, FlowId{1});
  EXPECT_EQ(info.remote.ip, local().ip);
  EXPECT_FALSE(info.is_secure);
  EXPECT_EQ(info.origin, "https://127.0.0.1:8443");
}

TEST(Door, RefusesOtherSubprotocols) {
  RunningDoor door;
  for (const char* offered : {"", "Sec-WebSocket-Protocol: chat\r\n", "Sec-WebSocket-Protocol: SIP\r\n",
                              "Sec-WebSocket-Protocol: sips, sip2\r\n"}) {
    Client client = door.connect();
    EXPECT_TRUE(client.request_upgrade(offered).starts_with("HTTP/1.1 400 ")) << offered;
    EXPECT_NE(client.read_all().find("subprotocol \"sip\""), std::string::npos);
    EXPECT_TRUE(door.watcher.wait_for_refusal(DoorRefusal::wrong_subprotocol));
  }
}

TEST(Door, LetsPagesOfListedOriginsInAlone) {
  RunningDoor door{{.origins = {"https://web.ims.example"}}};
  const auto answer_to = [&](const std::string& origin) {
    return door.connect()
        .request_upgrade("Sec-WebSocket-Protocol: sip\r\nOrigin: " + origin + "\r\n")
        .substr(9, 3);
  };
  EXPECT_EQ(answer_to("https://web.ims.example"), "101");
  EXPECT_EQ(answer_to("HTTPS://WEB.ims.example"), "101");
  for (const char* origin : {"http://web.ims.example", "https://web.ims.example:8443", "https://evil.example",
                             "https://web.ims.example.evil.example", "null", "https://127.0.0.1"})
    EXPECT_EQ(answer_to(origin), "403") << origin;
  EXPECT_TRUE(
      door.watcher.wait([&] { return door.watcher.refused() == std::vector(6, DoorRefusal::wrong_origin); }));
  EXPECT_TRUE(door.connect().upgrade()) << "a native client sends no origin";
}

TEST(Door, CanAskForAnOrigin) {
  RunningDoor door{{.origins = {"https://web.ims.example"}, .requires_origin = true}};
  EXPECT_TRUE(door.connect().request_upgrade().starts_with("HTTP/1.1 403 "));
}

TEST(Origins, AreThoseOfTheSameHostWithoutAList) {
  EXPECT_TRUE(is_origin_allowed({}, "https://ims.example", "ims.example:8443"));
  EXPECT_TRUE(is_origin_allowed({}, "https://ims.example:444", "IMS.example"));
  EXPECT_TRUE(is_origin_allowed({}, "http://[::1]:80", "[::1]:8443"));
  EXPECT_FALSE(is_origin_allowed({}, "https://ims.example.evil.example", "ims.example"));
  EXPECT_FALSE(is_origin_allowed({}, "https://[::2]", "[::1]"));
  EXPECT_FALSE(is_origin_allowed({}, "null", "null"));
  EXPECT_FALSE(is_origin_allowed({}, "https://", ""));
  EXPECT_TRUE(is_origin_allowed({"*"}, "null", ""));
}

TEST(Door, AnswersPlainHttpInWords) {
  RunningDoor door{{.path = "/ws"}};
  Client at_path = door.connect();
  EXPECT_TRUE(at_path.request("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 426 "));
  EXPECT_NE(at_path.read_all().find("RFC 7118"), std::string::npos);
  EXPECT_TRUE(door.connect().request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(door.connect()
                  .request("POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
                  .starts_with("HTTP/1.1 426 "));
  EXPECT_TRUE(door.connect().request("REGISTER sip:a SIP/2.0\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(door.connect()
                  .request_upgrade("Sec-WebSocket-Protocol: sip\r\n", "/ws?a=b")
                  .starts_with("HTTP/1.1 101 "));
  EXPECT_TRUE(door.connect()
                  .request("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n"
                           "Sec-WebSocket-Protocol: sip\r\n\r\n")
                  .starts_with("HTTP/1.1 426 "));
}

TEST(Door, RefusesHeadersWithoutEnd) {
  RunningDoor door;
  EXPECT_TRUE(door.connect()
                  .request("GET / HTTP/1.1\r\nA: " + std::string(20'000, 'a'))
                  .starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(door.watcher.wait_for_refusal(DoorRefusal::bad_request));
}

TEST(Door, RefusesFramesThatComeBeforeItsAnswer) {
  RunningDoor door;
  EXPECT_TRUE(
      door.connect()
          .request_upgrade("Sec-WebSocket-Protocol: sip\r\n\r\n" + Client::make_frame(Client::text, "x"))
          .starts_with("HTTP/1.1 400 "));
}

TEST(Door, WaitsForAHandshakeNotForEver) {
  RunningDoor door{{.limits = {.handshake_timeout = std::chrono::seconds{1}}}};
  Client silent = door.connect();
  Client slow = door.connect();
  ASSERT_TRUE(slow.send("GET / HTTP/1.1\r\n"));
  EXPECT_TRUE(silent.is_at_end());
  EXPECT_TRUE(slow.is_at_end());
  EXPECT_EQ(door.watcher.refused(), std::vector(2, DoorRefusal::timed_out));
}

TEST(Door, NoticesThatAClientHangsUpInItsHandshake) {
  RunningDoor door;
  door.connect().hang_up();
  EXPECT_TRUE(door.watcher.wait([&] { return door.watcher.refused().size() == 1; }));
  Client client = door.connect();
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHo"));
  client.hang_up();
  EXPECT_TRUE(
      door.watcher.wait([&] { return door.watcher.refused() == std::vector(2, DoorRefusal::hung_up); }));
  door.on_loop([&] { EXPECT_EQ(door.counts().connections_active, 0U); });
}

// --- TLS --------------------------------------------------------------------------------------------------

TEST(SecureDoor, CarriesMessagesOverTls) {
  RunningDoor door{{}, true};
  door.watcher.on_message = [&](FlowId flow, std::string_view text) {
    (void)door.door().send(flow, std::string{text});
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client = door.connect();
    ASSERT_TRUE(client.start_tls(version));
    ASSERT_TRUE(client.upgrade());
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{300}, std::size_t{16'384}, std::size_t{65'000}}) {
      const std::string text(size, 'm');
      ASSERT_TRUE(client.send_frame(Client::text, text));
      const auto answer = client.read_frame();
      ASSERT_TRUE(answer.has_value()) << size;
      EXPECT_TRUE(answer->payload == text) << size;
    }
  }
  EXPECT_TRUE(door.watcher.connected().front().second.is_secure);
}

// Many records in one read of the socket, one record in many, and the end of one with the beginning of
// another.
TEST(SecureDoor, HandsOnEveryMessageHoweverItsRecordsArrive) {
  DoorSettings settings;
  settings.limits.messages_per_second = 1'000'000;
  RunningDoor door{settings, true};
  Client client = door.connect();
  ASSERT_TRUE(client.start_tls(TLS1_3_VERSION));
  ASSERT_TRUE(client.upgrade());
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < 300; ++i)
    expected.emplace_back(i % 50 == 49 ? 20'000 + i : 1 + i * 7 % 900, static_cast<char>('a' + i % 26));
  std::string frames;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    frames += Client::make_frame(Client::text, expected[i]);
    if (i % 3 == 0) continue;
    ASSERT_TRUE(client.send(std::exchange(frames, {})));
  }
  ASSERT_TRUE(client.send(frames));
  ASSERT_TRUE(door.watcher.wait([&] { return door.watcher.messages().size() == expected.size(); }));
  for (std::size_t at = 0; at < expected.size(); ++at)
    ASSERT_TRUE(door.watcher.messages()[at].second == expected[at]) << at;
}

// Asio hands the state of a socket that has just ended on to the next one, with what was ready of it.
TEST(SecureDoor, TakesInWhoComesRightBehindOneWhoLeaves) {
  RunningDoor door{{.limits = {.handshakes_per_second_per_source = 1'000'000}}, true};
  for (int count = 0; count < 2'000; ++count) {
    Client client = door.connect();
    ASSERT_TRUE(client.start_tls(TLS1_3_VERSION)) << count;
  }
}

TEST(SecureDoor, SpeaksNoTlsBelow12) {
  RunningDoor door{{}, true};
  EXPECT_FALSE(door.connect().start_tls(TLS1_1_VERSION));
  EXPECT_TRUE(door.watcher.wait_for_refusal(DoorRefusal::tls_failed));
}

TEST(SecureDoor, TellsAPlainClientThatItSpeaksTls) {
  RunningDoor door{{}, true};
  Client client = door.connect();
  EXPECT_TRUE(client.request_upgrade().starts_with("HTTP/1.1 400 "));
  EXPECT_NE(client.read_all().find("wss://"), std::string::npos);
  EXPECT_TRUE(door.watcher.wait_for_refusal(DoorRefusal::not_tls));
}

TEST(Door, NoticesTlsOnAPlainPort) {
  RunningDoor door;
  EXPECT_FALSE(door.connect().start_tls());
  EXPECT_TRUE(door.watcher.wait_for_refusal(DoorRefusal::not_cleartext));
}

TEST(SecureDoor, ShowsAnotherCertificateAfterReload) {
  RunningDoor door{{}, true};
  const auto name_of_peer = [&] {
    Client client = door.connect();
    EXPECT_TRUE(client.start_tls());
    const std::unique_ptr<X509, decltype(&X509_free)> shown{SSL_get1_peer_certificate(client.ssl()),
                                                            X509_free};
    char name[64] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()), NID_commonName, name, sizeof name);
    return std::string{name};
  };
  EXPECT_EQ(name_of_peer(), "localhost");
  door.files.write("renewed.example");
  door.on_loop([&] {
    EXPECT_TRUE(door.door().reload_certificate(door.files.certificate(), door.files.key()).has_value());
  });
  EXPECT_EQ(name_of_peer(), "renewed.example");
  door.on_loop([&] {
    const auto refused = door.door().reload_certificate("/nowhere.pem", door.files.key());
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().find("/nowhere.pem"), std::string::npos);
  });
  EXPECT_EQ(name_of_peer(), "renewed.example");
}

TEST(Door, OpensInTheClearOnLoopbackAlone) {
  Loop loop;
  Watcher watcher;
  const SocketAddress everywhere{IpAddress{}, 0};
  const auto refused = Door::open(loop, {.listeners = {{everywhere, false}}}, watcher);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().find("ws:0.0.0.0:0"), std::string::npos);
  EXPECT_TRUE(
      Door::open(loop, {.listeners = {{everywhere, false}}, .allows_cleartext = true}, watcher).has_value());
}

TEST(Door, SaysWhatCannotBeOpened) {
  RunningDoor door;
  Loop loop;
  Watcher watcher;
  const auto taken = Door::open(loop, {.listeners = {{door.address(), false}}}, watcher);
  ASSERT_FALSE(taken.has_value());
  EXPECT_NE(taken.error().find("Address already in use"), std::string::npos);
  const auto no_file =
      Door::open(loop, {.listeners = {{local(), true}}, .certificate = "/nowhere.pem"}, watcher);
  ASSERT_FALSE(no_file.has_value());
  EXPECT_NE(no_file.error().find("/nowhere.pem"), std::string::npos);
}

// --- messages ---------------------------------------------------------------------------------------------

TEST(Flow, HandsOnEachMessageWhateverItsFrames) {
  RunningDoor door;
  Client client = door.connect_flow();
  ASSERT_TRUE(client.send_frame(Client::text, "one"));
  ASSERT_TRUE(client.send_frame(Client::binary, std::string("\xff\0two", 5)));
  ASSERT_TRUE(client.send_frame(Client::text, "th", false) && client.send_frame(Client::ping, "between") &&
              client.send_frame(Client::continuation, "re", false) &&
              client.send_frame(Client::continuation, "e"));
  const std::string large(60'000, 'l');
  const std::string frames =
      Client::make_frame(Client::text, "four") + Client::make_frame(Client::text, large);
  for (std::size_t at = 0; at < frames.size(); at += 7001) ASSERT_TRUE(client.send(frames.substr(at, 7001)));
  ASSERT_TRUE(door.watcher.wait([&] { return door.watcher.messages().size() == 5; }));
  const std::vector<std::string> expected{"one", std::string("\xff\0two", 5), "three", "four", large};
  for (std::size_t at = 0; at < expected.size(); ++at)
    EXPECT_TRUE(door.watcher.messages()[at].second == expected[at]) << at;
  EXPECT_EQ(client.read_frame()->opcode, Client::pong);
}

TEST(Flow, HandsOnTwoSipMessagesOfOneFrameAsTheOneThatTheyAre) {
  RunningDoor door;
  Client client = door.connect_flow();
  ASSERT_TRUE(client.send_frame(Client::text, "OPTIONS sip:a SIP/2.0\r\n\r\nOPTIONS sip:b SIP/2.0\r\n\r\n"));
  EXPECT_TRUE(door.watcher.wait([&] { return door.watcher.messages().size() == 1; }));
}

TEST(Flow, SendsUtf8AsTextAndTheRestAsBinary) {
  RunningDoor door;
  Client client = door.connect_flow();
  ASSERT_TRUE(door.send(FlowId{1},
                        "Gr\xc3\xbc\xc3\x9f"
                        "e"));
  ASSERT_TRUE(door.send(FlowId{1}, "\xff"));
  EXPECT_EQ(client.read_frame()->opcode, Client::text);
  EXPECT_EQ(client.read_frame()->opcode, Client::binary);
  EXPECT_FALSE(door.send(FlowId{2}, "nobody"));
}

TEST(Flow, AnswersTheKeepAliveOfRfc5626) {
  RunningDoor door;
  Client client = door.connect_flow();
  ASSERT_TRUE(client.send_frame(Client::text, "\r\n") && client.send_frame(Client::text, "\r\n\r\n"));
  EXPECT_EQ(client.read_frame()->payload, "\r\n");
  EXPECT_EQ(door.counts().keep_alives, 2U);
  EXPECT_EQ(door.counts().messages_in, 0U);
}

TEST(Flow, EndsWithMessagesThatAreTooLarge) {
  RunningDoor door{{.limits = {.message_bytes_max = 1000}}};
  for (const bool is_cut : {false, true}) {
    Client client = door.connect_flow();
    ASSERT_TRUE(client.send_frame(Client::text, std::string(is_cut ? 600 : 1001, 'a'), !is_cut));
    ASSERT_TRUE(!is_cut || client.send_frame(Client::continuation, std::string(401, 'a')));
    EXPECT_EQ(client.read_frame()->close_code(), 1009);
    client.hang_up();
    EXPECT_TRUE(door.watcher.wait([&] { return door.watcher.closed().size() == (is_cut ? 2U : 1U); }));
    EXPECT_EQ(door.watcher.closed().back().second, DoorEnd::message_too_large);
  }
  EXPECT_TRUE(door.watcher.messages().empty());
}

TEST(Flow, EndsWithWhatIsNoWebSocket) {
  RunningDoor door;
  const std::string unmasked{"\x81\x01x"};
  const std::string reserved_opcode = Client::make_frame(3, "x");
  const std::string not_utf8 = Client::make_frame(Client::text, "\xff\xfe");
  std::size_t count = 0;
  for (const std::string& bytes : {unmasked, reserved_opcode, not_utf8}) {
    Client client = door.connect_flow();
    ASSERT_TRUE(client.send(bytes));
    EXPECT_EQ(client.read_frame()->opcode, Client::close_frame);
    client.hang_up();
    ++count;
    ASSERT_TRUE(door.watcher.wait([&] { return door.watcher.closed().size() == count; }));
    EXPECT_EQ(door.watcher.closed().back().second, DoorEnd::not_websocket);
  }
}

TEST(Flow, EndsInTheMiddleOfAMessage) {
  RunningDoor door;
  Client client = door.connect_flow();
  ASSERT_TRUE(client.send(Client::make_frame(Client::text, std::string(5000, 'a')).substr(0, 3000)));
  client.hang_up();
  EXPECT_TRUE(door.watcher.wait_for_end(DoorEnd::client));
  EXPECT_TRUE(door.watcher.messages().empty());
  EXPECT_FALSE(door.send(FlowId{1}, "too late"));
}

TEST(Flow, EndsWhenTheClientClosesIt) {
  RunningDoor door;
  Client client = door.connect_flow();
  ASSERT_TRUE(client.send_frame(Client::close_frame, "\x03\xe8"));
  EXPECT_EQ(client.read_frame()->close_code(), 1000);
  EXPECT_TRUE(client.is_at_end());
  client.hang_up();
  EXPECT_TRUE(door.watcher.wait_for_end(DoorEnd::client));
}

TEST(Flow, IsClosedOnDemandWithAReason) {
  RunningDoor door;
  Client client = door.connect_flow();
  door.on_loop([&] { door.door().close(FlowId{1}, "registered elsewhere"); });
  const auto frame = client.read_frame();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->close_code(), 1000);
  EXPECT_EQ(frame->payload.substr(2), "registered elsewhere");
  EXPECT_TRUE(door.watcher.wait_for_end(DoorEnd::asked));
  ASSERT_TRUE(client.send_frame(Client::close_frame, "\x03\xe8"));
  EXPECT_TRUE(client.is_at_end());
}

TEST(Flow, IsPingedAndEndsWhenNobodyAnswers) {
  RunningDoor door{
      {.limits = {.ping_interval = std::chrono::seconds{1}, .idle_timeout = std::chrono::seconds{3}}}};
  Client client = door.connect_flow();
  EXPECT_EQ(client.read_frame()->opcode, Client::ping);
  EXPECT_TRUE(door.watcher.wait_for_end(DoorEnd::idle));
}

TEST(Flow, LivesAsLongAsPingsAreAnswered) {
  RunningDoor door{
      {.limits = {.ping_interval = std::chrono::seconds{1}, .idle_timeout = std::chrono::seconds{3}}}};
  Client client = door.connect_flow();
  for (int count = 0; count < 4; ++count) {
    const auto frame = client.read_frame();
    ASSERT_TRUE(frame.has_value());
    ASSERT_EQ(frame->opcode, Client::ping);
    ASSERT_TRUE(client.send_frame(Client::pong, frame->payload));
  }
  EXPECT_TRUE(door.watcher.closed().empty());
}

TEST(Flow, OfASlowClientEndsWhenItsQueueIsFull) {
  RunningDoor door{{.limits = {.queue_bytes_max = 100'000}}};
  const Client client = door.connect_flow(4096);
  bool sent = true;
  for (int count = 0; sent && count < 10'000; ++count) sent = door.send(FlowId{1}, std::string(10'000, 's'));
  EXPECT_FALSE(sent);
  EXPECT_TRUE(door.watcher.wait_for_end(DoorEnd::slow));
}

// More than the sockets hold, so that what follows waits for the client.
void fill(RunningDoor& door, FlowId flow) {
  for (int count = 0; count < 200; ++count) ASSERT_TRUE(door.send(flow, std::string(100'000, 's')));
}

// The second ping would take the place of the first, which waits for the write.
TEST(Flow, OfAClientThatReadsNothingIsPingedOnceAtATime) {
  RunningDoor door{{.limits = {.queue_bytes_max = 100'000'000,
                               .ping_interval = std::chrono::seconds{1},
                               .idle_timeout = std::chrono::seconds{4}}}};
  const Client client = door.connect_flow(4096);
  fill(door, FlowId{1});
  ASSERT_TRUE(door.watcher.wait_for_ends(1));
  door.on_loop([&] { EXPECT_EQ(door.counts().connections_active, 0U); });
}

TEST(Flow, OfAClientThatTalksAndReadsNothingEnds) {
  RunningDoor door{{.limits = {.queue_bytes_max = 100'000'000,
                               .ping_interval = std::chrono::seconds{1},
                               .idle_timeout = std::chrono::seconds{3}}}};
  Client client = door.connect_flow(4096);
  Client clock = door.connect_flow();
  fill(door, FlowId{1});
  for (int count = 0; count < 8 && door.watcher.closed().empty(); ++count) {
    (void)client.send_frame(Client::text, "\r\n");
    ASSERT_TRUE(clock.read_frame().has_value());  // the door's ping, once a second
    ASSERT_TRUE(clock.send_frame(Client::pong, ""));
  }
  const auto closed = door.watcher.closed();
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_EQ(closed.front(), (std::pair{FlowId{1}, DoorEnd::slow}));
}

TEST(Flow, EndsWithTooManyMessages) {
  RunningDoor door{{.limits = {.messages_per_second = 5}}};
  for (const int opcode : {Client::text, Client::ping}) {
    Client client = door.connect_flow();
    for (int count = 0; count < 20; ++count) (void)client.send_frame(opcode, "x");
    auto frame = client.read_frame();
    while (frame && frame->opcode == Client::pong) frame = client.read_frame();
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->close_code(), 1008);
    EXPECT_TRUE(door.watcher.wait_for_end(DoorEnd::too_many_messages));
  }
  EXPECT_LE(door.watcher.messages().size(), 10U);
}

// --- how many ---------------------------------------------------------------------------------------------

TEST(Door, TakesNoMoreConnectionsThanItsLimits) {
  RunningDoor door{{.limits = {.connections_max = 3}}};
  std::vector<Client> clients;
  for (int count = 0; count < 3; ++count) clients.push_back(door.connect_flow());
  Client fourth = door.connect();
  EXPECT_TRUE(fourth.is_at_end());
  EXPECT_TRUE(door.watcher.wait_for_refusal(DoorRefusal::too_many));
  clients.pop_back();
  ASSERT_TRUE(door.watcher.wait_for_end(DoorEnd::client));
  EXPECT_TRUE(door.connect().upgrade());
}

TEST(Door, TakesNoMoreConnectionsOfOneSourceThanItsLimits) {
  RunningDoor door{{.limits = {.connections_per_source_max = 2}}};
  const Client first = door.connect_flow();
  const Client second = door.connect_flow();
  EXPECT_TRUE(door.connect().is_at_end());
  EXPECT_TRUE(door.watcher.wait_for_refusal(DoorRefusal::too_many_of_source));
}

TEST(Door, TakesNoMoreHandshakesOfOneSourcePerSecondThanItsLimits) {
  RunningDoor door{{.limits = {.handshakes_per_second_per_source = 5}}};
  for (int count = 0; count < 20; ++count) (void)door.connect().upgrade();
  EXPECT_TRUE(door.watcher.wait([&] { return !door.watcher.refused().empty(); }));
  EXPECT_EQ(door.watcher.refused().front(), DoorRefusal::too_fast);
}

TEST(Door, SaysWhatItHasToSayBeforeItCloses) {
  RunningDoor door;
  Client client = door.connect_flow(4096);  // little room: the messages wait for the client
  const std::string large(60'000, 'm');
  door.on_loop([&] {
    for (int count = 0; count < 3; ++count) EXPECT_TRUE(door.door().send(FlowId{1}, large));
    door.door().close(FlowId{1}, "deregistered");
  });
  for (int count = 0; count < 3; ++count) {
    const auto frame = client.read_frame();
    ASSERT_TRUE(frame.has_value()) << count;
    EXPECT_TRUE(frame->payload == large);
  }
  const auto frame = client.read_frame();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->opcode, Client::close_frame);
}

TEST(Door, ForgetsTenThousandConnectionsThatCameAndWent) {
  RunningDoor door{{.limits = {.handshakes_per_second_per_source = 1'000'000}}};
  for (int count = 0; count < 10'000; ++count) {
    Client client = door.connect();
    ASSERT_TRUE(client.upgrade()) << count;
    ASSERT_TRUE(count % 3 != 0 || client.send_frame(Client::text, "x"));
  }
  ASSERT_TRUE(door.watcher.wait_for_ends(10'000));
  door.on_loop([&] {
    EXPECT_EQ(door.counts().connections_active, 0U);
    EXPECT_EQ(door.counts().flows_active, 0U);
  });
}

TEST(Door, ClosesEveryFlowWhenItStops) {
  RunningDoor door;
  std::vector<Client> clients;
  for (int count = 0; count < 3; ++count) clients.push_back(door.connect_flow());
  Client half = door.connect();
  ASSERT_TRUE(half.send("GET"));
  std::mutex mutex;
  std::condition_variable told;
  bool is_done = false;
  door.on_loop([&] {
    door.door().stop([&] {
      const std::scoped_lock lock{mutex};
      is_done = true;
      told.notify_all();
    });
  });
  for (Client& client : clients) {
    const auto frame = client.read_frame();
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->close_code(), 1001);
    EXPECT_TRUE(client.send_frame(Client::close_frame, "\x03\xe9"));
    EXPECT_TRUE(client.is_at_end());
    client.hang_up();
  }
  std::unique_lock lock{mutex};
  EXPECT_TRUE(told.wait_for(lock, std::chrono::seconds{10}, [&] { return is_done; }));
  EXPECT_FALSE(door.connect().is_connected());
}

}  // namespace
}  // namespace turnpike::service
