#include "service/key_provider.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "service/test_http_server.hpp"

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;

std::string make_answer(const std::string& kid, std::int64_t exp = 4'000'000'000, const char* more = "") {
  return R"({"k":")" + to_base64url(as_bytes("HGkj32KJGiuy098sdfaqbNjOiaz71923")) + R"(","exp":)" +
         std::to_string(exp) + R"(,"kid":")" + kid + R"(","enc":"A256GCM")" + more + "}";
}

// The loop is run by the test itself.
struct Site {
  explicit Site(TestHttpServer::Script script)
      : server(loop.context(), std::move(script), certificates, "waf", true) {}

  KeyProvider& make(const std::function<void(KeyProviderSettings&)>& change = {}) {
    KeyProviderSettings settings{.name = "shop",
                                 .url = server.url(""),
                                 .certificate_file = certificates.certificate("turn1"),
                                 .key_file = certificates.key("turn1"),
                                 .ca_file = certificates.authority(),
                                 .server_name = "turn1 & more",
                                 .answer = {.kid_prefix = "w1-"}};
    settings.schedule.retry_first = 1s;
    if (change) change(settings);
    provider.emplace(
        loop, std::move(settings), random,
        KeyProvider::Hooks{.on_fetched = [this](const auto& taken) { fetched.push_back(taken); },
                           .on_failed = [this](const auto& problem) { failed.push_back(problem); }});
    return *provider;
  }
  void run_until(const std::function<bool()>& condition) {
    while (!condition() && loop.context().run_one_for(5s) != 0) {
    }
    EXPECT_TRUE(condition());
  }

  struct Issued : TestCertificates {
    Issued() {
      issue("waf", "IP:127.0.0.1,DNS:localhost");
      issue("turn1", "DNS:turn1");
    }
  };
  Issued certificates{};
  Loop loop{};
  TestHttpServer server;
  SeededRandom random{1};
  std::optional<KeyProvider> provider{};
  std::vector<ProviderKeys::Taken> fetched{};
  std::vector<std::string> failed{};
};

TEST(KeyProvider, FetchesWithItsCertificate) {
  Site site{[](const SeenRequest&) { return make_http_answer(make_answer("w1-a")); }};
  KeyProvider& provider = site.make();
  EXPECT_FALSE(provider.status({}).fetched_at);
  provider.start();
  site.run_until([&] { return !site.fetched.empty(); });
  EXPECT_TRUE(site.server.seen().front().has(
      "GET /.well-known/stun-key?service=stun&name=turn1%20%26%20more HTTP/1.1\r\n"))
      << site.server.seen().front().head;
  ASSERT_EQ(provider.keys().size(), 1u);
  EXPECT_EQ(provider.keys().front().kid, "w1-a");
  const KeyProviderStatus status = provider.status(read_clocks().mono);
  EXPECT_EQ(status.fetches, 1u);
  EXPECT_EQ(status.problem, "");
  EXPECT_GT(status.next_fetch_in, 1s);
}

TEST(KeyProvider, SaysWhatWentWrongAndComesAgain) {
  int calls = 0;
  Site site{[&](const SeenRequest&) -> std::optional<std::string> {
    switch (++calls) {
      case 1:
        return make_http_answer(R"({"error":"words of theirs"})", "403 Forbidden");
      case 2:
        return make_http_answer("", "500 Oh");
      case 3:
        return make_http_answer(make_answer("k9"));
      default:
        return make_http_answer(make_answer("w1-a"));
    }
  }};
  KeyProvider& provider = site.make([](KeyProviderSettings& settings) {
    settings.schedule.retry_first = settings.schedule.retry_max = 0s;
  });
  provider.start();
  site.run_until([&] { return !site.fetched.empty(); });
  EXPECT_EQ(site.failed,
            (std::vector<std::string>{
                "it answered 403: our certificate does not stand for turn1 & more there", "it answered 500",
                "kid: found \"k9\", allowed: what begins with \"w1-\", as this provider's kids do"}));
  EXPECT_EQ(provider.status(read_clocks().mono).failures, 3u);
  EXPECT_EQ(provider.status(read_clocks().mono).problem, "");
}

TEST(KeyProvider, KeepsWhatItHasWhenTheOtherSideIsGone) {
  Site site{[](const SeenRequest&) { return make_http_answer(make_answer("w1-a")); }};
  KeyProvider& provider = site.make();
  provider.start();
  site.run_until([&] { return !site.fetched.empty(); });
  site.server.close();
  provider.fetch_now();
  site.run_until([&] { return !site.failed.empty(); });
  ASSERT_EQ(provider.keys().size(), 1u);
  EXPECT_LE(provider.status(read_clocks().mono).next_fetch_in, 1s);
}

TEST(KeyProvider, BelievesNobodyWhomItsAuthorityDoesNotVouchFor) {
  Site site{[](const SeenRequest&) { return make_http_answer(make_answer("w1-a")); }};
  const TestCertificates others;
  KeyProvider& provider =
      site.make([&](KeyProviderSettings& settings) { settings.ca_file = others.authority(); });
  provider.start();
  site.run_until([&] { return !site.failed.empty(); });
  EXPECT_TRUE(provider.keys().empty());
  EXPECT_TRUE(site.server.seen().empty()) << "nothing was asked";
}

TEST(KeyProvider, ReadsItsFilesAtEachFetch) {
  Site site{[](const SeenRequest&) { return make_http_answer(make_answer("w1-a")); }};
  KeyProvider& provider = site.make([&](KeyProviderSettings& settings) {
    settings.certificate_file = site.certificates.certificate("later");
    settings.key_file = site.certificates.key("later");
  });
  EXPECT_FALSE(KeyProvider::try_files(site.loop, provider.settings()));
  provider.start();
  site.run_until([&] { return !site.failed.empty(); });
  EXPECT_NE(site.failed.front().find("later.pem"), std::string::npos) << site.failed.front();
  site.certificates.issue("later", "DNS:turn1");
  EXPECT_TRUE(KeyProvider::try_files(site.loop, provider.settings()));
  provider.fetch_now();
  site.run_until([&] { return !site.fetched.empty(); });
}

TEST(KeyProvider, TakesNoAnswerAfterItWasStopped) {
  Site site{[](const SeenRequest&) { return make_http_answer(make_answer("w1-a")); }};
  KeyProvider& provider = site.make();
  provider.start();
  while (site.server.connections() == 0) site.loop.context().run_one_for(5s);
  provider.stop();
  while (site.loop.context().run_one_for(200ms) != 0) {
  }
  EXPECT_TRUE(provider.keys().empty());
  EXPECT_TRUE(site.fetched.empty());
  EXPECT_FALSE(provider.status(read_clocks().mono).next_fetch_in);
  provider.start();
  site.run_until([&] { return !site.fetched.empty(); });
}

TEST(KeyProvider, SeesThatTheClocksDiffer) {
  Site site{[](const SeenRequest&) {
    return make_http_answer(make_answer("w1-a", 784115377), "200 OK",
                            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  }};
  KeyProvider& provider = site.make();
  provider.start();
  site.run_until([&] { return !site.fetched.empty(); });
  EXPECT_GT(site.fetched.front().clock_difference, 24h * 365 * 30);
  EXPECT_GT(provider.keys().front().accepted_until, read_clocks().wall) << "an hour, and what it is kept for";
}

}  // namespace
}  // namespace turnpike::service
