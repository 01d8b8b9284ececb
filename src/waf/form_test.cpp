#include "waf/form.hpp"

#include <gtest/gtest.h>

#include "waf/message.hpp"

namespace turnpike::waf {
namespace {

std::expected<Form, FormProblem> parse(std::string_view text) { return Form::parse(text, FormLimits{}); }

TEST(Form, IsDecoded) {
  const auto form = parse("grant_type=refresh_token&scope=ims+turn&state=a%26b%3Dc&&empty=&flag");
  ASSERT_TRUE(form);
  EXPECT_EQ(form->find("grant_type"), "refresh_token");
  EXPECT_EQ(form->find("scope"), "ims turn");
  EXPECT_EQ(form->find("state"), "a&b=c");
  EXPECT_FALSE(form->has("empty"));
  EXPECT_FALSE(form->has("flag"));
  EXPECT_FALSE(form->has("absent"));
}

TEST(Form, HoldsEachParameterOnce) {
  EXPECT_EQ(parse("code=a&code=b").error(), FormProblem::repeated);
  EXPECT_EQ(parse("code=a&c%6fde=a").error(), FormProblem::repeated);
  EXPECT_EQ(parse("code=&code=a").error(), FormProblem::repeated);
}

TEST(Form, HasParametersThatCanBeJudgedApart) {
  const std::string_view text = "a=1&b=x&b=y&c=%zz&d&e=&%ff=1&f%31=a+b";
  EXPECT_EQ(Form::read_one(text, "a"), "1");
  EXPECT_EQ(Form::read_one(text, "b").error(), FormProblem::repeated);
  EXPECT_EQ(Form::read_one(text, "c").error(), FormProblem::malformed);
  for (const char* name : {"d", "e", "absent"}) EXPECT_EQ(Form::read_one(text, name), "") << name;
  EXPECT_EQ(Form::read_one(text, "f1"), "a b");
  EXPECT_EQ(Form::read_one("a=&a=1", "a").error(), FormProblem::repeated);
}

TEST(Form, LosesParametersInAnySpelling) {
  const auto drop = [](std::string_view text) {
    return drop_parameters(text, [](std::string_view name, std::string_view value) {
      return name == "prompt" && value != "none";
    });
  };
  EXPECT_EQ(drop("a=1&prompt=login&b=%26"), "a=1&b=%26");
  EXPECT_EQ(drop("pr%6Fmpt=l%6fgin&&a=1&prompt"), "a=1");
  EXPECT_EQ(drop("prompt=none&prompts=login"), "prompt=none&prompts=login");
  EXPECT_EQ(drop("prompt=login"), "");
}

TEST(Form, MayNameSeveralTargets) {
  const auto form = parse("resource=a&audience=x&resource=b&resource=");
  ASSERT_TRUE(form);
  EXPECT_EQ(form->find_all("resource"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(form->find_all("audience"), (std::vector<std::string>{"x"}));
}

TEST(Form, IsRefusedWhenItIsMalformed) {
  for (const char* text :
       {"a=%", "a=%4", "a=%zz", "%=a", "a=%ff", "a=%c0%80", "a=%00", "a=b%0d%0ac", "a=%7f"})
    EXPECT_EQ(parse(text).error(), FormProblem::malformed) << text;
}

TEST(Form, IsLimited) {
  EXPECT_TRUE(parse("a=" + std::string(16382, 'x')));
  EXPECT_EQ(parse("a=" + std::string(16383, 'x')).error(), FormProblem::too_large);
  std::string many;
  for (int i = 0; i < 64; ++i) many += "p" + std::to_string(i) + "=1&";
  EXPECT_TRUE(parse(many));
  EXPECT_EQ(parse(many + "one=more").error(), FormProblem::too_many_parameters);
  EXPECT_EQ(Form::parse("resource=a&resource=b", {.bytes_max = 100, .parameters_max = 1}).error(),
            FormProblem::too_many_parameters);
}

TEST(Request, FindsItsFieldsAndCookies) {
  const Request request{
      .fields = {{"Cookie", "a=1; session=x=y;b="}, {"DPoP", "p"}, {"dpop", "q"}, {"cookie", "c=3"}}};
  EXPECT_EQ(request.find("COOKIE"), "a=1; session=x=y;b=");
  EXPECT_EQ(request.count("DPoP"), 2u);
  EXPECT_EQ(request.find_cookie("session"), "x=y");
  EXPECT_EQ(request.find_cookie("b"), "");
  EXPECT_EQ(request.find_cookie("c"), "3");
  EXPECT_FALSE(request.find_cookie("sess"));
  EXPECT_FALSE(request.find_cookie("SESSION"));
}

}  // namespace
}  // namespace turnpike::waf
