#include "sip/writer.hpp"

#include <gtest/gtest.h>

#include "sip/headers.hpp"
#include "sip/test_messages.hpp"

namespace turnpike::sip {
namespace {

TEST(Writer, WritesARequest) {
  const std::string text = Writer::request(Method::options, "sip:a@b")
                               .add(HeaderName::max_forwards, 70U)
                               .add("X-Own", "1")
                               .finish("text/plain", "body");
  EXPECT_EQ(text,
            "OPTIONS sip:a@b SIP/2.0\r\nMax-Forwards: 70\r\nX-Own: 1\r\nContent-Type: text/plain\r\n"
            "Content-Length: 4\r\n\r\nbody");
}

TEST(Writer, WritesAResponse) {
  EXPECT_EQ(Writer::response(200).finish(), "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(Writer::response(400, "Malformed Via").finish("a/b", ""),
            "SIP/2.0 400 Malformed Via\r\nContent-Length: 0\r\n\r\n");
}

TEST(Writer, LetsNoValueEndItsRow) {
  const std::string text = Writer::response(200, "a\r\nb")
                               .add(HeaderName::subject, std::string_view{"x\r\nEvil: 1\0\x7f", 13})
                               .finish();
  const auto message = Message::parse(text);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->reason(), "a  b");
  EXPECT_EQ(message->find(HeaderName::subject)->value, "x  Evil: 1");
  EXPECT_FALSE(message->find("Evil"));
  const std::string request = Writer::request("A\r\nB", "sip:a\r\n").finish();
  EXPECT_EQ(request.find('\n'), request.find("SIP/2.0\r\n") + 8);
}

TEST(Writer, CopiesRowsByteForByte) {
  const std::string source = test::request("v:  SIP/2.0/UDP\r\n a\r\n");
  const std::string text = Writer::response(200).copy(test::parsed(source), HeaderName::via).finish();
  EXPECT_NE(
      text.find(
          "Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf;rport\r\nv:  SIP/2.0/UDP\r\n a\r\n"),
      std::string::npos);
}

// parse(write(m)) = m, row by row.
TEST(Writer, WritesWhatIsReadAgain) {
  test::MessageMaker maker{3};
  for (int i = 0; i < 1000; ++i) {
    const std::string source = maker.next();
    const Message message = test::parsed(source);
    Writer writer = message.is_request() ? Writer::request(message.method_text(), message.request_uri_text())
                                         : Writer::response(message.status_code(), message.reason());
    for (std::size_t row = 0; row < message.header_count(); ++row)
      if (message.header_name(row) != HeaderName::content_length)
        writer.add(message.header(row).name_text, message.header(row).value);
    std::string text = writer.finish();
    const Message again = test::parsed(text);
    ASSERT_EQ(again.method_text(), message.method_text());
    ASSERT_EQ(again.status_code(), message.status_code());
    ASSERT_EQ(again.header_count(), message.header_count());
    // The folds of the source are spaces now, and everything means the same.
    ASSERT_EQ(from(again)->uri_text, from(message)->uri_text);
    ASSERT_EQ(from(again)->tag(), from(message)->tag());
    ASSERT_EQ(top_via(again)->params.text(), top_via(message)->params.text());
    ASSERT_FALSE(find_defect(again));
  }
}

TEST(Writer, ReplacesControlCharactersWhereverTheyStand) {
  for (const char control : {'\0', '\t', '\n', '\r', '\x1f', '\x7f'})
    for (std::size_t size = 1; size <= 40; ++size)
      for (std::size_t at = 0; at < size; ++at) {
        std::string text(size, 'a');
        text[at] = control;
        std::string to = "\n";  // what stands there already stays
        append_clean(to, text);
        text[at] = ' ';
        EXPECT_EQ(to, "\n" + text);
      }
}

TEST(Writer, LeavesTextWithoutControlCharactersAsItIs) {
  std::string text;
  for (int byte = 0x20; byte < 0x100; ++byte)
    if (byte != 0x7f) text += static_cast<char>(byte);
  std::string to;
  append_clean(to, text);
  EXPECT_EQ(to, text);
}

}  // namespace
}  // namespace turnpike::sip
