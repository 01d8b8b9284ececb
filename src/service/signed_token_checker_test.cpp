#include "service/signed_token_checker.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "service/test_http_server.hpp"
#include "service/test_issuer.hpp"

namespace turnpike::service {
namespace {

using namespace std::chrono_literals;

// One WAF whose keys come from a server that the test writes.
struct World {
  boost::asio::io_context loop{};
  TestIssuer waf{};
  std::string fields{};
  std::string status = "200 OK";
  std::vector<std::string> lines{};
  Log log{LogLevel::debug, LogFormat::text, [this](std::string_view line) { lines.emplace_back(line); }};
  TestHttpServer server{loop, [this](const SeenRequest&) -> std::optional<std::string> {
                          if (status.empty()) return std::nullopt;
                          return make_http_answer(waf.key_set(), status, fields);
                        }};
  TokenSettings settings{
      .issuers = {{.issuer = "https://waf.example", .audience = "epcscf", .jwks_uri = server.url("/jwks")}},
      .keys = {.unknown_key_interval = 0s}};

  std::unique_ptr<SignedTokenChecker> checker() {
    auto made = SignedTokenChecker::make(loop, settings, log);
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }
  [[nodiscard]] bool has_logged(std::string_view text) const {
    return std::ranges::any_of(lines,
                               [&](const std::string& line) { return line.find(text) != std::string::npos; });
  }
};

TEST(SignedTokens, WaitForTheFirstKeysAndAreAnsweredTogether) {
  World world;
  const auto checker = world.checker();
  const std::string token = world.waf.token();

  EXPECT_EQ(check_all(world.loop, *checker, {token, token, token}),
            std::vector<std::string>(3, "alice@ims.example"));
  EXPECT_EQ(world.server.seen().size(), 1u);
  EXPECT_TRUE(world.server.seen().front().head.starts_with("GET /jwks "));
}

TEST(SignedTokens, SayUntilWhenTheyAreGood) {
  World world;
  const auto checker = world.checker();
  auto claims = TestIssuer::claims();
  std::vector<epcscf::TokenAnswer> answers;
  const auto keep = [&](const epcscf::TokenAnswer& answer) { answers.push_back(answer); };
  checker->check(world.waf.token(claims), keep);
  const std::int64_t end = claims["exp"];
  claims["exp"] = end - 305;
  checker->check(world.waf.token(claims), keep);
  while (answers.size() < 2) world.loop.run_one();

  EXPECT_EQ(unix_seconds(answers[0]->expires_at), end);
  EXPECT_EQ(answers[0]->issuer, "https://waf.example");
  EXPECT_GT(answers[1]->expires_at, read_clocks().wall)
      << "the skew let it pass, so that it has a little time left";
}

TEST(SignedTokens, AreRefusedWithTheirReason) {
  World world;
  const auto checker = world.checker();
  const auto with = [&](const char* name, const nlohmann::json& value) {
    auto claims = TestIssuer::claims();
    claims[name] = value;
    return world.waf.token(claims);
  };
  EXPECT_EQ(check_one(world.loop, *checker, "garbage"), "malformed");
  EXPECT_EQ(check_one(world.loop, *checker, with("iss", "https://other.example")), "invalid");
  EXPECT_EQ(check_one(world.loop, *checker, with("aud", "other")), "invalid");
  EXPECT_EQ(check_one(world.loop, *checker, with("exp", 1000)), "expired");
  EXPECT_EQ(check_one(world.loop, *checker, with("nbf", 9'000'000'000)), "not_yet_valid");
  EXPECT_EQ(check_one(world.loop, *checker, with("impi", "nobody")), "invalid");
  EXPECT_EQ(check_one(world.loop, *checker,
                      with("cnf", {{"x5t#S256", "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}})),
            "bound");
  EXPECT_EQ(check_one(world.loop, *checker, TestIssuer{}.token()), "invalid");
  for (const std::string& line : world.lines) EXPECT_EQ(line.find("eyJ"), std::string::npos) << line;
}

TEST(SignedTokens, OfANewKeyFetchItOnce) {
  World world;
  const auto checker = world.checker();
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "alice@ims.example");

  world.waf = TestIssuer{.kid = "k2"};
  const std::string token = world.waf.token();
  EXPECT_EQ(check_all(world.loop, *checker, {token, token}),
            std::vector<std::string>(2, "alice@ims.example"));
  EXPECT_EQ(world.server.seen().size(), 2u);
  EXPECT_TRUE(world.has_logged("token_keys_changed"));
}

TEST(SignedTokens, OfUnknownKeysDoNotMakeUsFetchAllTheTime) {
  World world;
  world.settings.keys.unknown_key_interval = 3600s;
  const auto checker = world.checker();
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "alice@ims.example");

  const TestIssuer stranger{.kid = "k2"};
  const std::vector<std::string> tokens(1000, stranger.token());
  EXPECT_EQ(check_all(world.loop, *checker, tokens), std::vector<std::string>(1000, "invalid"));
  EXPECT_EQ(world.server.seen().size(), 1u);
}

TEST(SignedTokens, CannotBeCheckedWhereTheKeysCannotBeHad) {
  World world;
  world.status = "500 Oh";
  const auto checker = world.checker();
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "unavailable");
  EXPECT_TRUE(world.has_logged("token_keys_unavailable"));
  EXPECT_TRUE(world.has_logged("status 500"));
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "unavailable") << "no new try at once";
  EXPECT_EQ(world.server.seen().size(), 1u);
}

TEST(SignedTokens, AreTakenAgainOnceTheKeysCanBeHad) {
  World world;
  world.status = "500 Oh";
  world.settings.keys.retry_first = 0s;
  const auto checker = world.checker();
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "unavailable");
  world.status = "200 OK";
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "alice@ims.example");
}

TEST(SignedTokens, AreCheckedWithOldKeysWhileNewOnesCannotBeHad) {
  World world;
  world.settings.keys.lifetime_min = 0s;
  world.fields = "Cache-Control: max-age=0\r\n";
  const auto checker = world.checker();
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "alice@ims.example");
  world.status = "503 Later";
  while (!world.has_logged("token_keys_unavailable")) world.loop.run_one();

  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "alice@ims.example");
  EXPECT_EQ(check_one(world.loop, *checker, TestIssuer{.kid = "k2"}.token()), "unavailable");
}

TEST(SignedTokens, WaitNoLongerThanTheDeadlineOfTheKeys) {
  World world;
  world.status = "";
  world.settings.limits.keys_deadline = 100ms;
  world.settings.limits.waiting_max = 2;
  const auto checker = world.checker();
  const std::string token = world.waf.token();
  EXPECT_EQ(check_all(world.loop, *checker, {token, token, token}),
            std::vector<std::string>(3, "unavailable"));
}

TEST(SignedTokens, AreCheckedWithTheKeysOfAFileThatMayChange) {
  World world;
  TestCertificates folder;
  const std::string file = folder.key("jwks");
  std::ofstream{file} << world.waf.key_set();
  world.settings.issuers.front().jwks_uri.clear();
  world.settings.issuers.front().jwks_file = file;
  const auto checker = world.checker();
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "alice@ims.example");

  world.waf = TestIssuer{.kid = "k2"};
  std::ofstream{file} << world.waf.key_set();
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "alice@ims.example");
  std::ofstream{file} << "{";
  EXPECT_EQ(check_one(world.loop, *checker, TestIssuer{.kid = "k3"}.token()), "unavailable");
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "alice@ims.example");
}

TEST(SignedTokens, SayAtTheStartWhichFileCannotBeUsed) {
  World world;
  SignedTokenIssuer& issuer = world.settings.issuers.front();
  issuer.jwks_uri.clear();
  issuer.jwks_file = "/nowhere/jwks.json";
  EXPECT_EQ(SignedTokenChecker::make(world.loop, world.settings, world.log).error(),
            "issuer https://waf.example: cannot read /nowhere/jwks.json");
  issuer.jwks_file.clear();
  issuer.shared_secret = Secret{ByteVector(8, 1)};
  EXPECT_EQ(SignedTokenChecker::make(world.loop, world.settings, world.log).error(),
            "issuer https://waf.example: shared_secret has 8 bytes, allowed: at least 32");
}

TEST(SignedTokens, OfSeveralIssuersAreCheckedEachWithItsOwnKeys) {
  World world;
  const ByteVector secret(32, 9);
  world.settings.issuers.push_back({.issuer = "https://partner.example",
                                    .audience = "epcscf",
                                    .shared_secret = Secret{secret},
                                    .algorithms = {jose::Algorithm::hs256},
                                    .types = {"jwt"},
                                    .identity = {.impis = {"*@partner.example"}}});
  const auto checker = world.checker();
  auto claims = TestIssuer::claims();
  claims["iss"] = "https://partner.example";
  claims["impi"] = "bob@partner.example";
  EXPECT_EQ(
      check_one(world.loop, *checker, jose::sign_with_secret({{"alg", "HS256"}}, claims.dump(), secret)),
      "bob@partner.example");
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token()), "alice@ims.example");
  EXPECT_EQ(check_one(world.loop, *checker, world.waf.token(claims)), "invalid")
      << "signed by another issuer";
  claims["impi"] = "alice@ims.example";
  EXPECT_EQ(
      check_one(world.loop, *checker, jose::sign_with_secret({{"alg", "HS256"}}, claims.dump(), secret)),
      "invalid");
}

TEST(SignedTokens, AreForgottenWhenTheCheckerEnds) {
  World world;
  auto checker = world.checker();
  for (int i = 0; i < 10; ++i)
    checker->check(i % 2 == 0 ? world.waf.token() : "garbage", [](const epcscf::TokenAnswer&) { FAIL(); });
  checker.reset();
  world.loop.run_for(30ms);
}

TEST(SignedTokens, MayEndTheCheckerWithTheirAnswer) {
  World world;
  auto checker = world.checker();
  int answers = 0;
  for (int i = 0; i < 3; ++i)
    checker->check(world.waf.token(), [&](const epcscf::TokenAnswer&) {
      ++answers;
      checker.reset();
    });
  world.loop.run_for(100ms);
  EXPECT_EQ(answers, 1);
}

}  // namespace
}  // namespace turnpike::service
