#include "credentials/issue.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <set>
#include <string>

#include "credentials/registry.hpp"
#include "credentials/test_claims.hpp"
#include "credentials/token.hpp"

namespace turnpike::credentials {
namespace {

using namespace std::chrono_literals;

ComputedSettings make_computed(std::string id = {}) {
  return {.secrets = {{std::move(id), Secret::from_text("s3cr3t-turn-key")}}};
}

TokenSettings make_tokens() {
  return {.server_name = "turn.ims.example",
          .keys = {{.kid = "k1", .key = Secret::from_text("HGkj32KJGiuy098sdfaqbNjOiaz71923")}}};
}

TEST(OpaqueId, TellsNothingAndDiffersBySalt) {
  const Secret key = Secret::from_text("private key of the edge");
  const std::string id = make_opaque_id(key, "sip:alice@ims.example", "1");
  EXPECT_EQ(id.size(), 16U);
  EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
  EXPECT_EQ(id, make_opaque_id(key, "sip:alice@ims.example", "1"));
  EXPECT_NE(id, make_opaque_id(key, "sip:alice@ims.example", "2"));
  EXPECT_NE(id, make_opaque_id(key, "sip:bob@ims.example", "1"));
  EXPECT_NE(id, make_opaque_id(Secret::from_text("another key"), "sip:alice@ims.example", "1"));
}

TEST(OpaqueId, IsTheBase32OfAnHmac) {
  // Computed by Python's hmac and base64.
  EXPECT_EQ(make_opaque_id(Secret::from_text("Jefe"), "what do ya", "want"), "he225ytx4422fl4a");
}

TEST(IssueComputed, MakesTheKnownCredential) {
  const IssuedPassword issued = issue_computed(make_computed(), "impi-3f2a@ims.example", test_wall + 999ms);
  EXPECT_EQ(issued.username, "1893456000:impi-3f2a@ims.example");
  EXPECT_EQ(issued.password.reveal_text(), "teJwk4ql4rrsQZ01U/Q+SmpDWss=");
  EXPECT_EQ(issued.expires_at, test_wall);
}

TEST(IssueComputed, NamesItsSecret) {
  EXPECT_EQ(issue_computed(make_computed("k2"), "x", test_wall).username, "1893456000:k2.x");
  EXPECT_EQ(issue_computed(make_computed("k2"), "", test_wall).username, "1893456000");
  EXPECT_EQ(issue_computed(make_computed(), "x", from_unix_seconds(0) - 5s).username, "0:x");
}

TEST(IssuePushed, DrawsNameAndPassword) {
  SeededRandom random{8};
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const IssuedPushed issued =
        issue_pushed(test_realm, "s1", test_wall + 600s, {.allocations_max = 2}, random);
    EXPECT_EQ(issued.shown.username.size(), 16U);
    EXPECT_EQ(issued.shown.password.size(), 27U);
    EXPECT_TRUE(seen.insert(issued.shown.username).second);
    EXPECT_TRUE(seen.insert(std::string{issued.shown.password.reveal_text()}).second);
    EXPECT_EQ(issued.stored.username, issued.shown.username);
    EXPECT_EQ(issued.stored.subject, "s1");
    EXPECT_EQ(issued.stored.expires_at, test_wall + 600s);
    EXPECT_EQ(issued.stored.policy.allocations_max, 2U);
    EXPECT_EQ(issued.stored.key_md5, make_long_term_key(PasswordAlgorithm::md5, issued.shown.username,
                                                        test_realm, issued.shown.password.reveal_text()));
    EXPECT_EQ(issued.stored.key_sha256.reveal().size(), 32U);
  }
}

TEST(IssueToken, MakesWhatDecodes) {
  SeededRandom random{9};
  const TokenSettings tokens = make_tokens();
  const auto issued = issue_token(tokens, {}, test_wall, 600s, random);
  ASSERT_TRUE(issued);
  EXPECT_EQ(issued->kid, "k1");
  EXPECT_EQ(issued->expires_at, test_wall + 600s);
  EXPECT_EQ(issued->algorithm, TokenAlgorithm::a256gcm);
  EXPECT_EQ(issued->access_token.size(), 64U);
  const auto content = decode_token(issued->access_token,
                                    {.key = tokens.keys[0].key.reveal(), .server_name = tokens.server_name});
  ASSERT_TRUE(content);
  EXPECT_TRUE(content->mac_key.equals(issued->mac_key.reveal()));
  EXPECT_EQ(content->mac_key.size(), 20U);
  EXPECT_EQ(content->lifetime, 600U);
  EXPECT_EQ(content->timestamp, to_token_timestamp(test_wall));
  EXPECT_EQ(content->policy, std::nullopt);
}

TEST(IssueToken, DiffersAtEachIssue) {
  SeededRandom random{10};
  const auto first = issue_token(make_tokens(), {}, test_wall, 600s, random);
  const auto second = issue_token(make_tokens(), {}, test_wall, 600s, random);
  EXPECT_NE(first->access_token, second->access_token);
  EXPECT_FALSE(first->mac_key.equals(second->mac_key.reveal()));
}

TEST(IssueToken, DerivesAKidByItsSuffix) {
  SeededRandom random{11};
  TokenSettings tokens = make_tokens();
  const auto issued = issue_token(tokens, "8f3a", test_wall, 600s, random);
  ASSERT_TRUE(issued);
  EXPECT_EQ(issued->kid, "k1.8f3a");
  EXPECT_FALSE(issue_token(tokens, "8f.3a", test_wall, 600s, random));
  EXPECT_FALSE(issue_token(tokens, std::string(506, 'x'), test_wall, 600s, random));
  EXPECT_TRUE(issue_token(tokens, std::string(505, 'x'), test_wall, 600s, random));
  tokens.keys[0].derives = false;
  EXPECT_FALSE(issue_token(tokens, "8f3a", test_wall, 600s, random));
  tokens.keys.push_back({.kid = "k2", .key = Secret::from_text("HGkj32KJGiuy098sdfaqbNjOiaz71923")});
  EXPECT_EQ(issue_token(tokens, "8f3a", test_wall, 600s, random)->kid, "k2.8f3a");
}

TEST(IssueToken, UsesTheFirstKeyThatOutlivesTheToken) {
  SeededRandom random{12};
  TokenSettings tokens = make_tokens();
  tokens.keys.push_back({.kid = "k2",
                         .key = Secret::from_text("0123456789abcdef"),
                         .algorithm = TokenAlgorithm::a128gcm,
                         .not_before = test_wall - 60s});
  tokens.keys[0].not_after = test_wall + 600s;
  const auto kid_at = [&](WallTime wall) {
    const auto issued = issue_token(tokens, {}, wall, 600s, random);
    return issued ? issued->kid : "none";
  };
  EXPECT_EQ(kid_at(test_wall), "k1");
  EXPECT_EQ(kid_at(test_wall + 1s), "k2");
  EXPECT_EQ(kid_at(test_wall + 601s), "k2");
  tokens.keys[1].not_before = test_wall + 700s;
  EXPECT_EQ(kid_at(test_wall + 601s), "none");
}

TEST(IssueToken, HasALifetime) {
  SeededRandom random{13};
  for (const auto lifetime : {0s, -1s, std::chrono::seconds{std::numeric_limits<std::uint32_t>::max()} + 1s,
                              std::chrono::seconds::max()})
    EXPECT_FALSE(issue_token(make_tokens(), {}, test_wall, lifetime, random)) << lifetime.count();
  EXPECT_TRUE(issue_token(make_tokens(), {}, test_wall, 1s, random));
  EXPECT_FALSE(issue_token({.server_name = "turn.ims.example"}, {}, test_wall, 600s, random));
}

TEST(IssueBrowserToken, MakesAUsernameThatBrowsersTake) {
  SeededRandom random{14};
  const TokenPolicy policy{.subject = "mfzwizltoq"};
  const auto issued = issue_browser_token(make_tokens(), policy, test_wall, 600s, random);
  ASSERT_TRUE(issued);
  EXPECT_TRUE(issued->username.starts_with("k1."));
  EXPECT_LE(issued->username.size(), 140U);
  EXPECT_EQ(
      issued->username.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."),
      std::string::npos);
  EXPECT_EQ(from_base64(issued->password.reveal_text())->size(), 20U);
  EXPECT_EQ(issued->expires_at, test_wall + 600s);
}

TEST(IssueBrowserToken, RefusesAPolicyThatDoesNotFitAUsername) {
  SeededRandom random{15};
  TokenPolicy policy{.subject = std::string(255, 's')};
  const auto longest = issue_browser_token(make_tokens(), policy, test_wall, 600s, random);
  ASSERT_TRUE(longest);
  EXPECT_LE(longest->username.size(), username_bytes_max);
  policy.subject.push_back('s');
  EXPECT_FALSE(issue_browser_token(make_tokens(), policy, test_wall, 600s, random));
  policy.subject.clear();
  policy.policy.allowed_peers.resize(40);
  EXPECT_TRUE(issue_browser_token(make_tokens(), policy, test_wall, 600s, random));
  for (const std::size_t count : {100U, 255U, 256U}) {
    policy.policy.allowed_peers.resize(count);
    EXPECT_FALSE(issue_browser_token(make_tokens(), policy, test_wall, 600s, random)) << count;
  }
  TokenSettings tokens = make_tokens();
  tokens.keys[0].kid = std::string(500, 'k');
  EXPECT_FALSE(issue_browser_token(tokens, {}, test_wall, 600s, random));
}

}  // namespace
}  // namespace turnpike::credentials
