#include "jose/json.hpp"

#include <gtest/gtest.h>

namespace turnpike::jose {
namespace {

constexpr JsonLimits limits{.bytes_max = 200, .depth_max = 3, .values_max = 6};

bool accepts(std::string_view text) { return parse_json(text, limits).has_value(); }

TEST(StrictJson, ReadsWhatIsJson) {
  EXPECT_TRUE(accepts(R"({"a": [1, -2.5e3], "b": "\u00e9"})"));
  EXPECT_TRUE(accepts(" 7 "));
  for (const char* text : {"", "{", "{'a':1}", "{\"a\":1}x", "[1,]", "nul", "\"\xff\"", "NaN", "// a\n1"})
    EXPECT_FALSE(accepts(text)) << text;
}

TEST(StrictJson, RefusesANameThatOccursTwice) {
  EXPECT_TRUE(accepts(R"({"a": {"a": 1}, "b": {"a": 1}})"));
  EXPECT_FALSE(accepts(R"({"a": 1, "a": 1})"));
  EXPECT_FALSE(accepts(R"({"a": 1, "\u0061": 1})"));
  EXPECT_FALSE(accepts(R"([{"b": 1, "a": {"a": 1}, "b": 2}])"));
}

TEST(StrictJson, IsLimited) {
  EXPECT_TRUE(accepts("[[[]]]"));
  EXPECT_FALSE(accepts("[[[[]]]]"));
  EXPECT_FALSE(accepts(R"([[{"a":{}}]])"));
  EXPECT_TRUE(accepts("[1,2,3,4,5]"));
  EXPECT_FALSE(accepts("[1,2,3,4,5,6]"));
  EXPECT_FALSE(accepts('"' + std::string(199, 'x') + '"'));
  EXPECT_FALSE(
      parse_json(std::string(1'000'000, '['), {.bytes_max = 2'000'000, .depth_max = 8, .values_max = 8}));
}

TEST(StrictJson, FindsTextsAlone) {
  const auto value = *parse_json(R"({"a": "b", "c": 1})", limits);
  EXPECT_EQ(*find_text(value, "a"), "b");
  EXPECT_EQ(find_text(value, "c"), nullptr);
  EXPECT_EQ(find_text(value, "d"), nullptr);
  EXPECT_EQ(find_text(nlohmann::json::array(), "a"), nullptr);
}

}  // namespace
}  // namespace turnpike::jose
