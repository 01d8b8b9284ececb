#include "credentials/token.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "credentials/test_claims.hpp"

namespace turnpike::credentials {
namespace {

using namespace std::chrono_literals;

// RFC 7635 appendix A.
constexpr std::string_view rfc_key = "HGkj32KJGiuy098sdfaqbNjOiaz71923";
constexpr std::string_view rfc_mac_key = "ZksjpweoixXmvn67534m";
constexpr std::string_view rfc_nonce = "h4j3k2l2n4b5";
constexpr std::string_view rfc_server = "blackdow.carleon.gov";
constexpr std::string_view ims_server = "turn.ims.example";
constexpr std::uint64_t rfc_timestamp = 92470300704768;
constexpr std::uint64_t ims_timestamp = 1893456000ULL << 16;

TokenSeal seal_with(TokenAlgorithm algorithm, std::string_view server_name) {
  return {as_bytes(rfc_key).first(key_size(algorithm)), algorithm, server_name};
}

TokenContent make_content(std::string_view mac_key, std::uint64_t timestamp, std::uint32_t lifetime) {
  return {.mac_key = Secret::from_text(mac_key), .timestamp = timestamp, .lifetime = lifetime};
}

void expect_equal(const TokenContent& a, const TokenContent& b) {
  EXPECT_TRUE(a.mac_key.equals(b.mac_key.reveal()));
  EXPECT_EQ(a.timestamp, b.timestamp);
  EXPECT_EQ(a.lifetime, b.lifetime);
  EXPECT_EQ(a.policy, b.policy);
}

// Any plaintext under a good seal, such as encode_token would not write.
ByteVector seal_plaintext(Bytes plaintext, Bytes nonce) {
  ByteVector token(2);
  store_big(token.data(), static_cast<std::uint16_t>(nonce.size()));
  token.insert(token.end(), nonce.begin(), nonce.end());
  const auto sealed = crypto::aes_gcm_seal(as_bytes(rfc_key), nonce, as_bytes(ims_server), plaintext);
  token.insert(token.end(), sealed.begin(), sealed.end());
  return token;
}

TokenError error_of(Bytes token) {
  const auto content = decode_token(token, seal_with(TokenAlgorithm::a256gcm, ims_server));
  EXPECT_FALSE(content);
  return content ? TokenError{0xff} : content.error();
}

struct TokenVector {
  const char* name;
  TokenContent content;
  TokenAlgorithm algorithm;
  std::string_view server_name;
  std::string_view base64;
};

std::vector<TokenVector> make_vectors() {
  return {
      {"V1", make_content(rfc_mac_key, rfc_timestamp, 3600), TokenAlgorithm::a256gcm, rfc_server,
       "AAxoNGozazJsMm40YjVhfvE0o9XkTpoZzH3BBLDAPQOypVHY/fXNO23KbxDPt35bLd7ITSk6XFBJk1nwwuJvdg=="},
      {"V2", make_content(rfc_mac_key, rfc_timestamp, 3600), TokenAlgorithm::a128gcm, rfc_server,
       "AAxoNGozazJsMm40YjV/uemfCCe+PfHhvWUUk9MDHTbfVweXhK7l6stl+tTyf6saP5eXS2n4UbJL9a8J7aNX4A=="},
      {"V3", make_content(rfc_mac_key, ims_timestamp, 600), TokenAlgorithm::a256gcm, ims_server,
       "AAxoNGozazJsMm40YjVhfvE0o9XkTpoZzH3BBLDAPQOypVHY/fXp+V4nbxDPt3ITx2zUH++R7DP7mSKTPqsZMw=="},
      {"V4", make_content(rfc_mac_key, ims_timestamp, 600), TokenAlgorithm::a128gcm, ims_server,
       "AAxoNGozazJsMm40YjV/uemfCCe+PfHhvWUUk9MDHTbfVweXhK7BKPiI+tTyf6dSDBDUKKu49HP22rCsb2hWHA=="},
      {"V5", make_content("0123456789abcdefghijABCDEFGHIJKL", ims_timestamp, 600), TokenAlgorithm::a256gcm,
       ims_server,
       "AAxoNGozazJsMm40YjVhSptu4oygDMlBnTz4C6XKblLg/gzfvLfaZsPhKFiG/TsHErzNX/FT/rTZCxZNZSgaWsab9dyYhf7VzYjn"
       "lA=="}};
}

TEST(Token, PassesPublishedVectors) {
  for (const TokenVector& vector : make_vectors()) {
    const TokenSeal seal = seal_with(vector.algorithm, vector.server_name);
    const ByteVector token = encode_token(vector.content, as_bytes(rfc_nonce), seal);
    EXPECT_EQ(to_base64(token), vector.base64) << vector.name;
    const auto content = decode_token(token, seal);
    ASSERT_TRUE(content) << vector.name;
    expect_equal(*content, vector.content);
  }
}

TEST(Token, PassesAVectorOfBinaryValues) {
  ByteVector mac_key(20);
  std::iota(mac_key.begin(), mac_key.end(), Byte{1});
  ByteVector nonce(12);
  std::iota(nonce.begin(), nonce.end(), Byte{1});
  const TokenContent content{
      .mac_key = Secret{mac_key}, .timestamp = (1893456000ULL << 16) | 32000, .lifetime = 600};
  EXPECT_EQ(
      to_hex(encode_token(content, nonce, seal_with(TokenAlgorithm::a256gcm, ims_server))),
      "000c0102030405060708090a0b0c9d61de5f24e9587fd63e0ad88da6f6fac8e5e6d5b7183db0d7c601c0ab1b0011a1ba4b9b61"
      "84b93fdcdaa4aa753d08d7b4e8");
  EXPECT_EQ(from_token_timestamp(content.timestamp), test_wall + 500ms);
}

TEST(Token, ReadsWhatAnotherServerWrote) {
  const auto token =
      from_base64("AAy1JBYVLo16iq9gFdHyyknmx5T/Lq9YlbxgUdLcStOFS0H8xhHceHOL2f49qxp4uBpGuuLeLqk+RcAa5uP2EQ==");
  const auto content = decode_token(*token, seal_with(TokenAlgorithm::a256gcm, "example.com"));
  ASSERT_TRUE(content);
  expect_equal(*content, make_content(rfc_mac_key, 16333642137600, 3600));
}

TEST(Token, OfAnotherServerIsForged) {
  const TokenVector vector = make_vectors()[0];
  const auto token = from_base64(vector.base64);
  const auto content = decode_token(*token, seal_with(TokenAlgorithm::a256gcm, "wrong.example"));
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error(), TokenError::forged);
}

TEST(Token, DoesNotOpenAfterAChangeOfAnyBit) {
  ByteVector token = encode_token(make_content(rfc_mac_key, ims_timestamp, 600), as_bytes(rfc_nonce),
                                  seal_with(TokenAlgorithm::a256gcm, ims_server));
  for (std::size_t bit = 0; bit < token.size() * 8; ++bit) {
    token[bit / 8] ^= static_cast<Byte>(1 << (bit % 8));
    const TokenError error = error_of(token);
    // The sizes may also lie now; what lies after them is under the seal.
    if (bit >= 16) {
      EXPECT_EQ(error, TokenError::forged) << bit;
    }
    token[bit / 8] ^= static_cast<Byte>(1 << (bit % 8));
  }
  EXPECT_TRUE(decode_token(token, seal_with(TokenAlgorithm::a256gcm, ims_server)));
}

TEST(Token, ThatIsCutIsRefused) {
  const ByteVector token = encode_token(make_content(rfc_mac_key, ims_timestamp, 600), as_bytes(rfc_nonce),
                                        seal_with(TokenAlgorithm::a256gcm, ims_server));
  for (std::size_t size = 0; size < token.size(); ++size)
    EXPECT_EQ(error_of(Bytes{token}.first(size)),
              size < 2 + 12 + 14 + 16 ? TokenError::malformed : TokenError::forged)
        << size;
  ByteVector longer = token;
  longer.push_back(0);
  EXPECT_EQ(error_of(longer), TokenError::forged);
}

TEST(Token, WithSizesThatLieIsMalformed) {
  ByteVector token(64);
  for (const unsigned nonce_length : {0U, 1U, 30U, 33U, 62U, 64U, 65U, 256U, 0x0c00U, 0xffffU}) {
    store_big(token.data(), static_cast<std::uint16_t>(nonce_length));
    const bool fits = nonce_length > 0 && 2 + nonce_length + 14 + 16 <= token.size();
    EXPECT_EQ(error_of(token), fits ? TokenError::forged : TokenError::malformed) << nonce_length;
  }
  EXPECT_EQ(error_of(ByteVector(token_bytes_max + 1)), TokenError::malformed);
}

TEST(Token, ThatWasSealedWithAWrongPlaintextIsMalformed) {
  const ByteVector nonce(12, 7);
  const std::string tail = "0000706f0000ffff00000258";  // timestamp and lifetime
  const auto error = [&](const std::string& plaintext) {
    return error_of(seal_plaintext(hex(plaintext), nonce));
  };
  EXPECT_EQ(error("0000" + tail + "00"), TokenError::malformed);                      // no mac_key
  EXPECT_EQ(error("0041" + std::string(2 * 65, 'a') + tail), TokenError::malformed);  // too long a mac_key
  EXPECT_EQ(error("0015" + std::string(2 * 20, 'a') + tail),
            TokenError::malformed);  // it takes a byte of the rest
  EXPECT_EQ(error("ffff" + std::string(2 * 20, 'a') + tail), TokenError::malformed);
  EXPECT_EQ(error("0014" + std::string(2 * 20, 'a') + tail + "00"),
            TokenError::malformed);  // policy version 0
  EXPECT_EQ(error("0014" + std::string(2 * 20, 'a') + tail + "020000"), TokenError::malformed);
  EXPECT_EQ(error("0014" + std::string(2 * 20, 'a') + tail + "01"), TokenError::malformed);
  EXPECT_EQ(error("0014" + std::string(2 * 20, 'a') + tail + "010000"),
            TokenError::malformed);  // empty policy
}

bool opens_with_policy(const std::string& policy) {
  const std::string head = "0014" + std::string(2 * 20, 'a') + "0000706f0000ffff00000258";
  const ByteVector token = seal_plaintext(hex(head + policy), ByteVector(12, 7));
  return decode_token(token, seal_with(TokenAlgorithm::a256gcm, ims_server)).has_value();
}

TEST(Token, WithAPolicyThatLiesIsMalformed) {
  // Subject "a", 2 allocations, 4096 bytes per second; what follows counts the prefixes.
  const std::string body = "0161000000020000000000001000";
  EXPECT_TRUE(opens_with_policy("01000f" + body + "00"));
  EXPECT_FALSE(opens_with_policy("01000e" + body + "00"));              // the size cuts it
  EXPECT_FALSE(opens_with_policy("010010" + body + "00"));              // the size promises more
  EXPECT_FALSE(opens_with_policy("010010" + body + "0000"));            // more than the prefixes
  EXPECT_FALSE(opens_with_policy("01000f" + body + "0000"));            // more than the policy
  EXPECT_FALSE(opens_with_policy("01000f" + body + "01"));              // a prefix is missing
  EXPECT_FALSE(opens_with_policy("01000fff" + body.substr(2) + "00"));  // the subject takes the rest
}

TEST(Token, WithAPrefixThatLiesIsMalformed) {
  const std::string body = "016100000002000000000000100001";
  EXPECT_TRUE(opens_with_policy("010015" + body + "0120c6336400"));
  EXPECT_FALSE(opens_with_policy("010015" + body + "0121c6336400"));  // 33 bits of IPv4
  EXPECT_FALSE(opens_with_policy("010015" + body + "0320c6336400"));  // no such family
  EXPECT_FALSE(opens_with_policy("010015" + body + "0220c6336400"));  // an IPv6 address has 16 bytes
  EXPECT_FALSE(opens_with_policy("010014" + body + "0120c63364"));
  EXPECT_TRUE(opens_with_policy("010021" + body + "028020010db8000000000000000000000000"));
  EXPECT_FALSE(opens_with_policy("010021" + body + "028120010db8000000000000000000000000"));
}

TokenPolicy draw_policy(SeededRandom& random) {
  TokenPolicy policy;
  policy.subject.resize(random.below(64), 's');
  policy.policy.allocations_max = random.next_u32();
  policy.policy.bytes_per_second = random.next_u64();
  for (auto count = random.below(8); count > 0; --count) {
    if (random.below(2) == 0)
      policy.policy.allowed_peers.push_back(
          {IpAddress::v4(random.draw<4>()), static_cast<std::uint8_t>(random.below(33))});
    else
      policy.policy.allowed_peers.push_back(
          {IpAddress::v6(random.draw<16>()), static_cast<std::uint8_t>(random.below(129))});
  }
  return policy;
}

TEST(Token, DecodesToWhatWasEncoded) {
  SeededRandom random{31};
  for (int i = 0; i < 1000; ++i) {
    const auto algorithm = random.below(2) == 0 ? TokenAlgorithm::a256gcm : TokenAlgorithm::a128gcm;
    ByteVector mac_key(1 + random.below(64));
    random.fill(mac_key);
    ByteVector nonce(1 + random.below(64));
    random.fill(nonce);
    TokenContent content{
        .mac_key = Secret{mac_key}, .timestamp = random.next_u64(), .lifetime = random.next_u32()};
    if (random.below(2) == 0) content.policy = draw_policy(random);
    const TokenSeal seal = seal_with(algorithm, random.below(2) == 0 ? "" : ims_server);
    const auto decoded = decode_token(encode_token(content, nonce, seal), seal);
    ASSERT_TRUE(decoded);
    expect_equal(*decoded, content);
  }
}

TEST(TokenKey, IsDerivedForAKid) {
  ByteVector master(32);
  std::iota(master.begin(), master.end(), Byte{0});
  const auto derive = [&](TokenAlgorithm algorithm, std::string_view kid) {
    return to_hex(derive_token_key(Secret{master}, algorithm, ims_server, kid).reveal());
  };
  EXPECT_EQ(derive(TokenAlgorithm::a256gcm, "k1.8f3a"),
            "4e577de176e69334777760e98a54ed06ab2e7cb99c8809cd4176d1351ce48ebf");
  EXPECT_EQ(derive(TokenAlgorithm::a256gcm, "k1.8f3b"),
            "6e59e016848deb28b9e996af63278393baf42bc4a4ec818f0a16c3a3374092c8");
  EXPECT_EQ(derive(TokenAlgorithm::a128gcm, "k1.8f3a").size(), 32U);
  EXPECT_FALSE(
      derive(TokenAlgorithm::a256gcm, "k1.8f3a").starts_with(derive(TokenAlgorithm::a128gcm, "k1.8f3a")));
}

TEST(TokenAlgorithm, HasAName) {
  for (const auto algorithm : {TokenAlgorithm::a256gcm, TokenAlgorithm::a128gcm})
    EXPECT_EQ(parse_token_algorithm(to_string(algorithm)), algorithm);
  EXPECT_EQ(parse_token_algorithm("a256gcm"), TokenAlgorithm::a256gcm);
  EXPECT_EQ(parse_token_algorithm("A128-gcm"), TokenAlgorithm::a128gcm);
  EXPECT_EQ(parse_token_algorithm("A256_GCM"), TokenAlgorithm::a256gcm);
  EXPECT_EQ(parse_token_algorithm("A192GCM"), std::nullopt);
  EXPECT_EQ(parse_token_algorithm(""), std::nullopt);
  EXPECT_EQ(key_size(TokenAlgorithm::a256gcm), 32U);
  EXPECT_EQ(key_size(TokenAlgorithm::a128gcm), 16U);
}

TEST(TokenTimestamp, CountsSecondsAndTheir64000ths) {
  EXPECT_EQ(to_token_timestamp(test_wall), ims_timestamp);
  EXPECT_EQ(to_token_timestamp(test_wall + 500ms), ims_timestamp | 32000);
  EXPECT_EQ(to_token_timestamp(from_unix_seconds(0) - 1s), 0U);
  EXPECT_EQ(from_token_timestamp(rfc_timestamp), from_unix_seconds(1410984813));
  EXPECT_EQ(from_token_timestamp(ims_timestamp | 0xffff), from_token_timestamp(ims_timestamp | 63999));
  EXPECT_LT(from_token_timestamp(ims_timestamp | 0xffff), test_wall + 1s);
  EXPECT_EQ(from_token_timestamp(0xffffffffffffffff), WallTime::max());
}

TEST(TokenTimestamp, ComesBackWithinATick) {
  SeededRandom random{7};
  for (int i = 0; i < 1000; ++i) {
    const WallTime at = from_unix_seconds(random.next_u32()) + Duration{random.below(1'000'000'000)};
    const Duration error = at - from_token_timestamp(to_token_timestamp(at));
    EXPECT_GE(error, Duration{0});
    EXPECT_LT(error, Duration{15625});
  }
}

TEST(TokenTime, ReachesToBothSides) {
  // RFC 7635 section 7: lifetime + 5 s > |now - timestamp|.
  const TokenContent content = make_content(rfc_mac_key, ims_timestamp, 600);
  EXPECT_EQ(check_token_time(content, test_wall), TokenTime::valid);
  EXPECT_EQ(check_token_time(content, test_wall + 605s - 1ns), TokenTime::valid);
  EXPECT_EQ(check_token_time(content, test_wall + 605s), TokenTime::expired);
  EXPECT_EQ(check_token_time(content, test_wall - 605s + 1ns), TokenTime::valid);
  EXPECT_EQ(check_token_time(content, test_wall - 605s), TokenTime::in_future);
}

TEST(TokenTime, OfNoLifetimeIsRefused) {
  EXPECT_EQ(check_token_time(make_content(rfc_mac_key, ims_timestamp, 0), test_wall),
            TokenTime::without_lifetime);
}

TEST(TokenTime, DoesNotOverflow) {
  const TokenContent latest = make_content(rfc_mac_key, 0xffffffffffffffff, 0xffffffff);
  const TokenContent earliest = make_content(rfc_mac_key, 0, 0xffffffff);
  EXPECT_EQ(check_token_time(latest, WallTime::min()), TokenTime::in_future);
  EXPECT_EQ(check_token_time(latest, WallTime::max()), TokenTime::valid);
  EXPECT_EQ(check_token_time(earliest, WallTime::max()), TokenTime::expired);
  EXPECT_EQ(find_token_end(latest, WallTime::max()), WallTime::max());
  EXPECT_EQ(find_token_end(latest, WallTime::min()), WallTime{});
  EXPECT_EQ(find_token_end(earliest, test_wall), from_unix_seconds(0xffffffffULL + 5));
}

TEST(TokenEnd, IsLifetimeAndSkewAfterItsDate) {
  const TokenContent content = make_content(rfc_mac_key, ims_timestamp, 600);
  EXPECT_EQ(find_token_end(content, test_wall), test_wall + 605s);
  EXPECT_EQ(find_token_end(content, test_wall + 300s), test_wall + 605s);
  // RFC 7635 section 9 counts the distance to a future date against it too.
  EXPECT_EQ(find_token_end(content, test_wall - 100s), test_wall - 100s + 505s);
}

}  // namespace
}  // namespace turnpike::credentials
