#include "stun/channel_data.hpp"

#include <gtest/gtest.h>

#include "stun/test_messages.hpp"

namespace turnpike::stun {
namespace {

using test::hex;

std::optional<std::string> payload_of(std::string_view datagram) {
  const ByteVector bytes = hex(datagram);
  const auto data = decode_channel_data(bytes);
  if (!data) return std::nullopt;
  return to_hex(data->payload);
}

TEST(ChannelData, ReadsNumberAndPayload) {
  const ByteVector bytes = hex("40010003aabbcc");
  const auto data = decode_channel_data(bytes);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->channel, 0x4001);
  EXPECT_EQ(to_hex(data->payload), "aabbcc");
}

TEST(ChannelData, MayBeEmpty) { EXPECT_EQ(payload_of("40000000"), ""); }

TEST(ChannelData, LeavesPaddingOutOfThePayload) {
  EXPECT_EQ(payload_of("40000003aabbcc00"), "aabbcc");
  EXPECT_EQ(payload_of("40000001aa000000"), "aa");
}

TEST(ChannelData, IsNothingWhenShorterThanItSays) {
  EXPECT_EQ(payload_of("40000004aabbcc"), std::nullopt);
  EXPECT_EQ(payload_of("4000ffff"), std::nullopt);
}

TEST(ChannelData, IsNothingWhenShorterThanItsHeader) {
  EXPECT_EQ(payload_of(""), std::nullopt);
  EXPECT_EQ(payload_of("400000"), std::nullopt);
}

TEST(ChannelData, HasNumbersOfOneRange) {
  EXPECT_EQ(payload_of("3fff0000"), std::nullopt);
  EXPECT_EQ(payload_of("40000000"), "");
  EXPECT_EQ(payload_of("4fff0000"), "");
  EXPECT_EQ(payload_of("7fff0000"), "");
  EXPECT_EQ(payload_of("80000000"), std::nullopt);
}

TEST(ChannelData, IsToldFromStunByItsFirstByte) {
  for (int first = 0; first < 256; ++first)
    EXPECT_EQ(looks_like_channel_data(static_cast<Byte>(first)), first >= 64 && first <= 127) << first;
}

TEST(ChannelData, IsReadAsItWasWritten) {
  for (const std::size_t size : {0U, 1U, 1200U, 65535U}) {
    const auto header = encode_channel_header(0x4abc, size);
    ByteVector datagram(header.begin(), header.end());
    datagram.resize(datagram.size() + size, Byte{0x77});
    const auto data = decode_channel_data(datagram);
    ASSERT_TRUE(data);
    EXPECT_EQ(data->channel, 0x4abc);
    EXPECT_EQ(data->payload.size(), size);
  }
}

}  // namespace
}  // namespace turnpike::stun
