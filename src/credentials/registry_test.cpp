#include "credentials/registry.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

#include "credentials/issue.hpp"
#include "credentials/test_claims.hpp"

namespace turnpike::credentials {
namespace {

using namespace std::chrono_literals;
using By = Revocation::By;
using Answer = std::expected<GrantPtr, Refusal>;

constexpr std::string_view computed_secret = "correct horse battery";

RegistrySettings make_settings() {
  RegistrySettings settings{.realm = std::string{test_realm}};
  settings.static_users = StaticSettings{
      .users = {{"alice", Secret::from_text("wonderland")}, {"bob", Secret::from_text("builder")}},
      .policy = {.allocations_max = 5}};
  settings.computed = ComputedSettings{.secrets = {{"k1", Secret::from_text(computed_secret)},
                                                   {"k2", Secret::from_text("battery staple horse")}}};
  settings.pushed = PushedSettings{};
  return settings;
}

// Alone, or the registry would also ask computed passwords.
RegistrySettings make_settings_without_computed() {
  RegistrySettings settings = make_settings();
  settings.computed.reset();
  return settings;
}

Claim claim_of(std::string_view username, PasswordAlgorithm algorithm = PasswordAlgorithm::md5) {
  return {.realm = test_realm, .username = username, .algorithm = algorithm};
}

Claim claim_of(const Userhash& userhash) { return {.realm = test_realm, .userhash = &userhash}; }

Answer ask(Registry& registry, std::string_view username, std::string_view password,
           WallTime wall = test_wall) {
  return registry.authenticate(claim_of(username), signed_by(username, password), wall);
}

std::string_view refusal_of(const Answer& answer) { return answer ? "granted" : to_string(answer.error()); }

std::string_view source_of(const Answer& answer) {
  return answer ? to_string((*answer)->source) : to_string(answer.error());
}

PushedCredential make_pushed(std::string_view username, std::string_view password = "pushed password") {
  return make_pushed_credential(username, password, test_realm, "s1", test_wall + 600s,
                                {.bytes_per_second = 7});
}

IssuedPassword issue(std::size_t secret, std::string_view id, WallTime expires_at) {
  ComputedSettings settings = *make_settings().computed;
  settings.secrets = {settings.secrets[secret]};
  return issue_computed(settings, id, expires_at);
}

TEST(StaticUser, IsGrantedWithItsPasswordUnderBothAlgorithms) {
  Registry registry{make_settings()};
  for (const auto algorithm : {PasswordAlgorithm::md5, PasswordAlgorithm::sha256}) {
    const auto grant = registry.authenticate(claim_of("alice", algorithm),
                                             signed_by("alice", "wonderland", algorithm), test_wall);
    ASSERT_TRUE(grant);
    EXPECT_EQ(**grant, (Grant{.source = Source::static_user,
                              .username = "alice",
                              .subject = "alice",
                              .userhash = make_userhash("alice", test_realm),
                              .key = make_long_term_key(algorithm, "alice", test_realm, "wonderland"),
                              .algorithm = algorithm,
                              .policy = {.allocations_max = 5},
                              .expires_at = WallTime::max()}));
  }
}

TEST(StaticUser, IsFoundByUserhash) {
  Registry registry{make_settings()};
  const Userhash userhash = make_userhash("alice", test_realm);
  const auto grant = registry.authenticate(claim_of(userhash), signed_by("alice", "wonderland"), test_wall);
  ASSERT_TRUE(grant);
  EXPECT_EQ((*grant)->username, "alice");
}

TEST(StaticUser, IsRefusedWithTheReason) {
  Registry registry{make_settings()};
  EXPECT_EQ(refusal_of(ask(registry, "alice", "builder")), "wrong_key");
  EXPECT_EQ(refusal_of(ask(registry, "Alice", "wonderland")), "unknown_user");
  EXPECT_EQ(refusal_of(ask(registry, "", "")), "unknown_user");
  const Userhash stranger = make_userhash("mallory", test_realm);
  EXPECT_EQ(refusal_of(registry.authenticate(claim_of(stranger), signed_by("mallory", "x"), test_wall)),
            "unknown_user");
  Claim claim = claim_of("alice");
  claim.realm = "another.example";
  EXPECT_EQ(refusal_of(registry.authenticate(claim, signed_by("alice", "wonderland"), test_wall)),
            "wrong_realm");
}

TEST(StaticUser, IsRevoked) {
  Registry registry{make_settings()};
  ASSERT_TRUE(registry.deny_list().add({By::username, "alice", test_wall + 60s}, test_wall));
  EXPECT_EQ(refusal_of(ask(registry, "alice", "wonderland")), "revoked");
  EXPECT_EQ(refusal_of(ask(registry, "alice", "guess")), "wrong_key");
  EXPECT_EQ(source_of(ask(registry, "alice", "wonderland", test_wall + 60s)), "static");
}

TEST(ComputedPassword, IsGrantedUnderEachSecret) {
  Registry registry{make_settings()};
  for (const std::size_t secret : {0U, 1U}) {
    const IssuedPassword issued = issue(secret, "mfzwizltoq", test_wall + 600s);
    const auto grant = ask(registry, issued.username, issued.password.reveal_text());
    ASSERT_TRUE(grant);
    EXPECT_EQ((*grant)->source, Source::computed);
    EXPECT_EQ((*grant)->username, issued.username);
    EXPECT_EQ((*grant)->subject, "mfzwizltoq");
    EXPECT_EQ((*grant)->kid, secret == 0 ? "k1" : "k2");
    EXPECT_EQ((*grant)->expires_at, test_wall + 601s);
    EXPECT_EQ((*grant)->userhash, make_userhash(issued.username, test_realm));
    EXPECT_EQ(registry.last_effort(), (Effort{.proofs = 1, .password_macs = 1, .long_term_keys = 1}));
  }
}

TEST(ComputedPassword, NeedNotNameItsSecret) {
  Registry registry{make_settings()};
  const std::string username = "1893456600:@user:example.com";
  const Secret password =
      make_computed_password(Secret::from_text("battery staple horse"), ComputedDigest::sha1, username);
  const auto grant = ask(registry, username, password.reveal_text());
  ASSERT_TRUE(grant);
  EXPECT_EQ((*grant)->subject, "@user:example.com");
  EXPECT_EQ((*grant)->kid, "k2");
}

TEST(ComputedPassword, MayNameAnotherSecretThanItsOwn) {
  Registry registry{make_settings()};
  const std::string username = "1893456600:k2.mfzwizltoq";
  const Secret password =
      make_computed_password(Secret::from_text(computed_secret), ComputedDigest::sha1, username);
  const auto grant = ask(registry, username, password.reveal_text());
  ASSERT_TRUE(grant);
  EXPECT_EQ((*grant)->subject, "mfzwizltoq");
  EXPECT_EQ((*grant)->kid, "k1");
}

TEST(ComputedPassword, OfABareExpiryHasTheUsernameForSubject) {
  Registry registry{make_settings()};
  const IssuedPassword issued = issue(0, "", test_wall + 600s);
  const auto grant = ask(registry, issued.username, issued.password.reveal_text());
  ASSERT_TRUE(grant);
  EXPECT_EQ((*grant)->subject, "1893456600");
}

TEST(ComputedPassword, IsGoodUpToTheSecondThatItNames) {
  Registry registry{make_settings()};
  const IssuedPassword issued = issue(0, "mfzwizltoq", test_wall + 600s);
  const auto ask_at = [&](WallTime wall) {
    return source_of(ask(registry, issued.username, issued.password.reveal_text(), wall));
  };
  EXPECT_EQ(ask_at(test_wall + 599s), "computed");
  EXPECT_EQ(ask_at(test_wall + 600s), "computed");
  EXPECT_EQ(ask_at(test_wall + 601s - 1ns), "computed");
  EXPECT_EQ(ask_at(test_wall + 601s), "expired");
}

TEST(ComputedPassword, ReachesThe22ndCentury) {
  Registry registry{make_settings()};
  for (const std::string username : {"4102444800:x", "18446744073709551616:x"}) {
    const Secret password =
        make_computed_password(Secret::from_text(computed_secret), ComputedDigest::sha1, username);
    EXPECT_EQ(source_of(ask(registry, username, password.reveal_text())), "computed") << username;
  }
}

TEST(ComputedPassword, IsRefusedWithTheReason) {
  Registry registry{make_settings()};
  EXPECT_EQ(refusal_of(ask(registry, "1893456600:x", "guess")), "wrong_key");
  EXPECT_EQ(refusal_of(ask(registry, "1893455999:x", "guess")), "wrong_key");
  EXPECT_EQ(refusal_of(ask(registry, "alice:1893456600", "guess")), "malformed_username");
  EXPECT_EQ(refusal_of(ask(registry, ":", "guess")), "malformed_username");
  // Its name must be seen, so a hash of it is a stranger's.
  const IssuedPassword issued = issue(0, "x", test_wall + 600s);
  const Userhash userhash = make_userhash(issued.username, test_realm);
  EXPECT_EQ(refusal_of(registry.authenticate(
                claim_of(userhash), signed_by(issued.username, issued.password.reveal_text()), test_wall)),
            "unknown_user");
}

TEST(ComputedPassword, IsRevokedBySubject) {
  Registry registry{make_settings()};
  const IssuedPassword old_one = issue(0, "mfzwizltoq", test_wall + 600s);
  ASSERT_TRUE(ask(registry, old_one.username, old_one.password.reveal_text()));
  ASSERT_TRUE(registry.deny_list().add({By::subject, "mfzwizltoq", test_wall + 1200s}, test_wall));
  const IssuedPassword new_one = issue(1, "mfzwizltoq", test_wall + 900s);
  for (const IssuedPassword& issued : {old_one, new_one})
    EXPECT_EQ(refusal_of(ask(registry, issued.username, issued.password.reveal_text())), "revoked");
}

TEST(ComputedPassword, UsesTheDigestOfItsRealm) {
  RegistrySettings settings = make_settings();
  settings.computed->digest = ComputedDigest::sha256;
  Registry registry{std::move(settings)};
  const std::string username = "1893456600:x";
  const auto ask_with = [&](ComputedDigest digest) {
    const Secret password = make_computed_password(Secret::from_text(computed_secret), digest, username);
    return source_of(ask(registry, username, password.reveal_text()));
  };
  EXPECT_EQ(ask_with(ComputedDigest::sha256), "computed");
  EXPECT_EQ(ask_with(ComputedDigest::sha1), "wrong_key");
}

TEST(PushedCredential, IsGrantedByNameAndByHash) {
  Registry registry{make_settings()};
  ASSERT_EQ(registry.pushed().put(make_pushed("p1"), test_wall), PushOutcome::done);
  const Userhash userhash = make_userhash("p1", test_realm);
  for (const Claim& claim : {claim_of("p1"), claim_of(userhash)}) {
    const auto grant = registry.authenticate(claim, signed_by("p1", "pushed password"), test_wall);
    ASSERT_TRUE(grant);
    EXPECT_EQ(**grant,
              (Grant{.source = Source::pushed,
                     .username = "p1",
                     .subject = "s1",
                     .userhash = userhash,
                     .key = make_long_term_key(PasswordAlgorithm::md5, "p1", test_realm, "pushed password"),
                     .policy = {.bytes_per_second = 7},
                     .expires_at = test_wall + 600s}));
  }
}

TEST(PushedCredential, IsGoodFromItsBeginToItsEnd) {
  Registry registry{make_settings()};
  PushedCredential credential = make_pushed("p1");
  credential.not_before = test_wall + 60s;
  ASSERT_EQ(registry.pushed().put(credential, test_wall), PushOutcome::done);
  const auto ask_at = [&](WallTime wall) { return source_of(ask(registry, "p1", "pushed password", wall)); };
  EXPECT_EQ(ask_at(test_wall + 60s - 1ns), "not_yet_valid");
  EXPECT_EQ(ask_at(test_wall + 60s), "pushed");
  EXPECT_EQ(ask_at(test_wall + 600s - 1ns), "pushed");
  EXPECT_EQ(ask_at(test_wall + 600s), "expired");
}

TEST(PushedCredential, WithoutAKeyForTheAlgorithmProvesNothing) {
  Registry registry{make_settings_without_computed()};
  PushedCredential credential = make_pushed("p1");
  credential.key_sha256 = Key{};
  ASSERT_EQ(registry.pushed().put(credential, test_wall), PushOutcome::done);
  // Signed with the empty key that is stored.
  Signed forged{Key{}};
  EXPECT_EQ(refusal_of(registry.authenticate(claim_of("p1", PasswordAlgorithm::sha256), forged, test_wall)),
            "wrong_key");
}

TEST(PushedCredential, FollowsItsTable) {
  Registry registry{make_settings()};
  ASSERT_EQ(registry.pushed().put(make_pushed("p1"), test_wall), PushOutcome::done);
  ASSERT_TRUE(ask(registry, "p1", "pushed password"));
  ASSERT_EQ(registry.pushed().extend("p1", test_wall + 900s), PushOutcome::done);
  EXPECT_EQ((*ask(registry, "p1", "pushed password", test_wall + 700s))->expires_at, test_wall + 900s);
  ASSERT_EQ(registry.pushed().put(make_pushed("p1", "new"), test_wall), PushOutcome::done);
  EXPECT_EQ(refusal_of(ask(registry, "p1", "pushed password")), "wrong_key");
  EXPECT_EQ(source_of(ask(registry, "p1", "new")), "pushed");
  EXPECT_EQ(registry.pushed().revoke({By::username, "p1"}), 1U);
  EXPECT_EQ(refusal_of(ask(registry, "p1", "new")), "unknown_user");
}

TEST(Registry, TriesEachSourceThatKnowsTheName) {
  Registry registry{make_settings()};
  const IssuedPassword issued = issue(0, "", test_wall + 600s);
  RegistrySettings settings = make_settings();
  settings.static_users->users.emplace(issued.username, Secret::from_text("static password"));
  registry.reconfigure(std::move(settings));
  ASSERT_EQ(registry.pushed().put(make_pushed(issued.username), test_wall), PushOutcome::done);

  EXPECT_EQ(source_of(ask(registry, issued.username, issued.password.reveal_text())), "computed");
  EXPECT_EQ(source_of(ask(registry, issued.username, "pushed password")), "pushed");
  EXPECT_EQ(source_of(ask(registry, issued.username, "static password")), "static");
  EXPECT_EQ(refusal_of(ask(registry, issued.username, "guess")), "wrong_key");
  // The first source that grants gives the grant.
  ASSERT_EQ(registry.pushed().put(make_pushed(issued.username, "static password"), test_wall),
            PushOutcome::done);
  EXPECT_EQ(source_of(ask(registry, issued.username, "static password")), "static");
}

TEST(Registry, AsksOnlyWhatIsConfigured) {
  Registry registry{{.realm = std::string{test_realm}}};
  const IssuedPassword issued = issue(0, "x", test_wall + 600s);
  EXPECT_EQ(refusal_of(ask(registry, "alice", "wonderland")), "unknown_user");
  EXPECT_EQ(refusal_of(ask(registry, issued.username, issued.password.reveal_text())), "unknown_user");
  Claim claim = claim_of("k1");
  const ByteVector token(64);
  claim.token = token;
  EXPECT_EQ(refusal_of(registry.authenticate(claim, signed_by("k1", "x"), test_wall)), "unknown_user");
  EXPECT_EQ(registry.pushed().put(make_pushed("p1"), test_wall), PushOutcome::full);
  EXPECT_FALSE(registry.accepts_tokens());
  EXPECT_EQ(registry.server_name(), "");
  EXPECT_FALSE(registry.offers_username_anonymity());
  EXPECT_EQ(registry.realm(), test_realm);
}

TEST(Registry, SharesEqualGrants) {
  Registry registry{make_settings()};
  const IssuedPassword issued = issue(1, "x", test_wall + 600s);
  ASSERT_EQ(registry.pushed().put(make_pushed("p1"), test_wall), PushOutcome::done);
  const auto share = [&](std::string_view username, std::string_view password) {
    return ask(registry, username, password).value() == ask(registry, username, password).value();
  };
  EXPECT_TRUE(share("alice", "wonderland"));
  EXPECT_TRUE(share("p1", "pushed password"));
  EXPECT_TRUE(share(issued.username, issued.password.reveal_text()));
  EXPECT_EQ(registry.last_effort(), Effort{.proofs = 1});
}

TEST(Registry, OffersAnonymityWhereEveryNameCanBeResolved) {
  RegistrySettings settings{.realm = std::string{test_realm}};
  settings.pushed = PushedSettings{};
  EXPECT_TRUE(Registry{settings}.offers_username_anonymity());
  settings.static_users = StaticSettings{};
  EXPECT_TRUE(Registry{settings}.offers_username_anonymity());
  settings.computed = ComputedSettings{};
  EXPECT_FALSE(Registry{settings}.offers_username_anonymity());
}

TEST(Reconfiguration, KeepsPushedCredentialsAndTheDenyList) {
  Registry registry{make_settings()};
  ASSERT_EQ(registry.pushed().put(make_pushed("p1"), test_wall), PushOutcome::done);
  ASSERT_TRUE(registry.deny_list().add({By::username, "carol"}, test_wall));
  RegistrySettings settings = make_settings_without_computed();
  settings.static_users->users = {{"alice", Secret::from_text("changed")},
                                  {"carol", Secret::from_text("carol")}};
  const IssuedPassword issued = issue(0, "x", test_wall + 600s);
  ASSERT_TRUE(ask(registry, issued.username, issued.password.reveal_text()));

  registry.reconfigure(std::move(settings));

  EXPECT_EQ(refusal_of(ask(registry, "alice", "wonderland")), "wrong_key");
  EXPECT_EQ(source_of(ask(registry, "alice", "changed")), "static");
  EXPECT_EQ(refusal_of(ask(registry, "bob", "builder")), "unknown_user");
  EXPECT_EQ(refusal_of(ask(registry, "carol", "carol")), "revoked");
  EXPECT_EQ(refusal_of(ask(registry, issued.username, issued.password.reveal_text())), "unknown_user");
  EXPECT_EQ(source_of(ask(registry, "p1", "pushed password")), "pushed");
}

TEST(Reconfiguration, OfTheRealmDropsKeysOfTheOldOne) {
  Registry registry{make_settings()};
  ASSERT_EQ(registry.pushed().put(make_pushed("p1"), test_wall), PushOutcome::done);
  RegistrySettings settings = make_settings();
  settings.realm = "new.example";
  registry.reconfigure(std::move(settings));
  EXPECT_EQ(registry.pushed().size(), 0U);
  EXPECT_EQ(registry.realm(), "new.example");
}

TEST(RevokedGrant, IsToldWithoutANewAuthentication) {
  Registry registry{make_settings()};
  ASSERT_EQ(registry.pushed().put(make_pushed("p1"), test_wall), PushOutcome::done);
  const IssuedPassword issued = issue(0, "x", test_wall + 600s);
  const GrantPtr alice = ask(registry, "alice", "wonderland").value();
  const GrantPtr bob = ask(registry, "bob", "builder").value();
  const GrantPtr pushed = ask(registry, "p1", "pushed password").value();
  const GrantPtr computed = ask(registry, issued.username, issued.password.reveal_text()).value();
  for (const GrantPtr& grant : {alice, bob, pushed, computed})
    EXPECT_FALSE(registry.is_revoked(*grant, test_wall));

  RegistrySettings settings = make_settings_without_computed();
  settings.static_users->users = {{"alice", Secret::from_text("wonderland")}};
  registry.reconfigure(std::move(settings));
  EXPECT_FALSE(registry.is_revoked(*alice, test_wall));
  EXPECT_TRUE(registry.is_revoked(*bob, test_wall));
  // A secret that is rotated away does not end what runs.
  EXPECT_FALSE(registry.is_revoked(*computed, test_wall));
  ASSERT_TRUE(registry.deny_list().add({By::subject, "x"}, test_wall));
  EXPECT_TRUE(registry.is_revoked(*computed, test_wall));
}

TEST(RevokedGrant, OfAPushedCredentialFollowsTheTable) {
  Registry registry{make_settings()};
  ASSERT_EQ(registry.pushed().put(make_pushed("p1"), test_wall), PushOutcome::done);
  const GrantPtr grant = ask(registry, "p1", "pushed password").value();
  ASSERT_EQ(registry.pushed().put(make_pushed("p1", "new"), test_wall), PushOutcome::done);
  EXPECT_TRUE(registry.is_revoked(*grant, test_wall));
  ASSERT_EQ(registry.pushed().put(make_pushed("p1"), test_wall), PushOutcome::done);
  EXPECT_FALSE(registry.is_revoked(*grant, test_wall));
  EXPECT_EQ(registry.pushed().revoke({By::subject, "s1"}), 1U);
  EXPECT_TRUE(registry.is_revoked(*grant, test_wall));
  // After its end it may have left the table by itself.
  EXPECT_FALSE(registry.is_revoked(*grant, test_wall + 600s));
}

TEST(Explanation, NeedsNoPassword) {
  Registry registry{make_settings()};
  ASSERT_EQ(registry.pushed().put(make_pushed("p1"), test_wall), PushOutcome::done);
  EXPECT_EQ(registry.explain("alice", test_wall)->source, Source::static_user);
  EXPECT_EQ(registry.explain("p1", test_wall)->subject, "s1");
  EXPECT_EQ(registry.explain("1893456600:k2.x", test_wall)->kid, "k2");
  EXPECT_EQ(registry.explain("1893456600:k2.x", test_wall)->expires_at, test_wall + 601s);
  EXPECT_EQ(registry.explain("1893455999:x", test_wall).error(), Refusal::expired);
  EXPECT_EQ(registry.explain("p1", test_wall + 600s).error(), Refusal::expired);
  EXPECT_EQ(registry.explain("mallory", test_wall).error(), Refusal::unknown_user);
  EXPECT_EQ(registry.explain("mallory:x", test_wall).error(), Refusal::malformed_username);
  ASSERT_TRUE(registry.deny_list().add({By::subject, "x"}, test_wall));
  EXPECT_EQ(registry.explain("1893456600:k2.x", test_wall).error(), Refusal::revoked);
}

TEST(Explanation, KnowsACredentialOfOneAlgorithm) {
  Registry registry{make_settings()};
  PushedCredential credential = make_pushed("p1");
  credential.key_md5 = Key{};
  ASSERT_EQ(registry.pushed().put(credential, test_wall), PushOutcome::done);
  EXPECT_EQ(registry.explain("p1", test_wall)->algorithm, PasswordAlgorithm::sha256);
}

}  // namespace
}  // namespace turnpike::credentials
