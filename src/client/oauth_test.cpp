#include "client/oauth.hpp"

#include <gtest/gtest.h>

#include "base/crypto.hpp"
#include "base/percent.hpp"

namespace turnpike::client {
namespace {

using std::chrono::seconds;

constexpr std::string_view issuer = "https://waf.example:8445";
constexpr std::string_view metadata =
    R"({"issuer":"https://waf.example:8445","authorization_endpoint":"https://waf.example:8445/authorize",
        "token_endpoint":"https://waf.example:8445/token","revocation_endpoint":"https://waf.example:8445/revoke",
        "code_challenge_methods_supported":["S256"]})";
const WallTime now = from_unix_seconds(1'800'000'000);

OAuthServer server() { return *parse_metadata(metadata, issuer); }

std::string with(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(OAuth, FindsMetadataBelowTheHost) {
  EXPECT_EQ(make_metadata_url("https://waf.example"),
            "https://waf.example/.well-known/oauth-authorization-server");
  EXPECT_EQ(make_metadata_url("https://waf.example:1/a/b"),
            "https://waf.example:1/.well-known/oauth-authorization-server/a/b");
}

TEST(OAuth, ReadsMetadataOfTheIssuerAlone) {
  ASSERT_TRUE(parse_metadata(metadata, issuer));
  EXPECT_EQ(server().token_endpoint, "https://waf.example:8445/token");
  EXPECT_EQ(parse_metadata(metadata, "https://waf.example").error(),
            "it calls itself https://waf.example:8445");
  EXPECT_EQ(parse_metadata("<html>", issuer).error(),
            "what it answers is no authorization server's metadata");
  EXPECT_EQ(parse_metadata(with(std::string{metadata}, R"("S256")", R"("plain")"), issuer).error(),
            "its metadata says nothing of PKCE with S256");
  for (const char* bad : {"http://waf.example/token", "ftp://waf.example/", ""})
    EXPECT_EQ(
        parse_metadata(with(std::string{metadata}, "https://waf.example:8445/token", bad), issuer).error(),
        "its metadata names no token_endpoint");
  EXPECT_EQ(parse_metadata(with(std::string{metadata}, "https://waf.example:8445/revoke", "no"), issuer)
                ->revocation_endpoint,
            "");
}

TEST(OAuth, AsksForACodeWithPkce) {
  SeededRandom random{7};
  const auto request =
      make_authorization_request(server(), "wic", "http://127.0.0.1:9/done", "ims turn", random);
  EXPECT_TRUE(request.url.starts_with("https://waf.example:8445/authorize?response_type=code&client_id=wic"));
  EXPECT_NE(request.url.find("redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fdone"), std::string::npos);
  EXPECT_NE(request.url.find("scope=ims%20turn"), std::string::npos);
  EXPECT_EQ(request.verifier.size(), 43U);  // RFC 7636 section 4.1
  EXPECT_NE(request.url.find("code_challenge=" + to_base64url(crypto::sha256(request.verifier.reveal()))),
            std::string::npos);
  EXPECT_EQ(request.url.find(request.verifier.reveal_text()), std::string::npos);
  const auto other = make_authorization_request(server(), "wic", "http://127.0.0.1:9/done", "", random);
  EXPECT_NE(other.state, request.state);
  EXPECT_FALSE(other.verifier.equals(request.verifier.reveal()));
  EXPECT_EQ(other.url.find("scope"), std::string::npos);
}

class Redirect : public ::testing::Test {
 protected:
  [[nodiscard]] std::string url(std::string_view more) const {
    return "http://127.0.0.1:9/done?state=" + request.state + std::string{more};
  }
  SeededRandom random{7};
  AuthorizationRequest request =
      make_authorization_request(server(), "wic", "http://127.0.0.1:9/done", "ims", random);
};

TEST_F(Redirect, BringsTheCode) {
  const auto code = read_redirect(url("&code=a%2Bb&iss=" + encode_percent(issuer)), request, server());
  ASSERT_TRUE(code) << code.error().to_string();
  EXPECT_EQ(code->reveal_text(), "a+b");
  EXPECT_TRUE(read_redirect(url("&code=a"), request, server()));
}

TEST_F(Redirect, OfAnotherLoginIsPassedOver) {
  for (const std::string& other :
       {std::string{"http://127.0.0.1:9/done?code=a"}, std::string{"http://127.0.0.1:9/done?code=a&state=x"},
        std::string{"http://127.0.0.1:9/done"}, "http://127.0.0.1:9/donate?state=" + request.state,
        "http://127.0.0.1:99/done?state=" + request.state, "https://evil.example/?state=" + request.state})
    EXPECT_FALSE(is_redirect(other, request)) << other;
  EXPECT_TRUE(is_redirect(url(""), request));
}

TEST_F(Redirect, OfAnotherIssuerIsRefused) {
  const auto code = read_redirect(url("&code=a&iss=https%3A%2F%2Fevil.example"), request, server());
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().to_string(), "iss: https://evil.example has answered instead");
}

TEST_F(Redirect, BringsTheErrorOfTheServer) {
  const auto refused =
      read_redirect(url("&error=access_denied&error_description=no+%1b%5Bthanks"), request, server());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().to_string(), "access_denied: no ?[thanks");
  EXPECT_EQ(read_redirect(url("&code="), request, server()).error().error, "code");
}

TEST(OAuth, WritesForms) {
  EXPECT_EQ(encode_form({{"a", "b c"}, {"d", "e&f=\xc3\xbc"}, {"g", ""}}), "a=b%20c&d=e%26f%3D%C3%BC&g=");
}

constexpr std::string_view turn_members =
    R"("access_token":"AAxo","token_type":"pop","expires_in":600,"kid":"k1.s","key":"Zksj","alg":"HMAC-SHA-1",
       "server_name":"turn.ims.example","realm":"ims.example","refresh_after":300,
       "iceServers":[{"urls":["turn:turn.ims.example:3478?transport=udp"],"username":"k1.AA","credential":"c"}])";

TEST(TokenAnswer, BringsBothTokens) {
  const std::string body =
      R"({"access_token":"eyJ","token_type":"Bearer","expires_in":3600,"scope":"ims turn",
    "turn":{)" +
      std::string{turn_members} + R"(},"refresh_token":"f.r"})";
  const auto tokens = parse_token_answer(200, body, now);
  ASSERT_TRUE(tokens) << tokens.error().to_string();
  EXPECT_EQ(tokens->registration.reveal_text(), "eyJ");
  EXPECT_EQ(tokens->registration_life, seconds{3600});
  EXPECT_EQ(tokens->refresh_token.reveal_text(), "f.r");
  EXPECT_EQ(tokens->refresh_after, seconds{300});
  ASSERT_TRUE(tokens->turn);
  EXPECT_EQ(tokens->turn->username, "k1.s");
  EXPECT_EQ(tokens->turn->uris, std::vector<std::string>{"turn:turn.ims.example:3478?transport=udp"});
  EXPECT_EQ(tokens->turn->expires_at, now + seconds{600});
}

TEST(TokenAnswer, BringsATurnTokenAlone) {
  const auto tokens = parse_token_answer(200, "{" + std::string{turn_members} + "}", now);
  ASSERT_TRUE(tokens) << tokens.error().to_string();
  EXPECT_TRUE(tokens->registration.empty());
  EXPECT_EQ(tokens->turn->server_name, "turn.ims.example");
  EXPECT_EQ(tokens->refresh_after, seconds{300});
}

TEST(TokenAnswer, SaysWhyThereIsNone) {
  const auto refused =
      parse_token_answer(400, R"({"error":"invalid_grant","error_description":"used"})", now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().to_string(), "invalid_grant: used");
  EXPECT_EQ(parse_token_answer(502, "<html>", now).error().error, "status 502");
  for (const char* body :
       {"", "[]", "{}", R"({"access_token":"a","token_type":"Bearer"})",
        R"({"access_token":"a","token_type":"Bearer","expires_in":-1})",
        R"({"access_token":"a","token_type":"Bearer","expires_in":"3600"})",
        R"({"access_token":"a","token_type":"DPoP","expires_in":60})",
        R"({"access_token":"AA","token_type":"pop","expires_in":60})",
        R"({"access_token":"?","token_type":"pop","expires_in":60,"kid":"k","key":"AAAA"})"})
    EXPECT_FALSE(parse_token_answer(200, body, now)) << body;
  const std::string big = R"({"token_type":"pop","expires_in":60,"kid":"k","key":"AAAA","access_token":")" +
                          std::string(4000, 'A') + R"("})";
  EXPECT_FALSE(parse_token_answer(200, big, now));
}

TEST(TokenHolder, IsWhoTheTokenNames) {
  const auto token = [](std::string_view claims) {
    return Secret::from_text("e30." + to_base64url(as_bytes(claims)) + ".c2ln");
  };
  const auto alice = find_token_holder(token(R"({"impus":["sip:alice@ims.example","tel:+1"]})"));
  ASSERT_TRUE(alice);
  EXPECT_EQ(alice->identity, "sip:alice@ims.example");
  EXPECT_FALSE(alice->is_pool_identity);
  const auto lent = find_token_holder(token(R"({"impus":"sip:pool-1@ims.example","pool":true})"));
  EXPECT_EQ(lent->identity, "sip:pool-1@ims.example");
  EXPECT_TRUE(lent->is_pool_identity);
  for (const char* claims : {"{}", R"({"impus":[]})", R"({"impus":[7]})", R"({"impus":7,"pool":"yes"})"}) {
    EXPECT_EQ(find_token_holder(token(claims))->identity, "") << claims;
    EXPECT_FALSE(find_token_holder(token(claims))->is_pool_identity) << claims;
  }
  for (const char* claims : {"[]", "nothing", ""}) EXPECT_FALSE(find_token_holder(token(claims))) << claims;
  for (const char* opaque : {"", "opaque", "a.b", "a.!.c", ".."})
    EXPECT_FALSE(find_token_holder(Secret::from_text(opaque))) << opaque;
}

}  // namespace
}  // namespace turnpike::client
