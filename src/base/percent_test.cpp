#include "base/percent.hpp"

#include <gtest/gtest.h>

namespace turnpike {
namespace {

TEST(Percent, IsDecodedAndEncoded) {
  EXPECT_EQ(decode_percent("a%2Fb+c", true), "a/b c");
  EXPECT_EQ(decode_percent("a%2Fb+c", false), "a/b+c");
  EXPECT_FALSE(decode_percent("%", true));
  EXPECT_FALSE(decode_percent("%4", true));
  EXPECT_FALSE(decode_percent("%zz", true));
  EXPECT_EQ(encode_percent("a/b c:\xff"), "a%2Fb%20c%3A%FF");
  EXPECT_EQ(decode_percent(encode_percent("1893456000:k1.abc"), false), "1893456000:k1.abc");
}

TEST(Percent, IsInBothHalvesOfBasic) {
  // "a:b" and "c d", of which a reader takes the first ":" for the one between them.
  EXPECT_EQ(encode_basic_authorization("a:b", "c d"), "Basic YSUzQWI6YyUyMGQ=");
}

}  // namespace
}  // namespace turnpike
