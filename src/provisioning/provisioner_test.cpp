#include "provisioning/provisioner.hpp"

#include <gtest/gtest.h>

#include <set>

#include "credentials/registry.hpp"
#include "provisioning/test_settings.hpp"
#include "provisioning/turn_uri.hpp"

namespace turnpike::provisioning {
namespace {

using namespace std::chrono_literals;
using credentials::Source;

constexpr Subject alice{.user_id = "alice@ims.example", .salt = "call-id-1"};

// A provisioner and a relay that share their settings.
class World {
 public:
  explicit World(std::vector<Source> sources) : World(make_test_settings(std::move(sources))) {}
  explicit World(const Settings& settings)
      : provisioner_(settings), registry_(make_test_registry_settings(settings)) {}

  Provision provision(const Request& request = {}, const Subject& subject = alice) {
    auto made = provisioner_.provision(request, subject, 3600s, {}, test_wall, random_);
    EXPECT_TRUE(made) << to_string(made ? ProvisionFailure::no_source : made.error());
    if (!made) return {};
    if (made->push) {
      EXPECT_EQ(registry_.pushed().put(*made->push, test_wall), credentials::PushOutcome::done);
    }
    return std::move(*made);
  }
  ProvisionFailure refusal(const Request& request, std::optional<Source> only = {}) {
    const auto made = provisioner_.provision(request, alice, 3600s, only, test_wall, random_);
    EXPECT_FALSE(made);
    return made ? ProvisionFailure::no_source : made.error();
  }

  // What the relay says to who shows the entry.
  std::expected<credentials::GrantPtr, credentials::Refusal> show(const Entry& entry,
                                                                  WallTime at = test_wall) {
    credentials::Key key;
    if (entry.form == Form::oauth)
      key = credentials::Key{*from_base64(entry.password.reveal_text())};
    else
      key = credentials::make_long_term_key(credentials::PasswordAlgorithm::md5, entry.username, entry.realm,
                                            entry.password.reveal_text());
    const credentials::Claim claim{
        .realm = entry.realm, .username = entry.username, .token = entry.access_token};
    const auto proof = [&key](Bytes tried) { return equal(tried, key.reveal()); };
    return registry_.authenticate(claim, proof, at);
  }

  Provisioner& provisioner() { return provisioner_; }
  credentials::Registry& registry() { return registry_; }
  SeededRandom& random() { return random_; }

 private:
  Provisioner provisioner_;
  credentials::Registry registry_;
  SeededRandom random_{7};
};

class EachSource : public testing::TestWithParam<Source> {};
INSTANTIATE_TEST_SUITE_P(All, EachSource, testing::Values(Source::computed, Source::pushed, Source::token));

TEST_P(EachSource, MakesWhatTheRelayAccepts) {
  World world{{GetParam()}};
  const Provision provision = world.provision();
  ASSERT_EQ(provision.entries.size(), 1U);
  EXPECT_EQ(provision.source, GetParam());
  EXPECT_EQ(provision.push.has_value(), GetParam() == Source::pushed);
  const auto grant = world.show(provision.entries.front());
  ASSERT_TRUE(grant) << to_string(grant.error());
  EXPECT_EQ((*grant)->source, GetParam());
  EXPECT_EQ((*grant)->subject, world.provisioner().make_subject(alice));
}

TEST_P(EachSource, LivesTwoMinutesLongerThanALongRegistration) {
  World world{{GetParam()}};
  const Provision provision = world.provision();
  const Entry& entry = provision.entries.front();
  EXPECT_EQ(entry.ttl, 3720s);
  EXPECT_EQ(entry.expires_at, test_wall + 3720s);
  EXPECT_EQ(provision.refresh_after, 3000s);
  EXPECT_TRUE(world.show(entry, test_wall + 3719s));
  EXPECT_FALSE(world.show(entry, find_last_end(provision)));
}

TEST_P(EachSource, NamesNobody) {
  World world{{GetParam()}};
  const Provision provision = world.provision({.form = Form::oauth});
  for (const Entry& entry : provision.entries) {
    EXPECT_EQ(entry.username.find("alice"), std::string::npos);
    EXPECT_EQ(entry.username.find("call-id"), std::string::npos);
  }
}

TEST_P(EachSource, GivesAnotherNameAtTheNextRegistration) {
  World world{{GetParam()}};
  const std::string first = world.provision().entries.front().username;
  const auto next = world.provisioner().provision({}, alice, 3600s, {}, test_wall + 1s, world.random());
  ASSERT_TRUE(next);
  EXPECT_NE(first, next->entries.front().username);
}

TEST_P(EachSource, GivesAnotherNameWithinTheSameSecond) {
  World world{{GetParam()}};
  std::set<std::string> names;
  Subject subject = alice;
  for (int i = 0; i < 20; ++i) {
    const auto next = world.provisioner().provision({}, subject, 3600s, {}, test_wall, world.random());
    ASSERT_TRUE(next);
    const Entry& entry = next->entries.front();
    EXPECT_TRUE(names.insert(entry.username).second) << entry.username;
    subject.last_end = entry.expires_at;
  }
}

TEST_P(EachSource, IsTakenBackByItsSubjectWithAllThatTheRegistrationWasGiven) {
  World world{{GetParam()}};
  const Provision first = world.provision({.form = Form::oauth});
  const Provision second = world.provision({.form = Form::oauth});
  ASSERT_EQ(first.entries.size(), 2U);
  const credentials::Revocation revocation{.by = credentials::Revocation::By::subject,
                                           .value = world.provisioner().make_subject(alice),
                                           .until = find_last_end(second)};
  world.registry().pushed().revoke(revocation);
  ASSERT_TRUE(world.registry().deny_list().add(revocation, test_wall));
  for (const Provision* provision : {&first, &second})
    for (const Entry& entry : provision->entries)
      for (WallTime at = test_wall; at < find_last_end(second); at += 1s)
        ASSERT_FALSE(world.show(entry, at)) << entry.username << " at " << unix_seconds(at);
}

TEST_P(EachSource, LeavesOtherRegistrationsAloneWhenASubjectIsTakenBack) {
  World world{{GetParam()}};
  const Provision other = world.provision({}, {.user_id = alice.user_id, .salt = "call-id-2"});
  const credentials::Revocation revocation{.by = credentials::Revocation::By::subject,
                                           .value = world.provisioner().make_subject(alice)};
  world.registry().pushed().revoke(revocation);
  ASSERT_TRUE(world.registry().deny_list().add(revocation, test_wall));
  EXPECT_TRUE(world.show(other.entries.front()));
}

TEST(Provisioner, CarriesThePolicyInWhatCarriesOne) {
  World pushed{{Source::pushed}};
  EXPECT_EQ((*pushed.show(pushed.provision().entries.front()))->policy.allocations_max, 4U);
  World token{{Source::token}};
  EXPECT_EQ((*token.show(token.provision().entries.front()))->policy.allocations_max, 4U);
}

TEST(Provisioner, GivesATokenBehindAPasswordToWhoAsks) {
  World world{{Source::computed}};
  const Provision provision = world.provision({.form = Form::oauth});
  ASSERT_EQ(provision.entries.size(), 2U);
  EXPECT_EQ(provision.entries[0].form, Form::password);
  const Entry& token = provision.entries[1];
  EXPECT_EQ(token.form, Form::oauth);
  EXPECT_EQ(token.username, "k1." + world.provisioner().make_subject(alice));
  EXPECT_EQ(token.algorithm, "HMAC-SHA-1");
  EXPECT_EQ(token.server_name, "turn.ims.example");
  const auto grant = world.show(token);
  ASSERT_TRUE(grant) << to_string(grant.error());
  EXPECT_EQ((*grant)->subject, world.provisioner().make_subject(alice));
}

TEST(Provisioner, BoundsATokenByTheRegistration) {
  World world{{Source::computed}};
  const Provision provision = world.provision({.form = Form::oauth});
  EXPECT_EQ(provision.entries[1].ttl, 3600s);
  EXPECT_EQ(provision.entries[1].expires_at, test_wall + 3600s);
}

TEST(Provisioner, GivesPasswordsAloneToWhoDoesNotAskForAToken) {
  World world{{Source::computed}};
  EXPECT_EQ(world.provision({.form = Form::password}).entries.size(), 1U);
  EXPECT_EQ(world.provision().entries.size(), 1U);
}

TEST(Provisioner, GivesAPasswordWhereThereAreNoTokens) {
  Settings settings = make_test_settings({Source::computed});
  settings.token.reset();
  World world{settings};
  EXPECT_EQ(world.provision({.form = Form::oauth}).entries.size(), 1U);
}

TEST(Provisioner, GivesNoTokenThatCouldNotBeTakenBackBySubject) {
  Settings settings = make_test_settings({Source::computed});
  settings.token->keys.front().derives = false;
  World world{settings};
  EXPECT_EQ(world.provision({.form = Form::oauth}).entries.size(), 1U);
}

TEST(Provisioner, TakesTheNextSourceWhereTheFirstHasNoValidKey) {
  Settings settings = make_test_settings({Source::token, Source::computed});
  settings.token->keys.front().not_after = test_wall + 60s;
  World world{settings};
  EXPECT_EQ(world.provision().source, Source::computed);
}

TEST(Provisioner, AsksOneSourceAloneWhenTold) {
  World world{{Source::pushed, Source::computed}};
  const auto made =
      world.provisioner().provision({}, alice, 3600s, Source::computed, test_wall, world.random());
  ASSERT_TRUE(made);
  EXPECT_EQ(made->source, Source::computed);
  EXPECT_FALSE(made->push);
  EXPECT_EQ(world.refusal({}, Source::token), ProvisionFailure::no_source);
}

TEST(Provisioner, GivesTheSourceThatTheClientAsksForOrNothing) {
  World world{{Source::computed, Source::token}};
  EXPECT_EQ(world.provision({.source = Source::token}).source, Source::token);
  EXPECT_EQ(world.provision({.source = Source::computed}).source, Source::computed);
  EXPECT_EQ(world.refusal({.source = Source::pushed}), ProvisionFailure::no_source);
  EXPECT_EQ(world.refusal({.source = Source::token}, Source::computed), ProvisionFailure::no_source);
}

TEST(Provisioner, NamesWhatStandsInForASource) {
  const World world{{Source::pushed, Source::token, Source::computed}};
  Provisioner provisioner{make_test_settings({Source::pushed, Source::token, Source::computed})};
  EXPECT_EQ(provisioner.find_fallback(Source::pushed), Source::token);
  EXPECT_EQ(provisioner.find_fallback(Source::token), Source::computed);
  EXPECT_EQ(provisioner.find_fallback(Source::computed), std::nullopt);
  EXPECT_EQ(provisioner.find_fallback(Source::static_user), std::nullopt);
}

TEST(Provisioner, HasNothingWithoutASource) {
  World world{std::vector<Source>{}};
  EXPECT_EQ(world.refusal({}), ProvisionFailure::no_source);
  World static_alone{{Source::static_user}};
  EXPECT_EQ(static_alone.refusal({}), ProvisionFailure::no_source);
}

TEST(Provisioner, HasNothingForAnotherRealm) {
  World world{{Source::computed}};
  EXPECT_EQ(world.refusal({.realm = "other.example"}), ProvisionFailure::unknown_realm);
  EXPECT_EQ(world.provision({.realm = "ims.example"}).entries.front().realm, "ims.example");
}

TEST(Provisioner, ShortensTheLifeToWhatTheClientAsksFor) {
  World world{{Source::computed}};
  const Provision provision = world.provision({.ttl = 600s, .form = Form::oauth});
  EXPECT_EQ(provision.entries[0].ttl, 600s);
  EXPECT_EQ(provision.entries[1].ttl, 600s);
  EXPECT_EQ(provision.refresh_after, 300s);
}

TEST(Provisioner, GivesTheUrisOfTheTransportThatTheClientAsksFor) {
  World world{{Source::computed}};
  using Uris = std::vector<std::string>;
  EXPECT_EQ(world.provision({.transport = "udp"}).entries.front().uris,
            Uris{"turn:turn1.ims.example:3478?transport=udp"});
  EXPECT_EQ(world.provision({.transport = "tcp"}).entries.front().uris,
            (Uris{"turn:turn1.ims.example:3478?transport=tcp", "turns:turn1.ims.example:443?transport=tcp"}));
  EXPECT_EQ(world.provision().entries.front().uris.size(), 3U);
  EXPECT_EQ(world.refusal({.transport = "sctp"}), ProvisionFailure::unknown_transport);
}

TEST(Provisioner, OffersTheRelaysThatLive) {
  World world{{Source::computed}};
  world.provisioner().offer({"turn:turn2.ims.example"});
  EXPECT_EQ(world.provision().entries.front().uris, std::vector<std::string>{"turn:turn2.ims.example"});
  EXPECT_EQ(world.refusal({.transport = "tcp"}), ProvisionFailure::unknown_transport);
  world.provisioner().offer({});
  EXPECT_EQ(world.refusal({}), ProvisionFailure::no_relay);
}

TEST(Provisioner, GivesNoTwoRegistrationsOneCredential) {
  World world{{Source::computed}};
  std::set<std::string> names;
  for (int i = 0; i < 10'000; ++i) {
    const std::string salt = std::to_string(i);
    names.insert(world.provision({}, {.user_id = alice.user_id, .salt = salt}).entries.front().username);
  }
  EXPECT_EQ(names.size(), 10'000U);
}

TEST(Provisioner, SurvivesARegistrationOfAnyLength) {
  World world{{Source::computed}};
  for (const std::chrono::seconds length : {0s, -1s, 1s, std::chrono::seconds::max()}) {
    const auto made =
        world.provisioner().provision({.form = Form::oauth}, alice, length, {}, test_wall, world.random());
    ASSERT_TRUE(made);
    EXPECT_GE(made->entries.front().ttl, 120s);
    EXPECT_LE(made->entries.front().ttl, 86400s);
    EXPECT_TRUE(world.show(made->entries.front()));
  }
}

TEST(TurnUri, IsTakenApart) {
  const auto plain = TurnUri::parse("turn:turn1.ims.example");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->is_secure);
  EXPECT_EQ(plain->host, "turn1.ims.example");
  EXPECT_EQ(plain->port, 3478);
  EXPECT_EQ(plain->transport, "udp");
  const auto secure = TurnUri::parse("TURNS:[2001:db8::1]:443?Transport=TCP");
  ASSERT_TRUE(secure);
  EXPECT_TRUE(secure->is_secure);
  EXPECT_EQ(secure->host, "2001:db8::1");
  EXPECT_EQ(secure->port, 443);
  EXPECT_EQ(secure->transport, "tcp");
  EXPECT_EQ(TurnUri::parse("turns:a.example")->port, 5349);
  EXPECT_EQ(TurnUri::parse("turns:a.example")->transport, "tcp");
  EXPECT_EQ(TurnUri::parse("turns:a.example?transport=udp")->transport, "udp");
}

TEST(TurnUri, IsNothingElse) {
  for (const std::string_view text : {"",
                                      "turn:",
                                      "turns:",
                                      "turn",
                                      "stun:a.example",
                                      "turn://a.example",
                                      "turn:user@a.example",
                                      "turn:a.example:0",
                                      "turn:a.example:65536",
                                      "turn:a.example:",
                                      "turn:a.example:x",
                                      "turn:a.example?",
                                      "turn:a.example?transport=",
                                      "turn:a.example?transport=sctp",
                                      "turn:a.example?transport=udp&x=1",
                                      "turn:[::1",
                                      "turn:[1.2.3.4]",
                                      "turn:::1",
                                      "turn:a>b",
                                      "turn:a\"b",
                                      "turn:a b",
                                      "turn:a,b",
                                      " turn:a.example",
                                      "turn:[::1]x",
                                      "http:a.example"})
    EXPECT_FALSE(TurnUri::parse(text)) << text;
  EXPECT_FALSE(TurnUri::parse("turn:" + std::string(600, 'a')));
}

}  // namespace
}  // namespace turnpike::provisioning
