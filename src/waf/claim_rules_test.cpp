#include "waf/claim_rules.hpp"

#include <gtest/gtest.h>

namespace turnpike::waf {
namespace {

using nlohmann::json;

Provider make_provider(ClaimRule rule, std::vector<std::string> impis = {}) {
  Provider provider{.impis = std::move(impis)};
  provider.rules = {std::move(rule)};
  return provider;
}

std::string impi_of(std::string_view pattern, const json& claims, std::vector<std::string> impis = {}) {
  const auto identity = map_claims(
      make_provider({.impi = std::string{pattern}, .impus = {"sip:x@ims.example"}}, std::move(impis)),
      claims);
  return identity ? identity->impi : "none";
}

TEST(ClaimRules, FindClaimsByNameAndByPath) {
  const json claims{{"a", {{"b", {{"c", 1}}}}}, {"https://x/y", 2}, {"list", {1}}};
  EXPECT_EQ(*find_claim(claims, "/a/b/c"), 1);
  EXPECT_EQ(*find_claim(claims, "https://x/y"), 2);
  for (const char* name : {"a/b", "/a/x", "/a/b/c/d", "b", "", "/", "/list/0", "/a/"})
    EXPECT_EQ(find_claim(claims, name), nullptr) << name;
}

TEST(ClaimRules, HoldWithTheRightKindOfValueAlone) {
  const json claims{{"verified", true},
                    {"flag", "true"},
                    {"hd", "corp.example"},
                    {"level", 3},
                    {"groups", {"staff", "ims", 7}},
                    {"mail", "a@corp.example"}};
  const auto holds_for = [&](const char* claim, std::vector<ClaimValue> values) {
    return holds({.claim = claim, .values = std::move(values)}, claims);
  };
  EXPECT_TRUE(holds_for("verified", {true}));
  EXPECT_FALSE(holds_for("verified", {false}));
  EXPECT_FALSE(holds_for("verified", {std::string{"true"}}));
  EXPECT_FALSE(holds_for("flag", {true}));
  EXPECT_TRUE(holds_for("hd", {std::string{"corp.example"}}));
  EXPECT_FALSE(holds_for("hd", {std::string{"corp.exampl"}}));
  EXPECT_TRUE(holds_for("mail", {std::string{"*@corp.example"}}));
  EXPECT_TRUE(holds_for("level", {std::int64_t{2}, std::int64_t{3}}));
  EXPECT_TRUE(holds_for("groups", {std::string{"ims"}}));
  EXPECT_TRUE(holds_for("groups", {std::int64_t{7}}));
  EXPECT_FALSE(holds_for("groups", {std::string{"admins"}}));
  EXPECT_FALSE(holds_for("absent", {std::string{"*"}}));
}

TEST(ClaimRules, FillTemplates) {
  EXPECT_EQ(impi_of("{u}@ims.example", {{"u", "alice"}}), "alice@ims.example");
  EXPECT_EQ(impi_of("c{/a/n}@ims.example", {{"a", {{"n", 17}}}}), "c17@ims.example");
  EXPECT_EQ(impi_of("fixed@ims.example", {}), "fixed@ims.example");
  EXPECT_EQ(impi_of("{u}@ims.example", {}), "none");
  EXPECT_EQ(impi_of("{email}", {{"email", "a.b+c@ims.example"}}), "a.b+c@ims.example");
}

// A value ends where it stands: it names no domain, parameter or header of its own.
TEST(ClaimRules, LetNoValueSayMoreThanItsPart) {
  for (const json& value :
       {json("bob@ims.example"), json("bob;user=phone"), json("a b"), json("a:b"), json("a?b"), json("a%40b"),
        json("a\r\nb"), json("<a>"), json(""), json(true), json(1.5), json({"a"}), json("\xc3\xa4"),
        json(std::string(129, 'a')), json(nullptr)})
    EXPECT_EQ(impi_of("{u}@ims.example", {{"u", value}}), "none") << value;
  for (const char* value : {"a@b@c", "@b", "a@"})
    EXPECT_EQ(impi_of("{email}", {{"email", value}}), "none") << value;
}

TEST(ClaimRules, NameOnlyWhatTheProviderMay) {
  EXPECT_EQ(impi_of("{email}", {{"email", "a@ims.example"}}, {"*@ims.example"}), "a@ims.example");
  EXPECT_EQ(impi_of("{email}", {{"email", "a@other.example"}}, {"*@ims.example"}), "none");
  EXPECT_EQ(impi_of("{email}", {{"email", "admin@ims.example"}}, {"guest-*@ims.example"}), "none");
}

TEST(ClaimRules, LeaveOutAPublicIdentityWhoseClaimIsAbsent) {
  const Provider provider = make_provider({.impi = "{u}@x", .impus = {"tel:{phone}", "sip:{u}@x"}});
  EXPECT_EQ(map_claims(provider, {{"u", "a"}})->impus, std::vector<std::string>{"sip:a@x"});
  EXPECT_EQ(map_claims(provider, {{"u", "a"}, {"phone", "+15550100"}})->impus.size(), 2u);
  EXPECT_FALSE(map_claims(provider, {{"u", "a"}, {"phone", "+1;phone-context=x"}})) << "one that is unfit";
  EXPECT_FALSE(map_claims(make_provider({.impi = "{u}@x", .impus = {"tel:{phone}"}}), {{"u", "a"}}));
}

TEST(ClaimRules, AreAskedInTheirOrder) {
  Provider provider;
  provider.rules = {
      {.conditions = {{.claim = "admin", .values = {true}}}, .impi = "admin-{u}@x", .impus = {"sip:{u}@x"}},
      {.conditions = {{.claim = "a", .values = {true}}, {.claim = "b", .values = {true}}},
       .impi = "ab-{u}@x",
       .impus = {"sip:{u}@x"},
       .wwsf = "shop",
       .is_pool = true},
      {.impi = "{u}@x", .impus = {"sip:{u}@x"}}};
  EXPECT_EQ(map_claims(provider, {{"u", "a"}, {"admin", true}})->impi, "admin-a@x");
  const auto both = map_claims(provider, {{"u", "a"}, {"a", true}, {"b", true}});
  EXPECT_EQ(both->impi, "ab-a@x");
  EXPECT_EQ(both->wwsf, "shop");
  EXPECT_TRUE(both->is_pool_identity);
  EXPECT_EQ(map_claims(provider, {{"u", "a"}, {"a", true}})->impi, "a@x") << "all conditions of a rule hold";
  EXPECT_FALSE(map_claims(provider, {{"v", "a"}}));
}

TEST(ClaimRules, HaveTemplatesThatCanBeRead) {
  for (const char* good : {"a@x", "{u}@x", "sip:{/a/b}@x", "{https://x/y}@z", "{a}{b}"})
    EXPECT_FALSE(find_template_problem(good)) << good;
  for (const char* bad : {"", "{", "}", "a}b", "{}", "{/}", "{a", "{a{b}}", "a b", "\"", "a\nb"})
    EXPECT_TRUE(find_template_problem(bad)) << bad;
  EXPECT_TRUE(names_domain("{u}@x"));
  EXPECT_FALSE(names_domain("{u@x}"));
}

}  // namespace
}  // namespace turnpike::waf
