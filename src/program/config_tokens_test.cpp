#include "program/config_tokens.hpp"

#include <gtest/gtest.h>

#include "program/test_folder.hpp"

namespace turnpike::program {
namespace {

using Lines = std::vector<std::string>;

struct Read {
  std::optional<TokensConfig> tokens;
  Lines problems;
};

// The text of the section, whose first line is line 2.
Read read(const std::string& section, const std::filesystem::path& folder = "/etc/turnpike") {
  const auto document = parse_document("[tokens]\n" + section);
  EXPECT_TRUE(document) << document.error().message;
  std::vector<Problem> problems;
  SecretReader secrets{folder};
  TableReader root{&*document, "", problems};
  Read result{.tokens = read_tokens(root.sub_table("tokens"), folder, secrets, problems), .problems = {}};
  for (const Problem& problem : problems) result.problems.push_back(format_problem("t", problem));
  return result;
}
Lines problems_of(const std::string& section) { return read(section).problems; }

const std::string server = "authz_server = 'https://waf.example/'\n";
const std::string issuer =
    "[[tokens.issuers]]\nissuer = 'https://waf.example'\naudience = 'epcscf'\njwks_uri = "
    "'https://waf.example/jwks'\n";

TEST(TokensConfig, IsNothingWhereTheSectionIsAbsent) {
  std::vector<Problem> problems;
  SecretReader secrets{"."};
  EXPECT_FALSE(read_tokens(TableReader{nullptr, "tokens", problems}, ".", secrets, problems));
  EXPECT_TRUE(problems.empty());
}

TEST(TokensConfig, NeedsLittle) {
  const Read result = read(server + issuer);
  EXPECT_EQ(result.problems, Lines{});
  ASSERT_TRUE(result.tokens);
  const auto& checks = result.tokens->checks;
  ASSERT_EQ(checks.issuers.size(), 1u);
  EXPECT_EQ(checks.issuers[0].issuer, "https://waf.example");
  EXPECT_EQ(checks.issuers[0].jwks_uri, "https://waf.example/jwks");
  EXPECT_EQ(checks.issuers[0].algorithms, jose::public_key_algorithms);
  EXPECT_EQ(checks.issuers[0].types, Lines{"at+jwt"});
  EXPECT_EQ(checks.clock_skew, std::chrono::seconds{30});
  EXPECT_FALSE(checks.introspection);
  EXPECT_EQ(result.tokens->bearer.authorization_server, "https://waf.example/");
  ASSERT_EQ(result.tokens->bearer.issuers.size(), 1u);
  EXPECT_FALSE(result.tokens->bearer.issuers[0].is_third_party);
}

constexpr const char* everything = R"(
authz_server = "https://waf.example/"
scope = "ims"
clock_skew_seconds = 5
wwsfs = [{ id = "shop", origins = ["https://shop.example"], pool_impis = ["pool-*@ims.example"] }, { id = "own" }]
[[tokens.issuers]]
issuer = "https://waf.example"
audience = "epcscf"
jwks_file = "jwks.json"
algorithms = ["ES256"]
types = ["at+jwt", "JWT"]
impi_claim = "i"
impus_claim = "p"
wwsf_claim = "w"
pool_claim = "l"
impis = ["*@ims.example"]
[[tokens.issuers]]
issuer = "https://partner.example"
audience = "epcscf"
shared_secret = "0123456789abcdef0123456789abcdef"
third_party = true
[tokens.introspection]
endpoint = "https://waf.example/introspect"
client_id = "epcscf"
client_secret = "much"
issuer = "https://opaque.example"
audience = "epcscf"
ca_file = "ca.pem"
deadline_milliseconds = 4000
cache_seconds = 0
)";

TEST(TokensConfig, ReadsEverything) {
  const Read result = read(everything);
  EXPECT_EQ(result.problems, Lines{});
  const TokensConfig& tokens = *result.tokens;
  ASSERT_EQ(tokens.checks.issuers.size(), 2u);
  const auto& waf = tokens.checks.issuers[0];
  EXPECT_EQ(waf.jwks_file, "/etc/turnpike/jwks.json");
  EXPECT_EQ(waf.algorithms, jose::AlgorithmSet{jose::Algorithm::es256});
  EXPECT_EQ(waf.types, (Lines{"at+jwt", "jwt"}));
  EXPECT_EQ(
      waf.identity.impi_claim + waf.identity.impus_claim + waf.identity.wwsf_claim + waf.identity.pool_claim,
      "ipwl");
  EXPECT_EQ(waf.identity.impis, Lines{"*@ims.example"});
  EXPECT_EQ(tokens.checks.issuers[1].algorithms, jose::AlgorithmSet{jose::Algorithm::hs256});
  ASSERT_TRUE(tokens.checks.introspection);
  EXPECT_EQ(tokens.checks.introspection->ca_file, "/etc/turnpike/ca.pem");
  EXPECT_EQ(tokens.checks.introspection->cache.count(), 0);
  EXPECT_EQ(tokens.bearer.patience, std::chrono::seconds{5});
  ASSERT_EQ(tokens.bearer.issuers.size(), 3u);
  EXPECT_TRUE(tokens.bearer.issuers[1].is_third_party);
  EXPECT_EQ(tokens.bearer.issuers[2].name, "https://opaque.example");
  ASSERT_EQ(tokens.bearer.wwsfs.size(), 2u);
  EXPECT_EQ(tokens.bearer.wwsfs[0].pool, Lines{"pool-*@ims.example"});
  EXPECT_EQ(tokens.wwsf_origins,
            (std::map<std::string, Lines>{{"own", {}}, {"shop", {"https://shop.example"}}}));
}

TEST(TokensConfig, IsWrittenAsItIsReadAndWithoutSecrets) {
  const TokensConfig tokens = *read(everything).tokens;
  const std::string text = format_tokens("epcscf.tokens", tokens.checks, tokens.bearer, tokens.wwsf_origins);
  EXPECT_EQ(text.find("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(text.find("much"), std::string::npos);
  for (const char* line : {"jwks_file = \"/etc/turnpike/jwks.json\"", "algorithms = [\"ES256\"]",
                           "third_party = true", "deadline_milliseconds = 4000",
                           "pool_impis = [\"pool-*@ims.example\"]", "origins = [\"https://shop.example\"]"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  const auto document = parse_document(text);
  EXPECT_TRUE(document);
}

TEST(TokensConfig, ComplainsOfWhatIsMissing) {
  EXPECT_EQ(problems_of(""),
            (Lines{"t:1: tokens.authz_server: missing, allowed: the https URL of the WAF, which is "
                   "told to those without a token",
                   "t:1: tokens.issuers: missing, allowed: at least one of issuers and introspection"}));
  EXPECT_EQ(
      problems_of(server + "[[tokens.issuers]]\n"),
      (Lines{"t:3: tokens.issuers[0].issuer: missing, allowed: the \"iss\" of the tokens, to the letter",
             "t:3: tokens.issuers[0].audience: missing, allowed: what the tokens have in \"aud\" for us",
             "t:3: tokens.issuers[0]: found 0 of them, allowed: exactly one of jwks_uri, jwks_file and "
             "shared_secret (or shared_secret_file)"}));
}

TEST(TokensConfig, ComplainsOfWhatDoesNotFit) {
  const auto last = [](const std::string& lines) {
    const Lines all = problems_of(server + issuer + lines);
    return all.empty() ? "" : all.back();
  };
  EXPECT_EQ(last("algorithms = ['none']\n"),
            "t:7: tokens.issuers[0].algorithms: found \"none\", allowed: a list of \"RS256\", \"PS256\" and "
            "\"ES256\"");
  EXPECT_EQ(last("algorithms = ['RS256', 'HS256']\n").substr(0, 54),
            "t:7: tokens.issuers[0].algorithms: found \"HS256\", allo");
  EXPECT_NE(last("algorithms = []\n"), "");
  EXPECT_NE(last("impi_claim = ''\n"), "");
  EXPECT_NE(last("colour = 'red'\n"), "");
  EXPECT_EQ(last("jwks_file = 'x'\n"),
            "t:3: tokens.issuers[0]: found 2 of them, allowed: exactly one of jwks_uri, "
            "jwks_file and shared_secret (or shared_secret_file)");
  EXPECT_EQ(last(issuer),
            "t:8: tokens.issuers[1].issuer: found \"https://waf.example\" again, allowed: each issuer once");
  EXPECT_EQ(last("[[tokens.wwsfs]]\nid = 'a'\npool_impis = ['pool']\n"),
            "t:9: tokens.wwsfs[0].pool_impis: found \"pool\", allowed: a list of private identities, such as "
            "\"pool-*@ims.example\", with stars before the \"@\" alone");
}

TEST(TokensConfig, TakesNoUrlOverWhichATokenCouldBeSeen) {
  for (const char* url :
       {"http://waf.example/jwks", "ftp://waf.example/", "waf.example", "https://u:p@waf.example/"})
    EXPECT_EQ(
        problems_of(server + "[[tokens.issuers]]\nissuer = 'i'\naudience = 'a'\njwks_uri = '" + url + "'\n"),
        Lines{"t:6: tokens.issuers[0].jwks_uri: found \"" + std::string{url} +
              "\", allowed: an https URL, or an http URL of this machine"});
  EXPECT_EQ(
      problems_of(server +
                  "[[tokens.issuers]]\nissuer = 'i'\naudience = 'a'\njwks_uri = 'http://[::1]:8080/'\n"),
      Lines{});
}

TEST(TokensConfig, DoesNotRepeatASecretThatIsTooShort) {
  const Lines problems =
      problems_of(server + "[[tokens.issuers]]\nissuer = 'i'\naudience = 'a'\nshared_secret = 'hush'\n");
  EXPECT_EQ(problems,
            Lines{"t:6: tokens.issuers[0].shared_secret: found 4 bytes, allowed: at least 32 bytes"});
}

TEST(TokensConfig, ReadsSecretsFromFiles) {
  TestFolder folder;
  folder.write("secret", std::string(32, 's') + "\n");
  const Read result =
      read(server + "[[tokens.issuers]]\nissuer = 'i'\naudience = 'a'\nshared_secret_file = 'secret'\n",
           folder / ".");
  EXPECT_EQ(result.problems, Lines{});
  EXPECT_EQ(result.tokens->checks.issuers[0].shared_secret.size(), 32u);
}

}  // namespace
}  // namespace turnpike::program
