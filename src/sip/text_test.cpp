#include "sip/text.hpp"

#include <gtest/gtest.h>

namespace turnpike::sip {
namespace {

TEST(Text, NumbersAreDigitsWithinTheirBound) {
  EXPECT_EQ(parse_number("0068", 255), 68U);
  EXPECT_EQ(parse_number("255", 255), 255U);
  EXPECT_EQ(parse_number("256", 255), std::nullopt);
  EXPECT_EQ(parse_number("18446744073709551615", UINT64_MAX), UINT64_MAX);
  EXPECT_EQ(parse_number("18446744073709551616", UINT64_MAX), std::nullopt);
  EXPECT_EQ(parse_number("36893488147419103232", UINT64_MAX), std::nullopt);
  EXPECT_EQ(parse_number("5", 3), std::nullopt);
  EXPECT_EQ(parse_number("05", 3), std::nullopt);
  for (const auto* text : {"", "-1", "+1", "1 ", "0x1"})
    EXPECT_EQ(parse_number(text, 1000), std::nullopt) << text;
}

TEST(Text, EscapesNeedTwoHexadecimalDigits) {
  EXPECT_EQ(parse_hex_pair("4a"), 'J');
  EXPECT_EQ(parse_hex_pair("00"), '\0');
  EXPECT_EQ(parse_hex_pair("fF"), '\xff');
  for (const auto* text : {"", "4", "g0", "0g", "%1"}) EXPECT_EQ(parse_hex_pair(text), std::nullopt) << text;
  EXPECT_TRUE(is_escaped_text("a%40b", char_user));
  EXPECT_FALSE(is_escaped_text("a%4", char_user));
  EXPECT_FALSE(is_escaped_text("a b", char_user));
}

TEST(Text, QuotingIsUndoneByUnquoting) {
  for (const std::string text : {"", "a", "a\"b", "\\", "\\\"", "a, b; c <d>", "ü"})
    EXPECT_EQ(unquoted(quoted_string(text)), text);
}

TEST(Text, QuotedTextCannotEndARow) { EXPECT_EQ(quoted_string("a\r\nEvil: 1"), "\"a  Evil: 1\""); }

TEST(Text, UnquotingTurnsAFoldIntoASpace) {
  EXPECT_EQ(unquoted("\"a\r\n \tb\""), "a b");
  EXPECT_EQ(unquoted("token"), "token");
  EXPECT_EQ(unquoted("\""), "\"");
}

TEST(Scanner, TakesAQuotedStringWithItsEscapes) {
  Scanner scanner{R"("a\"b\\" rest)"};
  EXPECT_EQ(scanner.take_quoted(), R"("a\"b\\")");
  EXPECT_EQ(scanner.rest(), " rest");
}

TEST(Scanner, LeavesAQuotedStringThatDoesNotEnd) {
  for (const auto* text : {"\"", "\"a", R"("a\")", R"("a\)", "a"}) {
    Scanner scanner{text};
    EXPECT_EQ(scanner.take_quoted(), std::nullopt) << text;
    EXPECT_EQ(scanner.rest(), text);
  }
}

TEST(Scanner, TakesSeparatorsWithTheWhiteSpaceAroundThem) {
  Scanner scanner{" \r\n ; a"};
  EXPECT_FALSE(scanner.accept_separator(','));
  EXPECT_TRUE(scanner.accept_separator(';'));
  EXPECT_EQ(scanner.rest(), "a");
}

TEST(Scanner, ComparesWordsWithoutTheirCase) {
  Scanner scanner{"sIp/2.0"};
  EXPECT_FALSE(scanner.accept_word("sips"));
  EXPECT_TRUE(scanner.accept_word("SIP"));
  EXPECT_FALSE(scanner.accept_word("/2.0 and more"));
}

}  // namespace
}  // namespace turnpike::sip
