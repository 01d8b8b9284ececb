#include "service/issuer_book.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "jose/test_tokens.hpp"
#include "service/test_http_server.hpp"

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// A provider that says where its keys are; `kid` names the only one.
struct Provider {
  explicit Provider(boost::asio::io_context& loop)
      : server(loop, [this](const SeenRequest& request) { return answer(request); }) {}
  [[nodiscard]] std::string issuer() const { return server.url("/realm"); }
  std::optional<std::string> answer(const SeenRequest& request) {
    if (!is_up) return make_http_answer("no", "500 Internal Server Error");
    if (request.has("GET /realm/.well-known/openid-configuration ")) {
      ++discoveries;
      return make_http_answer(json{{"issuer", issuer() + (is_other ? "/x" : "")},
                                   {"authorization_endpoint", issuer() + "/auth"},
                                   {"token_endpoint", issuer() + "/token"},
                                   {"jwks_uri", issuer() + "/jwks"}}
                                  .dump());
    }
    if (request.has("GET /realm/jwks ")) {
      ++key_fetches;
      return make_http_answer(jose::key_set_of({key.jwk(kid)}), "200 OK", fields);
    }
    return make_http_answer("seen " + request.body);
  }

  jose::TestKey key = jose::TestKey::ec();
  std::string kid = "k1", fields{};
  bool is_up = true, is_other = false;
  int discoveries = 0, key_fetches = 0;
  TestHttpServer server;
};

struct IssuerBookTest : testing::Test {
  std::shared_ptr<IssuerBook> make(const IssuerBook* earlier = nullptr) {
    auto book = IssuerBook::make(
        loop,
        {{.issuer = provider.issuer()}, {.issuer = "jwt", .jwks_uri = provider.server.url("/realm/jwks")}},
        settings,
        [this](const IssuerNews& told) { news.emplace_back(told.failure.empty() ? "keys" : told.failure); },
        earlier);
    EXPECT_TRUE(book) << book.error();
    return *book;
  }
  void ensure(IssuerBook& book, const std::string& issuer, bool keys = true, int times = 1) {
    int waits_for = times;
    for (int i = 0; i < times; ++i) book.ensure({issuer, keys}, [&] { --waits_for; });
    EXPECT_EQ(waits_for, times) << "answered too early";
    while (waits_for > 0) loop.run_one();
  }
  static bool has(const IssuerBook& book, const std::string& issuer, const std::string& kid) {
    const auto& keys = book.states().at(issuer).keys;
    return keys && keys->kids() == std::vector<std::string>{kid};
  }

  boost::asio::io_context loop{};
  Provider provider{loop};
  IssuerBookSettings settings{.keys = {.unknown_key_interval = 0s}};
  std::vector<std::string> news{};
};

TEST_F(IssuerBookTest, FetchesMetadataAndKeysForAllWhoWait) {
  const auto book = make();
  ensure(*book, provider.issuer(), false, 10);
  EXPECT_EQ(book->states().at(provider.issuer()).metadata->token_endpoint, provider.issuer() + "/token");
  EXPECT_TRUE(has(*book, provider.issuer(), "k1"));
  EXPECT_EQ(provider.discoveries, 1);
  EXPECT_EQ(provider.key_fetches, 1);
  ensure(*book, "jwt");
  EXPECT_TRUE(has(*book, "jwt", "k1"));
  EXPECT_EQ(provider.discoveries, 1) << "where the keys are is configured";
  ensure(*book, "unknown");
  book->close();
}

TEST_F(IssuerBookTest, FetchesKeysAgainOnlySoOften) {
  settings.keys.unknown_key_interval = 3600s;
  const auto book = make();
  ensure(*book, provider.issuer());
  provider.kid = "k2";
  for (int i = 0; i < 100; ++i) ensure(*book, provider.issuer());
  EXPECT_EQ(provider.key_fetches, 1) << "tokens of strangers may ask for any key";
  EXPECT_TRUE(has(*book, provider.issuer(), "k1"));
  book->close();
}

TEST_F(IssuerBookTest, TakesANewKeyAndTellsOfIt) {
  const auto book = make();
  ensure(*book, provider.issuer());
  provider.kid = "k2";
  ensure(*book, provider.issuer());
  EXPECT_TRUE(has(*book, provider.issuer(), "k2"));
  EXPECT_EQ(provider.discoveries, 1) << "metadata are kept for longer";
  ensure(*book, provider.issuer());
  EXPECT_EQ(news, (std::vector<std::string>{"keys", "keys"}));
  book->close();
}

TEST_F(IssuerBookTest, KeepsWhatItHasWhileTheProviderIsDown) {
  const auto book = make();
  ensure(*book, provider.issuer());
  provider.is_up = false;
  ensure(*book, provider.issuer());
  EXPECT_TRUE(has(*book, provider.issuer(), "k1"));
  EXPECT_TRUE(book->states().at(provider.issuer()).metadata);
  EXPECT_EQ(news.back(), "status 500");
  const auto fetches = provider.server.seen().size();
  ensure(*book, provider.issuer(), true, 50);
  EXPECT_EQ(provider.server.seen().size(), fetches) << "it is left alone for a while";
  book->close();
}

TEST_F(IssuerBookTest, TriesAgainByItself) {
  provider.is_up = false;
  const auto book = make();
  ensure(*book, provider.issuer());
  EXPECT_FALSE(book->states().at(provider.issuer()).metadata);
  provider.is_up = true;
  while (!book->states().at(provider.issuer()).keys) loop.run_one();
  EXPECT_EQ(news, (std::vector<std::string>{"status 500", "keys"}));
  book->close();
}

TEST_F(IssuerBookTest, TakesNoMetadataOfSomebodyElse) {
  provider.is_other = true;
  const auto book = make();
  ensure(*book, provider.issuer());
  EXPECT_FALSE(book->states().at(provider.issuer()).metadata);
  EXPECT_EQ(news.back(), "the metadata are of another issuer");
  book->close();
}

TEST_F(IssuerBookTest, IsNotFilledByAnAnswerThatIsTooLong) {
  provider.server.set_script(
      [](const SeenRequest&) { return make_http_answer(std::string(300 * 1024, ' ')); });
  const auto book = make();
  ensure(*book, provider.issuer());
  EXPECT_FALSE(book->states().at(provider.issuer()).metadata);
  EXPECT_EQ(news.size(), 1u);
  book->close();
}

TEST_F(IssuerBookTest, KnowsAfterAReloadWhatItKnewBefore) {
  const auto book = make();
  ensure(*book, provider.issuer());
  const auto next = make(book.get());
  EXPECT_TRUE(has(*next, provider.issuer(), "k1"));
  EXPECT_FALSE(next->states().at("jwt").keys);
  EXPECT_EQ(provider.key_fetches, 1);
  book->close();
  next->close();
}

TEST_F(IssuerBookTest, AnswersWhoWaitsWhenANewerOneTakesItsPlace) {
  auto book = make();
  bool is_answered = false;
  book->send(provider.issuer(), {.method = "POST", .url = provider.server.url("/realm/token"), .body = "x"},
             [&](const HttpAnswer& answer) {
               ASSERT_TRUE(answer);
               EXPECT_EQ(answer->body, "seen x");
               is_answered = true;
             });
  book.reset();
  while (!is_answered) loop.run_one();
}

TEST_F(IssuerBookTest, SaysWhichFileItCannotUse) {
  const auto book = IssuerBook::make(loop, {{.issuer = "https://a.example", .ca_file = "/nowhere"}}, {}, {});
  ASSERT_FALSE(book);
  EXPECT_TRUE(book.error().starts_with("issuer https://a.example: cannot use /nowhere: ")) << book.error();
}

}  // namespace
}  // namespace turnpike::service
