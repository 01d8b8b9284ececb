#include "program/relay_interface.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "relay/test_relay.hpp"
#include "service/relay_fleet.hpp"
#include "service/test_certificates.hpp"

namespace turnpike::program {
namespace {

using namespace std::chrono_literals;
using credentials::Revocation;

// A relay with its interface, and an issuer with a fleet of that one relay.
struct World {
  service::TestCertificates certificates{};
  relay::TestRelay relay{relay::test_settings(2)};
  RelayStore store{*relay.server, std::string{relay::test_realm}, 1000, 100'000};
  std::unique_ptr<RelayInterface> interface{};
  boost::asio::io_context loop{};
  SystemRandom random{};
  std::vector<std::string> uris{};
  std::unique_ptr<service::RelayFleet> fleet{};

  World() {
    certificates.issue("relay", "IP:127.0.0.1");
    certificates.issue("edge", "DNS:edge1.ims.example");
    auto started = RelayInterface::start({.listen = *SocketAddress::parse("127.0.0.1:0"),
                                          .certificate_file = certificates.certificate("relay"),
                                          .key_file = certificates.key("relay"),
                                          .client_ca_file = certificates.authority(),
                                          .allowed_names = {"edge1.ims.example"}},
                                         store);
    check(started.has_value(), started ? "" : started.error().c_str());
    interface = std::move(*started);
    auto fleet_started =
        service::RelayFleet::start(loop,
                                   {.relays = {{.url = "https://" + interface->listener().to_string(),
                                                .uris = {"turn:" + relay.v4().to_string()},
                                                .certificate_file = certificates.certificate("edge"),
                                                .key_file = certificates.key("edge"),
                                                .ca_file = certificates.authority()}},
                                    .realm = std::string{relay::test_realm},
                                    .deadline = 3s,
                                    .health_every = 50ms},
                                   random, [this](auto offered) { uris = std::move(offered); });
    check(fleet_started.has_value(), fleet_started ? "" : fleet_started.error().c_str());
    fleet = std::move(*fleet_started);
  }
  template <typename Condition>
  bool run_until(Condition condition) {
    const auto end = read_clocks().mono + 5s;
    while (!condition() && read_clocks().mono < end) loop.run_one_for(5ms);
    return condition();
  }
  // How long it took; nothing: it was refused.
  std::optional<Duration> put(const credentials::PushedCredential& credential) {
    return time([&](auto on_done) { fleet->put(credential, std::move(on_done)); });
  }
  std::optional<Duration> revoke(const Revocation& revocation) {
    return time([&](auto on_done) { fleet->revoke(revocation, std::move(on_done)); });
  }

 private:
  template <typename Call>
  std::optional<Duration> time(Call call) {
    std::optional<bool> done;
    const Instant start = read_clocks().mono;
    call([&](bool is_done) { done = is_done; });
    run_until([&] { return done.has_value(); });
    if (!done.value_or(false)) return std::nullopt;
    return read_clocks().mono - start;
  }
};

TEST(RelayInterface, LetsInWhoWasPushedAndEndsTheirRelayingWithinASecondOfARevocation) {
  World world;
  ASSERT_TRUE(world.run_until([&] { return !world.uris.empty(); }));
  const WallTime end = read_clocks().wall + 1h;
  const auto credential =
      credentials::make_pushed_credential("bob", "secret", relay::test_realm, "subject-of-bob", end, {});
  EXPECT_FALSE(relay::TestClient(world.relay.v4(), relay::password_of("bob", "secret")).allocate());
  ASSERT_TRUE(world.put(credential));

  const relay::TestPeer peer;
  relay::TestClient client{world.relay.v4(), relay::password_of("bob", "secret")};
  ASSERT_TRUE(client.allocate());
  client.bind(peer.local());
  client.send(peer.local(), "before");
  EXPECT_EQ(peer.receive_text(), "before");

  const auto took = world.revoke({.by = Revocation::By::subject, .value = "subject-of-bob", .until = end});
  ASSERT_TRUE(took);
  EXPECT_LT(*took, 1s);
  EXPECT_EQ(world.relay.server->counters().allocations_active, 0U);
  client.send(peer.local(), "after");
  EXPECT_TRUE(peer.is_silent());
  EXPECT_FALSE(relay::TestClient(world.relay.v4(), relay::password_of("bob", "secret")).allocate());
  RecordProperty("revocation_us", static_cast<int>(*took / 1us));
}

TEST(RelayInterface, TellsIssuersThatItDrains) {
  World world;
  ASSERT_TRUE(world.run_until([&] { return !world.uris.empty(); }));
  world.relay.server->drain();
  EXPECT_TRUE(world.run_until([&] { return world.uris.empty(); }));
}

TEST(RelayInterface, SaysWhatKeepsItFromStarting) {
  World world;
  const auto again = RelayInterface::start({.listen = world.interface->listener(),
                                            .certificate_file = world.certificates.certificate("relay"),
                                            .key_file = world.certificates.key("relay"),
                                            .client_ca_file = world.certificates.authority()},
                                           world.store);
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().find("cannot listen on"), std::string::npos) << again.error();
  const auto without = RelayInterface::start({.listen = *SocketAddress::parse("127.0.0.1:0")}, world.store);
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().find("certificate"), std::string::npos);
}

}  // namespace
}  // namespace turnpike::program
