#include "program/config_document.hpp"

#include <gtest/gtest.h>

namespace turnpike::program {
namespace {

Node good(std::string_view text) {
  auto node = parse_document(text);
  EXPECT_TRUE(node.has_value());
  return node ? std::move(*node) : Node{};
}

TEST(ConfigDocument, KeepsTheLineOfEachValue) {
  const Node root = good("a = 1\n\n[b]\nc = [\n  \"x\",\n  \"y\",\n]\n[[d]]\ne = true\n[[d]]\n");
  EXPECT_EQ(root.find("a")->line, 1);
  EXPECT_EQ(root.find("b")->line, 3);
  EXPECT_EQ(root.find("b")->find("c")->items[1].line, 6);
  ASSERT_EQ(root.find("d")->items.size(), 2U);
  EXPECT_EQ(root.find("d")->items[1].line, 10);
  EXPECT_EQ(root.find("e"), nullptr);
}

TEST(ConfigDocument, KeepsTheOrderOfTheKeys) {
  EXPECT_EQ(good("z = 1\na = 2\nm = 3\n").keys, (std::vector<std::string>{"z", "a", "m"}));
}

TEST(ConfigDocument, TellsKindsApart) {
  const Node root =
      good("t = 'x'\ni = -7\nr = 1.5\nb = false\nm = 1970-01-01T01:00:10+01:00\nl = []\nd = 2026-01-01\n");
  EXPECT_EQ(root.find("t")->describe(), "\"x\"");
  EXPECT_EQ(root.find("i")->describe(), "-7");
  EXPECT_EQ(root.find("r")->describe(), "1.5");
  EXPECT_EQ(root.find("b")->describe(), "false");
  EXPECT_EQ(root.find("l")->describe(), "an empty list");
  EXPECT_EQ(root.find("m")->kind, Node::Kind::moment);
  EXPECT_EQ(root.find("m")->moment, from_unix_seconds(10));
  EXPECT_EQ(root.find("d")->kind, Node::Kind::text);
  EXPECT_EQ(root.describe(), "a table");
}

TEST(ConfigDocument, TellsWhereTheSyntaxBreaks) {
  const auto node = parse_document("a = 1\nb = \n");
  ASSERT_FALSE(node.has_value());
  EXPECT_EQ(node.error().line, 2);
  EXPECT_EQ(node.error().message.find('\n'), std::string::npos);
}

TEST(ConfigDocument, RefusesAKeyTwice) {
  const auto node = parse_document("a = 1\na = 2\n");
  ASSERT_FALSE(node.has_value());
  EXPECT_EQ(node.error().line, 2);
}

}  // namespace
}  // namespace turnpike::program
