// Keys of tokens that are fetched: [[credentials.token.providers]], [waf.stun_keys], [[waf.turn_servers]].
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "program/config.hpp"
#include "program/serving.hpp"
#include "program/test_folder.hpp"
#include "program/waf_settings.hpp"

namespace turnpike::program {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

constexpr std::string_view relay = R"([turn]
listen = ["udp:192.0.2.1:3478"]
realm = "ims.example"
server_name = "turn1.ims.example"
)";
constexpr std::string_view provider = R"([[credentials.token.providers]]
name = "waf"
url = "https://waf.ims.example:8446"
kid_prefix = "w1-"
certificate = "r.pem"
key = "r.key"
ca = "ca.pem"
)";
constexpr std::string_view waf = R"([waf]
certificate = "r.pem"
key = "r.key"
issuer = "https://waf.ims.example"
database = "waf.db"
secret = "a-secret-of-thirty-two-characters"
audience = "epcscf.ims.example"
)";
constexpr std::string_view stun_keys = R"([waf.stun_keys]
listen = "https:192.0.2.10:8446"
client_ca = "ca.pem"
kid_prefix = "w1-"
)";
constexpr std::string_view turn_server = R"([[waf.turn_servers]]
server_name = "turn1.ims.example"
uris = ["turn:turn1.ims.example:3478?transport=udp"]
)";

std::string replace(std::string_view text, std::string_view old, std::string_view by) {
  std::string made{text};
  made.replace(made.find(old), old.size(), by);
  return made;
}

class ConfigKeys : public testing::Test {
 protected:
  ConfigKeys() {
    for (const char* name : {"r.pem", "r.key", "ca.pem"}) folder_.write(name, "PEM");
  }
  LoadedConfig parse(const std::string& text) { return parse_config(text, folder_ / "t.toml"); }
  // Without the file's name.
  Lines problems(const std::string& text) {
    Lines lines = parse(text).problems;
    const std::string file = folder_ / "t.toml:";
    for (std::string& line : lines) line = line.starts_with(file) ? line.substr(file.size()) : line;
    return lines;
  }
  std::string problem(const std::string& text) {
    const Lines lines = problems(text);
    EXPECT_EQ(lines.size(), 1u) << testing::PrintToString(lines);
    return lines.empty() ? "" : lines.front();
  }
  std::string of_relay(std::string_view old = "", std::string_view by = "") {
    return std::string{relay} + replace(provider, old, by);
  }
  std::string of_waf(std::string_view old = "", std::string_view by = "") {
    return std::string{waf} + replace(std::string{stun_keys} + std::string{turn_server}, old, by);
  }
  TestFolder folder_;
};

TEST_F(ConfigKeys, ReadsAProvider) {
  const LoadedConfig loaded = parse(of_relay(
      "ca = ", "state_file = \"var/waf.keys\"\nderives = false\nwithdrawn = true\nkeep_seconds = 60\nca = "));
  ASSERT_EQ(loaded.problems, Lines{});
  ASSERT_EQ(loaded.config.key_providers.size(), 1u);
  const service::KeyProviderSettings& read = loaded.config.key_providers.front();
  EXPECT_EQ(read.name, "waf");
  EXPECT_EQ(read.url, "https://waf.ims.example:8446");
  EXPECT_EQ(read.answer.kid_prefix, "w1-");
  EXPECT_EQ(read.answer.keep, 60s);
  EXPECT_EQ(read.certificate_file, folder_ / "r.pem");
  EXPECT_EQ(read.state_file, folder_ / "var/waf.keys");
  EXPECT_EQ(read.server_name, "turn1.ims.example");
  EXPECT_FALSE(read.derives);
  EXPECT_TRUE(read.is_withdrawn);
  ASSERT_TRUE(loaded.config.credentials.token);
  EXPECT_TRUE(loaded.config.credentials.token->keys.empty());
}

TEST_F(ConfigKeys, PrintsWhatItHasRead) {
  const std::string text = of_relay("ca = ", "state_file = \"waf.keys\"\nca = ") + of_waf();
  const LoadedConfig loaded = parse(text);
  ASSERT_EQ(loaded.problems, Lines{});
  const std::string printed = format_config(loaded.config);
  const LoadedConfig again =
      parse(replace(printed, "secret = \"(hidden)\"", "secret = \"a-secret-of-thirty-two-characters\""));
  EXPECT_EQ(again.problems, Lines{});
  EXPECT_EQ(format_config(again.config), printed);
  EXPECT_NE(describe_config(loaded.config).find("token (0 keys, 1 provider)"), std::string::npos);
  EXPECT_NE(describe_config(loaded.config).find("TURN keys    https:192.0.2.10:8446, kids w1-..."),
            std::string::npos);
}

TEST_F(ConfigKeys, SaysWhatIsWrongWithAProvider) {
  EXPECT_EQ(problem(of_relay("name = \"waf\"\n", "")),
            "5: credentials.token.providers[0].name: missing, allowed: a name of 1 to 64 letters, digits, "
            "\"-\", \"_\" "
            "and \".\", each once");
  EXPECT_EQ(problem(of_relay("\"waf\"", "\"the waf\"")),
            "6: credentials.token.providers[0].name: found \"the waf\", allowed: a name of 1 to 64 letters, "
            "digits, \"-\", "
            "\"_\" and \".\", each once");
  for (const char* url : {"http://waf.ims.example", "https://waf.ims.example/", "https://waf.ims.example/x",
                          "waf", "https://waf?x"})
    EXPECT_EQ(problem(of_relay("https://waf.ims.example:8446", url)),
              std::string{"7: credentials.token.providers[0].url: found \""} + url +
                  "\", allowed: \"https://HOST:PORT\" of the provider's keys, without a path");
  EXPECT_EQ(problem(of_relay("kid_prefix = \"w1-\"\n", "")),
            "5: credentials.token.providers[0].kid_prefix: missing, allowed: what all kids of this provider "
            "begin with: "
            "its [waf.stun_keys] kid_prefix");
  EXPECT_EQ(problem(of_relay("w1-", "w1.")),
            "8: credentials.token.providers[0].kid_prefix: found 3 bytes, allowed: 1 to 16 letters, digits, "
            "\"-\" and "
            "\"_\", with which no other kid begins");
  EXPECT_EQ(problem(of_relay("r.key", "away.key")),
            "10: credentials.token.providers[0].key: found \"" + (folder_ / "away.key") +
                "\", which cannot be read, allowed: the PEM file of that certificate's key");
  EXPECT_EQ(problem(of_relay("ca = \"ca.pem\"\n", "")),
            "5: credentials.token.providers[0].ca: missing, allowed: the PEM file of the authority that "
            "vouches for the "
            "provider");
  EXPECT_TRUE(problem(of_relay("ca = ", "prefix = 1\nca = "))
                  .starts_with("11: credentials.token.providers[0].prefix: unknown key"));
}

TEST_F(ConfigKeys, LetsNoProviderHaveKidsThatBeginAsAnotherOnes) {
  const std::string second = replace(replace(provider, "\"waf\"", "\"shop\""), "w1-", "w1-shop-");
  EXPECT_EQ(problem(of_relay() + second),
            "15: credentials.token.providers[1].kid_prefix: found \"w1-shop-\" beside \"w1-\" of waf, "
            "allowed: prefixes of "
            "which none begins another one");
  EXPECT_EQ(problems(of_relay() + replace(second, "w1-shop-", "w2-")), Lines{});
  EXPECT_EQ(problems(of_relay() + replace(replace(second, "w1-shop-", "w2-"), "shop", "waf")).size(), 1u)
      << "one name each";
  const std::string manual =
      "[credentials.token]\nkeys = [{ kid = \"w1-a\", key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\" "
      "}]\n";
  EXPECT_EQ(problem(std::string{relay} + manual + std::string{provider}),
            "10: credentials.token.providers[0].kid_prefix: found \"w1-\", and the key w1-a of this file "
            "begins so, "
            "allowed: another one");
}

TEST_F(ConfigKeys, ProvidersAreForARelay) {
  const std::string text =
      "[credentials]\nrealm = \"ims.example\"\n" + std::string{provider} + std::string{waf};
  const Lines lines = problems(text);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.front(),
            "3: credentials.token.providers: found without [turn], allowed: beside it, as it is the relay "
            "that fetches "
            "keys");
}

TEST_F(ConfigKeys, TokensWithoutAnyKeyAreAMistake) {
  EXPECT_EQ(problem(std::string{relay} + "[credentials.token]\n"),
            "5: credentials.token.keys: missing, allowed: a list of { kid = \"...\", key = \"base64\", alg = "
            "\"A256GCM\" "
            "}, or [[credentials.token.providers]], from whom they are fetched");
}

TEST_F(ConfigKeys, WhoHasOnlyFetchedKeysIssuesNothingWithThem) {
  const std::string computed = "[credentials.computed]\nsecrets = [{ secret = \"0123456789abcdef\" }]\n";
  const std::string api =
      "[api]\ncertificate = \"r.pem\"\nkey = \"r.key\"\nkeys = [{ id = \"a\", secret = \"0123456789abcdef\" "
      "}]\n";
  const LoadedConfig loaded = parse(of_relay() + computed + api);
  ASSERT_EQ(loaded.problems, Lines{});
  EXPECT_EQ(loaded.config.api->sources, std::vector{credentials::Source::computed});
  EXPECT_EQ(problems(of_relay() + computed + api + "[api.credentials]\nsources = [\"token\"]\n").size(), 1u);
}

TEST_F(ConfigKeys, ReadsWhatAWafHandsOut) {
  const LoadedConfig loaded = parse(of_waf("uris = ",
                                           "realm = \"r\"\nalg = \"A128GCM\"\ncertificate_names = "
                                           "[\"relay7\"]\nresources = [\"https://t/\"]\nuris = "));
  ASSERT_EQ(loaded.problems, Lines{});
  const waf::Settings settings = make_waf_settings(loaded.config);
  ASSERT_EQ(settings.turn.size(), 1u);
  const waf::TurnTarget& target = settings.turn.front();
  EXPECT_TRUE(target.fetches_keys);
  EXPECT_EQ(target.token.server_name, "turn1.ims.example");
  EXPECT_EQ(target.realm, "r");
  EXPECT_EQ(target.algorithm, credentials::TokenAlgorithm::a128gcm);
  EXPECT_EQ(target.certificate_names, Lines{"relay7"});
  EXPECT_EQ(settings.turn_keys.kid_prefix, "w1-");
  EXPECT_EQ(settings.turn_keys.refresh_after, 300s);
  const service::WafNodeSettings node = make_waf_node_settings(loaded.config);
  ASSERT_TRUE(node.key_listener);
  EXPECT_EQ(node.key_listener->client_ca_file, folder_ / "ca.pem");
  EXPECT_TRUE(node.key_listener->requires_client_certificate);
  EXPECT_EQ(node.key_listener->certificate_file, folder_ / "r.pem") << "that of [waf]";
  EXPECT_EQ(parse(of_waf()).config.waf->turn_servers.front().certificate_names, Lines{"turn1.ims.example"});
}

TEST_F(ConfigKeys, OfARelayThatIsNotToldOfRevokedTokensAreWarnedAbout) {
  const auto warnings = [&](const std::string& more) {
    const auto loaded = parse(of_waf() + more);
    EXPECT_EQ(loaded.problems, Lines{});
    return loaded.warnings;
  };
  const auto table = [](const char* uri) {
    return fmt::format(
        "[[relays]]\nurl = \"https://turn1.ims.example:8443\"\ncertificate = \"r.pem\"\nkey = \"r.key\"\n"
        "ca = \"ca.pem\"\nuris = [\"{}\"]\n",
        uri);
  };
  const auto untold = [](const Lines& lines) {
    return std::ranges::count_if(lines, [](const std::string& line) {
      return line.contains("waf.turn_servers[0]: turn1.ims.example takes revoked tokens until they end");
    });
  };
  EXPECT_EQ(untold(warnings("")), 1);
  EXPECT_EQ(untold(warnings(table("turn:turn2.ims.example:3478?transport=udp"))), 1);
  EXPECT_EQ(untold(warnings(table("turn:turn1.ims.example:3478?transport=udp"))), 0);
}

TEST_F(ConfigKeys, SaysWhatIsWrongWithWhatAWafHandsOut) {
  constexpr std::string_view where =
      "\"https:ADDRESS:PORT\", where TURN servers fetch their keys; not that of [waf]";
  for (const char* listen :
       {"192.0.2.10:8446", "http:192.0.2.10:8446", "https:192.0.2.10:0", "https:0.0.0.0:8445"})
    EXPECT_EQ(
        problem(of_waf("https:192.0.2.10:8446", listen)),
        std::string{"9: waf.stun_keys.listen: found \""} + listen + "\", allowed: " + std::string{where});
  EXPECT_EQ(problem(of_waf("client_ca = \"ca.pem\"\n", "")),
            "8: waf.stun_keys.client_ca: missing, allowed: the PEM file of the authority that vouches for "
            "TURN servers");
  EXPECT_EQ(
      problem(of_waf("ca.pem", "away.pem")),
      "10: waf.stun_keys.client_ca: found \"" + (folder_ / "away.pem") +
          "\", which cannot be read, allowed: the PEM file of the authority that vouches for TURN servers");
  EXPECT_EQ(
      problem(of_waf("kid_prefix = \"w1-\"\n", "")),
      "8: waf.stun_keys.kid_prefix: missing, allowed: what the kids of this WAF begin with, as \"w1-\"");
  EXPECT_EQ(problem(of_waf("kid_prefix", "published_before_seconds = 604800\nkid_prefix")),
            "11: waf.stun_keys.published_before_seconds: found 604800, allowed: less than used_for_seconds, "
            "which is "
            "604800");
  EXPECT_EQ(problem(of_waf("kid_prefix", "published_before_seconds = 500\nkid_prefix")),
            "8: waf.stun_keys.refresh_after_seconds: found 300, allowed: at most half of "
            "published_before_seconds, which "
            "is 500, so that each TURN server has a key before it is used");
  EXPECT_EQ(problem(std::string{waf} + std::string{stun_keys}),
            "8: waf.stun_keys: found without [[waf.turn_servers]], allowed: beside at least one, whose keys "
            "are fetched");
  EXPECT_EQ(problem(std::string{waf} + std::string{turn_server}),
            "8: waf.turn_servers: found without [waf.stun_keys], allowed: beside it, as it says where they "
            "fetch their "
            "keys");
}

TEST_F(ConfigKeys, SaysWhatIsWrongWithATurnServer) {
  EXPECT_EQ(problem(of_waf("server_name = \"turn1.ims.example\"\n", "certificate_names = [\"x\"]\n")),
            "12: waf.turn_servers[0].server_name: missing, allowed: the turn.server_name of the relay, which "
            "its tokens "
            "are sealed for");
  EXPECT_EQ(problem(of_waf("turn:turn1", "sip:turn1")).substr(0, 29), "14: waf.turn_servers[0].uris:");
  EXPECT_EQ(problem(of_waf("uris", "certificate_names = []\nuris")),
            "14: waf.turn_servers[0].certificate_names: found no name, or an empty one, allowed: names (DNS, "
            "URI or "
            "common name)");
  EXPECT_EQ(problem(of_waf() + std::string{turn_server}).substr(0, 81),
            "16: waf.turn_servers[1].server_name: found \"turn1.ims.example\" again, allowed: ea");
  const std::string manual =
      "[credentials]\nrealm = \"ims.example\"\nserver_name = \"turn9\"\nuris = [\"turn:t\"]\n"
      "[credentials.token]\nkeys = [{ kid = \"w1-a\", key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\" "
      "}]\n";
  EXPECT_EQ(problem(manual + of_waf()),
            "17: waf.stun_keys.kid_prefix: found \"w1-\", and the key w1-a of [credentials.token] begins so, "
            "allowed: "
            "another one");
}

TEST_F(ConfigKeys, ManualAndFetchedKeysStandBesideEachOther) {
  const std::string manual =
      "[credentials]\nrealm = \"ims.example\"\nserver_name = \"turn9\"\nuris = [\"turn:t\"]\n"
      "[credentials.token]\nkeys = [{ kid = \"k1\", key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\" "
      "}]\n";
  const LoadedConfig loaded = parse(manual + of_waf());
  ASSERT_EQ(loaded.problems, Lines{});
  const waf::Settings settings = make_waf_settings(loaded.config);
  ASSERT_EQ(settings.turn.size(), 2u);
  EXPECT_FALSE(settings.turn[0].fetches_keys);
  EXPECT_TRUE(settings.turn[1].fetches_keys);
  EXPECT_EQ(settings.turn[1].realm, "ims.example");
}

TEST_F(ConfigKeys, AReloadTakesInAllButWhereKeysAreFetched) {
  const LoadedConfig before = parse(of_relay() + of_waf());
  const auto restart = [&](const std::string& text) {
    return settings_that_need_restart(before.config, parse(text).config);
  };
  EXPECT_EQ(restart(std::string{relay} + replace(provider, "waf.ims.example", "waf2.ims.example") + of_waf()),
            Lines{});
  EXPECT_EQ(restart(std::string{relay} + "[credentials.static]\nusers = { a = \"b\" }\n" + of_waf()),
            Lines{});
  EXPECT_EQ(restart(of_relay() + of_waf("turn1", "turn7")), Lines{});
  EXPECT_EQ(restart(of_relay() + of_waf("kid_prefix", "used_for_seconds = 172801\nkid_prefix")), Lines{});
  EXPECT_EQ(restart(of_relay() + of_waf("8446", "8447")), Lines{"waf.stun_keys.listen"});
  EXPECT_EQ(restart(of_relay() + of_waf("ca.pem", "r.pem")), Lines{"waf.stun_keys.client_ca"});
  EXPECT_EQ(restart(of_relay() + std::string{waf}), Lines{"waf.stun_keys"});
}

}  // namespace
}  // namespace turnpike::program
