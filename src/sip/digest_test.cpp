#include "sip/digest.hpp"

#include <gtest/gtest.h>

namespace turnpike::sip {
namespace {

// RFC 7616 section 3.9.1, the same request under both hashes.
constexpr std::string_view rfc_nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
constexpr std::string_view rfc_cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

std::string rfc_response(DigestHash hash) {
  const std::string ha1 = make_ha1(hash, "Mufasa", "http-auth@example.org", "Circle of Life");
  return make_digest_response({.hash = hash,
                               .ha1 = ha1,
                               .nonce = rfc_nonce,
                               .nonce_count = "00000001",
                               .cnonce = rfc_cnonce,
                               .method = "GET",
                               .uri = "/dir/index.html"});
}

TEST(Digest, AgreesWithTheExamplesOfRfc7616) {
  EXPECT_EQ(rfc_response(DigestHash::md5), "8ca523f5e9506fed4657c9700eebdbec");
  EXPECT_EQ(rfc_response(DigestHash::sha256),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

TEST(Digest, WithoutQopIsThatOfRfc2069) {
  const std::string ha1 = make_ha1(DigestHash::md5, "Mufasa", "testrealm@host.com", "CircleOfLife");
  EXPECT_EQ(make_digest_response({.ha1 = ha1,
                                  .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                                  .method = "GET",
                                  .uri = "/dir/index.html"}),
            "1949323746fe6a43ef61f9606e7febea");
}

TEST(Digest, AnswersAChallengeInItsOwnTerms) {
  const auto challenge = Credentials::parse(
      R"(Digest realm="ims.example", nonce="n1", algorithm=SHA-256, qop="auth-int,auth", opaque="o")");
  ASSERT_TRUE(challenge);
  const auto answer = answer_challenge(*challenge, {.username = "alice@ims.example",
                                                    .password = "wonder\"land",
                                                    .method = "REGISTER",
                                                    .uri = "sip:ims.example",
                                                    .cnonce = "c1",
                                                    .nonce_count = 26});
  ASSERT_TRUE(answer);
  const auto parsed = Credentials::parse(*answer);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->text("nc"), "0000001a");
  EXPECT_EQ(parsed->text("opaque"), "o");
  EXPECT_EQ(parsed->text("algorithm"), "SHA-256");
  const std::string ha1 = make_ha1(DigestHash::sha256, "alice@ims.example", "ims.example", "wonder\"land");
  EXPECT_EQ(parsed->text("response"), make_digest_response({.hash = DigestHash::sha256,
                                                            .ha1 = ha1,
                                                            .nonce = "n1",
                                                            .nonce_count = "0000001a",
                                                            .cnonce = "c1",
                                                            .method = "REGISTER",
                                                            .uri = "sip:ims.example"}));
}

TEST(Digest, DoesNotAnswerWhatItCannot) {
  const DigestAnswer answer{
      .username = "a", .password = "b", .method = "REGISTER", .uri = "sip:x", .cnonce = "c"};
  for (const std::string_view text :
       {R"(Bearer realm="ims.example")", R"(Digest realm="r")", R"(Digest nonce="n")",
        R"(Digest realm="r", nonce="n", algorithm=SHA-512-256)",
        R"(Digest realm="r", nonce="n", qop="auth-int")"}) {
    const auto challenge = Credentials::parse(text);
    ASSERT_TRUE(challenge) << text;
    EXPECT_FALSE(answer_challenge(*challenge, answer)) << text;
  }
}

}  // namespace
}  // namespace turnpike::sip
