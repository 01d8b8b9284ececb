// [waf].
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "program/config.hpp"
#include "program/serving.hpp"
#include "program/waf_settings.hpp"

namespace turnpike::program {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

// Five lines.
constexpr std::string_view relay = R"([turn]
listen = ["udp:192.0.2.1:3478"]
realm = "ims.example"
[credentials.token]
keys = [{ kid = "t1", key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" }]
)";
constexpr std::string_view least = R"([waf]
certificate = "c.pem"
key = "k.pem"
issuer = "https://waf.ims.example"
database = "waf.db"
secret = "a-secret-of-thirty-two-characters"
audience = "epcscf.ims.example"
)";
constexpr std::string_view much = R"(listen = ["https:192.0.2.1:443", "http:127.0.0.1:8080"]
allow_cleartext = true
title = "IMS example"
resources = ["https://epcscf.ims.example/"]
origins = ["https://wic.example"]
dpop_requires_nonce = false
trusted_proxies = ["192.0.2.0/24", "2001:db8::1/128"]
[waf.locks.per_user_and_source]
failures = 3
memory_seconds = 60
lock_seconds = 10
lock_max_seconds = 20
[waf.passwords]
log2_n = 16
r = 4
p = 2
[waf.turn]
uris = ["turn:turn.ims.example:3478?transport=udp"]
resources = ["https://turn.ims.example/"]
[waf.scopes]
"ims" = "make calls"
"turn" = "use relays"
[waf.lifetimes]
access_token_seconds = 600
[waf.keys]
algorithm = "PS256"
signs_for_seconds = 7200
published_before_seconds = 3600
[waf.limits]
connections_total = 10
connections_per_source = 5
requests_per_second_per_source = 20
logins_waiting = 3
sessions_per_user = 4
authorizations_per_user = 5
audit_entries = 1000
audit_entries_of_strangers = 100
audit_days = 30
)";

LoadedConfig parsed(std::string_view more, std::string_view before = relay) {
  return parse_config(std::string{before} + std::string{more}, "t.toml");
}
Lines problems_after(std::string_view more, std::string_view before = relay) {
  return parsed(more, before).problems;
}

TEST(ConfigOfWaf, NeedsLittle) {
  const LoadedConfig loaded = parsed(least);
  ASSERT_EQ(loaded.problems, Lines{});
  const WafConfig& waf = *loaded.config.waf;
  EXPECT_EQ(waf.database, "waf.db");
  const service::WafNodeSettings node = make_waf_node_settings(loaded.config);
  ASSERT_EQ(node.listeners.size(), 1U);
  EXPECT_EQ(node.listeners.front().listen.to_string(), "0.0.0.0:8445");
  EXPECT_EQ(node.listeners.front().certificate_file, "c.pem");
  EXPECT_EQ(node.waf.registration.audience, "epcscf.ims.example");
  ASSERT_EQ(node.waf.turn.size(), 1U);
  EXPECT_EQ(node.waf.turn.front().token.server_name, "ims.example");
  EXPECT_EQ(node.waf.turn.front().uris, Lines{"turn:192.0.2.1:3478?transport=udp"});
  EXPECT_FALSE(node.waf.key.equals(make_waf_storage_key(waf).reveal()))
      << "a key of its own for each purpose";
}

TEST(ConfigOfWaf, ReadsEverything) {
  const LoadedConfig loaded = parsed(std::string{least} + std::string{much});
  ASSERT_EQ(loaded.problems, Lines{});
  const service::WafNodeSettings node = make_waf_node_settings(loaded.config);
  ASSERT_EQ(node.listeners.size(), 2U);
  EXPECT_EQ(node.listeners.back().certificate_file, "");
  EXPECT_EQ(node.listeners.back().connections_max, 10U);
  EXPECT_EQ(node.listeners.back().connections_per_source_max, 5U);
  EXPECT_EQ(node.listeners.back().proxies.size(), 2U);
  EXPECT_EQ(node.requests_per_second_per_source, 20U);
  EXPECT_EQ(node.passwords_waiting_max, 3U);
  EXPECT_EQ(node.waf.title, "IMS example");
  EXPECT_EQ(node.waf.registration.resources, Lines{"https://epcscf.ims.example/"});
  EXPECT_EQ(node.waf.cors_origins, Lines{"https://wic.example"});
  EXPECT_FALSE(node.waf.dpop_requires_nonce);
  EXPECT_EQ(node.waf.turn.front().uris, Lines{"turn:turn.ims.example:3478?transport=udp"});
  EXPECT_EQ(node.waf.turn.front().resources, Lines{"https://turn.ims.example/"});
  EXPECT_EQ(node.waf.scopes.at("ims"), "make calls");
  EXPECT_EQ(node.waf.lifetimes.access_token, 600s);
  EXPECT_EQ(node.waf.keys.algorithm, jose::Algorithm::ps256);
  EXPECT_EQ(node.waf.keys.signs_for, 7200s);
  EXPECT_EQ(node.waf.limits.sessions_per_user_max, 4U);
  EXPECT_EQ(node.waf.limits.families_per_user_max, 5U);
  ASSERT_EQ(node.waf.trusted_proxies.size(), 2U);
  EXPECT_EQ(node.waf.trusted_proxies.front().to_string(), "192.0.2.0/24");
  EXPECT_EQ(node.waf.locks.per_user_and_source.failures_max, 3U);
  EXPECT_EQ(node.waf.locks.per_user_and_source.lock_max, 20s);
  EXPECT_EQ(node.waf.locks.per_user.failures_max, 50U) << "what is not named stays";
  EXPECT_EQ(node.waf.password_cost, (PasswordCost{.log2_n = 16, .r = 4, .p = 2}));
  EXPECT_EQ(loaded.config.waf->ledger.audit_max, 1000U);
  EXPECT_EQ(loaded.config.waf->ledger.audit_strangers_max, 100U);
  EXPECT_EQ(loaded.config.waf->ledger.audit_for, 30 * 24h);
}

TEST(ConfigOfWaf, PrintsWhatItReads) {
  const std::string text = std::string{least} + std::string{much};
  const std::string printed = format_config(parsed(text).config);
  EXPECT_FALSE(printed.contains("thirty-two")) << "a secret";
  for (std::string_view rest = much; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
    const std::string line{rest.substr(0, rest.find('\n'))};
    EXPECT_TRUE(printed.contains(line)) << line;
  }
  const std::string told = describe_config(parsed(text).config);
  EXPECT_TRUE(
      told.contains("WAF          https:192.0.2.1:443, http:127.0.0.1:8080, issuer "
                    "https://waf.ims.example, accounts in waf.db\n"))
      << told;
}

TEST(ConfigOfWaf, SaysWhatIsMissing) {
  Lines keys;
  for (const std::string& problem : problems_after("[waf]\n"))
    keys.emplace_back(problem.substr(0, problem.find(", allowed: ")));
  EXPECT_EQ(keys, (Lines{"t.toml:6: waf.certificate: missing", "t.toml:6: waf.key: missing",
                         "t.toml:6: waf.database: missing", "t.toml:6: waf.secret: missing",
                         "t.toml:6: waf.issuer: missing", "t.toml:6: waf.audience: missing"}));
}

TEST(ConfigOfWaf, SaysWhatIsWrong) {
  const auto instead = [](std::string_view line, std::string_view other) {
    std::string text{least};
    const auto at = text.find(line);
    return problems_after(text.replace(at, text.find('\n', at) - at, other));
  };
  EXPECT_EQ(instead("issuer", "issuer = \"http://waf.ims.example\""),
            (Lines{"t.toml:6: waf: the issuer is an https URL without a / at its end, or http to loopback"}));
  EXPECT_EQ(instead("secret", "secret = \"short\""),
            (Lines{"t.toml:11: waf.secret: found 5 bytes, allowed: at least 32 bytes; make some with "
                   "`turnpike key generate`"}));
  EXPECT_EQ(instead("audience", "audience = \"ims.example\""),
            (Lines{"t.toml:6: waf: the audience ims.example occurs twice"}));
  EXPECT_EQ(problems_after(std::string{least} + "isuer = 1\n"),
            (Lines{"t.toml:13: waf.isuer: unknown key; did you mean \"issuer\"?"}));
  EXPECT_EQ(problems_after(std::string{least} + "listen = [\"http:192.0.2.1:80\"]\n").size(), 1U);
  EXPECT_EQ(problems_after(std::string{least} + "[waf.scopes]\n\"a b\" = \"two\"\n"),
            (Lines{"t.toml:14: waf.scopes.a b: found a name that is no scope, allowed: one without spaces"}));
  EXPECT_EQ(problems_after(std::string{least} + "[waf.keys]\nsigns_for_seconds = 3600\n"),
            (Lines{"t.toml:6: waf: a key is published for longer before it signs than it signs"}));
  EXPECT_EQ(
      problems_after(std::string{least} + "[waf.locks.per_user]\nlock_max_seconds = 5\n"),
      (Lines{"t.toml:14: waf.locks.per_user.lock_max_seconds: found 5, allowed: at least lock_seconds, 60"}));
  EXPECT_EQ(
      problems_after(std::string{least} + "[waf.passwords]\nlog2_n = 20\n"),
      (Lines{"t.toml:14: waf.passwords.log2_n: found 1024 MiB for each check (128 * r * 2^log2_n bytes), "
             "allowed: at most 256"}));
  EXPECT_EQ(problems_after(std::string{least} + "trusted_proxies = [\"proxy.example\"]\n").size(), 1U);
}

TEST(ConfigOfWaf, StandsAlone) {
  EXPECT_EQ(problems_after(least, ""), Lines{}) << "registration tokens alone";
  constexpr std::string_view elsewhere = R"([credentials]
realm = "ims.example"
server_name = "turn.ims.example"
uris = ["turn:turn.ims.example:3478?transport=udp"]
[credentials.token]
keys = [{ kid = "t1", key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" }]
)";
  EXPECT_EQ(problems_after(least, elsewhere), Lines{});
  EXPECT_EQ(
      problems_after(std::string{least} + "[waf.turn]\n", ""),
      (Lines{"t.toml:8: waf.turn: found without [credentials.token] keys, allowed: beside them, as tokens "
             "are made with them"}));
  constexpr std::string_view nowhere = R"([credentials.token]
keys = [{ kid = "t1", key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" }]
)";
  EXPECT_EQ(problems_after(least, nowhere).size(), 3U) << "realm, URIs, and a server name";
}

constexpr std::string_view providers = R"([[waf.providers]]
name = "corp"
title = "Corp"
issuer = "https://idp.example/realms/ims"
client_id = "turnpike"
client_secret = "a-secret-of-ours"
method = "client_secret_post"
scope = "openid email"
algorithms = ["ES256"]
userinfo = true
token_audience = "urn:waf"
impis = ["*@ims.example"]
clock_skew_seconds = 10
ca_file = "ca.pem"
deadline_milliseconds = 3000
[[waf.providers.rules]]
require = { "email_verified" = true, "/realm_access/roles" = ["ims", 7] }
impi = "{email}"
impus = ["sip:{email}", "tel:{phone_number}"]
pool = true
wwsf = "shop"
[[waf.providers.rules]]
impi = "guest-{sub}@ims.example"
[[waf.jwt_issuers]]
issuer = "https://partner.example"
jwks_uri = "https://partner.example/jwks"
algorithms = ["RS256"]
impis = ["*@partner.example"]
impus = ["sip:*@partner.example", "tel:+4930*"]
wwsf = "partner"
pool = true
)";

TEST(ConfigOfWaf, ReadsWhoElseLogsUsersIn) {
  const LoadedConfig loaded =
      parsed(std::string{least} + "password_login = false\n" + std::string{providers});
  ASSERT_EQ(loaded.problems, Lines{});
  const service::WafNodeSettings node = make_waf_node_settings(loaded.config);
  EXPECT_FALSE(node.waf.offers_passwords);
  ASSERT_EQ(node.waf.providers.size(), 1U);
  const waf::Provider& provider = node.waf.providers.front();
  EXPECT_EQ(provider.client_secret.reveal_text(), "a-secret-of-ours");
  EXPECT_EQ(provider.method, waf::ClientMethod::client_secret_post);
  EXPECT_EQ(provider.algorithms, jose::AlgorithmSet{jose::Algorithm::es256});
  EXPECT_TRUE(provider.asks_userinfo);
  EXPECT_EQ(provider.token_audience, "urn:waf");
  EXPECT_EQ(provider.clock_skew, 10s);
  ASSERT_EQ(provider.rules.size(), 2U);
  const waf::ClaimRule& rule = provider.rules.front();
  ASSERT_EQ(rule.conditions.size(), 2U);
  EXPECT_EQ(rule.conditions.front().values, std::vector<waf::ClaimValue>{true});
  EXPECT_EQ(rule.conditions.back().claim, "/realm_access/roles");
  EXPECT_EQ(rule.conditions.back().values,
            (std::vector<waf::ClaimValue>{std::string{"ims"}, std::int64_t{7}}));
  EXPECT_EQ(provider.rules.back().impus, Lines{"sip:guest-{sub}@ims.example"}) << "of the private one";
  ASSERT_EQ(node.issuers.size(), 2U);
  EXPECT_EQ(node.issuers.front().ca_file, "ca.pem");
  EXPECT_EQ(node.issuers.front().jwks_uri, "") << "its metadata say it";
  EXPECT_EQ(node.issuers.front().deadline, 3000ms);
  EXPECT_EQ(node.issuers.back().jwks_uri, "https://partner.example/jwks");
  ASSERT_EQ(node.waf.assertion_issuers.size(), 1U);
  EXPECT_EQ(node.waf.assertion_issuers.front().impis, Lines{"*@partner.example"});
  EXPECT_EQ(node.waf.assertion_issuers.front().impus, (Lines{"sip:*@partner.example", "tel:+4930*"}));
  EXPECT_TRUE(node.waf.assertion_issuers.front().is_pool);
}

TEST(ConfigOfWaf, PrintsWhoElseLogsUsersIn) {
  const Config config = parsed(std::string{least} + std::string{providers}).config;
  const std::string printed = format_config(config);
  EXPECT_FALSE(printed.contains("a-secret-of-ours"));
  for (std::string_view rest = providers; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
    const std::string line{rest.substr(0, rest.find('\n'))};
    EXPECT_TRUE(line.starts_with("client_secret ") || printed.contains(line)) << line;
  }
  std::string with_secrets = printed;
  constexpr std::string_view mask = "(hidden)", secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
  for (std::size_t at = 0; (at = with_secrets.find(mask, at)) != std::string::npos;)
    with_secrets.replace(at, mask.size(), secret);
  const LoadedConfig again = parse_config(with_secrets, "t.toml");
  EXPECT_EQ(again.problems, Lines{}) << "what is printed can be read";
  EXPECT_TRUE(
      describe_config(config).contains("login        with Corp, https://idp.example/realms/ims, redirect URI "
                                       "https://waf.ims.example/federation/corp\n"));
}

TEST(ConfigOfWaf, SaysWhatIsWrongWithAProvider) {
  const auto instead = [](std::string_view line, std::string_view other) {
    std::string text{providers};
    const auto at = text.find(line);
    return problems_after(std::string{least} + text.replace(at, text.find('\n', at) - at, other));
  };
  EXPECT_EQ(problems_after(std::string{least} + "[[waf.providers]]\n").size(), 5U)
      << "name, issuer, client_id, client_secret, rules";
  EXPECT_EQ(instead("issuer", "issuer = \"http://idp.example\""),
            (Lines{"t.toml:6: waf: the provider corp: its issuer is an https URL, or http to loopback",
                   "t.toml:16: waf.providers[0].issuer: found \"http://idp.example\", allowed: an https URL, "
                   "or an http URL of this machine"}));
  EXPECT_EQ(instead("method", "method = \"tls\"").front(),
            "t.toml:19: waf.providers[0].method: found \"tls\", allowed: \"client_secret_basic\", "
            "\"client_secret_post\", \"private_key_jwt\", \"none\"");
  EXPECT_EQ(instead("algorithms", "algorithms = [\"HS256\"]").front(),
            "t.toml:21: waf.providers[0].algorithms: found \"HS256\", allowed: a list of \"RS256\", "
            "\"PS256\" and \"ES256\"");
  EXPECT_EQ(instead("require", "require = { email_verified = 1.5 }").front(),
            "t.toml:29: waf.providers[0].rules[0].require.email_verified: found 1.5, allowed: a text, true, "
            "false, a whole number, or a list of them");
  EXPECT_EQ(instead("impi = ", "impi = \"{email\""),
            (Lines{"t.toml:6: waf: the provider corp: the impi of a rule has claims in braces, such as "
                   "{preferred_username}"}));
  EXPECT_EQ(instead("impis = ", ""),
            (Lines{"t.toml:6: waf: the provider corp: the impi of a rule has no @ of its own: impis has to "
                   "say which ones the provider may name"}));
  EXPECT_EQ(instead("jwks_uri", "jwks_file = \"/nowhere\"").front(),
            "t.toml:38: waf.jwt_issuers[0].jwks_file: cannot read /nowhere: No such file or directory");
  EXPECT_EQ(
      instead("jwks_uri", ""),
      (Lines{
          "t.toml:36: waf.jwt_issuers[0]: found 0 of them, allowed: exactly one of jwks_uri and jwks_file"}));
  EXPECT_EQ(
      instead("impis = [\"*@partner", ""),
      (Lines{"t.toml:41: waf.jwt_issuers[0].impus: found without impis, allowed: beside the impis that it "
             "may name"}));
  EXPECT_EQ(problems_after(std::string{least} + "password_login = false\n"),
            (Lines{"t.toml:6: waf: without passwords and providers nobody can log in"}));
}

TEST(ConfigOfWaf, TellsWhatAReloadCannotTakeIn) {
  const Config before = parsed(least).config;
  const Config soft = parsed(std::string{least} + R"(title = "other"
origins = ["https://a.example"]
[waf.lifetimes]
access_token_seconds = 60
[waf.limits]
sessions_per_user = 3
[waf.locks.per_source]
failures = 9
[waf.passwords]
p = 4
)" + std::string{providers})
                          .config;
  EXPECT_EQ(settings_that_need_restart(before, soft), Lines{});
  const Config hard =
      parsed(std::string{least} + "listen = [\"https:192.0.2.1:443\"]\n[waf.limits]\nconnections_total = 9\n")
          .config;
  EXPECT_EQ(settings_that_need_restart(before, hard), (Lines{"waf.limits.connections_total", "waf.listen"}));
  EXPECT_EQ(settings_that_need_restart(parsed("").config, before), Lines{"waf"});
}

}  // namespace
}  // namespace turnpike::program
