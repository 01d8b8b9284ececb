#include "client/web_socket_frame.hpp"

#include <gtest/gtest.h>

namespace turnpike::client {
namespace {

// As a server writes it: without a mask.
std::string from_server(unsigned char first, std::string_view payload) {
  std::string text(1, static_cast<char>(first));
  if (payload.size() < 126) {
    text += static_cast<char>(payload.size());
  } else {
    text += static_cast<char>(126);
    text += static_cast<char>(payload.size() >> 8);
    text += static_cast<char>(payload.size() & 0xff);
  }
  return text.append(payload);
}

TEST(WebSocketFrame, IsMaskedWithZeros) {
  std::string text;
  append_frame(text, FrameKind::message, "Hello");
  EXPECT_EQ(text, std::string_view("\x81\x85\0\0\0\0Hello", 11));
  text.clear();
  append_frame(text, FrameKind::pong, std::string(300, 'x'));
  EXPECT_EQ(text.substr(0, 8), std::string_view("\x8a\xfe\x01\x2c\0\0\0\0", 8));
  EXPECT_EQ(text.size(), 308U);
  text.clear();
  append_frame(text, FrameKind::message, std::string(70000, 'x'));
  EXPECT_EQ(text.size(), 70014U);
}

TEST(WebSocketFrame, IsCutOutOfAStreamInAnyPieces) {
  const std::string stream = from_server(0x81, "one") + from_server(0x89, "p") +
                             from_server(0x82, std::string(1000, 'y')) + from_server(0x88, "");
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, stream.size()}) {
    FrameReader reader;
    std::string kinds;
    std::size_t bytes = 0;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      reader.append(std::string_view{stream}.substr(at, step));
      for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
        kinds += std::to_string(static_cast<int>((*frame)->kind));
        bytes += (*frame)->payload.size();
      }
    }
    EXPECT_EQ(kinds, "0103");
    EXPECT_EQ(bytes, 1004U);
  }
}

TEST(WebSocketFrame, RefusesWhatIsNone) {
  for (const std::string& text :
       {std::string("HTTP/1.1 400"), std::string("\x81\x85\0\0\0\0Hello", 11), from_server(0x01, "part"),
        from_server(0xc1, "reserved"), std::string("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10)}) {
    FrameReader reader;
    reader.append(text);
    EXPECT_FALSE(reader.next());
  }
}

TEST(WebSocketUpgrade, AsksForSipAndReadsTheStatus) {
  EXPECT_NE(make_upgrade("127.0.0.1:80", "/").find("Sec-WebSocket-Protocol: sip\r\n"), std::string::npos);
  EXPECT_FALSE(parse_upgrade_answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"));
  const auto answer = parse_upgrade_answer("HTTP/1.1 101 Switching Protocols\r\n\r\nrest");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 101);
  EXPECT_EQ(answer->size, 36U);
  EXPECT_EQ(parse_upgrade_answer("SIP/2.0 200 OK\r\n\r\n")->status, 0);
}

}  // namespace
}  // namespace turnpike::client
