#include "sip/header_name.hpp"

#include <gtest/gtest.h>

#include "sip/error.hpp"
#include "sip/method.hpp"
#include "sip/text.hpp"

namespace turnpike::sip {
namespace {

TEST(HeaderName, IsFoundByItsOwnTextInAnyCase) {
  for (std::size_t i = 1; i < header_name_count; ++i) {
    const auto name = static_cast<HeaderName>(i);
    EXPECT_FALSE(to_string(name).empty());
    EXPECT_EQ(find_header_name(to_string(name)), name) << to_string(name);
    EXPECT_EQ(find_header_name(to_lower(to_string(name))), name) << to_string(name);
  }
}

TEST(HeaderName, IsFoundByItsCompactForm) {
  EXPECT_EQ(find_header_name("v"), HeaderName::via);
  EXPECT_EQ(find_header_name("M"), HeaderName::contact);
  EXPECT_EQ(find_header_name("k"), HeaderName::supported);
  EXPECT_EQ(find_header_name("l"), HeaderName::content_length);
  EXPECT_EQ(find_header_name("o"), HeaderName::event);
  EXPECT_EQ(find_header_name("x"), HeaderName::session_expires);
}

TEST(HeaderName, IsOtherWhenItIsNotListed) {
  for (const auto* text : {"", "z", "Vi", "Viaa", "C%6Fntact", "X-Own", "Content_Length"})
    EXPECT_EQ(find_header_name(text), HeaderName::other) << text;
  EXPECT_EQ(to_string(HeaderName::other), "");
}

TEST(Method, MindsItsCase) {
  EXPECT_EQ(find_method("INVITE"), Method::invite);
  EXPECT_EQ(find_method("invite"), Method::other);
  EXPECT_EQ(find_method(""), Method::other);
  for (int i = 1; i <= static_cast<int>(Method::update); ++i)
    EXPECT_EQ(find_method(to_string(static_cast<Method>(i))), static_cast<Method>(i));
}

TEST(ParseError, BecomesAStatusLine) {
  EXPECT_EQ((ParseError{Defect::missing, HeaderName::call_id}.reason_phrase()), "Missing Call-ID");
  EXPECT_EQ((ParseError{Defect::malformed, HeaderName::cseq}.status_code()), 400);
  EXPECT_EQ((ParseError{Defect::malformed}.reason_phrase()), "Malformed Header");
  EXPECT_EQ((ParseError{Defect::unsupported_version}.status_code()), 505);
  EXPECT_EQ((ParseError{Defect::message_too_long}.status_code()), 513);
  EXPECT_EQ((ParseError{Defect::too_many_hops}.status_code()), 483);
}

TEST(ParseError, HasWordsForEachDefect) {
  for (int i = 0; i <= static_cast<int>(Defect::too_many_hops); ++i)
    EXPECT_FALSE((ParseError{static_cast<Defect>(i), HeaderName::via}.reason_phrase().empty())) << i;
}

TEST(StandardReason, KnowsTheCodesOfTheRegister) {
  EXPECT_EQ(standard_reason(100), "Trying");
  EXPECT_EQ(standard_reason(430), "Flow Failed");
  EXPECT_EQ(standard_reason(606), "Not Acceptable");
  EXPECT_EQ(standard_reason(299), "");
  EXPECT_EQ(standard_reason(699), "");
}

}  // namespace
}  // namespace turnpike::sip
