#include "waf/account_rules.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "jose/signing_key.hpp"

namespace turnpike::waf {
namespace {

using Problems = std::vector<std::string>;

TEST(AccountRules, LetAUsableClientPass) {
  EXPECT_EQ(find_problems(Client{.id = "wic",
                                 .redirect_uris = {"https://wic.example/"},
                                 .grants = {GrantType::authorization_code, GrantType::refresh_token},
                                 .scopes = {"ims"}}),
            Problems{});
  EXPECT_EQ(
      find_problems(Client{
          .id = "epcscf",
          .method = ClientMethod::private_key_jwt,
          .jwks = R"({"keys":[)" + jose::SigningKey::generate(jose::Algorithm::es256).public_jwk() + "]}",
          .introspects = {"epcscf"}}),
      Problems{});
}

TEST(AccountRules, SayWhatIsWrongWithAClient) {
  EXPECT_EQ(
      find_problems(Client{.id = "a b",
                           .name = "x\ny",
                           .method = ClientMethod::client_secret_basic,
                           .jwks = "{}",
                           .redirect_uris = {"http://a.example/"},
                           .grants = {GrantType::refresh_token},
                           .scopes = {"a b"}}),
      (Problems{"the method client_secret_basic needs a secret", "the method client_secret_basic has no keys",
                "the id has 1 to 255 printable characters, without spaces",
                "the name has at most 255 bytes, without control characters",
                "the redirect URI is http, which is for 127.0.0.1 and [::1] alone",
                "the grant refresh_token needs authorization_code",
                "a scope has printable characters, without spaces, quotes and backslashes"}));
  EXPECT_EQ(
      find_problems(Client{.id = "a",
                           .secrets = {{}},
                           .grants = {GrantType::authorization_code, GrantType::client_credentials},
                           .introspects = {"a"},
                           .exchanges_for_others = true}),
      (Problems{"the method none has no secret", "the grant client_credentials needs a secret or a key",
                "introspection needs a secret or a key", "to exchange others' tokens needs a secret or a key",
                "the grant authorization_code needs a redirect URI"}));
  EXPECT_EQ(find_problems(Client{.id = "a", .method = ClientMethod::private_key_jwt}),
            Problems{"the key set is no JSON object within the limits"});
}

TEST(AccountRules, BoundWhatAnAccountHolds) {
  const Client good{.id = "a", .redirect_uris = {"https://a.example/"}};
  const auto problems_with = [&](const std::function<void(Client&)>& change) {
    Client client = good;
    change(client);
    return find_problems(client);
  };
  EXPECT_EQ(problems_with([](Client& it) { it.redirect_uris.assign(33, "https://a.example/"); }),
            Problems{"found 33 redirect URIs, allowed: at most 32"});
  EXPECT_EQ(
      problems_with([](Client& it) { it.redirect_uris = {"https://a.example/" + std::string(2048, 'a')}; }),
      Problems{"a redirect URI: found 2066 bytes, allowed: at most 2048"});
  EXPECT_EQ(problems_with([](Client& it) { it.jwks = std::string(65537, ' '); }),
            Problems{"the key set: found 65537 bytes, allowed: at most 65536"});
  EXPECT_EQ(problems_with([](Client& it) { it.audiences = {std::string(256, 'a')}; }),
            Problems{"audiences have 1 to 255 bytes each, without control characters"});
  EXPECT_EQ(problems_with([](Client& it) {
              for (int i = 0; i < 65; ++i) it.audiences.insert(std::to_string(i));
            }),
            Problems{"found 65 audiences, allowed: at most 64"});
  EXPECT_EQ(problems_with([](Client& it) { it.wwsf = std::string(256, 'a'); }).size(), 1u);
  EXPECT_EQ(problems_with([](Client& it) { it.name = std::string(256, 'a'); }).size(), 1u);
  EXPECT_EQ(problems_with([](Client& it) { it.id = std::string(256, 'a'); }).size(), 1u);
  EXPECT_EQ(problems_with([](Client&) {}), Problems{});
  User user{.id = "u", .name = "alice", .identity = {.impi = "a@x", .impus = {"sip:a@x"}}};
  EXPECT_EQ(find_problems(user), Problems{});
  user.identity.impus.assign(65, "sip:a@x");
  EXPECT_EQ(find_problems(user), Problems{"found 65 public identities, allowed: at most 64"});
  user.identity = {.impi = std::string(256, 'a'), .impus = {"sip:a\nb"}};
  EXPECT_EQ(find_problems(user).size(), 2u);
  user = {.id = "u", .name = std::string(256, 'a')};
  EXPECT_EQ(find_problems(user), Problems{"the name has 1 to 255 bytes, without control characters"});
}

TEST(AccountRules, SayWhatIsWrongWithAUser) {
  EXPECT_EQ(find_problems(User{.id = "u", .name = "alice"}), Problems{});
  EXPECT_EQ(find_problems(User{.id = "", .name = "", .identity = {.impi = "a@x"}}).size(), 3u);
}

TEST(AccountRules, SayWhatIsWrongWithAConfiguration) {
  ByteVector key(32);
  SeededRandom{1}.fill(key);
  Settings settings{.issuer = "https://waf.example", .registration = {.audience = "e"}, .key = Secret{key}};
  settings.turn.push_back({.token = {.server_name = "t", .keys = {{.kid = "k", .key = Secret{key}}}}});
  EXPECT_EQ(find_problems(settings), Problems{});
  for (const char* issuer :
       {"", "waf.example", "http://waf.example", "https://waf.example/", "https://waf.example?x",
        "http://127.0.0.1.evil.example", "http://localhost.evil.example", "https://u@waf.example"}) {
    settings.issuer = issuer;
    EXPECT_EQ(find_problems(settings).size(), 1u) << issuer;
  }
  settings.issuer = "http://127.0.0.1:8080";
  settings.key = Secret{ByteVector(31)};
  settings.turn.push_back(settings.turn.front());
  EXPECT_EQ(find_problems(settings),
            (Problems{"the key has less than 32 bytes", "the audience t occurs twice"}));
}

}  // namespace
}  // namespace turnpike::waf
