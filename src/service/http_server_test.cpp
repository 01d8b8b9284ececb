#include "service/http_server.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "service/test_certificates.hpp"

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using boost::system::error_code;

SocketAddress loopback() { return *SocketAddress::parse("127.0.0.1:0"); }

struct World {
  asio::io_context loop{};
  TestCertificates certificates{};
  std::vector<ServedRequest> served{};

  World() {
    certificates.issue("relay", "DNS:localhost,IP:127.0.0.1");
    certificates.issue("edge", "DNS:edge1.ims.example,URI:urn:edge:1");
  }
  HttpServerSettings tls(bool asks = true) const {
    return {.listen = loopback(),
            .certificate_file = certificates.certificate("relay"),
            .key_file = certificates.key("relay"),
            .client_ca_file = asks ? certificates.authority() : ""};
  }
  std::unique_ptr<HttpServer> start(const HttpServerSettings& settings) {
    auto server =
        HttpServer::start(loop, settings, [this](ServedRequest request, HttpServer::Respond respond) {
          served.push_back(request);
          respond({.status = 200, .fields = {{"X-Kind", "test"}}, .body = "you sent " + request.body});
        });
    EXPECT_TRUE(server) << server.error();
    return std::move(*server);
  }
  std::unique_ptr<HttpClient> client(HttpClientSettings settings = {}) {
    settings.ca_file = certificates.authority();
    auto made = HttpClient::make(loop, settings);
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }
  std::unique_ptr<HttpClient> client_with_certificate(const TestCertificates& of, const std::string& name) {
    return client({.certificate_file = of.certificate(name), .key_file = of.key(name)});
  }
  HttpAnswer answer(HttpClient& client, const HttpRequest& request) {
    std::optional<HttpAnswer> got;
    client.send(request, [&](HttpAnswer answer) { got = std::move(answer); });
    while (!got) loop.run_one();
    return std::move(*got);
  }
  void run_for(std::chrono::milliseconds time) {
    loop.restart();
    loop.run_for(time);
  }
  // What a connection is told that sends these bytes, until it is closed.
  std::string converse(const HttpServer& server, std::string_view bytes) {
    asio::ip::tcp::socket socket{loop};
    std::string received;
    std::array<char, 4096> buffer{};
    bool is_closed = false;
    error_code error;
    error = socket.connect({asio::ip::make_address("127.0.0.1"), server.listener().port}, error);
    asio::write(socket, asio::buffer(bytes), error);
    std::function<void()> read = [&] {
      socket.async_read_some(asio::buffer(buffer), [&](error_code failed, std::size_t count) {
        received.append(buffer.data(), count);
        is_closed = static_cast<bool>(failed);
        if (!failed) read();
      });
    };
    read();
    while (!is_closed) loop.run_one();
    return received;
  }
};

std::string url(const HttpServer& server, std::string_view scheme, std::string_view path) {
  return std::string{scheme} + "://127.0.0.1:" + std::to_string(server.listener().port) + std::string{path};
}

// Ends the server after so many steps of the loop, whatever it is at then; true where it had answered before.
bool end_server_after(int steps) {
  World world;
  auto server = world.start({.listen = loopback()});
  asio::ip::tcp::socket socket{world.loop};
  error_code error;
  error = socket.connect({asio::ip::make_address("127.0.0.1"), server->listener().port}, error);
  asio::write(socket, asio::buffer(std::string_view{"GET / HTTP/1.1\r\nHost: a\r\n\r\n"}), error);
  for (int step = 0; step < steps; ++step) world.loop.run_one_for(20ms);
  const std::size_t served = world.served.size();
  server.reset();
  world.loop.restart();
  world.loop.run();
  EXPECT_EQ(world.served.size(), served) << "asked after its end, at step " << steps;
  return served == 1;
}

TEST(HttpServer, AsksNobodyAfterItsEnd) {
  int steps = 0;
  while (!end_server_after(steps) && steps < 100) ++steps;
  EXPECT_GT(steps, 1);
  EXPECT_LT(steps, 100);
}

TEST(HttpServer, ShowsANewCertificateToNewConnections) {
  World world;
  const auto server = world.start(world.tls(false));
  const auto& files = world.certificates;
  const auto old_client = world.client();
  EXPECT_TRUE(world.answer(*old_client, {.url = url(*server, "https", "/")}));
  EXPECT_FALSE(server->reload_certificate(files.certificate("relay"), "/nonexistent.key"));
  EXPECT_TRUE(world.answer(*world.client(), {.url = url(*server, "https", "/")}));
  // It names another host, so whoever connects now does not believe it.
  EXPECT_TRUE(server->reload_certificate(files.certificate("edge"), files.key("edge")));
  EXPECT_FALSE(world.answer(*world.client(), {.url = url(*server, "https", "/")}));
  EXPECT_TRUE(world.answer(*old_client, {.url = url(*server, "https", "/")}));
}

TEST(HttpServer, AnswersOverPlainHttpOnLoopback) {
  World world;
  const auto server = world.start({.listen = loopback()});
  const auto client = world.client();
  const auto answer = world.answer(
      *client, {.method = "POST", .url = url(*server, "http", "/a?b=c%20d&e=%41+f&g"), .body = "body"});
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->body, "you sent body");
  EXPECT_EQ(answer->find("x-kind"), "test");
  ASSERT_EQ(world.served.size(), 1U);
  const ServedRequest& request = world.served.front();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path(), "/a");
  EXPECT_EQ(request.find_query("b"), "c d");
  EXPECT_EQ(request.find_query("e"), "A f");
  EXPECT_EQ(request.find_query("g"), "");
  EXPECT_FALSE(request.find_query("h"));
  EXPECT_EQ(request.find("user-agent"), "turnpike");
  EXPECT_TRUE(request.peer.names.empty());
  EXPECT_EQ(request.peer.remote.ip.to_string(), "127.0.0.1");
}

TEST(HttpServer, RefusesPlainHttpBeyondLoopback) {
  World world;
  const auto server = HttpServer::start(world.loop, {.listen = *SocketAddress::parse("0.0.0.0:0")}, {});
  ASSERT_FALSE(server);
  EXPECT_NE(server.error().find("loopback"), std::string::npos);
}

TEST(HttpServer, TellsTheNamesOfAClientsCertificate) {
  World world;
  const auto server = world.start(world.tls());
  const auto client = world.client_with_certificate(world.certificates, "edge");
  ASSERT_TRUE(world.answer(*client, {.url = url(*server, "https", "/")}));
  EXPECT_EQ(world.served.front().peer.names,
            (std::vector<std::string>{"edge1.ims.example", "urn:edge:1", "edge"}));
}

TEST(HttpServer, ReadsNothingFromClientsWithoutACertificate) {
  World world;
  const auto server = world.start(world.tls());
  const auto client = world.client();
  EXPECT_FALSE(world.answer(*client, {.url = url(*server, "https", "/")}));
  EXPECT_TRUE(world.served.empty());
}

TEST(HttpServer, ReadsNothingFromClientsOfAnotherAuthority) {
  World world;
  TestCertificates stranger;
  stranger.issue("edge", "DNS:edge1.ims.example");
  const auto server = world.start(world.tls());
  const auto client = world.client_with_certificate(stranger, "edge");
  EXPECT_FALSE(world.answer(*client, {.url = url(*server, "https", "/")}));
  EXPECT_TRUE(world.served.empty());
}

TEST(HttpServer, ServesClientsWithoutACertificateWhereNoneIsNeeded) {
  World world;
  HttpServerSettings settings = world.tls();
  settings.requires_client_certificate = false;
  const auto server = world.start(settings);
  EXPECT_TRUE(world.answer(*world.client(), {.url = url(*server, "https", "/")}));
  EXPECT_TRUE(world.served.front().peer.names.empty());
  const auto client = world.client_with_certificate(world.certificates, "edge");
  EXPECT_TRUE(world.answer(*client, {.url = url(*server, "https", "/")}));
  EXPECT_FALSE(world.served.back().peer.names.empty());
}

TEST(HttpServer, AnswersManyRequestsOnOneConnection) {
  World world;
  const auto server = world.start(world.tls(false));
  const auto client = world.client({.connections_max = 1});
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(world.answer(*client, {.url = url(*server, "https", "/")}));
  EXPECT_EQ(world.served.size(), 100U);
  EXPECT_EQ(world.served.front().peer.remote, world.served.back().peer.remote);
}

TEST(HttpServer, AnswersRequestsThatComeTogether) {
  World world;
  const auto server = world.start({.listen = loopback()});
  const std::string text = world.converse(*server,
                                          "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                                          "GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  ASSERT_EQ(world.served.size(), 2U);
  EXPECT_EQ(world.served[1].target, "/2");
  EXPECT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\n")) << text;
}

TEST(HttpServer, RefusesWhatIsTooLargeOrNoHttp) {
  World world;
  HttpServerSettings settings{.listen = loopback()};
  settings.body_bytes_max = 100;
  settings.header_bytes_max = 1000;
  const auto server = world.start(settings);
  EXPECT_TRUE(world.converse(*server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n")
                  .starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(world.converse(*server, "GET /" + std::string(2000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n")
                  .starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(world.converse(*server, "REGISTER sip:a SIP/2.0\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(world.converse(*server, "\x16\x03\x01 no HTTP at all\r\n\r\n").substr(0, 13), "HTTP/1.1 400 ");
  EXPECT_TRUE(world.served.empty());
}

TEST(HttpServer, ClosesConnectionsThatAreSlowOrIdle) {
  World world;
  HttpServerSettings settings{.listen = loopback()};
  settings.idle_max = 1s;
  settings.deadline = 1s;
  const auto server = world.start(settings);
  EXPECT_EQ(world.converse(*server, ""), "");
  EXPECT_EQ(world.converse(*server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"), "");
  EXPECT_TRUE(world.served.empty());
}

// Connections of a client that says nothing, and which of them are closed.
struct Silent {
  explicit Silent(World& world, const HttpServer& server, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto& socket = *sockets.emplace_back(std::make_unique<asio::ip::tcp::socket>(world.loop));
      error_code error;
      error = socket.connect({asio::ip::make_address("127.0.0.1"), server.listener().port}, error);
      EXPECT_FALSE(error) << error.message();
      socket.async_read_some(asio::buffer(buffer),
                             [this, i](error_code, std::size_t) { closed.push_back(i); });
      world.run_for(10ms);
    }
  }

  std::vector<std::unique_ptr<asio::ip::tcp::socket>> sockets{};
  std::array<char, 1> buffer{};
  std::vector<std::size_t> closed{};
};

TEST(HttpServer, ClosesWhoIsSilentForWhoIsNot) {
  World world;
  HttpServerSettings settings = world.tls(false);
  settings.connections_max = 3;
  const auto server = world.start(settings);
  Silent silent{world, *server, 5};
  EXPECT_EQ(silent.closed, (std::vector<std::size_t>{0, 1}));
  EXPECT_TRUE(world.answer(*world.client(), {.url = url(*server, "https", "/")}));
  world.run_for(10ms);
  EXPECT_EQ(silent.closed, (std::vector<std::size_t>{0, 1, 2}));
}

TEST(HttpServer, ClosesTheSilentConnectionsOfASourceThatHasTooMany) {
  World world;
  HttpServerSettings settings{.listen = loopback()};
  settings.connections_per_source_max = 2;
  const auto server = world.start(settings);
  Silent silent{world, *server, 3};
  EXPECT_EQ(silent.closed, std::vector<std::size_t>{0});
}

TEST(HttpServer, LetsProxiesHaveAsManyConnectionsAsTheyLike) {
  World world;
  HttpServerSettings settings{.listen = loopback()};
  settings.connections_per_source_max = 2;
  settings.proxies = {*IpPrefix::parse("127.0.0.0/8")};
  const auto server = world.start(settings);
  Silent silent{world, *server, 5};
  EXPECT_TRUE(silent.closed.empty());
}

TEST(HttpServer, ClosesNobodyWhoWaitsForIt) {
  World world;
  std::vector<HttpServer::Respond> waiting;
  HttpServerSettings settings{.listen = loopback()};
  settings.connections_max = 1;
  const auto started = HttpServer::start(
      world.loop, settings,
      [&](const ServedRequest&, HttpServer::Respond respond) { waiting.push_back(std::move(respond)); });
  ASSERT_TRUE(started);
  const auto first = world.client();
  std::optional<HttpAnswer> answer;
  first->send({.url = url(**started, "http", "/")}, [&](HttpAnswer got) { answer = std::move(got); });
  while (waiting.empty()) world.loop.run_one();
  EXPECT_FALSE(world.answer(*world.client(), {.url = url(**started, "http", "/")}));
  EXPECT_FALSE(answer);
  waiting.front()({.status = 200});
  while (!answer) world.loop.run_one();
  EXPECT_TRUE(*answer);
}

TEST(HttpServer, ClosesTheConnectionOfARequestThatNobodyAnswers) {
  World world;
  const auto server = HttpServer::start(world.loop, {.listen = loopback(), .connections_max = 1},
                                        [](const ServedRequest&, const HttpServer::Respond&) {});
  ASSERT_TRUE(server);
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(
        world.answer(*world.client({.deadline = 2s}), {.method = "POST", .url = url(**server, "http", "/")}));
}

TEST(HttpServer, MayAnswerLater) {
  World world;
  std::vector<HttpServer::Respond> waiting;
  const auto server = HttpServer::start(
      world.loop, {.listen = loopback()},
      [&](const ServedRequest&, HttpServer::Respond respond) { waiting.push_back(std::move(respond)); });
  ASSERT_TRUE(server);
  const auto client = world.client();
  std::optional<HttpAnswer> got;
  client->send({.url = url(**server, "http", "/")}, [&](HttpAnswer answer) { got = std::move(answer); });
  while (waiting.empty()) world.loop.run_one();
  EXPECT_FALSE(got);
  waiting.front()({.status = 204});
  while (!got) world.loop.run_one();
  EXPECT_EQ((*got)->status, 204U);
}

TEST(HttpServer, MayGoWhileARequestWaits) {
  World world;
  std::vector<HttpServer::Respond> waiting;
  auto server = HttpServer::start(
      world.loop, {.listen = loopback()},
      [&](const ServedRequest&, HttpServer::Respond respond) { waiting.push_back(std::move(respond)); });
  ASSERT_TRUE(server);
  const auto client = world.client();
  std::optional<HttpAnswer> got;
  client->send({.method = "POST", .url = url(**server, "http", "/")},
               [&](HttpAnswer answer) { got = std::move(answer); });
  while (waiting.empty()) world.loop.run_one();
  server->reset();
  waiting.front()({.status = 200});
  while (!got) world.loop.run_one();
  EXPECT_FALSE(*got);
}

TEST(HttpServer, SaysWhichFileOrAddressItCannotUse) {
  World world;
  HttpServerSettings settings = world.tls();
  settings.key_file = world.certificates.key("edge");
  const auto wrong_key = HttpServer::start(world.loop, settings, {});
  ASSERT_FALSE(wrong_key);
  EXPECT_NE(wrong_key.error().find(settings.key_file), std::string::npos);
  const auto first = world.start({.listen = loopback()});
  const auto second = HttpServer::start(world.loop, {.listen = first->listener()}, {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find(first->listener().to_string()), std::string::npos);
}

}  // namespace
}  // namespace turnpike::service
