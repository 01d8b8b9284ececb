// The relay of the same process behind the port of the eP-CSCF, with real sockets on the loopback interface.
#include "program/local_relay.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <thread>

#include "credentials/issue.hpp"

namespace turnpike::program {
namespace {

class Silent final : public relay::Observer {
 public:
  void on_report(const turn::Report&, Now) override {}
};

class LocalRelayTest : public testing::Test {
 protected:
  LocalRelayTest() {
    relay::ServerSettings settings;
    settings.turn.listeners = {{IpAddress::v4({127, 0, 0, 1}), 0}};
    settings.turn.relay_addresses = {{IpAddress::v4({127, 0, 0, 1}), IpAddress::v4({127, 0, 0, 1})}};
    settings.turn.relay_port_min = 20'000;
    settings.turn.relay_port_max = 29'999;
    settings.credentials.realm = "ims.example";
    settings.credentials.pushed.emplace().credentials_max = 1000;
    settings.shards = 2;
    auto started = relay::Server::start(std::move(settings), observer_);
    EXPECT_TRUE(started.has_value()) << (started ? "" : started.error());
    server_ = std::move(*started);
    loop_.start("port-test");
  }
  ~LocalRelayTest() override {
    port_.reset();
    loop_.stop();
  }

  static credentials::PushedCredential make_credential(const std::string& name) {
    return credentials::make_pushed_credential(name, "password", "ims.example", "subject of " + name,
                                               read_clocks().wall + std::chrono::hours{1}, {});
  }

  Silent observer_;
  std::unique_ptr<relay::Server> server_;
  service::Loop loop_;
  std::optional<LocalRelay> port_;
};

TEST_F(LocalRelayTest, AcknowledgesOnTheLoopWhatEveryShardHas) {
  port_.emplace(*server_, loop_);
  std::promise<std::pair<bool, std::thread::id>> answer;
  EXPECT_TRUE(loop_.ask([&] {
    port_->put(make_credential("one"),
               [&](bool is_done) { answer.set_value({is_done, std::this_thread::get_id()}); });
  }));
  const auto [is_done, thread] = answer.get_future().get();
  EXPECT_TRUE(is_done);
  std::thread::id of_loop;
  EXPECT_TRUE(loop_.ask([&] { of_loop = std::this_thread::get_id(); }));
  EXPECT_EQ(thread, of_loop);
  EXPECT_EQ(server_->list_pushed().size(), 1U);
}

TEST_F(LocalRelayTest, KeepsTheOrderOfAThousandWishes) {
  port_.emplace(*server_, loop_);
  std::promise<void> over;
  std::vector<int> order;
  EXPECT_TRUE(loop_.ask([&] {
    for (int count = 0; count < 1000; ++count) {
      const auto credential = make_credential(std::to_string(count));
      port_->put(credential, [&order, count](bool is_done) { order.push_back(is_done ? count : -1); });
      if (count % 2 == 0) continue;
      port_->revoke({credentials::Revocation::By::username, std::to_string(count), credential.expires_at},
                    [&, count](bool) {
                      if (count == 999) over.set_value();
                    });
    }
  }));
  over.get_future().wait();
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_EQ(order.size(), 1000U);
  EXPECT_EQ(order.front(), 0);
  EXPECT_EQ(server_->list_pushed().size(), 500U);
}

TEST_F(LocalRelayTest, SaysWhatTheRelayRefuses) {
  port_.emplace(*server_, loop_);
  std::promise<bool> answer;
  EXPECT_TRUE(loop_.ask([&] {
    auto ended = make_credential("ended");
    ended.expires_at = read_clocks().wall - std::chrono::hours{1};
    port_->put(ended, [&](bool is_done) { answer.set_value(is_done); });
  }));
  EXPECT_FALSE(answer.get_future().get());
}

TEST_F(LocalRelayTest, SaysThatARevocationHasNoRoom) {
  using enum credentials::Revocation::By;
  port_.emplace(*server_, loop_);
  const WallTime end = read_clocks().wall + std::chrono::hours{1};
  std::vector<credentials::Change> all;
  for (std::size_t count = 0; count < credentials::DenyList::entries_max; ++count)
    all.emplace_back(credentials::Revocation{subject, std::to_string(count), end});
  for (const auto& result : server_->apply(all)) ASSERT_EQ(result.outcome, credentials::PushOutcome::done);
  const auto revoke = [&](const credentials::Revocation& revocation) {
    std::promise<bool> answer;
    EXPECT_TRUE(
        loop_.ask([&] { port_->revoke(revocation, [&](bool is_done) { answer.set_value(is_done); }); }));
    return answer.get_future().get();
  };
  EXPECT_FALSE(revoke({subject, "one more", end}));
  EXPECT_TRUE(revoke({subject, "7", end})) << "it is there already";
  EXPECT_TRUE(revoke({subject, "one that has ended", read_clocks().wall}));
}

TEST_F(LocalRelayTest, DoesWhatItWasAskedForBeforeItEnds) {
  port_.emplace(*server_, loop_);
  EXPECT_TRUE(loop_.ask([&] {
    for (int count = 0; count < 100; ++count) port_->put(make_credential(std::to_string(count)), [](bool) {});
  }));
  port_.reset();
  EXPECT_EQ(server_->list_pushed().size(), 100U);
}

}  // namespace
}  // namespace turnpike::program
