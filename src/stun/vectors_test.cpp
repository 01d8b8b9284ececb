// Published messages, read and written again byte for byte where their padding is zero as ours is.

#include <gtest/gtest.h>

#include "base/crypto.hpp"
#include "stun/test_messages.hpp"

namespace turnpike::stun {
namespace {

using test::base64;
using test::hex;
using test::read;
using test::written;

constexpr std::string_view short_term_password = "VOkJxbRl1RmTxUk/WvJxBt";
constexpr TransactionId rfc5769_id{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};
constexpr TransactionId long_term_id{0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e};
constexpr std::string_view matrix = "\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9";
constexpr std::string_view matrix_account = "\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9:example.org:TheMatrIX";
constexpr std::string_view rfc5769_nonce = "f//499k954d6OL34oL9FSTvy64sA";
constexpr std::string_view rest_user = "1893456000:impi-3f2a@ims.example";

// draft-uberti-behave-turn-rest: the password of a user name, and its long-term key's input.
std::string rest_account() {
  const auto mac = crypto::hmac_sha1(as_bytes("s3cr3t-turn-key"), as_bytes(rest_user));
  return std::string{rest_user} + ":ims.example:" + to_base64(mac);
}

void expect_binding_response(std::string_view vector, std::string_view mapped) {
  const ByteVector bytes = hex(vector);
  const Message message = read(bytes);
  EXPECT_EQ(message.method(), Method::binding);
  EXPECT_EQ(message.message_class(), Class::success);
  EXPECT_EQ(message.transaction_id(), rfc5769_id);
  EXPECT_EQ(*message.text(AttributeType::software, 763), "test vector");
  EXPECT_EQ(message.xor_address(AttributeType::xor_mapped_address)->to_string(), mapped);
  EXPECT_TRUE(message.verify_integrity(as_bytes(short_term_password)));
  EXPECT_TRUE(message.verify_fingerprint());
}

TEST(Vectors, ReadTheRequestOfRfc5769) {
  const ByteVector bytes = hex(test::rfc5769_request);
  const Message message = read(bytes);
  EXPECT_EQ(message.method(), Method::binding);
  EXPECT_EQ(message.message_class(), Class::request);
  EXPECT_EQ(*message.text(AttributeType::software, 763), "STUN test client");
  EXPECT_EQ(*message.text(AttributeType::username, 508), "evtj:h6vY");
  EXPECT_EQ(*message.u32(AttributeType::priority), 0x6e0001ffU);
  EXPECT_TRUE(message.verify_integrity(as_bytes(short_term_password)));
  EXPECT_FALSE(message.verify_integrity(as_bytes("VOkJxbRl1RmTxUk/WvJxBu")));
  EXPECT_TRUE(message.verify_fingerprint());
}

TEST(Vectors, ReadTheResponsesOfRfc5769) {
  expect_binding_response(test::rfc5769_response_ipv4, "192.0.2.1:32853");
  expect_binding_response(test::rfc5769_response_ipv6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

TEST(Vectors, ReadAndWriteTheLongTermRequestOfRfc5769) {
  const ByteVector bytes = hex(test::rfc5769_long_term);
  const auto key = crypto::md5(as_bytes(matrix_account));
  EXPECT_EQ(to_hex(key), "e8ca7ad59d5eb0518e312911d2dab2a9");
  const Message message = read(bytes);
  EXPECT_EQ(*message.text(AttributeType::username, 508), matrix);
  EXPECT_EQ(*message.text(AttributeType::realm, 763), "example.org");
  EXPECT_EQ(*message.text(AttributeType::nonce, 763), rfc5769_nonce);
  EXPECT_TRUE(message.verify_integrity(key));
  EXPECT_FALSE(message.has(AttributeType::fingerprint));

  const auto again = written(
      [&](Writer& writer) {
        writer.add_text(AttributeType::username, matrix)
            .add_text(AttributeType::nonce, rfc5769_nonce)
            .add_text(AttributeType::realm, "example.org")
            .add_integrity(key);
      },
      Method::binding, Class::request, long_term_id);
  EXPECT_EQ(to_hex(again), test::rfc5769_long_term);
}

TEST(Vectors, ReadAndWriteTheUserhashRequestOfRfc8489AsItsErratumCorrectsIt) {
  const ByteVector bytes = hex(test::rfc8489_userhash);
  const auto key = crypto::sha256(as_bytes(matrix_account));
  EXPECT_EQ(to_hex(key), "dd295a613b9058c3c23d6dc7165bda072304d989c9d0af3a8c7e184b4f9bb4a1");
  const auto userhash = crypto::sha256(as_bytes(std::string{matrix} + ":example.org"));
  constexpr std::string_view nonce = "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA";
  const Message message = read(bytes);
  EXPECT_EQ(*message.userhash(), userhash);
  EXPECT_EQ(*message.text(AttributeType::nonce, 763), nonce);
  EXPECT_EQ(*message.password_algorithm(), PasswordAlgorithmValue::sha256);
  EXPECT_TRUE(message.verify_integrity_sha256(key));
  EXPECT_FALSE(message.verify_integrity(key));

  const auto again = written(
      [&](Writer& writer) {
        writer.add(AttributeType::userhash, userhash)
            .add_text(AttributeType::nonce, nonce)
            .add_text(AttributeType::realm, "example.org")
            .add_password_algorithm(PasswordAlgorithmValue::sha256)
            .add_integrity_sha256(key);
      },
      Method::binding, Class::request, long_term_id);
  EXPECT_EQ(to_hex(again), test::rfc8489_userhash);
}

TEST(Vectors, ReadAndWriteTheAllocateWithARestCredential) {
  const ByteVector bytes = hex(test::rest_allocate);
  const auto key = crypto::md5(as_bytes(rest_account()));
  EXPECT_EQ(to_hex(key), "ac17003af82e14033b971a235f539844");
  const Message message = read(bytes);
  EXPECT_EQ(message.method(), Method::allocate);
  EXPECT_EQ(message.transaction_id(), test::counting_id);
  EXPECT_EQ(*message.requested_transport(), 17);
  EXPECT_EQ(*message.text(AttributeType::username, 508), rest_user);
  EXPECT_TRUE(message.verify_integrity(key));
  EXPECT_TRUE(message.verify_fingerprint());

  const auto again = written([&](Writer& writer) {
    writer.add_requested_transport(17)
        .add_text(AttributeType::username, rest_user)
        .add_text(AttributeType::realm, "ims.example")
        .add_text(AttributeType::nonce, "obMatJos2AAAA0123456789abcdef")
        .add_integrity(key)
        .add_fingerprint();
  });
  EXPECT_EQ(to_hex(again), test::rest_allocate);
}

TEST(Vectors, ReadAndWriteTheAllocateWithARestCredentialAndSha256) {
  const ByteVector bytes = hex(test::rest_allocate_sha256);
  const auto key = crypto::sha256(as_bytes(rest_account()));
  EXPECT_EQ(to_hex(key), "58567f2d0554048ea7a6439a345b9f409904196573021b5c3dffc073bdb95492");
  const PasswordAlgorithmList both{{2, 1}, 2};
  const Message message = read(bytes);
  EXPECT_EQ(*message.password_algorithms(), both);
  EXPECT_EQ(*message.password_algorithm(), PasswordAlgorithmValue::sha256);
  EXPECT_TRUE(message.verify_integrity_sha256(key));
  EXPECT_TRUE(message.verify_fingerprint());

  const auto again = written([&](Writer& writer) {
    writer.add_requested_transport(17)
        .add_text(AttributeType::username, rest_user)
        .add_text(AttributeType::realm, "ims.example")
        .add_text(AttributeType::nonce, "obMatJos2gAAA0123456789abcdef")
        .add_password_algorithms(both)
        .add_password_algorithm(PasswordAlgorithmValue::sha256)
        .add_integrity_sha256(key)
        .add_fingerprint();
  });
  EXPECT_EQ(to_hex(again), test::rest_allocate_sha256);
}

// RFC 7635 keys the integrity with the whole mac_key, coturn with its first 16 bytes.
void expect_token_allocate(Bytes key, std::string_view mac) {
  const std::string vector = std::string{test::token_allocate_head} + std::string{mac};
  const ByteVector bytes = hex(vector);
  const Message message = read(bytes);
  EXPECT_EQ(message.find(AttributeType::access_token)->size(), 64U);
  EXPECT_EQ(*message.text(AttributeType::username, 508), "2783466234");
  EXPECT_EQ(*message.text(AttributeType::realm, 763), "blackdow.carleon.gov");
  EXPECT_TRUE(message.verify_integrity(key));

  const auto token =
      base64("AAxoNGozazJsMm40YjVhfvE0o9XkTpoZzH3BBLDAPQOypVHY/fXNO23KbxDPt35bLd7ITSk6XFBJk1nwwuJvdg==");
  const auto again = written([&](Writer& writer) {
    writer.add_requested_transport(17)
        .add(AttributeType::access_token, token)
        .add_text(AttributeType::username, "2783466234")
        .add_text(AttributeType::realm, "blackdow.carleon.gov")
        .add_text(AttributeType::nonce, "0123456789abcdef")
        .add_integrity(key);
  });
  EXPECT_EQ(to_hex(again), vector);
}

TEST(Vectors, ReadAndWriteTheAllocateWithATokenInBothKeyings) {
  const Bytes mac_key = as_bytes(test::token_mac_key);
  expect_token_allocate(mac_key, test::token_allocate_mac);
  expect_token_allocate(mac_key.first(16), test::token_allocate_mac_coturn);
}

// Signed by `sign`; gives the value of the attribute that it added.
template <typename Sign>
std::string token_mac(AttributeType type, Sign sign) {
  const auto token =
      base64("AAxoNGozazJsMm40YjVhfvE0o9XkTpoZzH3BBLDAPQOypVHY/fXp+V4nbxDPt3ITx2zUH++R7DP7mSKTPqsZMw==");
  const auto bytes = written([&](Writer& writer) {
    writer.add_requested_transport(17)
        .add(AttributeType::access_token, token)
        .add_text(AttributeType::username, "kid-ims-1")
        .add_text(AttributeType::realm, "ims.example")
        .add_text(AttributeType::nonce, "0123456789abcdef");
    sign(writer);
  });
  return to_hex(*read(bytes).find(type));
}

TEST(Vectors, SignTheAllocateWithATokenOfTheImsRealm) {
  const Bytes mac_key = as_bytes(test::token_mac_key);
  EXPECT_EQ(
      token_mac(AttributeType::message_integrity, [&](Writer& writer) { writer.add_integrity(mac_key); }),
      "e5f3f80cc1b7fc74f699c1a066cf9fbbce4364a8");
  EXPECT_EQ(token_mac(AttributeType::message_integrity_sha256,
                      [&](Writer& writer) { writer.add_integrity_sha256(mac_key); }),
            "d476132127b1b15628bc22f90ad99066637ed3e3cad97a9f7027dae1ded1911b");
}

TEST(Vectors, ReadAndWriteTheChallengeWithThirdPartyAuthorization) {
  const ByteVector bytes = hex(test::third_party_challenge);
  const Message message = read(bytes);
  EXPECT_EQ(message.method(), Method::allocate);
  EXPECT_EQ(message.message_class(), Class::error);
  EXPECT_EQ(message.error_code()->code, 401);
  EXPECT_EQ(message.error_code()->reason, "Unauthorized");
  EXPECT_EQ(*message.text(AttributeType::third_party_authorization, 255), "turn.ims.example");
  EXPECT_TRUE(message.verify_fingerprint());

  const auto again = written(
      [](Writer& writer) {
        writer.add_error(ErrorCode::unauthenticated, "Unauthorized")
            .add_text(AttributeType::nonce, "0123456789abcdef")
            .add_text(AttributeType::realm, "ims.example")
            .add_text(AttributeType::third_party_authorization, "turn.ims.example")
            .add_fingerprint();
      },
      Method::allocate, Class::error);
  EXPECT_EQ(to_hex(again), test::third_party_challenge);
}

}  // namespace
}  // namespace turnpike::stun
