#include "program/config.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "program/test_folder.hpp"

namespace turnpike::program {
namespace {

using Lines = std::vector<std::string>;

// The least that is accepted.
constexpr std::string_view least = R"(
[turn]
listen = ["udp:192.0.2.1:3478"]
realm = "ims.example"
[credentials.static]
users = { alice = "wonderland" }
)";

LoadedConfig parsed(std::string_view text) { return parse_config(text, "t.toml"); }

Lines problems_of(std::string_view text) { return parsed(text).problems; }

Config good(std::string_view text) {
  LoadedConfig loaded = parsed(text);
  EXPECT_EQ(loaded.problems, Lines{});
  return std::move(loaded.config);
}

// `least` with more in its section [turn], which begins in line 3.
Lines problems_in_turn(std::string_view lines) {
  return problems_of("\n[turn]\n" + std::string{lines} + "\n" +
                     std::string{least.substr(least.find("listen"))});
}

Lines problems_after(std::string_view lines) {  // which begin in line 7
  return problems_of(std::string{least} + std::string{lines});
}

TEST(Config, NeedsLittle) {
  const Config config = good(least);
  EXPECT_EQ(config.turn->listeners, std::vector{*SocketAddress::parse("192.0.2.1:3478")});
  EXPECT_EQ(config.credentials.realm, "ims.example");
  EXPECT_EQ(config.server_name, "ims.example");
  ASSERT_EQ(config.turn->relay_addresses.size(), 1U);
  EXPECT_EQ(config.turn->relay_addresses[0].advertised, *IpAddress::parse("192.0.2.1"));
  EXPECT_EQ(config.uris, Lines{"turn:192.0.2.1:3478?transport=udp"});
  EXPECT_EQ(config.turn->limits.allocations_per_subject, 10U);
  EXPECT_EQ(config.nonce_lifetime, std::chrono::seconds{600});
  EXPECT_TRUE(config.credentials.static_users->users.at("alice").equals(as_bytes("wonderland")));
  EXPECT_FALSE(config.credentials.computed || config.credentials.pushed || config.credentials.token);
}

constexpr std::string_view everything = R"(
[turn]
listen = ["udp:0.0.0.0:3478", "udp:[::]:3479"]
realm = "ims.example"
server_name = "turn.ims.example"
relay_addresses = ["10.0.0.5/192.0.2.11", "2001:db8::5"]
relay_ports = [50000, 60000]
shards = 2
expiry = "strict"
password_algorithms = false
software = "relay"
[turn.peers]
allow = ["198.51.100.0/24"]
deny = ["203.0.113.7"]
[turn.limits]
allocations_per_subject = 3
allocation_lifetime_max_seconds = 1800
nonce_lifetime_seconds = 60
bytes_per_second_per_allocation = 125000
[credentials.static]
users = { "al \"ice\"" = "won=der:land'\\" }
allocations_per_subject = 2
[credentials.computed]
secrets = [{ id = "k1", secret = "a-secret-of-26-characters" }, { secret = "another-secret-of-this-kind" }]
digest = "sha256"
allowed_peers = ["198.51.100.0/25"]
[credentials.pushed]
credentials_max = 5
[credentials.token]
keys = [
  { kid = "k1", key = "SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM=", not_before = 2026-01-01T00:00:00Z, derives = false },
  { kid = "k2", key = "SEdrajMyS0pHaXV5MDk4cw==", alg = "A128GCM", not_after = 2027-01-01T01:00:00+01:00 },
]
mac_key = "auto"
[admin]
socket = "/run/turnpike.sock"
[log]
level = "debug"
format = "json"
[issue]
opaque_id_key = "opaque-opaque-opaque"
)";

TEST(Config, ReadsEverySection) {
  const Config config = good(everything);
  EXPECT_EQ(config.server_name, "turn.ims.example");
  EXPECT_EQ(config.turn->relay_addresses[0].bind, *IpAddress::parse("10.0.0.5"));
  EXPECT_EQ(config.turn->relay_addresses[0].advertised, *IpAddress::parse("192.0.2.11"));
  EXPECT_EQ(config.turn->relay_port_max, 60000);
  EXPECT_EQ(config.turn->expiry, turn::ExpiryMode::strict);
  EXPECT_FALSE(config.turn->password_algorithms);
  EXPECT_EQ(config.turn->peers.deny[0].to_string(), IpPrefix::parse("203.0.113.7")->to_string());
  EXPECT_EQ(config.turn->limits.allocation_lifetime_max, std::chrono::seconds{1800});
  EXPECT_EQ(config.uris,
            (Lines{"turn:192.0.2.11:3478?transport=udp", "turn:[2001:db8::5]:3479?transport=udp"}));

  const credentials::RegistrySettings& sources = config.credentials;
  EXPECT_TRUE(sources.static_users->users.at("al \"ice\"").equals(as_bytes("won=der:land'\\")));
  EXPECT_EQ(sources.static_users->policy.allocations_max, 2U);
  EXPECT_EQ(sources.computed->secrets[0].id, "k1");
  EXPECT_EQ(sources.computed->digest, credentials::ComputedDigest::sha256);
  EXPECT_EQ(sources.computed->policy.allowed_peers.size(), 1U);
  EXPECT_EQ(sources.pushed->credentials_max, 5U);
  EXPECT_EQ(sources.token->server_name, "turn.ims.example");
  EXPECT_EQ(sources.token->mac_key, credentials::MacKeyRule::automatic);
  EXPECT_EQ(sources.token->keys[0].not_before, from_unix_seconds(1767225600));
  EXPECT_FALSE(sources.token->keys[0].derives);
  EXPECT_EQ(sources.token->keys[1].key.size(), 16U);
  EXPECT_EQ(sources.token->keys[1].not_after, from_unix_seconds(1798761600));
  EXPECT_EQ(config.admin_socket, "/run/turnpike.sock");
  EXPECT_EQ(config.log_level, LogLevel::debug);
}

TEST(Config, PrintsItselfWithSecretsMasked) {
  const std::string text = format_config(good(everything));
  for (const std::string_view secret :
       {"won=der", "a-secret-of", "another-secret", "SEdraj", "opaque-opaque", "HGkj32KJ"})
    EXPECT_EQ(text.find(secret), std::string::npos) << secret;
  EXPECT_NE(text.find("relay_addresses = [\"10.0.0.5/192.0.2.11\", \"2001:db8::5\"]\n"), std::string::npos);
  EXPECT_NE(text.find("\"al \\\"ice\\\"\" = \"(hidden)\"\n"), std::string::npos);
  EXPECT_NE(text.find("permission_lifetime_seconds = 300\n"), std::string::npos);
  // What it prints is a configuration, but for the secrets.
  for (const std::string& problem : problems_of(text))
    EXPECT_TRUE(problem.find("secret") != std::string::npos || problem.find("key") != std::string::npos)
        << problem;
}

TEST(Config, DescribesWhatWouldBeServed) {
  EXPECT_EQ(describe_config(good(least)),
            "serves       udp:192.0.2.1:3478, realm ims.example\n"
            "credentials  static (1 user)\n"
            "relays from  192.0.2.1, ports 49152 to 65535\n"
            "peers        public addresses\n"
            "told         turn:192.0.2.1:3478?transport=udp\n"
            "admin        no socket\n");
}

TEST(ConfigProblems, AreAllToldAtOnceInTheOrderOfTheirLines) {
  EXPECT_EQ(
      problems_of("[turn]\n"
                  "realmm = \"x\"\n"
                  "shards = -1\n"
                  "[credentials.computed]\n"
                  "secrets = [{ secret = \"short\" }]\n"
                  "[lgo]\n"),
      (Lines{("t.toml:1: turn.realm: missing, allowed: the name of the credentials' domain, such as "
              "\"ims.example\""),
             "t.toml:1: turn.relay_addresses: missing, allowed: the addresses on which peers reach this "
             "machine, \"192.0.2.10\", or \"10.0.0.5/192.0.2.11\" (bound/shown)",
             "t.toml:2: turn.realmm: unknown key; did you mean \"realm\"?",
             "t.toml:3: turn.shards: found -1, allowed: 0 to 1024",
             "t.toml:5: credentials.computed.secrets[0].secret: found 5 bytes, allowed: at least 16 bytes, "
             "which the issuer has too; make some with `turnpike key generate`",
             "t.toml:6: lgo: unknown key; did you mean \"log\"?"}));
}

TEST(ConfigProblems, TellTheLineOfASyntaxErrorWithoutTheText) {
  const Lines problems = problems_of("[turn]\nrealm = ims\npassword = wonderland\n");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_TRUE(problems[0].starts_with("t.toml:2: not TOML: ")) << problems[0];
  EXPECT_EQ(problems_of("[credentials.static]\nusers = { alice = wonderland }\n")[0].find("wonderland"),
            std::string::npos);
}

TEST(ConfigProblems, OfARelayWithoutCredentialsNameTheirSections) {
  EXPECT_EQ(problems_of("[turn]\nlisten = [\"udp:192.0.2.1:3478\"]\nrealm = \"ims.example\"\n"),
            (Lines{"t.toml:1: credentials: missing, allowed: at least one of [credentials.static], "
                   "[credentials.computed], [credentials.pushed], [credentials.token]"}));
}

TEST(ConfigProblems, OfListeners) {
  const auto of = [](const std::string& list) {
    return problems_of("[turn]\nrealm = \"r\"\nrelay_addresses = [\"192.0.2.1\"]\nlisten = " + list +
                       "\n[credentials.static]\nusers = { a = \"b\" }\n");
  };
  const std::string allowed = "\"udp:ADDRESS:PORT\", such as \"udp:0.0.0.0:3478\" or \"udp:[::]:3478\"";
  EXPECT_EQ(of("[\"tls:0.0.0.0:5349\"]"),
            Lines{"t.toml:4: turn.listen[0]: found \"tls:0.0.0.0:5349\", allowed: " + allowed +
                  "; this version of turnpike serves udp alone"});
  EXPECT_EQ(of("[\"udp:0.0.0.0:0\"]"),
            Lines{"t.toml:4: turn.listen[0]: found \"udp:0.0.0.0:0\", allowed: " + allowed});
  EXPECT_EQ(of("[\"udp:localhost:3478\"]").size(), 1U);
  EXPECT_EQ(of("[\"udp:1.2.3.4:1\", \"udp:1.2.3.4:1\"]"),
            Lines{"t.toml:4: turn.listen[1]: found \"udp:1.2.3.4:1\", allowed: each address once"});
  EXPECT_EQ(of("[5]"), Lines{"t.toml:4: turn.listen[0]: found 5, allowed: a list of " + allowed});
  EXPECT_EQ(of("\"udp:1.2.3.4:1\"").size(), 1U);
  EXPECT_EQ(of("[]"), Lines{"t.toml:4: turn.listen: found an empty list, allowed: 1 to 256 of " + allowed});
}

TEST(ConfigProblems, OfRelayAddresses) {
  const std::string allowed =
      "allowed: the addresses on which peers reach this machine, \"192.0.2.10\", or \"10.0.0.5/192.0.2.11\" "
      "(bound/shown)";
  EXPECT_EQ(problems_in_turn("relay_addresses = [\"0.0.0.0\"]"),
            Lines{"t.toml:3: turn.relay_addresses: found \"0.0.0.0\", " + allowed});
  EXPECT_EQ(problems_in_turn("relay_addresses = [\"10.0.0.1/2001:db8::1\"]").size(), 1U);
  EXPECT_EQ(problems_in_turn("relay_addresses = [\"10.0.0.1/\"]").size(), 1U);
  EXPECT_EQ(problems_in_turn("relay_addresses = []").size(), 1U);
  EXPECT_EQ(
      problems_in_turn("relay_addresses = [\"10.0.0.1\", \"10.0.0.1/192.0.2.1\"]"),
      Lines{
          "t.toml:3: turn.relay_addresses: found \"10.0.0.1/192.0.2.1\", allowed: each bound address once"});
}

TEST(ConfigProblems, OfTheOtherKeysOfTurn) {
  const std::string ports = "allowed: [first, last], two ports from 1024 to 65535";
  EXPECT_EQ(problems_in_turn("relay_ports = [60000, 50000]"),
            Lines{"t.toml:3: turn.relay_ports: found a list of 2, " + ports});
  EXPECT_EQ(problems_in_turn("relay_ports = [80, 50000]").size(), 1U);
  EXPECT_EQ(problems_in_turn("relay_ports = 50000"),
            Lines{"t.toml:3: turn.relay_ports: found 50000, " + ports});
  EXPECT_EQ(problems_in_turn("expiry = \"hard\""),
            Lines{"t.toml:3: turn.expiry: found \"hard\", allowed: \"lenient\", \"bounded\", \"strict\""});
  EXPECT_EQ(problems_in_turn("password_algorithms = \"yes\""),
            Lines{"t.toml:3: turn.password_algorithms: found \"yes\", allowed: true or false"});
  EXPECT_EQ(problems_in_turn("server_name = \"\""),
            Lines{"t.toml:3: turn.server_name: found \"\", allowed: a text of 1 to 255 bytes"});
  EXPECT_EQ(problems_in_turn("software = \"a\\u0007\""),
            Lines{"t.toml:3: turn.software: found a control character, allowed: a text without any"});
  EXPECT_EQ(problems_in_turn("uris = [\"http://x\"]"),
            Lines{"t.toml:3: turn.uris: found \"http://x\", allowed: turn: or turns: URIs, "
                  "\"turn:turn1.example:3478?transport=udp\""});
  EXPECT_EQ(problems_in_turn("tls = { key = \"x\" }"),
            Lines{"t.toml:3: turn.tls: found a table, allowed: nothing yet; this version of turnpike serves "
                  "udp alone"});
  EXPECT_EQ(problems_in_turn("peers = 5"),
            Lines{"t.toml:3: turn.peers: found 5, allowed: a table, [turn.peers]"});
  EXPECT_EQ(problems_in_turn("peers = { allow = [\"10.0.0.0/33\"] }"),
            Lines{"t.toml:3: turn.peers.allow: found \"10.0.0.0/33\", allowed: a list of addresses or "
                  "prefixes, such as "
                  "\"198.51.100.0/24\" or \"2001:db8::/32\""});
}

TEST(ConfigProblems, OfLimits) {
  const auto of = [](const std::string& line) { return problems_after("[turn.limits]\n" + line); };
  EXPECT_EQ(of("allocations_total = 0"),
            Lines{"t.toml:8: turn.limits.allocations_total: found 0, allowed: 1 to 10000000"});
  EXPECT_EQ(
      of("allocations = 5"),
      Lines{"t.toml:8: turn.limits.allocations: unknown key; did you mean \"allocations_per_subject\"?"});
  EXPECT_EQ(of("permission_lifetime_seconds = 1.5"),
            Lines{"t.toml:8: turn.limits.permission_lifetime_seconds: found 1.5, allowed: 10 to 3600"});
  EXPECT_EQ(of("allocation_lifetime_max_seconds = 300"),
            Lines{"t.toml:8: turn.limits.allocation_lifetime_max_seconds: found 300, allowed: at least "
                  "allocation_lifetime_default_seconds, which is 600"});
}

TEST(ConfigProblems, OfStaticUsersNeverRepeatAPassword) {
  const auto of = [](const std::string& line) {
    return problems_of("[turn]\nlisten = [\"udp:192.0.2.1:1\"]\nrealm = \"r\"\n[credentials.static]\n" +
                       line);
  };
  EXPECT_EQ(of("users = {}"), Lines{"t.toml:4: credentials.static.users: missing, allowed: names with their "
                                    "passwords, { alice = \"...\" }"});
  EXPECT_EQ(of("users = [\"alice:pw\"]"), Lines{"t.toml:5: credentials.static.users: found a list of 1, "
                                                "allowed: a table, [credentials.static.users]"});
  EXPECT_EQ(
      of("users = { a = 123456 }"),
      Lines{
          "t.toml:5: credentials.static.users.a: found something that is no text, allowed: a password, or { "
          "password_file = \"FILE\" }"});
  EXPECT_EQ(of("users = { a = \"\" }").size(), 1U);
  EXPECT_EQ(of("users = { a = { password = \"x\", password_file = \"y\" } }"),
            Lines{"t.toml:5: credentials.static.users.a.password: found together with password_file, "
                  "allowed: one of them"});
  EXPECT_EQ(
      of("users = { a = { passwort = \"hidden-word\" } }"),
      (Lines{"t.toml:5: credentials.static.users.a.password: missing, allowed: a password, or password_file "
             "with "
             "the name of a file",
             "t.toml:5: credentials.static.users.a.passwort: unknown key; did you mean \"password\"?"}));
}

TEST(ConfigProblems, OfComputedSecrets) {
  const auto of = [](const std::string& line) { return problems_after("[credentials.computed]\n" + line); };
  EXPECT_EQ(of("secrets = []"), Lines{"t.toml:7: credentials.computed.secrets: missing, allowed: a list of { "
                                      "id = \"k1\", secret = \"...\" }, "
                                      "the first of which issues"});
  EXPECT_EQ(of("secrets = [{ id = \"k.1\", secret = \"0123456789abcdef\" }]"),
            Lines{"t.toml:8: credentials.computed.secrets[0].id: found \"k.1\", allowed: a name without "
                  "\".\", \":\" and spaces"});
  EXPECT_EQ(of("secrets = [{ id = \"k\", secret = \"0123456789abcdef\" }, { id = \"k\", secret = "
               "\"0123456789abcdef\" }]"),
            Lines{"t.toml:8: credentials.computed.secrets[1].id: found \"k\" again, allowed: each id once"});
  EXPECT_EQ(
      of("secrets = [\"0123456789abcdef\"]"),
      Lines{"t.toml:8: credentials.computed.secrets[0]: found something that is no table, allowed: a list of "
            "{ id = \"k1\", secret = \"...\" }, the first of which issues"});
  EXPECT_EQ(of("secrets = [{ secret = \"0123456789abcdef\" }]\ndigest = \"md5\""),
            Lines{"t.toml:9: credentials.computed.digest: found \"md5\", allowed: \"sha1\", \"sha256\""});
}

TEST(ConfigProblems, OfTokenKeys) {
  const auto of = [](const std::string& entry) {
    return problems_after("[credentials.token]\nkeys = [{ " + entry + " }]");
  };
  const std::string key = "key = \"SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM=\"";
  const std::string at = "t.toml:8: credentials.token.keys[0].";
  EXPECT_EQ(of(key), Lines{at + "kid: missing, allowed: the name by which tokens call this key"});
  EXPECT_EQ(of("kid = \"a b\", " + key),
            Lines{at + "kid: found a space or control character, allowed: a name without any"});
  EXPECT_EQ(of("kid = \"a\", key = \"c2VjcmV0\""),
            Lines{at + "key: found 6 bytes, allowed: base64 of 32 bytes for A256GCM"});
  EXPECT_EQ(of("kid = \"a\", alg = \"A128GCM\", " + key),
            Lines{at + "key: found 32 bytes, allowed: base64 of 16 bytes for A128GCM"});
  EXPECT_EQ(
      of("kid = \"a\", key = \"no base64\""),
      Lines{at + "key: found 9 characters that are not base64, allowed: base64 of 32 bytes for A256GCM"});
  EXPECT_EQ(of("kid = \"a\", alg = \"AES\", " + key),
            Lines{at + "alg: found \"AES\", allowed: \"A256GCM\", \"A128GCM\""});
  EXPECT_EQ(of("kid = \"a\", not_before = 2026-01-01, " + key).size(), 1U);
  EXPECT_EQ(of("kid = \"a\", not_before = 2026-01-01T00:00:00Z, not_after = 2025-01-01T00:00:00Z, " + key),
            Lines{at + "not_after: found an end before the beginning, allowed: a moment after not_before"});
  EXPECT_EQ(of("kid = \"a\", " + key + " }, { kid = \"a\", " + key),
            Lines{"t.toml:8: credentials.token.keys[1].kid: found \"a\" again, allowed: each kid once"});
}

TEST(ConfigProblems, OfTheSmallSections) {
  EXPECT_EQ(problems_after("[credentials.pushed]\n"),
            Lines{"t.toml:7: admin.socket: missing, allowed: the path of a socket, as credentials are pushed "
                  "over it"});
  EXPECT_EQ(problems_after("[admin]\nsocket = \"/" + std::string(120, 'x') + "\""),
            Lines{"t.toml:8: admin.socket: found a path of 121 bytes, allowed: 1 to 107"});
  EXPECT_EQ(problems_after("[log]\nformat = \"xml\""),
            Lines{"t.toml:8: log.format: found \"xml\", allowed: \"text\", \"json\""});
  EXPECT_EQ(problems_after("[issue]\nopaque_id_key = \"short\""),
            Lines{"t.toml:8: issue.opaque_id_key: found 5 bytes, allowed: at least 16 bytes"});
}

TEST(ConfigFiles, HoldSecretsBesideTheConfiguration) {
  TestFolder folder;
  folder.write("alice.password", "wonderland\n");
  folder.write("token.key", "SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM=\n");
  const auto loaded = load_config(
      folder.write("t.toml",
                   "[turn]\nlisten = [\"udp:192.0.2.1:3478\"]\nrealm = \"r\"\n"
                   "[credentials.static]\nusers = { alice = { password_file = \"alice.password\" } }\n"
                   "[credentials.token]\nkeys = [{ kid = \"k\", key_file = \"token.key\" }]\n"
                   "[admin]\nsocket = \"admin.sock\"\n",
                   true));
  EXPECT_EQ(loaded.problems, Lines{});
  EXPECT_EQ(loaded.warnings, Lines{});
  EXPECT_TRUE(loaded.config.credentials.static_users->users.at("alice").equals(as_bytes("wonderland")));
  EXPECT_EQ(loaded.config.credentials.token->keys[0].key.size(), 32U);
  EXPECT_EQ(loaded.config.admin_socket, folder / "admin.sock");
}

TEST(ConfigFiles, ThatAreMissingOrEmptyAreProblems) {
  TestFolder folder;
  folder.write("empty", "\n");
  const auto loaded = load_config(
      folder.write("t.toml",
                   "[turn]\nlisten = [\"udp:192.0.2.1:3478\"]\nrealm = \"r\"\n[credentials.computed]\n"
                   "secrets = [\n{ id = \"a\", secret_file = \"absent\" },\n"
                   "{ id = \"b\", secret_file = \"empty\" },\n{ id = \"c\", secret_file = 5 } ]"));
  const std::string at = (folder / "t.toml") + ":";
  EXPECT_EQ(
      loaded.problems,
      (Lines{at + "6: credentials.computed.secrets[0].secret_file: cannot read " + (folder / "absent") +
                 ": No such file or directory",
             at + "7: credentials.computed.secrets[1].secret_file: " + (folder / "empty") +
                 " holds 0 bytes, allowed: 1 to 4096",
             at + "8: credentials.computed.secrets[2].secret_file: found 5, allowed: the name of a file"}));
  EXPECT_EQ(load_config(folder / "nothing").problems,
            Lines{(folder / "nothing") + ": cannot read it: No such file or directory"});
  EXPECT_EQ(load_config(folder / "").problems, Lines{(folder / "") + ": cannot read it: Is a directory"});
}

TEST(ConfigFiles, ThatOthersMayReadAreWarnedAbout) {
  TestFolder folder;
  const std::string shown = folder.write("shown.secret", "0123456789abcdef", true);
  const auto of = [&](const std::string& secret) {
    const auto loaded = load_config(folder.write("t.toml",
                                                 "[turn]\nlisten = [\"udp:192.0.2.1:3478\"]\nrealm = \"r\"\n"
                                                 "[credentials.computed]\nsecrets = [{ " +
                                                     secret + " }]",
                                                 true));
    EXPECT_EQ(loaded.problems, Lines{});
    return loaded.warnings;
  };
  const std::string file = folder / "t.toml";
  EXPECT_EQ(of("secret = \"0123456789abcdef\""),
            Lines{file + ":1: holds secrets, and others may read it; chmod 600 " + file});
  EXPECT_EQ(of("secret_file = \"shown.secret\""),
            Lines{file + ":5: credentials.computed.secrets[0].secret_file: others may read " + shown +
                  "; chmod 600 " + shown});
}

}  // namespace
}  // namespace turnpike::program
