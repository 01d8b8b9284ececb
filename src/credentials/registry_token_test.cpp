#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "credentials/issue.hpp"
#include "credentials/registry.hpp"
#include "credentials/test_claims.hpp"
#include "credentials/token.hpp"

namespace turnpike::credentials {
namespace {

using namespace std::chrono_literals;
using By = Revocation::By;
using Answer = std::expected<GrantPtr, Refusal>;

constexpr std::string_view server = "turn.ims.example";

TokenSettings make_tokens() {
  return {.server_name = std::string{server},
          .keys = {{.kid = "k1", .key = Secret::from_text("HGkj32KJGiuy098sdfaqbNjOiaz71923")},
                   {.kid = "k2",
                    .key = Secret::from_text("0123456789abcdef"),
                    .algorithm = TokenAlgorithm::a128gcm,
                    .derives = false}},
          .policy = {.allocations_max = 4}};
}

Registry make_registry(TokenSettings tokens = make_tokens()) {
  RegistrySettings settings{.realm = std::string{test_realm}};
  settings.token = std::move(tokens);
  return Registry{std::move(settings)};
}

Answer show(Registry& registry, std::string_view kid, Bytes token, Bytes mac_key, WallTime wall = test_wall) {
  return registry.authenticate({.realm = test_realm, .username = kid, .token = token}, Signed{Key{mac_key}},
                               wall);
}

Answer show(Registry& registry, const IssuedToken& issued, WallTime wall = test_wall) {
  return show(registry, issued.kid, issued.access_token, issued.mac_key.reveal(), wall);
}

Answer show(Registry& registry, const IssuedPassword& issued, WallTime wall = test_wall) {
  return registry.authenticate({.realm = test_realm, .username = issued.username},
                               signed_by(issued.username, issued.password.reveal_text()), wall);
}

std::string_view refusal_of(const Answer& answer) { return answer ? "granted" : to_string(answer.error()); }

IssuedToken issue(std::string_view suffix = {}, const TokenSettings& tokens = make_tokens(),
                  std::uint64_t seed = 1) {
  SeededRandom random{seed};
  return issue_token(tokens, suffix, test_wall, 600s, random).value();
}

IssuedPassword issue_browser(const TokenPolicy& policy = {}, const TokenSettings& tokens = make_tokens()) {
  SeededRandom random{2};
  return issue_browser_token(tokens, policy, test_wall, 600s, random).value();
}

// A token that issue_token would not make.
ByteVector seal(const TokenContent& content, std::string_view server_name = server) {
  return encode_token(content, as_bytes("h4j3k2l2n4b5"),
                      {.key = as_bytes("HGkj32KJGiuy098sdfaqbNjOiaz71923"), .server_name = server_name});
}

const Secret mac_key = Secret::from_text("ZksjpweoixXmvn67534m");
const std::uint64_t today = to_token_timestamp(test_wall);

TEST(AccessToken, IsGranted) {
  Registry registry = make_registry();
  const IssuedToken issued = issue();
  const auto grant = show(registry, issued);
  ASSERT_TRUE(grant);
  const crypto::Sha256 hash = crypto::sha256(issued.access_token);
  EXPECT_EQ(**grant, (Grant{.source = Source::token,
                            .username = "k1",
                            .subject = to_hex(hash),
                            .kid = "k1",
                            .token_hash = hash,
                            .userhash = make_userhash("k1", test_realm),
                            .key = Key{issued.mac_key.reveal()},
                            .policy = {.allocations_max = 4},
                            .expires_at = test_wall + 605s}));
  EXPECT_TRUE(registry.accepts_tokens());
  EXPECT_EQ(registry.server_name(), server);
}

TEST(AccessToken, OfADerivedKidTellsItsUser) {
  Registry registry = make_registry();
  const auto grant = show(registry, issue("8f3a"));
  ASSERT_TRUE(grant);
  EXPECT_EQ((*grant)->kid, "k1.8f3a");
  EXPECT_EQ((*grant)->subject, "8f3a");
  EXPECT_EQ((*grant)->username, "k1.8f3a");
}

TEST(AccessToken, IsFoundByTheHashOfItsKid) {
  Registry registry = make_registry();
  const IssuedToken issued = issue();
  const Userhash userhash = make_userhash("k1", test_realm);
  const Claim claim{.realm = test_realm, .userhash = &userhash, .token = issued.access_token};
  const auto grant = registry.authenticate(claim, Signed{Key{issued.mac_key.reveal()}}, test_wall);
  ASSERT_TRUE(grant);
  EXPECT_EQ((*grant)->username, "k1");
  const Userhash stranger = make_userhash("k9", test_realm);
  const Claim unknown{.realm = test_realm, .userhash = &stranger, .token = issued.access_token};
  EXPECT_EQ(refusal_of(registry.authenticate(unknown, Signed{Key{issued.mac_key.reveal()}}, test_wall)),
            "unknown_key");
}

TEST(AccessToken, IsRefusedWithTheReason) {
  Registry registry = make_registry();
  const IssuedToken issued = issue();
  const Bytes key = issued.mac_key.reveal();
  EXPECT_EQ(refusal_of(show(registry, "k9", issued.access_token, key)), "unknown_key");
  EXPECT_EQ(refusal_of(show(registry, "k9.8f3a", issued.access_token, key)), "unknown_key");
  EXPECT_EQ(refusal_of(show(registry, "k1.", issued.access_token, key)), "unknown_key");
  EXPECT_EQ(refusal_of(show(registry, "k2.8f3a", issued.access_token, key)),
            "unknown_key");  // does not derive
  EXPECT_EQ(refusal_of(show(registry, "k1.8f3a", issued.access_token, key)), "token_forged");
  EXPECT_EQ(refusal_of(show(registry, "k2", issued.access_token, key)), "token_forged");
  EXPECT_EQ(refusal_of(show(registry, "k1", Bytes{issued.access_token}.first(40), key)), "token_malformed");
  EXPECT_EQ(refusal_of(show(registry, "k1", issued.access_token, mac_key.reveal())), "wrong_key");
  // RFC 7635 computes over the whole mac_key.
  EXPECT_EQ(refusal_of(show(registry, "k1", issued.access_token, key.first(16))), "wrong_key");
}

TEST(AccessToken, IsForOneServerName) {
  Registry registry = make_registry();
  const ByteVector elsewhere =
      seal({.mac_key = mac_key, .timestamp = today, .lifetime = 600}, "turn2.ims.example");
  EXPECT_EQ(refusal_of(show(registry, "k1", elsewhere, mac_key.reveal())), "token_forged");
}

TEST(AccessToken, IsGoodForItsLifetimeToBothSides) {
  Registry registry = make_registry();
  const ByteVector token = seal({.mac_key = mac_key, .timestamp = today, .lifetime = 600});
  const auto show_at = [&](WallTime wall) {
    return refusal_of(show(registry, "k1", token, mac_key.reveal(), wall));
  };
  EXPECT_EQ(show_at(test_wall - 605s), "not_yet_valid");
  EXPECT_EQ(show_at(test_wall - 604s), "granted");
  EXPECT_EQ(show_at(test_wall), "granted");
  EXPECT_EQ(show_at(test_wall + 604s), "granted");
  EXPECT_EQ(show_at(test_wall + 605s), "expired");
}

TEST(AccessToken, OfTheFutureEndsEarly) {
  Registry registry = make_registry();
  const ByteVector token = seal({.mac_key = mac_key, .timestamp = today, .lifetime = 600});
  const auto end_at = [&](WallTime wall) {
    return show(registry, "k1", token, mac_key.reveal(), wall).value()->expires_at;
  };
  EXPECT_EQ(end_at(test_wall - 500s), test_wall - 500s + 105s);
  EXPECT_EQ(end_at(test_wall), test_wall + 605s);
}

TEST(AccessToken, WithoutALifetimeIsRefused) {
  Registry registry = make_registry();
  const ByteVector token = seal({.mac_key = mac_key, .timestamp = today});
  EXPECT_EQ(refusal_of(show(registry, "k1", token, mac_key.reveal())), "token_without_lifetime");
}

TEST(AccessToken, HasNoRoomForAPolicy) {
  Registry registry = make_registry();
  const ByteVector token =
      seal({.mac_key = mac_key, .timestamp = today, .lifetime = 600, .policy = TokenPolicy{"s1", {}}});
  EXPECT_EQ(refusal_of(show(registry, "k1", token, mac_key.reveal())), "token_malformed");
}

TEST(AccessToken, IsNotGoodForAnotherRequestWithoutIt) {
  Registry registry = make_registry();
  const IssuedToken issued = issue();
  ASSERT_TRUE(show(registry, issued));
  // The mac_key alone, as if the kid were a user and this its key.
  const Claim claim{.realm = test_realm, .username = issued.kid};
  EXPECT_EQ(refusal_of(registry.authenticate(claim, Signed{Key{issued.mac_key.reveal()}}, test_wall)),
            "unknown_user");
}

TEST(AccessToken, IsOpenedOnlyOnce) {
  Registry registry = make_registry();
  const IssuedToken issued = issue("8f3a");
  const GrantPtr first = show(registry, issued).value();
  EXPECT_EQ(registry.last_effort(), (Effort{.proofs = 1, .key_derivations = 1, .openings = 1}));
  EXPECT_EQ(show(registry, issued).value(), first);
  EXPECT_EQ(registry.last_effort(), Effort{.proofs = 1});
  // Of another token under the same kid nothing is known.
  const IssuedToken other = issue("8f3a", make_tokens(), 3);
  EXPECT_NE(show(registry, other).value(), first);
}

TEST(AccessToken, EndsWithItsKey) {
  TokenSettings tokens = make_tokens();
  tokens.keys[0].not_before = test_wall - 10s;
  tokens.keys[0].not_after = test_wall + 300s;
  Registry registry = make_registry(tokens);
  const IssuedToken issued = issue();
  EXPECT_EQ(refusal_of(show(registry, issued, test_wall - 11s)), "unknown_key");
  EXPECT_EQ(refusal_of(show(registry, issued, test_wall + 299s)), "granted");
  EXPECT_EQ(refusal_of(show(registry, issued, test_wall + 300s)), "unknown_key");
}

TEST(AccessToken, IsRevokedByEachKind) {
  const IssuedToken issued = issue("8f3a");
  for (const auto& [by, value] :
       {std::pair{By::username, std::string{"k1.8f3a"}}, std::pair{By::subject, std::string{"8f3a"}},
        std::pair{By::kid, std::string{"k1.8f3a"}}, std::pair{By::kid, std::string{"k1"}},
        std::pair{By::token_hash, to_hex(crypto::sha256(issued.access_token))}}) {
    Registry registry = make_registry();
    const GrantPtr grant = show(registry, issued).value();
    ASSERT_TRUE(registry.deny_list().add({by, value}, test_wall));
    EXPECT_EQ(refusal_of(show(registry, issued)), "revoked") << value;
    EXPECT_TRUE(registry.is_revoked(*grant, test_wall));
    EXPECT_EQ(refusal_of(show(registry, issue("8f3b"))), value == "k1" ? "revoked" : "granted");
  }
}

struct MacKeyCase {
  MacKeyRule rule;
  std::string_view whole, cut;
};

TEST(MacKey, IsUsedByTheRule) {
  for (const auto& [rule, whole, cut] : {MacKeyCase{MacKeyRule::rfc7635, "granted", "wrong_key"},
                                         MacKeyCase{MacKeyRule::coturn16, "wrong_key", "granted"},
                                         MacKeyCase{MacKeyRule::automatic, "granted", "granted"}}) {
    TokenSettings tokens = make_tokens();
    tokens.mac_key = rule;
    const IssuedToken issued = issue();
    const Bytes key = issued.mac_key.reveal();
    Registry first = make_registry(tokens);
    EXPECT_EQ(refusal_of(show(first, "k1", issued.access_token, key)), whole);
    EXPECT_EQ(refusal_of(show(first, "k1", issued.access_token, key.first(16))), cut);
    EXPECT_EQ(refusal_of(show(first, "k1", issued.access_token, key.first(15))), "wrong_key");
  }
}

TEST(MacKey, MayBeShorterThanCoturnCuts) {
  TokenSettings tokens = make_tokens();
  for (const MacKeyRule rule : {MacKeyRule::rfc7635, MacKeyRule::coturn16, MacKeyRule::automatic}) {
    tokens.mac_key = rule;
    Registry registry = make_registry(tokens);
    const Secret short_key = Secret::from_text("short");
    const ByteVector token = seal({.mac_key = short_key, .timestamp = today, .lifetime = 600});
    EXPECT_EQ(refusal_of(show(registry, "k1", token, short_key.reveal())), "granted");
    EXPECT_EQ(refusal_of(show(registry, "k1", token, mac_key.reveal())), "wrong_key");
  }
}

TEST(BrowserForm, CarriesItsPolicy) {
  Registry registry = make_registry();
  const TokenPolicy policy{
      "mfzwizltoq",
      {.allocations_max = 2,
       .bytes_per_second = 125'000,
       .allowed_peers = {*IpPrefix::parse("198.51.100.0/24"), *IpPrefix::parse("2001:db8::/32")}}};
  const IssuedPassword issued = issue_browser(policy);
  const auto grant = show(registry, issued);
  ASSERT_TRUE(grant);
  EXPECT_EQ((*grant)->source, Source::token);
  EXPECT_EQ((*grant)->username, issued.username);
  EXPECT_EQ((*grant)->subject, "mfzwizltoq");
  EXPECT_EQ((*grant)->kid, "k1");
  EXPECT_EQ((*grant)->policy, policy.policy);
  EXPECT_EQ((*grant)->expires_at, test_wall + 605s);
  EXPECT_EQ((*grant)->userhash, make_userhash(issued.username, test_realm));
  EXPECT_EQ((*grant)->key, make_long_term_key(PasswordAlgorithm::md5, issued.username, test_realm,
                                              issued.password.reveal_text()));
}

TEST(BrowserForm, WorksWithBothPasswordAlgorithms) {
  Registry registry = make_registry();
  const IssuedPassword issued = issue_browser();
  const auto show_with = [&](PasswordAlgorithm claimed, PasswordAlgorithm used) {
    const Claim claim{.realm = test_realm, .username = issued.username, .algorithm = claimed};
    return refusal_of(registry.authenticate(
        claim, signed_by(issued.username, issued.password.reveal_text(), used), test_wall));
  };
  EXPECT_EQ(show_with(PasswordAlgorithm::sha256, PasswordAlgorithm::sha256), "granted");
  EXPECT_EQ(show_with(PasswordAlgorithm::md5, PasswordAlgorithm::md5), "granted");
  EXPECT_EQ(show_with(PasswordAlgorithm::md5, PasswordAlgorithm::sha256), "wrong_key");
}

TEST(BrowserForm, TakesATokenOfTheRfcAndItsDerivedKid) {
  Registry registry = make_registry();
  const IssuedToken token = issue("8f3a");
  const IssuedPassword issued{.username = token.kid + "." + to_base64url(token.access_token),
                              .password = Secret::from_text(to_base64(token.mac_key.reveal()))};
  const auto grant = show(registry, issued);
  ASSERT_TRUE(grant);
  EXPECT_EQ((*grant)->kid, "k1.8f3a");
  EXPECT_EQ((*grant)->subject, "8f3a");
  EXPECT_EQ((*grant)->policy, (Policy{.allocations_max = 4}));
}

TEST(BrowserForm, IsRefusedWithTheReason) {
  Registry registry = make_registry();
  const IssuedPassword issued = issue_browser();
  const auto refuse = [&](std::string username) {
    return refusal_of(show(registry, {std::move(username), issued.password}));
  };
  const std::string token = issued.username.substr(3);
  EXPECT_EQ(refuse(issued.username + "A"), "malformed_username");  // no base64url has this length
  EXPECT_EQ(refuse("k1." + token.substr(0, 8) + "!" + token.substr(9)), "malformed_username");
  EXPECT_EQ(refuse("k9." + token), "unknown_key");
  EXPECT_EQ(refuse("k1.8f3a." + token), "token_forged");
  EXPECT_EQ(refuse("k1." + std::string(64, 'A')), "token_malformed");
  EXPECT_EQ(refuse("k1." + token.substr(0, 40)), "unknown_user");  // too short to be a token
  EXPECT_EQ(refuse("k1"), "unknown_user");
  EXPECT_EQ(refuse("alice.smith"), "unknown_user");
  EXPECT_EQ(refuse("."), "unknown_user");
  EXPECT_EQ(refusal_of(show(registry, {issued.username, Secret::from_text("guess")})), "wrong_key");
  EXPECT_EQ(refusal_of(show(registry, issued, test_wall + 605s)), "expired");
}

TEST(BrowserForm, OfAnUnknownPolicyIsMalformed) {
  Registry registry = make_registry();
  // Version 2 under a good seal: what comes after the mac_key of 1 byte, timestamp and lifetime.
  ByteVector plaintext{0, 1, 'm'};
  plaintext.resize(15);
  store_big(plaintext.data() + 3, today);
  store_big(plaintext.data() + 11, std::uint32_t{600});
  const ByteVector nonce(12, 9);
  const auto make_name = [&](const ByteVector& inside) {
    ByteVector token{0, 12};
    token.insert(token.end(), nonce.begin(), nonce.end());
    const auto sealed =
        crypto::aes_gcm_seal(as_bytes("HGkj32KJGiuy098sdfaqbNjOiaz71923"), nonce, as_bytes(server), inside);
    token.insert(token.end(), sealed.begin(), sealed.end());
    return "k1." + to_base64url(token);
  };
  const Secret password = Secret::from_text(to_base64(as_bytes("m")));
  EXPECT_EQ(refusal_of(show(registry, {make_name(plaintext), password})), "granted");
  plaintext.push_back(2);
  EXPECT_EQ(refusal_of(show(registry, {make_name(plaintext), password})), "token_malformed");
}

TEST(BrowserForm, DoesNotOpenAfterAChangeOfAnyCharacter) {
  Registry registry = make_registry();
  const IssuedPassword issued = issue_browser({"s1", {}});
  for (std::size_t at = 0; at < issued.username.size(); ++at) {
    IssuedPassword changed = issued;
    changed.username[at] = changed.username[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(show(registry, changed)) << changed.username;
  }
}

TEST(BrowserForm, IsOpenedOnlyOnce) {
  Registry registry = make_registry();
  const IssuedPassword issued = issue_browser();
  const GrantPtr first = show(registry, issued).value();
  EXPECT_EQ(registry.last_effort(), (Effort{.proofs = 1, .long_term_keys = 1, .openings = 1}));
  EXPECT_EQ(show(registry, issued).value(), first);
  EXPECT_EQ(registry.last_effort(), Effort{.proofs = 1});
}

TEST(BrowserForm, CanBeTurnedOff) {
  TokenSettings tokens = make_tokens();
  tokens.browser_form = false;
  Registry registry = make_registry(tokens);
  EXPECT_EQ(refusal_of(show(registry, issue_browser())), "unknown_user");
  EXPECT_EQ(refusal_of(show(registry, issue())), "granted");
}

TEST(Anonymity, IsOfferedWhereNoTokenNeedsItsName) {
  TokenSettings tokens = make_tokens();
  EXPECT_FALSE(make_registry(tokens).offers_username_anonymity());
  tokens.browser_form = false;
  EXPECT_FALSE(make_registry(tokens).offers_username_anonymity());
  tokens.keys[0].derives = false;
  EXPECT_TRUE(make_registry(tokens).offers_username_anonymity());
  tokens.browser_form = true;
  EXPECT_FALSE(make_registry(tokens).offers_username_anonymity());
}

TEST(WithdrawnIssuer, LosesWhatRunsAndWhatWouldBegin) {
  Registry registry = make_registry();
  const GrantPtr plain = show(registry, issue()).value();
  const GrantPtr derived = show(registry, issue("8f3a")).value();
  const GrantPtr browser = show(registry, issue_browser({"s1", {}})).value();
  TokenSettings tokens = make_tokens();
  tokens.keys[1].kid = "x2";
  tokens.withdrawn_prefixes = {"k"};
  registry.reconfigure({.realm = std::string{test_realm}, .token = tokens});
  for (const GrantPtr& grant : {plain, derived, browser}) EXPECT_TRUE(registry.is_revoked(*grant, test_wall));
  // Also where its key is still there.
  EXPECT_EQ(refusal_of(show(registry, issue())), "unknown_key");
  EXPECT_EQ(refusal_of(show(registry, issue("8f3a"))), "unknown_key");
  EXPECT_EQ(refusal_of(show(registry, issue_browser({"s1", {}}))), "unknown_key");
  TokenSettings others = tokens;
  others.keys.erase(others.keys.begin());
  const GrantPtr other = show(registry, issue({}, others)).value();
  EXPECT_EQ(other->kid, "x2");
  EXPECT_FALSE(registry.is_revoked(*other, test_wall)) << "other issuers are not touched";

  registry.reconfigure({.realm = std::string{test_realm}, .token = make_tokens()});
  EXPECT_FALSE(registry.is_revoked(*plain, test_wall));
  EXPECT_EQ(refusal_of(show(registry, issue())), "granted");
}

TEST(Explanation, OpensTheBrowserForm) {
  const Registry registry = make_registry();
  const IssuedPassword issued = issue_browser({"s1", {.allocations_max = 9}});
  const auto grant = registry.explain(issued.username, test_wall);
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->subject, "s1");
  EXPECT_EQ(grant->policy.allocations_max, 9U);
  EXPECT_EQ(registry.explain(issued.username, test_wall + 605s).error(), Refusal::expired);
  EXPECT_EQ(registry.explain("k9" + issued.username.substr(2), test_wall).error(), Refusal::unknown_key);
}

TEST(Explanation, KnowsAKidAlone) {
  TokenSettings tokens = make_tokens();
  tokens.keys[1].not_after = test_wall + 60s;
  Registry registry = make_registry(tokens);
  EXPECT_EQ(registry.explain("k1", test_wall)->kid, "k1");
  EXPECT_EQ(registry.explain("k1.8f3a", test_wall)->subject, "8f3a");
  EXPECT_EQ(registry.explain("k2", test_wall)->expires_at, test_wall + 60s);
  EXPECT_EQ(registry.explain("k2", test_wall + 60s).error(), Refusal::unknown_key);
  EXPECT_EQ(registry.explain("k3", test_wall).error(), Refusal::unknown_user);
  ASSERT_TRUE(registry.deny_list().add({By::kid, "k1"}, test_wall));
  EXPECT_EQ(registry.explain("k1.8f3a", test_wall).error(), Refusal::revoked);
}

}  // namespace
}  // namespace turnpike::credentials
