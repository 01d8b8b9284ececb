#include "service/http_client.hpp"

#include <gtest/gtest.h>

#include "service/test_http_server.hpp"

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;

struct World {
  boost::asio::io_context loop{};

  std::unique_ptr<HttpClient> client(const HttpClientSettings& settings = {}) {
    auto made = HttpClient::make(loop, settings);
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }
  // Runs the loop until `count` answers are there.
  std::vector<HttpAnswer> answers(HttpClient& client, const std::vector<HttpRequest>& requests) {
    std::vector<HttpAnswer> all;
    for (const HttpRequest& request : requests)
      client.send(request, [&](HttpAnswer answer) { all.push_back(std::move(answer)); });
    while (all.size() < requests.size()) loop.run_one();
    return all;
  }
  HttpAnswer answer(HttpClient& client, const HttpRequest& request) {
    return answers(client, {request}).front();
  }
};

std::optional<std::string> say_hello(const SeenRequest&) { return make_http_answer("hello"); }

TEST(HttpClient, SendsARequestAndReadsTheAnswer) {
  World world;
  TestHttpServer server{world.loop, [](const SeenRequest&) {
                          return make_http_answer("made", "201 Created", "X-Kind: b\r\n");
                        }};
  const auto client = world.client();

  const auto answer = world.answer(*client, {.method = "POST",
                                             .url = server.url("/a?b=c"),
                                             .fields = {{"Content-Type", "text/plain"}},
                                             .body = "body"});

  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(answer->status, 201u);
  EXPECT_EQ(answer->body, "made");
  EXPECT_EQ(answer->find("x-kind"), "b");
  EXPECT_FALSE(answer->find("x-other"));
  ASSERT_EQ(server.seen().size(), 1u);
  const SeenRequest& seen = server.seen().front();
  EXPECT_TRUE(seen.head.starts_with("POST /a?b=c HTTP/1.1\r\n")) << seen.head;
  EXPECT_TRUE(seen.has("Host: 127.0.0.1:")) << seen.head;
  EXPECT_TRUE(seen.has("Content-Type: text/plain")) << seen.head;
  EXPECT_EQ(seen.body, "body");
}

TEST(HttpClient, KeepsConnectionsAndMakesNoMoreThanItMay) {
  World world;
  TestHttpServer server{world.loop, say_hello};
  const auto client = world.client({.connections_max = 3});

  const std::vector<HttpRequest> requests(50, HttpRequest{.url = server.url("/")});
  for (const auto& answer : world.answers(*client, requests)) EXPECT_TRUE(answer) << answer.error();
  for (const auto& answer : world.answers(*client, requests)) EXPECT_TRUE(answer) << answer.error();

  EXPECT_EQ(server.seen().size(), 100u);
  EXPECT_EQ(server.connections(), 3u);
}

TEST(HttpClient, RefusesWhatWouldWaitInTooLongAQueue) {
  World world;
  TestHttpServer server{world.loop, say_hello};
  const auto client = world.client({.connections_max = 1, .waiting_max = 2});

  std::size_t refused = 0;
  for (const auto& answer : world.answers(*client, std::vector<HttpRequest>(5, {.url = server.url("/")})))
    refused += answer ? 0 : 1;

  EXPECT_EQ(refused, 2u);
}

TEST(HttpClient, DoesNotKeepAConnectionThatTheServerWantsClosed) {
  World world;
  TestHttpServer server{world.loop, [](const SeenRequest&) {
                          return make_http_answer("bye", "200 OK", "Connection: close\r\n");
                        }};
  const auto client = world.client();

  for (int i = 0; i < 3; ++i) EXPECT_TRUE(world.answer(*client, {.url = server.url("/")}));

  EXPECT_EQ(server.connections(), 3u);
}

TEST(HttpClient, ClosesAConnectionThatIsIdleForTooLong) {
  World world;
  TestHttpServer server{world.loop, say_hello};
  const auto client = world.client({.idle_max = 1ms});

  EXPECT_TRUE(world.answer(*client, {.url = server.url("/")}));
  world.loop.restart();
  world.loop.run_for(20ms);
  EXPECT_TRUE(world.answer(*client, {.url = server.url("/")}));

  EXPECT_EQ(server.connections(), 2u);
}

TEST(HttpClient, GoesOnAfterTheServerWasRestarted) {
  World world;
  TestHttpServer server{world.loop, say_hello};
  const auto client = world.client();
  EXPECT_TRUE(world.answer(*client, {.url = server.url("/")}));

  server.drop_connections();
  const auto answer = world.answer(*client, {.url = server.url("/")});

  EXPECT_TRUE(answer) << answer.error();
  EXPECT_EQ(server.connections(), 2u);
}

TEST(HttpClient, RepeatsAPostOnlyWhereThatIsSaidToBeHarmless) {
  World world;
  TestHttpServer server{world.loop, say_hello};
  const auto client = world.client();
  EXPECT_TRUE(world.answer(*client, {.url = server.url("/")}));
  server.drop_connections();
  EXPECT_FALSE(world.answer(*client, {.method = "POST", .url = server.url("/"), .body = "x"}));
  EXPECT_TRUE(world.answer(*client, {.url = server.url("/")}));
  server.drop_connections();
  EXPECT_TRUE(
      world.answer(*client, {.method = "POST", .url = server.url("/"), .body = "x", .is_repeatable = true}));
}

TEST(HttpClient, GivesUpOnASilentServerAtItsDeadline) {
  World world;
  TestHttpServer server{world.loop, [](const SeenRequest&) { return std::nullopt; }};
  const auto client = world.client({.deadline = 150ms, .connections_max = 1});

  const auto answers = world.answers(*client, std::vector<HttpRequest>(3, {.url = server.url("/secret")}));

  for (const auto& answer : answers) {
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().ends_with(": no answer within 150 ms")) << answer.error();
    EXPECT_EQ(answer.error().find("secret"), std::string::npos);
  }
  server.set_script(say_hello);
  EXPECT_TRUE(world.answer(*client, {.url = server.url("/")}));
}

TEST(HttpClient, SaysThatNobodyListens) {
  World world;
  TestHttpServer server{world.loop, say_hello};
  const std::string url = server.url("/");
  server.close();
  const auto client = world.client();

  const auto answer = world.answer(*client, {.url = url});

  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().ends_with(": Connection refused")) << answer.error();
}

TEST(HttpClient, RefusesAnAnswerThatIsTooLongOrBrokenOrCut) {
  World world;
  std::string bytes;
  TestHttpServer server{world.loop, [&](const SeenRequest&) { return bytes; }};
  const auto client = world.client({.deadline = 500ms, .response_bytes_max = 100});
  const std::string long_field = "X: " + std::string(20'000, 'x') + "\r\n";
  for (const std::string& bad :
       {make_http_answer(std::string(101, 'x')), make_http_answer("a", "200 OK", long_field),
        std::string{"hello\r\n\r\n"}, std::string{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"},
        std::string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"},
        std::string{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"}, std::string{}}) {
    bytes = bad;
    EXPECT_FALSE(world.answer(*client, {.url = server.url("/")})) << bad.substr(0, 80);
  }
  bytes = make_http_answer(std::string(100, 'x'));
  EXPECT_TRUE(world.answer(*client, {.url = server.url("/")}));
}

TEST(HttpClient, TakesNothingThatCameBeforeItsRequestForTheAnswer) {
  World world;
  TestHttpServer server{
      world.loop, [](const SeenRequest&) { return make_http_answer("a") + make_http_answer("forged"); }};
  const auto client = world.client();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world.answer(*client, {.url = server.url("/")})->body, "a");
}

TEST(HttpClient, RefusesRequestsThatWouldCarryFieldsOfAStranger) {
  World world;
  TestHttpServer server{world.loop, say_hello};
  const auto client = world.client();

  EXPECT_FALSE(world.answer(*client, {.url = server.url("/"), .fields = {{"A", "b\r\nX: y"}}}));
  EXPECT_FALSE(world.answer(*client, {.method = "GET /x\r\n", .url = server.url("/")}));
  EXPECT_FALSE(world.answer(*client, {.url = server.url("/ x")}));
  EXPECT_FALSE(world.answer(*client, {.url = "http://192.0.2.1/"}));
  EXPECT_TRUE(server.seen().empty());
}

TEST(HttpClient, EndsQuietlyInTheMiddleOfEverything) {
  World world;
  TestHttpServer server{world.loop, [](const SeenRequest& request) -> std::optional<std::string> {
                          return request.has("GET /silent") ? std::nullopt : say_hello(request);
                        }};
  auto client = world.client({.connections_max = 2});
  EXPECT_TRUE(world.answer(*client, {.url = server.url("/")}));
  for (int i = 0; i < 10; ++i)
    client->send({.url = server.url("/silent")},
                 [](const HttpAnswer&) { FAIL() << "nobody waits any more"; });
  world.loop.run_for(10ms);

  client.reset();
  world.loop.run_for(20ms);
}

TEST(HttpClient, TakesAnAnswerThatDestroysIt) {
  World world;
  TestHttpServer server{world.loop, say_hello};
  auto client = world.client();
  bool is_answered = false;
  client->send({.url = server.url("/")}, [&](const HttpAnswer&) {
    client.reset();
    is_answered = true;
  });
  world.loop.run_for(200ms);
  EXPECT_TRUE(is_answered);
}

struct SecureWorld : World {
  SecureWorld() {
    certificates.issue("server", "DNS:localhost,IP:127.0.0.1");
    certificates.issue("other", "DNS:other.example");
    certificates.issue("client", "DNS:client.example");
  }
  TestCertificates certificates{};
};

TEST(HttpsClient, ChecksWhomItSpeaksTo) {
  SecureWorld world;
  TestHttpServer server{world.loop, say_hello, world.certificates, "server"};
  TestHttpServer other{world.loop, say_hello, world.certificates, "other"};
  const auto trusting = world.client({.ca_file = world.certificates.authority()});
  const auto stranger = world.client();

  EXPECT_TRUE(world.answer(*trusting, {.url = server.url("/")}));
  EXPECT_TRUE(world.answer(*trusting, {.url = server.url("/", "localhost")}));
  EXPECT_FALSE(world.answer(*trusting, {.url = other.url("/")}));
  EXPECT_FALSE(world.answer(*stranger, {.url = server.url("/")}));
  EXPECT_TRUE(other.seen().empty());
}

TEST(HttpsClient, ShowsItsCertificateWhereItIsAskedFor) {
  SecureWorld world;
  TestHttpServer server{world.loop, say_hello, world.certificates, "server", true};
  const auto known = world.client({.ca_file = world.certificates.authority(),
                                   .certificate_file = world.certificates.certificate("client"),
                                   .key_file = world.certificates.key("client")});
  const auto nameless = world.client({.ca_file = world.certificates.authority()});

  const auto answer = world.answer(*known, {.url = server.url("/")});
  EXPECT_TRUE(answer) << answer.error();
  EXPECT_FALSE(world.answer(*nameless, {.url = server.url("/")}));
}

TEST(HttpsClient, DoesNotSpeakPlainlyToAServerThatAnswersPlainly) {
  SecureWorld world;
  TestHttpServer plain{world.loop, say_hello};
  const auto client = world.client({.ca_file = world.certificates.authority(), .deadline = 300ms});
  EXPECT_FALSE(world.answer(*client, {.url = "https" + plain.url("/").substr(4)}));
  EXPECT_TRUE(plain.seen().empty());
}

TEST(HttpsClient, SaysWhichFileItCannotUse) {
  SecureWorld world;
  const auto no_authority = HttpClient::make(world.loop, {.ca_file = "/nowhere/ca.pem"});
  ASSERT_FALSE(no_authority);
  EXPECT_TRUE(no_authority.error().starts_with("cannot use /nowhere/ca.pem: ")) << no_authority.error();
  EXPECT_FALSE(HttpClient::make(world.loop, {.certificate_file = world.certificates.certificate("client"),
                                             .key_file = world.certificates.key("other")}));
}

}  // namespace
}  // namespace turnpike::service
