// The vectors are those of RFC 7635 appendix A and what coturn's turnutils_oauth makes of like inputs.
#include "program/token_command.hpp"

#include <gtest/gtest.h>

namespace turnpike::program {
namespace {

constexpr std::string_view key = "SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM=";
constexpr std::string_view v1 =
    "AAxoNGozazJsMm40YjVhfvE0o9XkTpoZzH3BBLDAPQOypVHY/fXNO23KbxDPt35bLd7ITSk6XFBJk1nwwuJvdg==";
const WallTime wall = from_unix_seconds(1'893'456'000);

TokenEncodeOptions rfc7635_appendix_a() {
  TokenEncodeOptions options;
  options.sealing.key = key;
  options.sealing.server_name = "blackdow.carleon.gov";
  options.sealing.kid = "2783466234";
  options.mac_key = "WmtzanB3ZW9peFhtdm42NzUzNG0=";
  options.nonce = "aDRqM2sybDJuNGI1";
  options.timestamp = 92'470'300'704'768;
  options.lifetime = 3600;
  return options;
}

TokenEncodeOptions ims() {
  TokenEncodeOptions options = rfc7635_appendix_a();
  options.sealing.server_name = "turn.ims.example";
  options.timestamp.reset();
  options.lifetime = 600;
  return options;
}

TokenDecodeOptions opens(std::string_view token, std::string_view server_name = "blackdow.carleon.gov") {
  TokenDecodeOptions options;
  options.sealing.key = key;
  options.sealing.server_name = server_name;
  options.token = token;
  return options;
}

std::string encoded(const TokenEncodeOptions& options) {
  SeededRandom random{1};
  const Answer answer = encode_token_by_hand(options, wall, random);
  return answer.exit_status == exit_ok ? answer.text : answer.complaint;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(TokenEncode, PrintsTheVectorOfRfc7635) {
  EXPECT_EQ(encoded(rfc7635_appendix_a()), std::string{v1} + '\n');
}

TEST(TokenEncode, PrintsHexadecimalWhenAsked) {
  TokenEncodeOptions options = rfc7635_appendix_a();
  options.hex = true;
  EXPECT_EQ(encoded(options),
            "000c68346a336b326c326e346235617ef134a3d5e44e9a19cc7dc104b0c03d03b2a551d8fdf5cd3b6dca6f10cfb77e5b"
            "2ddec84d"
            "293a5c50499359f0c2e26f76\n");
}

TEST(TokenEncode, TakesTheFirstHalfOfALongKeyForA128GcmAndSaysSo) {
  TokenEncodeOptions options = rfc7635_appendix_a();
  options.sealing.algorithm = "A128GCM";
  SeededRandom random{1};
  const Answer answer = encode_token_by_hand(options, wall, random);
  EXPECT_EQ(answer.text,
            "AAxoNGozazJsMm40YjV/uemfCCe+PfHhvWUUk9MDHTbfVweXhK7l6stl+tTyf6saP5eXS2n4UbJL9a8J7aNX4A==\n");
  EXPECT_EQ(answer.complaint, "--key has 32 bytes; A128GCM takes the first 16, as coturn does");
}

TEST(TokenEncode, DatesTheTokenNowUnlessTold) {
  EXPECT_EQ(encoded(ims()),
            "AAxoNGozazJsMm40YjVhfvE0o9XkTpoZzH3BBLDAPQOypVHY/fXp+V4nbxDPt3ITx2zUH++R7DP7mSKTPqsZMw==\n");
  TokenEncodeOptions options = ims();
  options.issued_at = 1'893'456'000;
  EXPECT_EQ(encoded(options), encoded(ims()));
}

TEST(TokenEncode, TakesAMacKeyOf32Bytes) {
  TokenEncodeOptions options = ims();
  options.mac_key = to_base64(as_bytes("0123456789abcdefghijABCDEFGHIJKL"));
  EXPECT_EQ(encoded(options),
            "AAxoNGozazJsMm40YjVhSptu4oygDMlBnTz4C6XKblLg/gzfvLfaZsPhKFiG/TsHErzNX/FT/"
            "rTZCxZNZSgaWsab9dyYhf7VzYjnlA=="
            "\n");
}

TEST(TokenEncode, DrawsANonceUnlessTold) {
  TokenEncodeOptions options = ims();
  options.nonce.reset();
  SeededRandom random{1};
  const std::string first = encode_token_by_hand(options, wall, random).text;
  const std::string second = encode_token_by_hand(options, wall, random).text;
  EXPECT_EQ(first.size(), second.size());
  EXPECT_NE(first, second);
}

TEST(TokenEncode, SaysWhatIsWrongWithoutRepeatingAKey) {
  TokenEncodeOptions options = ims();
  options.sealing.key = "c2VjcmV0a2V5";
  EXPECT_EQ(encoded(options), "--key: found 9 bytes, allowed: base64 of 32 bytes for A256GCM");
  options = ims();
  options.sealing.key = "my secret";
  EXPECT_EQ(encoded(options), "--key: found 9 characters that are not base64");
  options = ims();
  options.mac_key = "";
  EXPECT_EQ(encoded(options),
            "--mac-key: found 0 bytes, allowed: base64 of 1 to 64 bytes; 20 and 32 are usual");
  options = ims();
  options.sealing.derive = true;
  options.sealing.kid.reset();
  EXPECT_EQ(encoded(options), "--derive: needs --kid, as each kid has a key of its own");
  options = ims();
  options.timestamp = options.issued_at = 1;
  EXPECT_EQ(encoded(options), "--timestamp and --issued-at say the same twice");
}

TEST(TokenDecode, PrintsWhatIsInside) {
  TokenDecodeOptions options = opens(v1);
  options.at = 1'410'984'813 + 60;
  const Answer answer = decode_token_by_hand(options, wall);
  EXPECT_EQ(answer.exit_status, exit_ok);
  EXPECT_EQ(answer.text,
            "mac_key      WmtzanB3ZW9peFhtdm42NzUzNG0= (20 bytes)\n"
            "timestamp    92470300704768 (2014-09-17T20:13:33Z and 0 ms)\n"
            "lifetime     3600 s\n"
            "ends         2014-09-17T21:13:33Z (in 59 min)\n"
            "state        valid\n");
}

TEST(TokenDecode, OpensCoturnsExample) {
  const Answer answer = decode_token_by_hand(
      opens("AAy1JBYVLo16iq9gFdHyyknmx5T/Lq9YlbxgUdLcStOFS0H8xhHceHOL2f49qxp4uBpGuuLeLqk+RcAa5uP2EQ==",
            "example.com"),
      wall);
  EXPECT_TRUE(contains(answer.text,
                       "mac_key      WmtzanB3ZW9peFhtdm42NzUzNG0= (20 bytes)\ntimestamp    16333642137600"));
  EXPECT_TRUE(contains(answer.text, "state        expired\n"));
}

TEST(TokenDecode, OpensWhatIsSealedWithADerivedKey) {
  TokenEncodeOptions encode = ims();
  encode.sealing.derive = true;
  encode.sealing.kid = "k1.8f3a";
  std::string token = encoded(encode);
  token.pop_back();
  TokenDecodeOptions decode = opens(token, "turn.ims.example");
  EXPECT_EQ(decode_token_by_hand(decode, wall).exit_status, exit_no);
  decode.sealing = encode.sealing;
  EXPECT_EQ(decode_token_by_hand(decode, wall).exit_status, exit_ok);
}

TEST(TokenDecode, SaysWhyATokenDoesNotOpen) {
  const auto why = [](const TokenDecodeOptions& options, int exit_status) {
    const Answer answer = decode_token_by_hand(options, wall);
    EXPECT_EQ(answer.exit_status, exit_status);
    EXPECT_EQ(answer.text, "");
    return answer.complaint;
  };
  EXPECT_TRUE(contains(why(opens(v1, "wrong.example"), exit_no), "does not open"));
  EXPECT_TRUE(contains(why(opens("AAxo"), exit_wrong), "its 3 bytes are not laid out"));
  EXPECT_EQ(why(opens("no token!"), exit_wrong), "the token is malformed: its 9 characters are not base64");
  TokenDecodeOptions hex = opens(v1);
  hex.hex = true;
  EXPECT_TRUE(contains(why(hex, exit_wrong), "are not hexadecimal"));
}

}  // namespace
}  // namespace turnpike::program
