// [api].
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "program/config.hpp"
#include "program/serving.hpp"

namespace turnpike::program {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;
using credentials::Source;

// Six lines.
constexpr std::string_view relay = R"([turn]
listen = ["udp:192.0.2.1:3478"]
realm = "ims.example"
[credentials.computed]
secrets = [{ secret = "a-secret-of-some-length" }]
[credentials.pushed]
)";
constexpr std::string_view least = R"([api]
certificate = "c.pem"
key = "k.pem"
keys = [{ id = "web", secret = "a-key-of-some-length" }]
)";

LoadedConfig parsed(std::string_view more) {
  return parse_config(std::string{relay} + std::string{more}, "t.toml");
}
Lines problems_after(std::string_view more) { return parsed(more).problems; }

TEST(ConfigOfApi, NeedsLittle) {
  const LoadedConfig loaded = parsed(least);
  ASSERT_EQ(loaded.problems, Lines{});
  const ApiConfig& api = *loaded.config.api;
  ASSERT_EQ(api.door.listeners.size(), 1U);
  EXPECT_EQ(api.door.listeners.front().address.to_string(), "0.0.0.0:8444");
  EXPECT_TRUE(api.door.listeners.front().is_secure);
  EXPECT_EQ(api.door.certificate, "c.pem");
  EXPECT_EQ(api.sources, (std::vector{Source::computed, Source::pushed}));
  EXPECT_EQ(api.uris, loaded.config.uris);
  EXPECT_FALSE(api.desk.takes_tokens);
  ASSERT_EQ(api.desk.callers.size(), 1U);
  EXPECT_EQ(api.desk.callers.front().id, "web");
  EXPECT_EQ(api.desk.callers.front().requests_per_second, 100U);
}

constexpr std::string_view much = R"([api]
listen = ["https:192.0.2.1:443", "http:127.0.0.1:8080", "http:[::1]:8080"]
allow_cleartext = true
certificate = "c.pem"
key = "k.pem"
client_ca = "ca.pem"
origins = ["https://web.ims.example"]
keys = [{ id = "shop", secret = "a-key-of-some-length", users = ["*@shop.example"], ttl_max_seconds = 60 }]
certificates = [{ name = "edge1.ims.example", requests_per_second = 500 }]
[api.credentials]
sources = ["pushed"]
uris = ["turn:turn1.ims.example"]
ttl_seconds = 600
[api.limits]
requests_per_minute_per_user = 5
[api.tokens]
authz_server = "https://waf.example/"
issuers = [{ issuer = "https://waf.example", audience = "api", shared_secret = "a-shared-secret-of-32-bytes-or-more" }]
)";

TEST(ConfigOfApi, IsPrintedAsItCanBeRead) {
  const LoadedConfig loaded = parsed(much);
  ASSERT_EQ(loaded.problems, Lines{});
  EXPECT_EQ(loaded.config.api->desk.callers.at(1).certificate, "edge1.ims.example");
  EXPECT_EQ(loaded.config.api->desk.callers.at(0).ttl_max, 60s);
  EXPECT_TRUE(loaded.config.api->desk.takes_tokens);
  EXPECT_EQ(loaded.config.api->desk.life.usual, 600s);
  const std::string printed = format_config(loaded.config);
  EXPECT_EQ(printed.find("a-key-of-some-length"), std::string::npos);
  std::string again = printed;
  for (std::size_t at = again.find("(hidden)"); at != std::string::npos; at = again.find("(hidden)"))
    again.replace(at, 8, "a-secret-of-32-bytes-or-more-for-all");
  const LoadedConfig read = parse_config(again, "t.toml");
  ASSERT_EQ(read.problems, Lines{}) << printed;
  EXPECT_EQ(format_config(read.config), printed);
}

TEST(ConfigOfApi, TakesTheTokensOfTheEpcscfUnlessItHasItsOwnOrNone) {
  const std::string epcscf =
      "[epcscf]\nlisten = [\"ws:127.0.0.1:80\"]\ncore = \"sip:127.0.0.1\"\n[epcscf.tokens]\nauthz_server = "
      "\"https://waf.example/\"\nissuers = [{ issuer = \"https://waf.example\", audience = \"a\", "
      "shared_secret = "
      "\"a-shared-secret-of-32-bytes-or-more\" }]\n";
  const std::string api = "[api]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";
  const LoadedConfig loaded = parsed(epcscf + api);
  ASSERT_EQ(loaded.problems, Lines{});
  EXPECT_TRUE(loaded.config.api->desk.takes_tokens);
  EXPECT_EQ(loaded.config.api->desk.bearer.issuers.size(), 1U);
  EXPECT_EQ(
      problems_after(epcscf + api + "take_tokens = false\n"),
      (Lines{"t.toml:13: api.keys: missing, allowed: at least one of keys, certificates and tokens, for "
             "nobody may ask without"}));
}

TEST(ConfigOfApi, SaysWhatIsWrong) {
  EXPECT_EQ(problems_after(std::string{least} + "zzzzzz = 1\n"),
            (Lines{"t.toml:11: api.zzzzzz: unknown key"}));
  EXPECT_EQ(
      problems_after(std::string{least} + "listen = [\"http:192.0.2.1:80\", \"http:127.0.0.1:80\"]\n").size(),
      2U);
  EXPECT_EQ(
      problems_after("[api]\nlisten = [\"https:0.0.0.0:443\"]\nkeys = [{ id = \"a\", secret = \"short\" }, "
                     "{ id = \"a\", secret = \"a-key-of-some-length\", user = [] }]\n"),
      (Lines{"t.toml:7: api.certificate: missing, allowed: a PEM file, as https: needs it; `turnpike key "
             "certificate` makes one to try with",
             "t.toml:7: api.key: missing, allowed: a PEM file, as https: needs it; `turnpike key "
             "certificate` makes one to try with",
             "t.toml:9: api.keys[0].secret: found 5 bytes, allowed: at least 16 bytes",
             "t.toml:9: api.keys[1].id: found \"a\" again, allowed: each once",
             "t.toml:9: api.keys[1].user: unknown key; did you mean \"users\"?"}));
  EXPECT_EQ(
      problems_after(std::string{least} + "certificates = [{ name = \"edge\" }]\n[api.credentials]\n"
                                          "ttl_seconds = 10\nsources = [\"token\"]\n"),
      (Lines{"t.toml:7: api.client_ca: missing, allowed: the file of the authority that vouches for those "
             "certificates, in PEM",
             "t.toml:13: api.credentials.ttl_seconds: found 10, allowed: ttl_min_seconds to "
             "ttl_max_seconds, 60 to 86400",
             "t.toml:14: api.credentials.sources: found \"token\", allowed: a source that "
             "[credentials.token] configures"}));
}

TEST(ConfigOfApi, TellsWhatAReloadCannotTakeIn) {
  const Config before = parsed(least).config;
  const Config keys =
      parsed(std::string{least} + "origins = [\"https://a.example\"]\n[api.limits]\nusers_total = 9\n")
          .config;
  EXPECT_EQ(settings_that_need_restart(before, keys), Lines{});
  const Config place =
      parsed(std::string{least} + "listen = [\"https:192.0.2.1:443\"]\n[api.limits]\nconnections_total = 9\n")
          .config;
  EXPECT_EQ(settings_that_need_restart(before, place), (Lines{"api.limits.connections_total", "api.listen"}));
}

}  // namespace
}  // namespace turnpike::program
