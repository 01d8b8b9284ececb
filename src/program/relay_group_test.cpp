// Two remote relays behind their interfaces and one in the process, with real sockets on the loopback
// interface.
#include "program/relay_group.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "base/check.hpp"
#include "program/relay_interface.hpp"
#include "relay/test_relay.hpp"
#include "service/test_certificates.hpp"

namespace turnpike::program {
namespace {

using namespace std::chrono_literals;
using credentials::Revocation;

// A relay with its interface, which can go away and come back to the same place.
class Remote {
 public:
  explicit Remote(const service::TestCertificates& certificates)
      : settings_{.listen = *SocketAddress::parse("127.0.0.1:0"),
                  .certificate_file = certificates.certificate("relay"),
                  .key_file = certificates.key("relay"),
                  .client_ca_file = certificates.authority()} {
    start();
    settings_.listen = interface_->listener();
  }
  void start() {
    auto started = RelayInterface::start(settings_, store_);
    check(started.has_value(), started ? "" : started.error().c_str());
    interface_ = std::move(*started);
  }
  void stop() { interface_.reset(); }
  [[nodiscard]] std::string url() const { return "https://" + settings_.listen.to_string(); }
  relay::Server& server() { return *relay_.server; }

 private:
  relay::TestRelay relay_{relay::test_settings()};
  RelayStore store_{*relay_.server, std::string{relay::test_realm}, 1000, 100'000};
  RelayInterfaceSettings settings_;
  std::unique_ptr<RelayInterface> interface_{};
};

class RelayGroupTest : public testing::Test {
 protected:
  RelayGroupTest() {
    certificates_.issue("relay", "IP:127.0.0.1");
    certificates_.issue("edge", "DNS:edge1.ims.example");
    for (auto& remote : remotes_) remote.emplace(certificates_);
    config_.credentials.realm = relay::test_realm;
    config_.epcscf.emplace().proxy.push_patience = 4s;
    for (std::size_t at = 0; at < remotes_.size(); ++at)
      config_.relays.push_back({.url = remotes_[at]->url(),
                                .name = fmt::format("relay{}", at + 1),
                                .region = "here",
                                .uris = {fmt::format("turn:turn{}.ims.example", at + 1)},
                                .certificate_file = certificates_.certificate("edge"),
                                .key_file = certificates_.key("edge"),
                                .ca_file = certificates_.authority()});
  }
  ~RelayGroupTest() override {
    loop_.stop();
    group_.reset();
    local_.reset();
  }

  void start(bool has_local) {
    if (has_local) local_.emplace(*local_relay_.server, loop_);
    auto started = RelayGroup::start(
        config_, loop_, local_ ? &*local_ : nullptr,
        [this](std::vector<std::string> uris) {
          const std::scoped_lock lock{mutex_};
          offered_ = std::move(uris);
          is_offered_.notify_all();
        },
        log_);
    ASSERT_TRUE(started) << started.error();
    group_ = std::move(*started);
    loop_.start("group-test");
  }
  bool offers_become(const std::vector<std::string>& uris) {
    std::unique_lock lock{mutex_};
    return is_offered_.wait_for(lock, 10s, [&] { return offered_ == uris; });
  }
  template <typename Condition>
  static bool becomes_true(Condition condition) {
    const auto end = read_clocks().mono + 10s;
    while (!condition() && read_clocks().mono < end) std::this_thread::yield();
    return condition();
  }
  bool put(const std::string& username) {
    const auto credential = credentials::make_pushed_credential(username, "secret", relay::test_realm,
                                                                "subject of " + username, end_, {});
    return outcome([&](auto on_done) { group_->put(credential, std::move(on_done)); });
  }
  bool revoke(const std::string& username) {
    return outcome([&](auto on_done) { group_->revoke(revocation_of(username), std::move(on_done)); });
  }
  [[nodiscard]] Revocation revocation_of(const std::string& username) const {
    return {.by = Revocation::By::subject, .value = "subject of " + username, .until = end_};
  }
  // How many credentials, or revocations, each knows: both remote relays and the one of the process.
  std::vector<std::size_t> pushed() {
    return {remotes_[0]->server().count_pushed(), remotes_[1]->server().count_pushed(),
            local_relay_.server->count_pushed()};
  }
  std::vector<std::size_t> revoked() {
    return {remotes_[0]->server().list_revocations().size(), remotes_[1]->server().list_revocations().size(),
            local_relay_.server->list_revocations().size()};
  }
  std::string log() {
    const std::scoped_lock lock{mutex_};
    return text_;
  }

  using Counts = std::vector<std::size_t>;
  const WallTime end_ = read_clocks().wall + 1h;
  service::TestCertificates certificates_;
  std::array<std::optional<Remote>, 2> remotes_;
  relay::TestRelay local_relay_{relay::test_settings()};
  Config config_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable is_offered_;
  std::vector<std::string> offered_;
  std::string text_;
  Log log_{LogLevel::info, LogFormat::text, [this](std::string_view line) {
             const std::scoped_lock lock{mutex_};
             text_ += std::string{line} + '\n';
           }};
  service::Loop loop_;
  std::optional<LocalRelay> local_;
  std::unique_ptr<RelayGroup> group_;

 private:
  template <typename Call>
  bool outcome(Call call) {
    const auto done = std::make_shared<std::promise<bool>>();
    auto answer = done->get_future();
    loop_.post([&] { call([done](bool is_done) { done->set_value(is_done); }); });
    return answer.wait_for(10s) == std::future_status::ready && answer.get();
  }
};

const std::vector<std::string> both_uris{"turn:turn1.ims.example", "turn:turn2.ims.example"};

TEST_F(RelayGroupTest, PushesToTheFleetAloneAndRevokesEverywhere) {
  start(true);
  ASSERT_TRUE(offers_become(both_uris));
  EXPECT_TRUE(put("bob"));
  EXPECT_TRUE(becomes_true([&] { return pushed() == Counts{1, 1, 0}; }));
  EXPECT_TRUE(revoke("bob"));
  EXPECT_EQ(pushed(), (Counts{0, 0, 0}));
  EXPECT_EQ(revoked(), (Counts{1, 1, 1}));
}

TEST_F(RelayGroupTest, NeedsNoRelayInItsOwnProcess) {
  start(false);
  ASSERT_TRUE(offers_become(both_uris));
  EXPECT_TRUE(put("bob"));
  EXPECT_TRUE(revoke("bob"));
  EXPECT_EQ(revoked(), (Counts{1, 1, 0}));
}

TEST_F(RelayGroupTest, GoesOnWithTheOtherRelayWhenOneIsLostAndTellsItAllWhenItIsBack) {
  start(false);
  ASSERT_TRUE(offers_become(both_uris));
  remotes_[0]->stop();
  ASSERT_TRUE(offers_become({both_uris[1]}));
  EXPECT_TRUE(put("bob"));
  EXPECT_TRUE(put("carol"));
  EXPECT_TRUE(group_->revoke_at_fleet(revocation_of("carol")));
  const auto away = group_->status();
  ASSERT_EQ(away.size(), 2U);
  EXPECT_EQ(away[0].name, "relay1");
  EXPECT_EQ(away[0].region, "here");
  EXPECT_FALSE(away[0].is_live);
  EXPECT_NE(away[0].problem, "");
  EXPECT_GE(away[0].failures, 1U);
  EXPECT_TRUE(away[1].is_live && away[1].is_offered);
  EXPECT_EQ(away[1].failures, 0U);
  EXPECT_GE(away[1].sequence, 3U);

  remotes_[0]->start();
  ASSERT_TRUE(offers_become(both_uris));
  EXPECT_EQ(pushed(), (Counts{1, 1, 0}));
  EXPECT_EQ(revoked(), (Counts{1, 1, 0}));
  const auto back = group_->status();
  EXPECT_EQ(back[0].problem, "");
  EXPECT_EQ(back[0].last_problem, away[0].last_problem);
  EXPECT_NE(log().find("event=relays_offered uris=turn:turn2.ims.example\n"), std::string::npos) << log();
}

TEST_F(RelayGroupTest, CountsPerRelay) {
  metrics::Registry metrics;
  start(false);
  ASSERT_TRUE(offers_become(both_uris));
  EXPECT_TRUE(put("bob"));
  add_fleet_metrics(metrics, [this] { return group_->status(); });
  EXPECT_TRUE(becomes_true([&] {
    return metrics.serialise().find(
               "turnpike_fleet_relay_credentials{region=\"here\",relay=\"relay2\"} 1\n") != std::string::npos;
  })) << metrics.serialise();
  for (const char* line : {"turnpike_fleet_relay_live{region=\"here\",relay=\"relay1\"} 1\n",
                           "turnpike_fleet_relay_offered{region=\"here\",relay=\"relay1\"} 1\n",
                           "turnpike_fleet_relay_waiting{region=\"here\",relay=\"relay1\"} 0\n",
                           "turnpike_fleet_relay_failures_total{region=\"here\",relay=\"relay1\"} 0\n"})
    EXPECT_NE(metrics.serialise().find(line), std::string::npos) << line << metrics.serialise();
}

TEST_F(RelayGroupTest, AsksNobodyOnceTheLoopHasEnded) {
  start(false);
  loop_.stop();
  EXPECT_TRUE(group_->status().empty());
  EXPECT_FALSE(group_->revoke_at_fleet(revocation_of("bob")));
}

TEST(RelayFleetSettings, StayBelowThePatienceOfTheEdge) {
  Config config;
  config.credentials.realm = "ims.example";
  config.epcscf.emplace().proxy.push_patience = 100ms;
  for (const char* region : {"north", "south", "north"})
    config.relays.push_back({.region = region, .uris = {std::string{"turn:"} + region}});
  config.relays.push_back({.region = "west", .uris = {"turn:west"}});
  const auto settings = make_fleet_settings(config);
  EXPECT_EQ(settings.realm, "ims.example");
  EXPECT_EQ(settings.regions, (std::vector<std::string>{"north", "south", "west"}));
  EXPECT_EQ(settings.deadline, 80ms);
  EXPECT_EQ(find_unconfirmed_uris(config),
            (std::vector<std::string>{"turn:north", "turn:south", "turn:north"}));
}

}  // namespace
}  // namespace turnpike::program
