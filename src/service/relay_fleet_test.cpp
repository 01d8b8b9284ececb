#include "service/relay_fleet.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <set>

#include "base/random.hpp"
#include "service/credential_server.hpp"
#include "service/test_certificates.hpp"
#include "service/test_credential_store.hpp"

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;
using credentials::Revocation;

// A relay's interface with tables that a restart empties.
class Relay {
 public:
  Relay(boost::asio::io_context& loop, const TestCertificates& certificates) : loop_(loop) {
    settings_.http =
        make_credential_http(*SocketAddress::parse("127.0.0.1:0"), certificates.certificate("relay"),
                             certificates.key("relay"), certificates.authority());
    start();
    settings_.http.listen = server_->listener();
  }
  void start() {
    store = std::make_unique<TableStore>();
    auto server = CredentialServer::start(loop_, settings_, *store);
    check(server.has_value(), server ? "" : server.error().c_str());
    server_ = std::move(*server);
  }
  void stop() { server_.reset(); }
  // Its tables stay, its server does not.
  void restart() {
    stop();
    start();
  }
  [[nodiscard]] std::string url() const {
    return "https://127.0.0.1:" + std::to_string(settings_.http.listen.port);
  }
  [[nodiscard]] bool has(std::string_view username) const { return store->table.find(username) != nullptr; }

  std::unique_ptr<TableStore> store;

 private:
  boost::asio::io_context& loop_;
  CredentialServerSettings settings_{};
  std::unique_ptr<CredentialServer> server_;
};

struct World {
  boost::asio::io_context loop{};
  TestCertificates certificates{};
  SeededRandom random{3};
  std::deque<Relay> relays{};
  std::vector<std::vector<std::string>> offers{};
  RelayFleetSettings settings{
      .realm = "ims.example", .deadline = 2s, .health_every = 20ms, .pause_min = 20ms, .pause_max = 40ms};
  std::unique_ptr<RelayFleet> fleet{};

  explicit World(std::size_t count) {
    certificates.issue("relay", "IP:127.0.0.1");
    certificates.issue("edge", "DNS:edge1.ims.example");
    for (std::size_t i = 0; i < count; ++i) relays.emplace_back(loop, certificates);
  }
  void name_relays() {
    for (std::size_t i = 0; i < relays.size(); ++i) {
      if (settings.relays.size() <= i) settings.relays.emplace_back();
      RelaySettings& relay = settings.relays[i];
      relay.url = relays[i].url();
      relay.uris = {"turn:turn" + std::to_string(i + 1) + ".ims.example"};
      relay.certificate_file = certificates.certificate("edge");
      relay.key_file = certificates.key("edge");
      relay.ca_file = certificates.authority();
    }
  }
  void start() {
    name_relays();
    auto started =
        RelayFleet::start(loop, settings, random, [this](auto uris) { offers.push_back(std::move(uris)); });
    ASSERT_TRUE(started) << started.error();
    fleet = std::move(*started);
  }
  template <typename Condition>
  bool run_until(Condition condition, std::chrono::milliseconds within = 5s) {
    const auto end = read_clocks().mono + within;
    while (!condition() && read_clocks().mono < end) loop.run_one_for(10ms);
    return condition();
  }
  bool offers_become(const std::vector<std::string>& uris) {
    return run_until([&] { return !offers.empty() && offers.back() == uris; });
  }
  bool put(const std::string& username, const std::string& subject = "subject-a") {
    std::optional<bool> done;
    fleet->put(make_test_credential(username, subject), [&](bool is_done) { done = is_done; });
    EXPECT_FALSE(done);
    run_until([&] { return done.has_value(); });
    return done.value_or(false);
  }
  bool revoke(Revocation::By by, const std::string& value) {
    std::optional<bool> done;
    fleet->revoke({.by = by, .value = value, .until = read_clocks().wall + 1h},
                  [&](bool is_done) { done = is_done; });
    run_until([&] { return done.has_value(); });
    return done.value_or(false);
  }
};

const std::vector<std::string> first_uri{"turn:turn1.ims.example"};
const std::vector<std::string> second_uri{"turn:turn2.ims.example"};
const std::vector<std::string> both_uris{"turn:turn1.ims.example", "turn:turn2.ims.example"};

TEST(RelayFleet, PutsACredentialOnEveryRelay) {
  World world{2};
  world.start();
  ASSERT_TRUE(world.offers_become(both_uris));
  EXPECT_TRUE(world.put("bob"));
  EXPECT_TRUE(world.run_until([&] { return world.relays[0].has("bob") && world.relays[1].has("bob"); }));
}

TEST(RelayFleet, TakesACredentialBackFromEveryRelay) {
  World world{2};
  world.start();
  ASSERT_TRUE(world.offers_become(both_uris));
  ASSERT_TRUE(world.put("bob1", "bob"));
  ASSERT_TRUE(world.put("bob2", "bob"));
  ASSERT_TRUE(world.put("carol1", "carol"));
  EXPECT_TRUE(world.revoke(Revocation::By::subject, "bob"));
  for (const Relay& relay : world.relays) {
    EXPECT_FALSE(relay.has("bob1") || relay.has("bob2"));
    EXPECT_TRUE(relay.has("carol1"));
    EXPECT_EQ(relay.store->denied.size(), 1U);
  }
}

TEST(RelayFleet, IsDoneWithTheFirstRelayAndGoesOnWithoutTheOther) {
  World world{2};
  world.start();
  ASSERT_TRUE(world.offers_become(both_uris));
  world.relays[0].stop();
  EXPECT_TRUE(world.put("bob"));
  EXPECT_TRUE(world.relays[1].has("bob"));
  EXPECT_TRUE(world.offers_become(second_uri));
}

TEST(RelayFleet, OffersNothingAndRefusesWhenNoRelayLives) {
  World world{1};
  world.start();
  EXPECT_FALSE(world.put("too-early"));
  ASSERT_TRUE(world.offers_become(first_uri));
  world.relays[0].stop();
  EXPECT_TRUE(world.offers_become({}));
  EXPECT_FALSE(world.put("bob"));
  EXPECT_FALSE(world.revoke(Revocation::By::subject, "x"));
  EXPECT_FALSE(world.fleet->status().front().problem.empty());
}

TEST(RelayFleet, BringsARelayThatHasRestartedUpToDateBeforeItIsOfferedAgain) {
  World world{2};
  world.start();
  ASSERT_TRUE(world.offers_become(both_uris));
  ASSERT_TRUE(world.put("bob"));
  ASSERT_TRUE(world.put("gone"));
  world.relays[0].stop();
  ASSERT_TRUE(world.offers_become(second_uri));
  EXPECT_TRUE(world.put("carol"));
  EXPECT_TRUE(world.revoke(Revocation::By::username, "gone"));
  world.relays[0].start();
  ASSERT_TRUE(world.offers_become(both_uris));
  EXPECT_TRUE(world.relays[0].has("bob"));
  EXPECT_TRUE(world.relays[0].has("carol"));
  EXPECT_FALSE(world.relays[0].has("gone"));
  EXPECT_EQ(world.relays[0].store->denied.size(), 1U);
}

TEST(RelayFleet, FindsOutThatARelayHasRestartedWhileNothingChanges) {
  World world{1};
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  ASSERT_TRUE(world.put("bob"));
  world.relays[0].restart();
  EXPECT_TRUE(world.run_until([&] { return world.relays[0].has("bob"); }));
}

TEST(RelayFleet, TakesNothingForGivenThatAFullStateCouldNotPlace) {
  World world{1};
  world.settings.health_every = 1h;
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  world.relays[0].restart();
  TableStore& store = *world.relays[0].store;
  store.table = credentials::PushedTable{"ims.example", 1};
  ASSERT_EQ(store.table.put(make_test_credential("another issuer's"), read_clocks().wall),
            credentials::PushOutcome::done);
  EXPECT_FALSE(world.put("bob"));  // the gap is found, and mended with a full state that does not fit
  EXPECT_FALSE(world.relays[0].has("bob"));
  EXPECT_TRUE(world.revoke(Revocation::By::username, "another issuer's"));
  EXPECT_TRUE(world.put("carol"));
}

TEST(RelayFleet, ForgetsWhatHasEndedByItself) {
  World world{1};
  world.settings.forget_every = 20ms;
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  std::optional<bool> done;
  world.fleet->revoke({.by = Revocation::By::subject, .value = "x", .until = read_clocks().wall + 50ms},
                      [&](bool is_done) { done = is_done; });
  ASSERT_TRUE(world.run_until([&] { return done.has_value(); }));
  EXPECT_EQ(world.fleet->tables().revocations, 1U);
  EXPECT_TRUE(world.run_until([&] { return world.fleet->tables().revocations == 0; }));
}

TEST(RelayFleet, LosesNothingInARestartInTheMiddleOfManyChanges) {
  World world{1};
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  std::set<std::string> done;
  std::size_t answered = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "user" + std::to_string(i);
    world.fleet->put(make_test_credential(name), [&, name](bool is_done) {
      ++answered;
      if (is_done) done.insert(name);
    });
    if (i % 500 == 250) world.loop.run_for(3ms);
    if (i == 1200) world.relays[0].restart();
  }
  ASSERT_TRUE(world.run_until([&] { return answered == 2000; }, 20s));
  ASSERT_TRUE(world.offers_become(first_uri));
  EXPECT_TRUE(world.run_until([&] {
    return std::ranges::all_of(done, [&](const std::string& name) { return world.relays[0].has(name); });
  }));
}

TEST(RelayFleet, PutsThousandsInFewRequests) {
  World world{1};
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  std::size_t done = 0;
  for (int i = 0; i < 9000; ++i)
    world.fleet->put(make_test_credential("user" + std::to_string(i)),
                     [&](bool is_done) { done += is_done ? 1 : 0; });
  EXPECT_TRUE(world.run_until([&] { return done == 9000; }, 20s));
}

TEST(RelayFleet, SendsTheFullStateWhereTooManyChangesWait) {
  World world{1};
  world.settings.waiting_max = 100;
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  std::size_t done = 0;
  for (int i = 0; i < 1000; ++i)
    world.fleet->put(make_test_credential("user" + std::to_string(i)),
                     [&](bool is_done) { done += is_done ? 1 : 0; });
  EXPECT_TRUE(world.run_until([&] { return done == 1000; }, 20s));
  EXPECT_EQ(world.relays[0].store->table.size(), 1000U);
}

TEST(RelayFleet, TellsThatARelayIsFull) {
  World world{1};
  world.relays[0].store->table.limit(1);
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  EXPECT_TRUE(world.put("bob"));
  EXPECT_FALSE(world.put("carol"));
  EXPECT_TRUE(world.revoke(Revocation::By::username, "bob"));
  EXPECT_TRUE(world.put("carol"));
}

TEST(RelayFleet, LeavesWhatAnIssuerBeforeItHasPut) {
  World world{1};
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  ASSERT_TRUE(world.put("bob"));
  world.fleet.reset();
  world.offers.clear();
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  EXPECT_TRUE(world.relays[0].has("bob"));
  EXPECT_TRUE(world.put("carol"));
}

TEST(RelayFleet, PrefersItsRegionThenTheEmptierRelay) {
  World world{3};
  world.settings.relays = {{.region = "far"}, {.region = "near"}, {.region = "near"}};
  world.settings.regions = {"near", "far"};
  world.settings.offered_max = 2;
  world.relays[1].store->told.allocations = 60;
  world.start();
  ASSERT_TRUE(world.offers_become({"turn:turn3.ims.example", "turn:turn2.ims.example"}));
  world.relays[1].store->told.allocations = 100;  // full
  EXPECT_TRUE(world.offers_become({"turn:turn3.ims.example", "turn:turn1.ims.example"}));
  world.relays[2].store->told.is_draining = true;
  EXPECT_TRUE(world.offers_become(first_uri));
}

TEST(RelayFleet, IsNotDoneWithARelayThatIsNotHandedOut) {
  World world{2};
  world.settings.offered_max = 1;
  world.relays[0].store->table.limit(0);
  world.start();
  ASSERT_TRUE(
      world.run_until([&] { return !world.fleet->status().empty() && world.fleet->status()[1].is_live; }));
  ASSERT_TRUE(world.offers_become(first_uri));
  EXPECT_FALSE(world.put("bob"));
}

TEST(RelayFleet, DoesNotOfferARelayOfAnotherRealm) {
  World world{2};
  world.relays[0].store->told.realm = "other.example";
  world.start();
  EXPECT_TRUE(world.offers_become(second_uri));
  EXPECT_NE(world.fleet->status()[0].problem.find("another realm"), std::string::npos);
}

TEST(RelayFleet, GivesUpOnARelayThatIsSilent) {
  World world{1};
  boost::asio::io_context elsewhere;  // nobody runs it
  Relay silent{elsewhere, world.certificates};
  world.settings.deadline = 100ms;
  world.start();
  world.fleet.reset();
  world.settings.relays[0].url = silent.url();
  auto started = RelayFleet::start(world.loop, world.settings, world.random, [](const auto&) {});
  ASSERT_TRUE(started);
  EXPECT_TRUE(world.run_until([&] {
    return (*started)->status().front().problem.find("no answer within 100 ms") != std::string::npos;
  }));
}

TEST(RelayFleet, TakesNoRevocationForDoneThatAFullStateCouldNotPlace) {
  World world{1};
  world.settings.health_every = 1h;
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  ASSERT_TRUE(world.revoke(Revocation::By::subject, "a"));
  world.relays[0].restart();
  world.relays[0].store->denied = credentials::DenyList{1};
  EXPECT_FALSE(
      world.revoke(Revocation::By::subject, "b"));  // the gap is mended, and there is room for one alone
  EXPECT_EQ(world.fleet->status().front().last_problem, "the relay has no room for 1 revocations");
  EXPECT_TRUE(world.revoke(Revocation::By::subject, "a"));
  EXPECT_EQ(world.offers.back(), first_uri);
}

TEST(RelayFleet, SaysOfWhatItCannotRememberThatItIsNotDone) {
  World world{1};
  world.settings.revocations_max = 2;
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  EXPECT_TRUE(world.revoke(Revocation::By::subject, "a"));
  EXPECT_TRUE(world.revoke(Revocation::By::subject, "b"));
  ASSERT_TRUE(world.put("bob"));
  EXPECT_FALSE(world.revoke(Revocation::By::username, "bob"));
  EXPECT_FALSE(world.relays[0].has("bob")) << "who lives is told all the same";
  EXPECT_TRUE(world.revoke(Revocation::By::subject, "a"));
  EXPECT_EQ(world.fleet->tables().revocations, 2U);
}

TEST(RelayFleet, TakesInARelayAndLetsAnotherGo) {
  World world{2};
  world.start();
  ASSERT_TRUE(world.offers_become(both_uris));
  ASSERT_TRUE(world.put("bob"));
  ASSERT_TRUE(world.revoke(Revocation::By::subject, "subject-b"));
  world.relays.emplace_back(world.loop, world.certificates);
  world.name_relays();
  std::vector<RelaySettings> relays{world.settings.relays.begin() + 1, world.settings.relays.end()};
  relays.front().region = "far";
  relays.back().region = "near";
  ASSERT_TRUE(world.fleet->reconfigure(relays, {"near", "far"}));
  EXPECT_EQ(world.offers.back(), second_uri) << "at once, as it was never away";
  ASSERT_TRUE(world.offers_become({"turn:turn3.ims.example", "turn:turn2.ims.example"}));
  EXPECT_TRUE(world.relays[2].has("bob"));
  EXPECT_TRUE(world.put("carol"));
  EXPECT_TRUE(world.run_until([&] { return world.relays[1].has("carol") && world.relays[2].has("carol"); }));
  EXPECT_FALSE(world.relays[0].has("carol"));
  ASSERT_EQ(world.fleet->status().size(), 2U);
  EXPECT_EQ(world.fleet->status().front().failures, 0U);
}

TEST(RelayFleet, TellsWhoWaitsForARelayThatIsLetGo) {
  World world{1};
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  std::optional<bool> done;
  world.fleet->put(make_test_credential("bob", "subject-a"), [&](bool is_done) { done = is_done; });
  world.relays.emplace_back(world.loop, world.certificates);
  world.name_relays();
  ASSERT_TRUE(world.fleet->reconfigure({world.settings.relays[1]}, {}));
  EXPECT_EQ(done, false);
  EXPECT_TRUE(world.offers_become(second_uri));
  EXPECT_TRUE(world.put("bob"));
}

TEST(RelayFleet, StaysAsItIsWhereOtherRelaysCannotBeUsed) {
  World world{1};
  world.start();
  ASSERT_TRUE(world.offers_become(first_uri));
  const RelaySettings unusable{.url = "https://127.0.0.1:1", .ca_file = "/nowhere/ca.pem"};
  const auto done = world.fleet->reconfigure({unusable}, {});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().find("/nowhere/ca.pem"), std::string::npos);
  EXPECT_EQ(world.offers.back(), first_uri);
  EXPECT_TRUE(world.put("bob"));
}

TEST(RelayFleet, SaysWhichFileItCannotUse) {
  World world{1};
  RelayFleetSettings settings{.relays = {{.url = world.relays[0].url(), .ca_file = "/nowhere/ca.pem"}}};
  const auto started = RelayFleet::start(world.loop, settings, world.random, [](const auto&) {});
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().find("/nowhere/ca.pem"), std::string::npos);
  settings.relays.front() = {.url = "relay1"};
  EXPECT_FALSE(RelayFleet::start(world.loop, settings, world.random, [](const auto&) {}));
}

}  // namespace
}  // namespace turnpike::service
