#include "sip/params.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace turnpike::sip {
namespace {

std::optional<Params> header(std::string_view text) { return Params::parse(text, ParamStyle::header, 32); }
std::optional<Params> auth(std::string_view text) { return Params::parse(text, ParamStyle::auth, 32); }

TEST(Params, AreFoundWhateverTheirCase) {
  const auto params = header(";Tag=a1;lr ; q = 0.33\r\n ;x=\"a;b\\\"c\"");
  ASSERT_TRUE(params);
  EXPECT_EQ(params->value("tag"), "a1");
  EXPECT_TRUE(params->has("LR"));
  EXPECT_EQ(params->value("lr"), std::nullopt);
  EXPECT_EQ(params->value("q"), "0.33");
  EXPECT_EQ(params->find("x")->text(), "a;b\"c");
  EXPECT_FALSE(params->find("absent"));
}

TEST(Params, AreNotFoundWithinOthers) {
  const auto params =
      header("\r\n ; taga=1;b=\";tag=2;c=3\\\";tag=4\" ; tag-c=5;ta=6;d=tag;e= \"tag=7\";tag = 8;tb ;f");
  ASSERT_TRUE(params);
  EXPECT_EQ(params->value("tag"), "8");
  EXPECT_EQ(params->find("tag")->whole, "tag = 8");
  EXPECT_FALSE(params->has("c"));
  EXPECT_EQ(params->value("d"), "tag");
  EXPECT_TRUE(params->has("f"));
  for (const auto* absent : {"t", "tag-", "ag", "tag = 8", "tag=8", "", ";", "d=tag"})
    EXPECT_FALSE(params->has(absent)) << absent;
  const auto credentials = auth("a=\"x,nonce=1\" , nonce-b=2,\r\n nonce=\"3\", c=nonce");
  ASSERT_TRUE(credentials);
  EXPECT_EQ(credentials->find("nonce")->text(), "3");
}

TEST(Params, MayBeNone) {
  EXPECT_TRUE(header("")->empty());
  EXPECT_TRUE(Params{}.empty());
  EXPECT_FALSE(Params{}.has("a"));
}

TEST(Params, AreRefusedWhenOneIsMalformed) {
  for (const auto* text : {";", ";;a", ";a=", ";a=\"b", ";=b", ";a b", "a=b", ";a=b,c", ";a=<b>", "; a=1 2"})
    EXPECT_FALSE(header(text)) << text;
}

TEST(Params, AreRefusedWhenANameStandsTwice) {
  EXPECT_FALSE(header(";tag=a;lr;TAG=b"));
  EXPECT_FALSE(auth("nonce=\"a\", realm=\"b\", Nonce=\"a\""));
  std::string many;
  for (int i = 0; i < 30; ++i) many += ";p" + std::to_string(i);
  EXPECT_TRUE(header(many));
  EXPECT_FALSE(header(many + ";p29"));
}

TEST(Params, AreLimited) {
  std::string text;
  for (int i = 0; i < 32; ++i) text += ";p" + std::to_string(i);
  EXPECT_TRUE(header(text));
  EXPECT_FALSE(header(text + ";last"));
}

TEST(Params, OfAUriKnowEscapesAndNoSpaces) {
  const auto uri = [](std::string_view text) { return Params::parse(text, ParamStyle::uri, 32); };
  EXPECT_EQ(uri(";a=%41[1]:/&+$;lr")->value("a"), "%41[1]:/&+$");
  for (const auto* text : {"; a", ";a=", ";a=\"b\"", ";%4", ";a=%g1"}) EXPECT_FALSE(uri(text)) << text;
}

TEST(Params, OfUriHeadersHaveValues) {
  const auto headers = [](std::string_view text) { return Params::parse(text, ParamStyle::uri_headers, 32); };
  EXPECT_EQ(headers("to=sip:a%40b&subject=")->value("subject"), "");
  EXPECT_EQ(headers("to=x&cc=y")->value("cc"), "y");
  for (const auto* text : {"to", "to=a&", "&to=a", "=a"}) EXPECT_FALSE(headers(text)) << text;
}

TEST(Params, OfCredentialsAreBetweenCommas) {
  const auto params = auth("username=\"a, b\" ,realm=x,\r\n nc=00000001, nonce=dGVzdA==");
  ASSERT_TRUE(params);
  EXPECT_EQ(params->find("username")->text(), "a, b");
  EXPECT_EQ(params->value("nc"), "00000001");
  EXPECT_EQ(params->value("nonce"), "dGVzdA==");
  for (const auto* text : {"a", "a=1,", ",a=1", "a=1,,b=2", "a=1 b=2"}) EXPECT_FALSE(auth(text)) << text;
}

TEST(Params, OfChargingVectorsAreBetweenSemicolons) {
  const auto params = Params::parse("icid-value=\"1:a\";icid-generated-at=[2001:db8::1];orig-ioi=home1",
                                    ParamStyle::header_list, 8);
  ASSERT_TRUE(params);
  EXPECT_EQ(params->find("icid-value")->text(), "1:a");
  EXPECT_EQ(params->value("icid-generated-at"), "[2001:db8::1]");
}

TEST(Params, AreVisitedInOrder) {
  std::vector<std::string> seen;
  header(";a=1 ;b;c=\"3\"")->for_each([&](const Param& param) { seen.emplace_back(param.whole); });
  EXPECT_EQ(seen, (std::vector<std::string>{"a=1", "b", "c=\"3\""}));
}

}  // namespace
}  // namespace turnpike::sip
