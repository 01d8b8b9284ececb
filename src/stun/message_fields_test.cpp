// What each typed reader takes, and what it calls malformed.

#include <gtest/gtest.h>

#include <initializer_list>
#include <span>

#include "stun/test_messages.hpp"

namespace turnpike::stun {
namespace {

using test::hex;
using test::read;
using test::written;

// A message with one attribute, given by its value in hex, and `use` on it.
template <typename Use>
auto with(AttributeType type, std::string_view value, Use use) {
  const auto bytes = written([&](Writer& writer) { writer.add(type, hex(value)); });
  return use(read(bytes));
}

template <typename Read>
void expect_malformed(AttributeType type, std::span<const std::string_view> values, Read field) {
  for (const std::string_view value : values)
    EXPECT_TRUE(with(type, value, [&](const Message& message) { return field(message).is_malformed(); }))
        << value;
}

template <typename Read>
void expect_malformed(AttributeType type, std::initializer_list<std::string_view> values, Read field) {
  expect_malformed(type, std::span{values.begin(), values.size()}, field);
}

template <typename Read>
void expect_absent(Read field) {
  const auto bytes = written([](Writer& writer) { writer.add_text(AttributeType::software, "other"); });
  const auto value = field(read(bytes));
  EXPECT_TRUE(value.is_absent());
  EXPECT_FALSE(value.is_malformed());
  EXPECT_FALSE(value);
}

TEST(Text, HasALimitOfItsOwn) {
  const auto bytes = written([](Writer& writer) { writer.add_text(AttributeType::username, "alice"); });
  const Message message = read(bytes);
  EXPECT_EQ(*message.text(AttributeType::username, 5), "alice");
  EXPECT_TRUE(message.text(AttributeType::username, 4).is_malformed());
  EXPECT_TRUE(message.text(AttributeType::realm, 4).is_absent());
}

TEST(Text, MayBeEmpty) {
  const auto bytes = written([](Writer& writer) { writer.add(AttributeType::realm, {}); });
  EXPECT_EQ(*read(bytes).text(AttributeType::realm, 763), "");
}

TEST(Text, MustBeUtf8) {
  expect_malformed(AttributeType::username, {"ff", "c080", "eda080", "61c3"},
                   [](const Message& message) { return message.text(AttributeType::username, 508); });
}

TEST(Lifetime, HasFourBytes) {
  const auto field = [](const Message& message) { return message.u32(AttributeType::lifetime); };
  EXPECT_EQ(*with(AttributeType::lifetime, "00000258", field), 600U);
  expect_malformed(AttributeType::lifetime, {"", "000258", "0000025800"}, field);
  expect_absent(field);
}

TEST(ChannelNumber, HasFourBytesAndIgnoresTheLastTwo) {
  const auto field = [](const Message& message) { return message.channel_number(); };
  EXPECT_EQ(*with(AttributeType::channel_number, "4001ffff", field), 0x4001);
  expect_malformed(AttributeType::channel_number, {"", "4001", "4001000000"}, field);
  expect_absent(field);
}

TEST(Address, ReadsBothFamiliesAndIgnoresTheFirstByte) {
  const auto field = [](const Message& message) { return message.address(AttributeType::mapped_address); };
  EXPECT_EQ(with(AttributeType::mapped_address, "ff010d96c0000201", field)->to_string(), "192.0.2.1:3478");
  EXPECT_EQ(
      with(AttributeType::mapped_address, "00020d9620010db8000000000000000000000001", field)->to_string(),
      "[2001:db8::1]:3478");
  expect_absent(field);
}

constexpr std::string_view wrong_addresses[]{
    "",                                            // nothing
    "00010d",                                      // no port
    "00010d96",                                    // no address
    "00010d96c00002",                              // IPv4 too short
    "00010d96c000020100",                          // IPv4 too long
    "00010d9620010db8000000000000000000000001",    // IPv6 called IPv4
    "00020d96c0000201",                            // IPv4 called IPv6
    "00020d9620010db80000000000000000000001",      // IPv6 too short
    "00020d9620010db800000000000000000000000100",  // IPv6 too long
    "00000d96c0000201",
    "00030d96c0000201",  // no such family
};

TEST(Address, IsMalformedInEveryOtherShape) {
  expect_malformed(AttributeType::alternate_server, wrong_addresses,
                   [](const Message& message) { return message.address(AttributeType::alternate_server); });
}

TEST(XorAddress, IsMalformedInEveryOtherShape) {
  const auto field = [](const Message& message) {
    return message.xor_address(AttributeType::xor_peer_address);
  };
  expect_malformed(AttributeType::xor_peer_address, wrong_addresses, field);
  expect_absent(field);
}

TEST(XorAddress, CombinesWithTheCookieAndTheTransaction) {
  const auto field = [](const Message& message) {
    return message.xor_address(AttributeType::xor_peer_address);
  };
  EXPECT_EQ(with(AttributeType::xor_peer_address, "000121122112a442", field)->to_string(), "0.0.0.0:0");
  EXPECT_EQ(
      with(AttributeType::xor_peer_address, "000221122112a442000102030405060708090a0b", field)->to_string(),
      "[::]:0");
}

TEST(RequestedTransport, HasFourBytesAndIgnoresTheLastThree) {
  const auto field = [](const Message& message) { return message.requested_transport(); };
  EXPECT_EQ(*with(AttributeType::requested_transport, "11ffffff", field), 17);
  expect_malformed(AttributeType::requested_transport, {"", "11", "1100000000"}, field);
  expect_absent(field);
}

TEST(RequestedAddressFamily, IsIpv4OrIpv6) {
  const auto field = [](const Message& message) {
    return message.address_family(AttributeType::requested_address_family);
  };
  EXPECT_EQ(*with(AttributeType::requested_address_family, "01000000", field), AddressFamily::ipv4);
  EXPECT_EQ(*with(AttributeType::requested_address_family, "02ffffff", field), AddressFamily::ipv6);
  expect_malformed(AttributeType::requested_address_family, {"", "01", "0100000000", "00000000", "03000000"},
                   field);
  expect_absent(field);
}

TEST(EvenPort, IsOneByteWithOneBit) {
  const auto field = [](const Message& message) { return message.even_port(); };
  EXPECT_TRUE(*with(AttributeType::even_port, "80", field));
  EXPECT_FALSE(*with(AttributeType::even_port, "7f", field));
  expect_malformed(AttributeType::even_port, {"", "8000", "80000000"}, field);
  expect_absent(field);
}

TEST(ReservationToken, HasEightBytes) {
  const auto field = [](const Message& message) { return message.reservation_token(); };
  EXPECT_EQ(to_hex(*with(AttributeType::reservation_token, "0102030405060708", field)), "0102030405060708");
  expect_malformed(AttributeType::reservation_token, {"", "01020304050607", "010203040506070809"}, field);
  expect_absent(field);
}

TEST(Userhash, HasThirtyTwoBytes) {
  const auto field = [](const Message& message) { return message.userhash(); };
  const std::string value(64, 'a');
  EXPECT_EQ(to_hex(*with(AttributeType::userhash, value, field)), value);
  expect_malformed(AttributeType::userhash, {"", std::string_view{value}.substr(2)}, field);
  expect_malformed(AttributeType::userhash, {value + "aa"}, field);
  expect_absent(field);
}

TEST(ErrorCodeField, ReadsClassAndNumberAndIgnoresReservedBits) {
  const auto bytes =
      written([](Writer& writer) { writer.add(AttributeType::error_code, hex("fffffc266f6f")); });
  const auto error = read(bytes).error_code();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, 438);
  EXPECT_EQ(error->reason, "oo");
}

TEST(ErrorCodeField, IsMalformedOutsideOfItsRange) {
  const auto field = [](const Message& message) { return message.error_code(); };
  expect_malformed(AttributeType::error_code, {"", "000004", "00000201", "00000700", "00000464"}, field);
  expect_malformed(AttributeType::error_code, {"00000401" + std::string(2 * 764, '6')}, field);
  EXPECT_EQ(with(AttributeType::error_code, "00000663", field)->code, 699);
  EXPECT_EQ(with(AttributeType::error_code, "00000300", field)->code, 300);
  expect_absent(field);
}

TEST(ErrorCodeField, KeepsTheCodeWhenTheReasonIsNoText) {
  const auto bytes =
      written([](Writer& writer) { writer.add(AttributeType::error_code, hex("00000401ff")); });
  EXPECT_EQ(read(bytes).error_code()->code, 401);
  EXPECT_EQ(read(bytes).error_code()->reason, "");
}

TEST(AddressErrorCode, HasAFamilyToo) {
  const auto field = [](const Message& message) { return message.address_error_code(); };
  const auto bytes =
      written([](Writer& writer) { writer.add(AttributeType::address_error_code, hex("020004286e6f")); });
  const auto error = field(read(bytes));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->family, AddressFamily::ipv6);
  EXPECT_EQ(error->code, 440);
  EXPECT_EQ(error->reason, "no");
  expect_malformed(AttributeType::address_error_code, {"", "020004", "00000428", "03000428", "02000228"},
                   field);
  expect_absent(field);
}

TEST(Icmp, SplitsSevenBitsOfTypeFromNineOfCode) {
  const auto field = [](const Message& message) { return message.icmp(); };
  EXPECT_EQ(*with(AttributeType::icmp, "00000604000005dc", field), (IcmpValue{3, 4, 1500}));
  EXPECT_EQ(*with(AttributeType::icmp, "fffffffffffffffe", field), (IcmpValue{127, 511, 0xfffffffe}));
  expect_malformed(AttributeType::icmp, {"", "00000604000005", "00000604000005dc00"}, field);
  expect_absent(field);
}

TEST(PasswordAlgorithm, IsOneThatWeKnowWithoutParameters) {
  const auto field = [](const Message& message) { return message.password_algorithm(); };
  EXPECT_EQ(*with(AttributeType::password_algorithm, "00010000", field), PasswordAlgorithmValue::md5);
  EXPECT_EQ(*with(AttributeType::password_algorithm, "00020000", field), PasswordAlgorithmValue::sha256);
  expect_malformed(
      AttributeType::password_algorithm,
      {"", "0001", "00000000", "00030000", "0001000400000000", "0001000200000000", "0001000000020000"},
      field);
  expect_absent(field);
}

TEST(PasswordAlgorithms, KeepTheirOrderAndNumbersThatWeDoNotKnow) {
  const auto field = [](const Message& message) { return message.password_algorithms(); };
  EXPECT_EQ(*with(AttributeType::password_algorithms, "0002000000010000", field),
            (PasswordAlgorithmList{{2, 1}, 2}));
  EXPECT_EQ(
      *with(AttributeType::password_algorithms, "0099000501020304050000000001000000980003aabbcc", field),
      (PasswordAlgorithmList{{0x99, 1, 0x98}, 3}));
  EXPECT_EQ(*with(AttributeType::password_algorithms, "00980003aabbcc00", field),
            (PasswordAlgorithmList{{0x98}, 1}));
  expect_absent(field);
}

TEST(PasswordAlgorithms, AreMalformedWhenTheyDoNotAddUp) {
  const auto field = [](const Message& message) { return message.password_algorithms(); };
  expect_malformed(AttributeType::password_algorithms,
                   {"", "0002", "000200", "0002000000", "0099000501020304", "0002000400000000"}, field);
}

TEST(PasswordAlgorithms, AreAtMostEight) {
  const auto field = [](const Message& message) { return message.password_algorithms(); };
  std::string eight;
  for (int i = 0; i < 8; ++i) eight += "00010000";
  EXPECT_EQ(with(AttributeType::password_algorithms, eight, field)->count, 8U);
  expect_malformed(AttributeType::password_algorithms, {eight + "00010000"}, field);
}

}  // namespace
}  // namespace turnpike::stun
