#include <gtest/gtest.h>

#include "stun/test_messages.hpp"

namespace turnpike::stun {
namespace {

using test::written;

// The body, without the header, as hex.
template <typename Fill>
std::string body(Fill fill) {
  const auto bytes = written(fill);
  return to_hex(Bytes{bytes}.subspan(header_size));
}

TEST(Writer, PadsWithZeroAndCountsOnlyTheValue) {
  EXPECT_EQ(body([](Writer& writer) { writer.add_text(AttributeType::username, ""); }), "00060000");
  EXPECT_EQ(body([](Writer& writer) { writer.add_text(AttributeType::username, "a"); }), "0006000161000000");
  EXPECT_EQ(body([](Writer& writer) { writer.add_text(AttributeType::username, "ab"); }), "0006000261620000");
  EXPECT_EQ(body([](Writer& writer) { writer.add_text(AttributeType::username, "abc"); }),
            "0006000361626300");
  EXPECT_EQ(body([](Writer& writer) { writer.add_text(AttributeType::username, "abcd"); }),
            "0006000461626364");
}

TEST(Writer, LaysOutEachKindOfAttribute) {
  EXPECT_EQ(body([](Writer& writer) { writer.add_u32(AttributeType::lifetime, 600); }), "000d000400000258");
  EXPECT_EQ(body([](Writer& writer) { writer.add_channel_number(0x4001); }), "000c000440010000");
  EXPECT_EQ(body([](Writer& writer) {
              writer.add_address(AttributeType::alternate_server, test::address("192.0.2.1:3478"));
            }),
            "8023000800010d96c0000201");
  EXPECT_EQ(body([](Writer& writer) {
              writer.add_xor_address(AttributeType::xor_mapped_address, test::address("[::1]:0"));
            }),
            "00200014000221122112a442000102030405060708090a0a");
  EXPECT_EQ(body([](Writer& writer) { writer.add_requested_transport(17); }), "0019000411000000");
  EXPECT_EQ(body([](Writer& writer) {
              writer.add_address_family(AttributeType::additional_address_family, AddressFamily::ipv6);
            }),
            "8000000402000000");
  EXPECT_EQ(body([](Writer& writer) { writer.add_even_port(true).add_even_port(false); }),
            "00180001800000000018000100000000");
}

TEST(Writer, LaysOutErrorsAndLists) {
  EXPECT_EQ(body([](Writer& writer) { writer.add_error(ErrorCode::stale_nonce); }), "0009000400000426");
  EXPECT_EQ(body([](Writer& writer) {
              writer.add_address_error(AddressFamily::ipv6, ErrorCode::insufficient_capacity, "no");
            }),
            "80010006020005086e6f0000");
  EXPECT_EQ(body([](Writer& writer) { writer.add_icmp({3, 4, 1500}); }), "8004000800000604000005dc");
  EXPECT_EQ(body([](Writer& writer) { writer.add_password_algorithm(PasswordAlgorithmValue::sha256); }),
            "001d000400020000");
  EXPECT_EQ(body([](Writer& writer) { writer.add_password_algorithms({{2, 1}, 2}); }),
            "800200080002000000010000");
  EXPECT_EQ(body([](Writer& writer) { writer.add_unknown_attributes({{0x7fff, 2, 3}, 3}); }),
            "000a00067fff000200030000");
}

TEST(Writer, FitsABufferOfExactlyItsSizeAndNoSmaller) {
  const auto fill = [](Writer& writer) {
    writer.add_text(AttributeType::realm, "ims.example")
        .add_error(ErrorCode::unauthenticated, "no")
        .add_integrity(as_bytes("key"))
        .add_integrity_sha256(as_bytes("key"))
        .add_fingerprint();
  };
  const auto whole = written(fill);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ByteVector buffer(size + 1, Byte{0xee});
    Writer writer{MutableBytes{buffer}.first(size), Method::allocate, Class::request, test::counting_id};
    fill(writer);
    EXPECT_FALSE(writer.finish()) << size;
    EXPECT_EQ(buffer.back(), 0xee) << size;
  }
  ByteVector exact(whole.size());
  Writer writer{exact, Method::allocate, Class::request, test::counting_id};
  fill(writer);
  ASSERT_TRUE(writer.finish());
  EXPECT_TRUE(equal(*writer.finish(), whole));
}

// Once something did not fit, nothing that is small enough slips in behind it.
TEST(Writer, StaysClosedAfterAnOverflow) {
  std::array<Byte, header_size + 8> buffer;
  Writer writer{buffer, Method::binding, Class::success, test::counting_id};
  writer.add_text(AttributeType::software, "longer than the buffer").add_u32(AttributeType::lifetime, 1);
  EXPECT_FALSE(writer.finish());
}

template <typename Fill>
bool fits(Fill fill) {
  ByteVector buffer(3 * 65536);
  Writer writer{buffer, Method::data, Class::indication, test::counting_id};
  fill(writer);
  return writer.finish().has_value();
}

TEST(Writer, RefusesWhatTheLengthFieldsCannotSay) {
  const ByteVector large(2 * 65536);
  EXPECT_TRUE(fits([&](Writer& writer) { writer.add(AttributeType::data, Bytes{large}.first(65528)); }));
  EXPECT_FALSE(fits([&](Writer& writer) { writer.add(AttributeType::data, Bytes{large}.first(65529)); }));
  EXPECT_FALSE(fits([&](Writer& writer) { writer.add(AttributeType::data, Bytes{large}.first(65536)); }));
  EXPECT_FALSE(fits([&](Writer& writer) { writer.add(AttributeType::data, large); }));
  EXPECT_FALSE(fits([&](Writer& writer) {
    writer.add(AttributeType::data, Bytes{large}.first(40000))
        .add(AttributeType::data, Bytes{large}.first(40000));
  }));
}

TEST(Writer, RefusesValuesThatTheirAttributesCannotSay) {
  EXPECT_TRUE(fits([](Writer& writer) { writer.add_icmp({127, 511, 0}); }));
  EXPECT_FALSE(fits([](Writer& writer) { writer.add_icmp({128, 0, 0}); }));
  EXPECT_FALSE(fits([](Writer& writer) { writer.add_icmp({0, 512, 0}); }));
  const std::string reason(763, 'r');
  EXPECT_TRUE(fits([&](Writer& writer) { writer.add_error(ErrorCode::forbidden, reason); }));
  EXPECT_FALSE(fits([&](Writer& writer) { writer.add_error(ErrorCode::forbidden, reason + "r"); }));
  EXPECT_FALSE(fits([&](Writer& writer) {
    writer.add_address_error(AddressFamily::ipv4, ErrorCode::forbidden, reason + "r");
  }));
}

TEST(DataHeader, CountsTheDataThatTheCallerSendsBehindIt) {
  for (const std::size_t size : {0U, 1U, 2U, 3U, 4U, 1200U}) {
    const ByteVector payload(size, Byte{0x55});
    std::array<Byte, 128> buffer;
    Writer writer{buffer, Method::data, Class::indication, test::counting_id};
    writer.add_xor_address(AttributeType::xor_peer_address, test::address("192.0.2.1:9"));
    writer.add_data_header(size);
    const auto head = writer.finish();
    ASSERT_TRUE(head);
    ByteVector datagram = to_vector(*head);
    datagram.insert(datagram.end(), payload.begin(), payload.end());
    datagram.resize((datagram.size() + 3) / 4 * 4);
    EXPECT_EQ(datagram,
              written(
                  [&](Writer& whole) {
                    whole.add_xor_address(AttributeType::xor_peer_address, test::address("192.0.2.1:9"))
                        .add(AttributeType::data, payload);
                  },
                  Method::data, Class::indication));
  }
}

TEST(DataHeader, NeedsOnlyItsFourBytesButALengthThatCanBeSaid) {
  std::array<Byte, header_size + 4> buffer;
  EXPECT_TRUE(Writer(buffer, Method::data, Class::indication, {}).add_data_header(65528).finish());
  EXPECT_FALSE(Writer(buffer, Method::data, Class::indication, {}).add_data_header(65529).finish());
  EXPECT_FALSE(Writer(MutableBytes{buffer}.first(header_size + 3), Method::data, Class::indication, {})
                   .add_data_header(0)
                   .finish());
}

TEST(WriterDeathTest, InsistsOnTheOrderOfWhatSealsAMessage) {
  const auto write = [](auto fill) { written(fill); };
  EXPECT_DEATH(write([](Writer& writer) { writer.add_fingerprint().add_fingerprint(); }), "order");
  EXPECT_DEATH(write([](Writer& writer) { writer.add_fingerprint().add_integrity({}); }), "order");
  EXPECT_DEATH(write([](Writer& writer) { writer.add_integrity_sha256({}).add_integrity({}); }), "order");
  EXPECT_DEATH(write([](Writer& writer) { writer.add_data_header(0).add_fingerprint(); }), "order");
  EXPECT_DEATH(write([](Writer& writer) { writer.add_integrity({}).add_even_port(true); }), "come before");
  EXPECT_DEATH(write([](Writer& writer) { writer.add_data_header(4).add_even_port(true); }), "come before");
  EXPECT_DEATH(write([](Writer& writer) { writer.add_fingerprint().add_data_header(4); }), "last attribute");
}

}  // namespace
}  // namespace turnpike::stun
