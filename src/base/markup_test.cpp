#include "base/markup.hpp"

#include <gtest/gtest.h>

namespace turnpike {
namespace {

TEST(Markup, IsEscapedSoThatItIsText) {
  EXPECT_EQ(escape_markup(R"(<a b="c" d='e'>&amp;</a>)"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;&lt;/a&gt;");
  EXPECT_EQ(escape_markup("grüße"), "grüße");
  EXPECT_EQ(escape_markup(std::string_view{"a\0b\nc\x1f", 6}), "a b c ");
  EXPECT_EQ(escape_markup(""), "");
}

}  // namespace
}  // namespace turnpike
