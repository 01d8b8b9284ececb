#include "service/sip_framer.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace turnpike::service {
namespace {

std::string make_message(std::string_view name, std::size_t body_size,
                         std::string_view length_name = "Content-Length") {
  return "OPTIONS sip:" + std::string{name} + " SIP/2.0\r\n" + std::string{length_name} + ": " +
         std::to_string(body_size) + "\r\n\r\n" + std::string(body_size, 'b');
}

std::vector<std::string> take_all(SipFramer& framer) {
  std::vector<std::string> messages;
  for (;;) {
    const auto next = framer.next();
    EXPECT_TRUE(next.has_value());
    if (!next || !*next) return messages;
    messages.emplace_back(**next);
  }
}

TEST(SipFramer, CutsMessagesWhereverTheBytesAreCut) {
  const std::vector<std::string> messages{make_message("a", 0), make_message("b", 300, "l"),
                                          make_message("c", 7, "CONTENT-LENGTH ")};
  const std::string stream = "\r\n" + messages[0] + messages[1] + "\r\n\r\n" + messages[2];
  for (std::size_t step = 1; step < stream.size(); ++step) {
    SipFramer framer{65'535};
    std::vector<std::string> found;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      framer.add(std::string_view{stream}.substr(at, step));
      for (std::string& message : take_all(framer)) found.push_back(std::move(message));
    }
    ASSERT_EQ(found, messages) << step;
    ASSERT_EQ(framer.take_pings(), 1U) << step;
    ASSERT_EQ(framer.buffered(), 0U);
  }
}

TEST(SipFramer, CountsPings) {
  SipFramer framer{1000};
  framer.add("\r\n\r\n\r\n\r\n");
  EXPECT_TRUE(take_all(framer).empty());
  EXPECT_EQ(framer.take_pings(), 2U);
  EXPECT_EQ(framer.take_pings(), 0U);
}

FramingError error_of(std::string_view bytes) {
  SipFramer framer{1000};
  framer.add(bytes);
  const auto next = framer.next();
  EXPECT_FALSE(next.has_value());
  return next ? FramingError{} : next.error();
}

TEST(SipFramer, RefusesWhatHasNoEnd) {
  EXPECT_EQ(error_of("OPTIONS sip:a SIP/2.0\r\nX: y\r\n\r\n"), FramingError::no_length);
  EXPECT_EQ(error_of("OPTIONS sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n"), FramingError::malformed);
  EXPECT_EQ(error_of("OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n"), FramingError::malformed);
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), FramingError::malformed);
}

TEST(SipFramer, RefusesWhatIsTooLarge) {
  EXPECT_EQ(error_of("OPTIONS sip:a SIP/2.0\r\nX: " + std::string(1000, 'x')), FramingError::too_large);
  EXPECT_EQ(error_of("OPTIONS sip:a SIP/2.0\r\nContent-Length: 990\r\n\r\n"), FramingError::too_large);
  EXPECT_EQ(error_of("OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
            FramingError::too_large);
}

}  // namespace
}  // namespace turnpike::service
