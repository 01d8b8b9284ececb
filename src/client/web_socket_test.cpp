#include "client/web_socket.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "client/tiny_door.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::TinyDoor;

std::vector<std::string> repeat(const std::string& text) { return {text}; }

WebSocketSettings towards(const TinyDoor& door, bool is_secure = false) {
  return {.uri = {.is_secure = is_secure, .host = "127.0.0.1", .port = door.port()},
          .timeout = milliseconds{2000}};
}

std::string next(WebSocket& socket) {
  for (int i = 0; i < 50; ++i) {
    if (auto message = socket.next_message()) return *std::move(message);
    if (socket.closed()) return "closed: " + *socket.closed();
    socket.wait({}, milliseconds{100});
  }
  return "nothing";
}

TEST(WebSocketUri, IsReadAndWritten) {
  EXPECT_EQ(parse_web_socket_uri("wss://edge.example"), (WebSocketUri{true, "edge.example", 443, "/"}));
  EXPECT_EQ(parse_web_socket_uri("ws://127.0.0.1"), (WebSocketUri{false, "127.0.0.1", 80, "/"}));
  EXPECT_EQ(parse_web_socket_uri("wss://[2001:db8::1]:8443/ws"),
            (WebSocketUri{true, "2001:db8::1", 8443, "/ws"}));
  EXPECT_EQ(parse_web_socket_uri("wss://[::1]:8443/ws")->to_string(), "wss://[::1]:8443/ws");
  EXPECT_EQ(parse_web_socket_uri("ws://a:1")->to_string(), "ws://a:1");
  for (const char* text :
       {"", "edge.example", "https://edge.example", "wss://", "wss://:443", "wss://a:", "wss://a:0",
        "wss://a:65536", "wss://[::1", "wss://[1.2.3.4]", "wss://[::1]x", "wss://a b"})
    EXPECT_FALSE(parse_web_socket_uri(text)) << text;
}

TEST(WebSocketUri, OfALoginIsInClearOnThisMachineAlone) {
  for (const char* text :
       {"wss://edge.example", "wss://192.0.2.1:8443", "ws://127.0.0.1:8080", "ws://127.255.0.9",
        "ws://[::1]:8080/ws", "ws://[::ffff:127.0.0.1]", "ws://localhost"})
    EXPECT_TRUE(parse_login_uri(text, false)) << text;
  for (const char* text :
       {"ws://edge.example:8080", "ws://192.0.2.1", "ws://0.0.0.0", "ws://[::]", "ws://[2001:db8::1]",
        "ws://[::ffff:192.0.2.1]", "ws://localhost.example", "ws://127.0.0.1.example", "ws://127.1"}) {
    const auto uri = parse_login_uri(text, false);
    ASSERT_FALSE(uri) << text;
    EXPECT_EQ(uri.error(), "\"" + std::string{text} +
                               "\" would be told the login in clear: use wss://; ws:// is for this machine "
                               "alone, or for --allow-cleartext");
    EXPECT_EQ(parse_login_uri(text, true), parse_web_socket_uri(text)) << text;
  }
  EXPECT_FALSE(parse_login_uri("edge.example", true));
}

TEST(WebSocket, CarriesMessagesBothWays) {
  TinyDoor door{{.answer = repeat}};
  auto socket = WebSocket::connect(towards(door));
  ASSERT_TRUE(socket) << socket.error().found;
  EXPECT_EQ(socket->peer(), "127.0.0.1:" + std::to_string(door.port()));
  socket->send("one");
  socket->send(std::string(60'000, 'x'));
  EXPECT_EQ(next(*socket), "one");
  EXPECT_EQ(next(*socket).size(), 60'000U);
  socket->close();
  EXPECT_TRUE(socket->closed());
}

TEST(WebSocket, TrustsTheAuthorityThatItIsTold) {
  TinyDoor door{{.is_secure = true, .answer = repeat}};
  auto settings = towards(door, true);
  auto socket = WebSocket::connect(settings);
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().kind, WebSocketFailure::Kind::untrusted) << socket.error().found;

  const std::string file = ::testing::TempDir() + "tiny_door_" + std::to_string(::getpid()) + ".pem";
  std::ofstream{file} << door.certificate();
  settings.ca_file = file;
  socket = WebSocket::connect(settings);
  ASSERT_TRUE(socket) << socket.error().found;
  EXPECT_NE(socket->tls().find("tiny door"), std::string::npos);
  socket->send("secret");
  EXPECT_EQ(next(*socket), "secret");
  std::remove(file.c_str());
  settings.ca_file = file;
  EXPECT_EQ(WebSocket::connect(settings).error().kind, WebSocketFailure::Kind::misconfigured);
}

TEST(WebSocket, TrustsAnybodyWhenItIsToldSo) {
  TinyDoor door{{.is_secure = true, .answer = repeat}};
  auto settings = towards(door, true);
  settings.is_insecure = true;
  auto socket = WebSocket::connect(settings);
  ASSERT_TRUE(socket) << socket.error().found;
  socket->send("hello");
  EXPECT_EQ(next(*socket), "hello");
}

TEST(WebSocket, SaysWhyThereIsNone) {
  std::uint16_t free_port = 0;
  {
    const TinyDoor door{{}};
    free_port = door.port();
  }
  auto failure = WebSocket::connect({.uri = {false, "127.0.0.1", free_port, "/"}});
  ASSERT_FALSE(failure);
  EXPECT_EQ(failure.error().kind, WebSocketFailure::Kind::unreachable);
  EXPECT_NE(failure.error().advice.find("Nothing listens"), std::string::npos);
  failure = WebSocket::connect({.uri = {false, "no.such.host.invalid", 80, "/"}});
  EXPECT_EQ(failure.error().kind, WebSocketFailure::Kind::unknown_host);

  for (const std::uint16_t status : std::initializer_list<std::uint16_t>{403, 404, 429, 503}) {
    const TinyDoor refusing{{.refusal = status}};
    failure = WebSocket::connect(towards(refusing));
    ASSERT_FALSE(failure);
    EXPECT_EQ(failure.error().kind, WebSocketFailure::Kind::refused);
    EXPECT_EQ(failure.error().http_status, status);
    EXPECT_FALSE(failure.error().advice.empty());
  }
  for (const char* subprotocol : {"", "chat"}) {
    const TinyDoor other{{.subprotocol = subprotocol}};
    failure = WebSocket::connect(towards(other));
    ASSERT_FALSE(failure);
    EXPECT_EQ(failure.error().kind, WebSocketFailure::Kind::wrong_subprotocol) << failure.error().found;
  }
  const TinyDoor plain{{}};
  failure = WebSocket::connect(towards(plain, true));
  ASSERT_FALSE(failure);
  EXPECT_NE(failure.error().kind, WebSocketFailure::Kind::untrusted) << failure.error().found;
}

TEST(WebSocket, TellsThatTheServerHasLeft) {
  TinyDoor door{{.messages_max = 1, .answer = repeat}};
  auto socket = WebSocket::connect(towards(door));
  ASSERT_TRUE(socket);
  socket->send("one");
  EXPECT_EQ(next(*socket), "one");
  EXPECT_EQ(next(*socket), "closed: the server has closed the connection, code 1001");
  socket->send("two");
  socket->close();
}

TEST(WebSocket, WakesUpForADescriptor) {
  TinyDoor door{{.answer = repeat}};
  auto socket = WebSocket::connect(towards(door));
  ASSERT_TRUE(socket);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  const std::array<int, 1> watched{ends[0]};
  const auto began = read_clocks().mono;
  socket->wait(watched, seconds{5});
  EXPECT_LT(read_clocks().mono - began, seconds{4});
  ::close(ends[0]);
  ::close(ends[1]);
  socket->wait({}, milliseconds{1});
}

}  // namespace
}  // namespace turnpike::client
