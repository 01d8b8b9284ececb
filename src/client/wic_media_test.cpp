#include "client/wic_media.hpp"

#include <gtest/gtest.h>

namespace turnpike::client {
namespace {

TEST(WicDescription, NamesTheRelayAndIsReadBack) {
  for (const char* text : {"192.0.2.1:49160", "[2001:db8::1]:50000"}) {
    const auto relayed = SocketAddress::parse(text);
    const std::string sdp = format_description(*relayed, 7);
    EXPECT_TRUE(sdp.starts_with("v=0\r\no=- 3 1 IN IP"));
    EXPECT_NE(sdp.find(" typ relay "), std::string::npos);
    EXPECT_EQ(parse_description(sdp), relayed);
  }
}

TEST(WicDescription, FallsBackToTheDefaultCandidate) {
  EXPECT_EQ(parse_description("v=0\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\n"),
            SocketAddress::parse("192.0.2.7:4000"));
  EXPECT_EQ(parse_description("c=IN IP4 192.0.2.7\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.8\r\n"),
            SocketAddress::parse("192.0.2.8:4000"));
  EXPECT_EQ(parse_description("m=video 1 RTP/AVP 0\nc=IN IP4 192.0.2.9\nm=audio 4000 RTP/AVP 0\n"
                              "c=IN IP4 192.0.2.8\na=candidate:1 1 udp 1 192.0.2.3 5 typ host\n"),
            SocketAddress::parse("192.0.2.8:4000"));
}

TEST(WicDescription, HasNothingToReachInWhatIsMalformed) {
  for (const char* text : {"", "v=0", "m=audio", "c=IN IP4 192.0.2.7\nm=audio 0 RTP/AVP 0\n",
                           "c=IN IP4 0.0.0.0\nm=audio 9 RTP/AVP 0\n", "c=IN IP4 host\nm=audio 9 RTP/AVP 0\n",
                           "m=audio 99999 RTP/AVP 0\nc=IN IP4 192.0.2.1\n",
                           "m=audio 1 RTP/AVP 0\na=candidate:1 1 tcp 1 192.0.2.3 5 typ relay\n",
                           "m=audio 1 RTP/AVP 0\na=candidate:1 2 udp 1 192.0.2.3 5 typ relay\n"})
    EXPECT_FALSE(parse_description(text)) << text;
}

TEST(WicMedia, KeepsItsNumberAndSession) {
  const ByteVector packet = encode_media({.session = 0x0102030405060708, .number = 70000}, 160);
  EXPECT_EQ(packet.size(), 172U);
  EXPECT_EQ(packet[0], 0x80);
  const auto read = decode_media(packet);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->session, 0x0102030405060708U);
  EXPECT_EQ(read->number, 70000U);
  EXPECT_EQ(encode_media({}, 0).size(), media_packet_min);
}

TEST(WicMedia, IsNotWhatIsShortOrOfAnotherKind) {
  ByteVector packet = encode_media({}, 160);
  EXPECT_FALSE(decode_media(Bytes{packet}.first(media_packet_min - 1)));
  packet[0] = 0x40;
  EXPECT_FALSE(decode_media(packet));
  EXPECT_FALSE(decode_media({}));
}

}  // namespace
}  // namespace turnpike::client
