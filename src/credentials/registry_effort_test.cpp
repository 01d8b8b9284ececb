// Outside, refusals look and take the same. Time is not measured here: the costly steps are counted, by the
// registry itself and, for the integrity checks, by the one who answers them.

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "credentials/issue.hpp"
#include "credentials/registry.hpp"
#include "credentials/test_claims.hpp"

namespace turnpike::credentials {
namespace {

using namespace std::chrono_literals;

RegistrySettings make_settings(MacKeyRule rule) {
  RegistrySettings settings{.realm = std::string{test_realm}};
  settings.static_users = StaticSettings{.users = {{"alice", Secret::from_text("wonderland")}}};
  settings.computed = ComputedSettings{.secrets = {{"k1", Secret::from_text("correct horse battery")},
                                                   {"", Secret::from_text("battery staple")}}};
  settings.pushed = PushedSettings{};
  settings.token =
      TokenSettings{.server_name = "turn.ims.example",
                    .keys = {{.kid = "k1", .key = Secret::from_text("HGkj32KJGiuy098sdfaqbNjOiaz71923")}},
                    .mac_key = rule};
  return settings;
}

struct Refused {
  std::string username;
  std::string password;
  Refusal refusal{};
  WallTime wall = test_wall;
};

class RefusalEffort : public testing::TestWithParam<MacKeyRule> {
 protected:
  RefusalEffort() : registry_{make_settings(GetParam())} {
    for (const auto* username : {"p1", "p2"}) {
      PushedCredential credential =
          make_pushed_credential(username, "pushed", test_realm, "s1", test_wall + 600s, {});
      if (credential.username == "p2") credential.not_before = test_wall + 60s;
      EXPECT_EQ(registry_.pushed().put(credential, test_wall), PushOutcome::done);
    }
    EXPECT_TRUE(registry_.deny_list().add({Revocation::By::subject, "revoked"}, test_wall));
  }

  Effort effort_of(const Claim& claim, Signed proof, Refusal refusal, WallTime wall) {
    const auto answer = registry_.authenticate(claim, proof, wall);
    EXPECT_FALSE(answer);
    EXPECT_EQ(answer ? "granted" : to_string(answer.error()), to_string(refusal)) << claim.username;
    EXPECT_EQ(proof.asked(), registry_.last_effort().proofs) << claim.username;
    return registry_.last_effort();
  }

  Effort effort_of(const Refused& refused) {
    return effort_of({.realm = test_realm, .username = refused.username},
                     signed_by(refused.username, refused.password), refused.refusal, refused.wall);
  }

  Registry registry_;
};

TEST_P(RefusalEffort, OfANameIsTheSameForEachReason) {
  const RegistrySettings settings = make_settings(GetParam());
  SeededRandom random{5};
  const auto issue_computed_to = [&](std::string_view id) {
    const auto issued = issue_computed(*settings.computed, id, test_wall + 600s);
    return std::pair{issued.username, std::string{issued.password.reveal_text()}};
  };
  const auto [computed, computed_password] = issue_computed_to("x");
  const auto [revoked, revoked_password] = issue_computed_to("revoked");
  const auto browser = issue_browser_token(*settings.token, {"s1", {}}, test_wall, 600s, random).value();
  const std::string browser_password{browser.password.reveal_text()};
  const std::string token = browser.username.substr(3);
  const std::vector<Refused> all{
      {"mallory", "guess", Refusal::unknown_user},
      {"", "", Refusal::unknown_user},
      {std::string(508, 'm'), "guess", Refusal::unknown_user},
      {"alice", "guess", Refusal::wrong_key},
      {"p1", "guess", Refusal::wrong_key},
      {"p1", "pushed", Refusal::expired, test_wall + 600s},
      {"p2", "pushed", Refusal::not_yet_valid},
      {computed, "guess", Refusal::wrong_key},
      {computed, computed_password, Refusal::expired, test_wall + 601s},
      {revoked, revoked_password, Refusal::revoked},
      {"alice:1", "guess", Refusal::malformed_username},
      {browser.username, "guess", Refusal::wrong_key},
      {browser.username, browser_password, Refusal::expired, test_wall + 605s},
      {"k1.x." + token, browser_password, Refusal::token_forged},
      {"k1." + std::string(64, 'A'), browser_password, Refusal::token_malformed},
      {"k9." + token, browser_password, Refusal::unknown_key},
      {"k1." + std::string(65, 'A'), browser_password, Refusal::malformed_username}};
  const Effort expected = effort_of(all[0]);
  for (const Refused& refused : all) EXPECT_EQ(effort_of(refused), expected) << refused.username;

  // The same when the grant is cached, and when the realm or the hash is a stranger's.
  ASSERT_TRUE(registry_.authenticate({.realm = test_realm, .username = computed},
                                     signed_by(computed, computed_password), test_wall));
  EXPECT_EQ(effort_of({computed, "guess", Refusal::wrong_key}), expected);
  const Claim elsewhere{.realm = "another.example", .username = "alice"};
  EXPECT_EQ(effort_of(elsewhere, signed_by("alice", "wonderland"), Refusal::wrong_realm, test_wall),
            expected);
  const Userhash known = make_userhash("alice", test_realm);
  const Userhash unknown = make_userhash("mallory", test_realm);
  for (const auto& [userhash, refusal] :
       {std::pair{known, Refusal::wrong_key}, std::pair{unknown, Refusal::unknown_user}}) {
    const Claim claim{.realm = test_realm, .userhash = &userhash};
    EXPECT_EQ(effort_of(claim, signed_by("alice", "guess"), refusal, test_wall), expected);
  }
}

TEST_P(RefusalEffort, OfATokenIsTheSameForEachReason) {
  const RegistrySettings settings = make_settings(GetParam());
  SeededRandom random{6};
  const IssuedToken exact = issue_token(*settings.token, "", test_wall, 600s, random).value();
  const IssuedToken derived = issue_token(*settings.token, "x", test_wall, 600s, random).value();
  const auto show = [&](std::string_view kid, Bytes token, const Secret& key, Refusal refusal,
                        WallTime wall) {
    return effort_of({.realm = test_realm, .username = kid, .token = token}, Signed{Key{key.reveal()}},
                     refusal, wall);
  };
  const Secret guess = Secret::from_text("a guess");
  const Effort expected = show("k9", exact.access_token, exact.mac_key, Refusal::unknown_key, test_wall);
  EXPECT_EQ(
      expected,
      (Effort{.proofs = GetParam() == MacKeyRule::automatic ? 3U : 2U, .key_derivations = 1, .openings = 1}));
  EXPECT_EQ(show("k1", exact.access_token, guess, Refusal::wrong_key, test_wall), expected);
  EXPECT_EQ(show("k1.x", derived.access_token, guess, Refusal::wrong_key, test_wall), expected);
  EXPECT_EQ(show("k1.x", exact.access_token, exact.mac_key, Refusal::token_forged, test_wall), expected);
  EXPECT_EQ(show("k1", Bytes{exact.access_token}.first(8), guess, Refusal::token_malformed, test_wall),
            expected);
  EXPECT_EQ(show("k1", ByteVector(2000), guess, Refusal::token_malformed, test_wall), expected);
  const auto rule = GetParam();
  if (rule != MacKeyRule::coturn16) {
    EXPECT_EQ(show("k1", exact.access_token, exact.mac_key, Refusal::expired, test_wall + 605s), expected);
    EXPECT_EQ(show("k1", exact.access_token, exact.mac_key, Refusal::not_yet_valid, test_wall - 605s),
              expected);
  }
}

INSTANTIATE_TEST_SUITE_P(MacKeyRules, RefusalEffort,
                         testing::Values(MacKeyRule::rfc7635, MacKeyRule::coturn16, MacKeyRule::automatic));

}  // namespace
}  // namespace turnpike::credentials
