#include "stun/message.hpp"

#include <gtest/gtest.h>

#include "base/crypto.hpp"
#include "stun/test_messages.hpp"

namespace turnpike::stun {
namespace {

using test::hex;
using test::read;
using test::written;

constexpr std::string_view id_hex = "2112a442000102030405060708090a0b";

// A Binding request whose header says `length` (four hex digits), and the body.
ByteVector binding(std::string_view length, std::string_view body = "") {
  return hex("0001" + std::string{length} + std::string{id_hex} + std::string{body});
}

DecodeError error_of(Bytes datagram) {
  const auto message = Message::decode(datagram);
  check(!message.has_value(), "the test expected a malformed message");
  return message.error();
}

std::vector<AttributeType> types_of(const Message& message) {
  std::vector<AttributeType> types;
  message.for_each([&](AttributeType type, Bytes) { types.push_back(type); });
  return types;
}

TEST(Decode, ReadsAHeaderWithoutAttributes) {
  const ByteVector bytes = binding("0000");
  const Message message = read(bytes);
  EXPECT_EQ(message.method(), Method::binding);
  EXPECT_EQ(message.message_class(), Class::request);
  EXPECT_EQ(message.transaction_id(), test::counting_id);
  EXPECT_EQ(message.bytes().data(), bytes.data());
  EXPECT_EQ(message.bytes().size(), bytes.size());
  EXPECT_TRUE(types_of(message).empty());
}

TEST(Decode, RefusesEveryLengthBelowAHeader) {
  const ByteVector bytes = binding("0000");
  for (std::size_t size = 0; size < header_size; ++size)
    EXPECT_EQ(error_of(Bytes{bytes}.first(size)), DecodeError::too_short) << size;
}

TEST(Decode, RefusesTopBitsAndOtherCookies) {
  for (const Byte first : {Byte{0x40}, Byte{0x80}, Byte{0xc0}}) {
    ByteVector bytes = binding("0000");
    bytes[0] = first;
    EXPECT_EQ(error_of(bytes), DecodeError::not_stun);
  }
  for (std::size_t i = 4; i < 8; ++i) {
    ByteVector bytes = binding("0000");
    bytes[i] ^= 1;
    EXPECT_EQ(error_of(bytes), DecodeError::not_stun);
  }
}

TEST(Decode, RefusesALengthThatDoesNotEndTheDatagram) {
  EXPECT_EQ(error_of(binding("0004")), DecodeError::wrong_length);
  EXPECT_EQ(error_of(binding("0000", "80220000")), DecodeError::wrong_length);
  EXPECT_EQ(error_of(binding("ffff")), DecodeError::wrong_length);
}

TEST(Decode, RefusesALengthThatIsNoMultipleOfFour) {
  EXPECT_EQ(error_of(binding("0001", "80")), DecodeError::wrong_length);
  EXPECT_EQ(error_of(binding("0006", "802200020000")), DecodeError::wrong_length);
}

TEST(Decode, RefusesAnAttributeThatReachesBeyondTheMessage) {
  EXPECT_EQ(error_of(binding("0004", "80220001")), DecodeError::attribute_overrun);
  EXPECT_EQ(error_of(binding("0008", "8022000500000000")), DecodeError::attribute_overrun);
  EXPECT_EQ(error_of(binding("0008", "8022ffff00000000")), DecodeError::attribute_overrun);
  EXPECT_EQ(error_of(binding("000c", "802200040000000080220001")), DecodeError::attribute_overrun);
}

TEST(Decode, TakesAsManyAttributesAsItPromisesAndNoMore) {
  const auto with = [](std::size_t count) {
    return written([count](Writer& writer) {
      for (std::size_t i = 0; i < count; ++i) writer.add(AttributeType::dont_fragment, {});
    });
  };
  const auto full = with(attributes_max);
  EXPECT_EQ(types_of(read(full)).size(), attributes_max);
  EXPECT_EQ(error_of(with(attributes_max + 1)), DecodeError::too_many_attributes);
}

TEST(Decode, CountsAttributesThatItIgnoresToo) {
  const auto bytes = written([](Writer& writer) { writer.add_integrity(as_bytes("key")); });
  ByteVector longer = bytes;
  for (std::size_t i = 0; i < attributes_max; ++i) longer.insert(longer.end(), {0x80, 0x22, 0, 0});
  store_big(longer.data() + 2, static_cast<std::uint16_t>(longer.size() - header_size));
  EXPECT_EQ(error_of(longer), DecodeError::too_many_attributes);
}

TEST(Decode, ReadsTheLargestMessage) {
  const ByteVector value(65535 - 7, Byte{1});
  const auto bytes = written([&](Writer& writer) { writer.add(AttributeType::data, value); });
  ASSERT_EQ(bytes.size(), header_size + 0xfffc);
  EXPECT_TRUE(equal(*read(bytes).find(AttributeType::data), value));
}

TEST(Decode, FindsAnEmptyAttributeAtTheVeryEnd) {
  const ByteVector value(65535 - 11, Byte{1});
  const auto bytes = written(
      [&](Writer& writer) { writer.add(AttributeType::data, value).add(AttributeType::dont_fragment, {}); });
  ASSERT_EQ(bytes.size(), header_size + 0xfffc);
  EXPECT_TRUE(read(bytes).find(AttributeType::dont_fragment)->empty());
}

TEST(Decode, ReadsEveryMethodAndClass) {
  for (std::uint16_t method = 0; method <= 0xfff; ++method) {
    for (const Class message_class : {Class::request, Class::indication, Class::success, Class::error}) {
      const auto bytes = written([](Writer&) {}, static_cast<Method>(method), message_class);
      const Message message = read(bytes);
      ASSERT_EQ(message.method(), static_cast<Method>(method));
      ASSERT_EQ(message.message_class(), message_class);
    }
  }
}

TEST(Decode, SaysItsErrorsInWords) {
  EXPECT_EQ(to_string(DecodeError::too_short), "too short");
  EXPECT_EQ(to_string(DecodeError::not_stun), "not STUN");
  EXPECT_EQ(to_string(DecodeError::wrong_length), "wrong length");
  EXPECT_EQ(to_string(DecodeError::attribute_overrun), "attribute overrun");
  EXPECT_EQ(to_string(DecodeError::too_many_attributes), "too many attributes");
  EXPECT_EQ(to_string(static_cast<DecodeError>(99)), "");
}

TEST(Find, TakesTheFirstOfSeveral) {
  const auto bytes = written([](Writer& writer) {
    writer.add_text(AttributeType::username, "first").add_text(AttributeType::username, "second");
  });
  const Message message = read(bytes);
  EXPECT_EQ(as_text(*message.find(AttributeType::username)), "first");
  EXPECT_FALSE(message.has(AttributeType::realm));
}

TEST(Find, VisitsEveryOccurrenceInOrder) {
  const auto bytes = written([](Writer& writer) {
    writer.add_xor_address(AttributeType::xor_peer_address, test::address("192.0.2.1:1"))
        .add_u32(AttributeType::lifetime, 5)
        .add_xor_address(AttributeType::xor_peer_address, test::address("[2001:db8::2]:2"));
  });
  const Message message = read(bytes);
  std::vector<std::string> peers;
  message.for_each([&](AttributeType type, Bytes value) {
    if (type == AttributeType::xor_peer_address) peers.push_back(message.to_xor_address(value)->to_string());
  });
  EXPECT_EQ(peers, (std::vector<std::string>{"192.0.2.1:1", "[2001:db8::2]:2"}));
}

// Appends attributes behind what a Writer would let be written; each is its type with an empty value.
ByteVector with_tail(ByteVector bytes, const std::vector<AttributeType>& types) {
  for (const AttributeType type : types) {
    const auto code = static_cast<std::uint16_t>(type);
    bytes.insert(bytes.end(), {static_cast<Byte>(code >> 8), static_cast<Byte>(code), 0, 0});
  }
  store_big(bytes.data() + 2, static_cast<std::uint16_t>(bytes.size() - header_size));
  return bytes;
}

constexpr auto mi = AttributeType::message_integrity;
constexpr auto mi_sha256 = AttributeType::message_integrity_sha256;
constexpr auto fingerprint = AttributeType::fingerprint;
constexpr auto username = AttributeType::username;
constexpr auto realm = AttributeType::realm;

std::vector<AttributeType> counted(const std::vector<AttributeType>& sent) {
  const ByteVector bytes = with_tail(binding("0000"), sent);
  return types_of(read(bytes));
}

TEST(IntegrityCut, IgnoresWhatFollowsMessageIntegrityButItsSuccessors) {
  using Types = std::vector<AttributeType>;
  EXPECT_EQ(counted({username, mi, realm, mi_sha256, fingerprint}),
            (Types{username, mi, mi_sha256, fingerprint}));
  EXPECT_EQ(counted({mi, realm, mi, fingerprint, realm}), (Types{mi, fingerprint}));
  EXPECT_EQ(counted({mi, fingerprint, mi_sha256}), (Types{mi, fingerprint, mi_sha256}));
}

TEST(IntegrityCut, IgnoresAllButFingerprintAfterMessageIntegritySha256) {
  using Types = std::vector<AttributeType>;
  EXPECT_EQ(counted({mi_sha256, mi, realm, mi_sha256, fingerprint}), (Types{mi_sha256, fingerprint}));
  EXPECT_EQ(counted({mi, mi_sha256, realm, mi, mi_sha256, fingerprint}), (Types{mi, mi_sha256, fingerprint}));
}

TEST(IntegrityCut, StillChecksTheLengthsOfWhatItIgnores) {
  ByteVector bytes = with_tail(binding("0000"), {mi, realm});
  bytes.back() = 1;
  EXPECT_EQ(error_of(bytes), DecodeError::attribute_overrun);
}

TEST(IntegrityCut, HidesAnAttributeThatAStrangerAppended) {
  const auto bytes = written([](Writer& writer) {
    writer.add_text(AttributeType::username, "alice").add_integrity(as_bytes("key"));
  });
  const ByteVector longer = with_tail(bytes, {AttributeType::dont_fragment});
  const Message message = read(longer);
  EXPECT_TRUE(message.verify_integrity(as_bytes("key")));
  EXPECT_FALSE(message.has(AttributeType::dont_fragment));
}

bool understands_username(AttributeType type) { return type == AttributeType::username; }

TEST(UnknownRequired, NamesEachOnceInOrderAndNoOptionalOnes) {
  const ByteVector bytes = with_tail(
      binding("0000"), {static_cast<AttributeType>(0x7fff), username, static_cast<AttributeType>(0x8000),
                        static_cast<AttributeType>(0x0002), static_cast<AttributeType>(0x7fff)});
  const auto unknown = read(bytes).unknown_required(understands_username);
  ASSERT_EQ(unknown.count, 2U);
  EXPECT_EQ(unknown.types[0], 0x7fff);
  EXPECT_EQ(unknown.types[1], 0x0002);
}

TEST(UnknownRequired, IsEmptyWhenAllIsUnderstood) {
  const ByteVector bytes = with_tail(binding("0000"), {username, AttributeType::software});
  EXPECT_EQ(read(bytes).unknown_required(understands_username).count, 0U);
}

TEST(UnknownRequired, StopsAtSixteen) {
  std::vector<AttributeType> types(20);
  for (std::size_t i = 0; i < types.size(); ++i) types[i] = static_cast<AttributeType>(0x7000 + i);
  const ByteVector bytes = with_tail(binding("0000"), types);
  const auto unknown = read(bytes).unknown_required(understands_username);
  ASSERT_EQ(unknown.count, unknown.types.size());
  EXPECT_EQ(unknown.types.back(), 0x700f);
}

TEST(UnknownRequired, DoesNotSeeWhatFollowsIntegrity) {
  const ByteVector bytes = with_tail(binding("0000"), {mi, static_cast<AttributeType>(0x7fff)});
  EXPECT_EQ(read(bytes).unknown_required([](AttributeType type) { return type == mi; }).count, 0U);
}

ByteVector sealed() {
  return written([](Writer& writer) {
    writer.add_text(AttributeType::username, "alice")
        .add_integrity(as_bytes("key"))
        .add_integrity_sha256(as_bytes("key"))
        .add_fingerprint();
  });
}

TEST(Integrity, HoldsForBothDigestsSideBySide) {
  const ByteVector bytes = sealed();
  const Message message = read(bytes);
  EXPECT_TRUE(message.verify_integrity(as_bytes("key")));
  EXPECT_TRUE(message.verify_integrity_sha256(as_bytes("key")));
  EXPECT_TRUE(message.verify_fingerprint());
  EXPECT_FALSE(message.verify_integrity(as_bytes("kez")));
  EXPECT_FALSE(message.verify_integrity_sha256(as_bytes("kez")));
  EXPECT_FALSE(message.verify_integrity({}));
}

// One flipped bit breaks what covers it: nothing that is covered stays unnoticed.
TEST(Integrity, BreaksWithAnyBitThatItCovers) {
  const ByteVector good = sealed();
  const std::size_t mi_end = header_size + 12 + 24;
  for (std::size_t i = 0; i < mi_end; ++i) {
    ByteVector bytes = good;
    bytes[i] ^= 0x04;
    const auto message = Message::decode(bytes);
    if (!message) continue;
    EXPECT_FALSE(message->verify_integrity(as_bytes("key"))) << i;
    EXPECT_FALSE(message->verify_integrity_sha256(as_bytes("key"))) << i;
    EXPECT_FALSE(message->verify_fingerprint()) << i;
  }
}

TEST(Integrity, CoversPaddingAsItWasReceived) {
  ByteVector bytes = hex(test::rfc5769_request);
  EXPECT_TRUE(read(bytes).verify_integrity(as_bytes("VOkJxbRl1RmTxUk/WvJxBt")));
  const std::size_t padding_at = bytes.size() - 8 - 24 - 1;
  ASSERT_EQ(bytes[padding_at], 0x20);
  bytes[padding_at] = 0;
  EXPECT_FALSE(read(bytes).verify_integrity(as_bytes("VOkJxbRl1RmTxUk/WvJxBt")));
}

TEST(Integrity, FailsWhenTheAttributeIsAbsentOrHasAnotherSize) {
  const ByteVector none = binding("0000");
  EXPECT_FALSE(read(none).verify_integrity(as_bytes("key")));
  EXPECT_FALSE(read(none).verify_integrity_sha256(as_bytes("key")));
  EXPECT_FALSE(read(none).verify_fingerprint());
  const ByteVector empty = with_tail(none, {mi, mi_sha256, fingerprint});
  EXPECT_FALSE(read(empty).verify_integrity(as_bytes("key")));
  EXPECT_FALSE(read(empty).verify_integrity_sha256(as_bytes("key")));
  EXPECT_FALSE(read(empty).verify_fingerprint());
}

TEST(Integrity, DoesNotTakeATruncatedSha256) {
  const auto whole = written([](Writer& writer) { writer.add_integrity_sha256(as_bytes("key")); });
  ByteVector header(whole.begin(), whole.begin() + header_size);
  header[3] = 20;  // the length that a truncated digest of 16 bytes is computed with
  const auto digest = crypto::hmac_sha256(as_bytes("key"), header);
  const auto bytes = written([&](Writer& writer) { writer.add(mi_sha256, Bytes{digest}.first(16)); });
  EXPECT_FALSE(read(bytes).verify_integrity_sha256(as_bytes("key")));
}

TEST(Fingerprint, CountsOnlyAsTheLastAttribute) {
  const auto bytes = written([](Writer& writer) { writer.add_fingerprint(); });
  EXPECT_TRUE(read(bytes).verify_fingerprint());
  const ByteVector longer = with_tail(bytes, {AttributeType::software});
  EXPECT_FALSE(read(longer).verify_fingerprint());
}

}  // namespace
}  // namespace turnpike::stun
