#include "client/http_exchange.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/time.hpp"
#include "client/tiny_site.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;
using test::http_answer;
using test::TinySite;

HttpAsk to(const TinySite& site, const std::string& target = "/") {
  return {.url = *HttpUrl::parse(site.origin() + target)};
}

TEST(HttpExchange, BringsTheAnswerAsItIs) {
  TinySite site{[](const std::string&) {
    return http_answer(303, "body", "Location: /next\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
  }};
  HttpAsk ask = to(site, "/login?x=1");
  ask.method = "POST";
  ask.fields = {{"Content-Type", "text/plain"}};
  ask.body = "hello";
  const auto reply = exchange(ask, {});
  ASSERT_TRUE(reply) << reply.error().found;
  EXPECT_EQ(reply->status, 303U);
  EXPECT_EQ(reply->find("location"), "/next");
  EXPECT_FALSE(reply->find("content-type"));
  EXPECT_EQ(
      std::ranges::count_if(reply->fields, [](const auto& field) { return field.first == "Set-Cookie"; }), 2);
  EXPECT_EQ(reply->body, "body");
  const std::string request = site.requests().front();
  EXPECT_TRUE(request.starts_with("POST /login?x=1 HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Host: 127.0.0.1:" + std::to_string(site.port())), std::string::npos);
  EXPECT_NE(request.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_TRUE(request.ends_with("\r\n\r\nhello"));
}

TEST(HttpExchange, SaysWhyThereIsNoAnswer) {
  TinySite site{[](const std::string& request) {
    if (request.starts_with("GET /big")) return http_answer(200, std::string(1000, 'x'));
    if (request.starts_with("GET /junk")) return std::string{"220 mail ready\r\n"};
    return std::string{};
  }};
  const HttpExchangeSettings small{.body_bytes_max = 100};
  EXPECT_NE(exchange(to(site, "/big"), small).error().found.find("more than 100 bytes"), std::string::npos);
  EXPECT_NE(exchange(to(site, "/junk"), {}).error().found.find("did not answer"), std::string::npos);
  EXPECT_NE(exchange(to(site, "/gone"), {}).error().found.find("did not answer"), std::string::npos);
  EXPECT_NE(exchange({.url = *HttpUrl::parse("http://192.0.2.1/")}, {}).error().found.find("without TLS"),
            std::string::npos);
  EXPECT_NE(exchange({.url = *HttpUrl::parse("https://no.such.host.invalid/")}, {})
                .error()
                .found.find("was not found"),
            std::string::npos);
  HttpAsk secure = to(site);
  secure.url.is_secure = true;
  EXPECT_NE(exchange(secure, {}).error().found.find("TLS handshake"), std::string::npos);
}

TEST(HttpExchange, SaysThatNobodyListens) {
  std::optional<HttpAsk> ask;
  {
    const TinySite site{[](const std::string&) { return std::string{}; }};
    ask = to(site);
  }
  const auto reply = exchange(*ask, {});
  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().advice.find("Nothing listens"), std::string::npos);
}

TEST(HttpExchange, EndsWithItsTime) {
  // A listener whose backlog takes the connection, and that never reads.
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  NativeAddress own{*SocketAddress::parse("127.0.0.1:0")};
  ASSERT_EQ(::bind(listener, &own.any, own.size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, &own.any, &own.size), 0);
  const auto began = read_clocks().mono;
  const auto reply = exchange({.url = *HttpUrl::parse("http://" + own.to_address()->to_string() + "/")},
                              {.timeout = milliseconds{50}});
  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().found.find("within 50 ms"), std::string::npos) << reply.error().found;
  EXPECT_LT(read_clocks().mono - began, std::chrono::seconds{10});
  ::close(listener);
}

}  // namespace
}  // namespace turnpike::client
