// A relay that fetches its keys from scripted providers, with real sockets on the loopback interface.
#include "program/key_providers.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "credentials/issue.hpp"
#include "program/key_state.hpp"
#include "program/test_folder.hpp"
#include "relay/test_relay.hpp"
#include "service/test_http_server.hpp"

namespace turnpike::program {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view server_name = "turn1.ims.example";

class Lines {
 public:
  Log::Sink sink() {
    return [this](std::string_view line) {
      const std::scoped_lock lock{mutex_};
      text_ += std::string{line} + '\n';
      told_.notify_all();
    };
  }
  // Until the text has been written so many times.
  bool wait_for(std::string_view text, std::size_t times = 1) {
    std::unique_lock lock{mutex_};
    return told_.wait_for(lock, 10s, [&] {
      std::size_t count = 0;
      for (std::size_t at = 0; (at = text_.find(text, at)) != std::string::npos; at += text.size()) ++count;
      return count >= times;
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable told_;
  std::string text_;
};

// A WAF as its relays see it.
class Provider {
 public:
  Provider(const service::TestCertificates& certificates, std::string prefix, std::uint64_t seed)
      : prefix_(std::move(prefix)),
        server_(std::make_unique<service::TestHttpServer>(
            loop_.context(), [this](const service::SeenRequest&) { return answer(); }, certificates, "waf",
            true)) {
    SeededRandom{seed}.fill(key_);
    url_ = server_->url("");
    loop_.start("provider");
  }
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;
  ~Provider() { stop(); }

  void stop() {
    loop_.stop();
    server_.reset();
  }
  void set(std::string kid, std::string withdrawn = "") {
    const std::scoped_lock lock{mutex_};
    kid_ = std::move(kid);
    withdrawn_ = std::move(withdrawn);
  }
  [[nodiscard]] std::string url() const { return url_; }
  // Of the browser form.
  [[nodiscard]] turn::ClientCredential make_token(const std::string& kid) const {
    SystemRandom random;
    const credentials::TokenSettings settings{.server_name = std::string{server_name},
                                              .keys = {{.kid = prefix_ + kid, .key = Secret{key_}}}};
    auto issued =
        credentials::issue_browser_token(settings, {.subject = "s" + kid}, read_clocks().wall, 600s, random);
    return relay::password_of(issued->username, issued->password.reveal_text());
  }

 private:
  std::optional<std::string> answer() {
    const std::scoped_lock lock{mutex_};
    std::string body = R"({"k":")" + to_base64url(key_) + R"(","exp":)" +
                       std::to_string(unix_seconds(read_clocks().wall) + 3600) + R"(,"kid":")" + prefix_ +
                       kid_ + R"(","enc":"A256GCM")";
    if (!withdrawn_.empty()) body += R"(,"withdrawn":[")" + prefix_ + withdrawn_ + R"("])";
    return service::make_http_answer(body + "}");
  }

  std::string prefix_;
  ByteVector key_ = ByteVector(32);
  std::mutex mutex_{};
  std::string kid_ = "a", withdrawn_{};
  std::string url_{};
  service::Loop loop_{};
  std::unique_ptr<service::TestHttpServer> server_;
};

class KeyProvidersTest : public testing::Test {
 protected:
  KeyProvidersTest() {
    certificates_.issue("waf", "IP:127.0.0.1");
    certificates_.issue("turn1", "DNS:turn1.ims.example");
    waf_.emplace(certificates_, "w1-", 1);
    shop_.emplace(certificates_, "shop-", 2);
    config_.credentials = relay::test_credentials({{"alice", "wonderland"}});
    config_.credentials.token = {.server_name = std::string{server_name}};
    config_.server_name = server_name;
    config_.key_providers = {settings("waf", waf_->url(), "w1-"), settings("shop", shop_->url(), "shop-")};
  }
  service::KeyProviderSettings settings(const std::string& name, const std::string& url,
                                        const std::string& prefix) {
    return {.name = name,
            .url = url,
            .certificate_file = certificates_.certificate("turn1"),
            .key_file = certificates_.key("turn1"),
            .ca_file = certificates_.authority(),
            .state_file = folder_ / (name + ".keys"),
            .server_name = std::string{server_name},
            .answer = {.kid_prefix = prefix}};
  }
  void start() {
    auto started = KeyProviders::start(config_, *relay_.server, log_, metrics_);
    ASSERT_TRUE(started) << started.error();
    providers_ = std::move(*started);
    EXPECT_TRUE(lines_.wait_for("event=stun_keys_fetched provider=waf"));
    EXPECT_TRUE(lines_.wait_for("event=stun_keys_fetched provider=shop"));
  }
  bool allocates(const turn::ClientCredential& credential) {
    return relay::TestClient{relay_.v4(), credential}.allocate();
  }
  std::size_t sessions() { return relay_.server->sessions(100).size(); }

  TestFolder folder_{};
  service::TestCertificates certificates_{};
  std::optional<Provider> waf_{}, shop_{};
  relay::TestRelay relay_{};
  Lines lines_{};
  Log log_{LogLevel::trace, LogFormat::text, lines_.sink()};
  metrics::Registry metrics_{};
  Config config_{};
  std::unique_ptr<KeyProviders> providers_{};
};

TEST_F(KeyProvidersTest, LetInWhatTheirKeysMake) {
  start();
  EXPECT_TRUE(allocates(waf_->make_token("a")));
  EXPECT_TRUE(allocates(shop_->make_token("a")));
  EXPECT_TRUE(allocates(relay::alice())) << "other sources stand beside it";
  EXPECT_FALSE(allocates(waf_->make_token("b")));
  const auto views = providers_->views();
  ASSERT_EQ(views.size(), 2u);
  EXPECT_EQ(views[0].keys.front().kid, "w1-a");
  EXPECT_EQ(providers_->credentials().token->keys.size(), 2u);
  EXPECT_NE(metrics_.serialise().find(R"(turnpike_key_provider_keys{provider="shop"} 1)"), std::string::npos);
}

TEST_F(KeyProvidersTest, AreWithdrawnAloneAndEndTheirAllocationsAtOnce) {
  start();
  ASSERT_TRUE(allocates(waf_->make_token("a")));
  ASSERT_TRUE(allocates(shop_->make_token("a")));
  ASSERT_TRUE(allocates(shop_->make_token("a")));
  EXPECT_EQ(providers_->withdraw("shop"), 2u);
  EXPECT_EQ(sessions(), 1u) << "when it returns, they have ended";
  EXPECT_FALSE(allocates(shop_->make_token("a")));
  EXPECT_TRUE(allocates(waf_->make_token("a")));
  EXPECT_FALSE(providers_->fetch("shop"));
  EXPECT_EQ(providers_->withdraw("nobody").error(), "there is no provider \"nobody\"");

  EXPECT_TRUE(providers_->restore("shop"));
  EXPECT_TRUE(lines_.wait_for("event=stun_keys_fetched provider=shop", 2));
  EXPECT_TRUE(allocates(shop_->make_token("a")));
  EXPECT_EQ(providers_->restore("shop").error(), "shop is not withdrawn");
}

TEST_F(KeyProvidersTest, StayWithdrawnOverARestart) {
  start();
  ASSERT_TRUE(providers_->withdraw("shop"));
  providers_.reset();
  auto again = KeyProviders::start(config_, *relay_.server, log_, metrics_);
  ASSERT_TRUE(again);
  EXPECT_TRUE((*again)->views()[1].is_withdrawn);
  EXPECT_FALSE(allocates(shop_->make_token("a")));
  EXPECT_TRUE(allocates(waf_->make_token("a")));
}

TEST_F(KeyProvidersTest, KeepTheirLastGoodKeysOverARestart) {
  start();
  const turn::ClientCredential token = waf_->make_token("a");
  providers_.reset();
  relay_.server->reconfigure(relay::test_credentials({}));
  waf_->stop();
  auto again = KeyProviders::start(config_, *relay_.server, log_, metrics_);
  ASSERT_TRUE(again);
  EXPECT_TRUE(allocates(token));
  EXPECT_TRUE(lines_.wait_for("event=stun_keys_unavailable provider=waf"));
  EXPECT_TRUE(allocates(token));
}

TEST_F(KeyProvidersTest, AreWithdrawnByAReloadThatDoesNotNameThem) {
  start();
  ASSERT_TRUE(allocates(waf_->make_token("a")));
  ASSERT_TRUE(allocates(shop_->make_token("a")));
  const auto both = config_.key_providers;
  config_.key_providers.pop_back();
  EXPECT_TRUE(providers_->reconfigure(config_));
  EXPECT_EQ(sessions(), 1u);
  EXPECT_FALSE(allocates(shop_->make_token("a")));
  config_.credentials.token.reset();
  config_.key_providers.clear();
  EXPECT_TRUE(providers_->reconfigure(config_));
  EXPECT_EQ(sessions(), 0u) << "also where nothing of tokens is left";
  config_.credentials.token = {.server_name = std::string{server_name}};
  config_.key_providers = both;
  EXPECT_TRUE(providers_->reconfigure(config_));
  EXPECT_TRUE(lines_.wait_for("event=stun_keys_fetched provider=shop", 2));
  EXPECT_TRUE(allocates(shop_->make_token("a")));
}

TEST_F(KeyProvidersTest, AreWithdrawnByAReloadThatSaysSo) {
  start();
  ASSERT_TRUE(allocates(shop_->make_token("a")));
  config_.key_providers[1].is_withdrawn = true;
  EXPECT_TRUE(providers_->reconfigure(config_));
  EXPECT_EQ(sessions(), 0u);
  EXPECT_EQ(providers_->restore("shop").error(),
            "the configuration says that shop is withdrawn; change it and reload");
}

TEST_F(KeyProvidersTest, AReloadChangesNothingForWhoIsThere) {
  start();
  ASSERT_TRUE(allocates(waf_->make_token("a")));
  waf_->stop();
  EXPECT_TRUE(providers_->reconfigure(config_));
  EXPECT_EQ(sessions(), 1u);
  EXPECT_TRUE(allocates(waf_->make_token("a"))) << "what was fetched is kept";
}

TEST_F(KeyProvidersTest, AReloadWithAFileThatCannotBeUsedKeepsThem) {
  start();
  config_.key_providers[0].ca_file = folder_ / "away.pem";
  const auto done = providers_->reconfigure(config_);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().find("away.pem"), std::string::npos) << done.error();
  EXPECT_TRUE(allocates(waf_->make_token("a")));
  auto another = KeyProviders::start(config_, *relay_.server, log_, metrics_);
  EXPECT_FALSE(another) << "at the start it is an error";
}

TEST_F(KeyProvidersTest, EndWhatAWithdrawnKeyHasMade) {
  start();
  ASSERT_TRUE(allocates(waf_->make_token("a")));
  waf_->set("b", "a");
  EXPECT_TRUE(providers_->fetch("waf"));
  EXPECT_TRUE(lines_.wait_for("event=stun_key_withdrawn provider=waf kid=w1-a allocations_ended=1"));
  EXPECT_EQ(sessions(), 0u);
  EXPECT_FALSE(allocates(waf_->make_token("a")));
  EXPECT_TRUE(allocates(waf_->make_token("b")));
}

TEST_F(KeyProvidersTest, LetAnOlderKeyStayBesideANewerOne) {
  start();
  waf_->set("b");
  EXPECT_TRUE(providers_->fetch("waf"));
  EXPECT_TRUE(lines_.wait_for("event=stun_keys_fetched provider=waf keys=2 newest=w1-b"));
  EXPECT_TRUE(allocates(waf_->make_token("a")));
  EXPECT_TRUE(allocates(waf_->make_token("b")));
}

}  // namespace
}  // namespace turnpike::program
