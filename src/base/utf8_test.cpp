#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"

namespace turnpike {
namespace {

bool is_utf8_hex(std::string_view hex) {
  const auto bytes = from_hex(hex);
  return bytes && is_utf8(as_text(*bytes));
}

TEST(Utf8, TakesTheFirstAndLastCharacterOfEachSize) {
  for (const char* text : {"", "00", "7f", "c280", "dfbf", "e0a080", "ed9fbf", "ee8080", "efbfbf", "f0908080",
                           "f1808080", "f3bfbfbf", "f48fbfbf", "61c3a962e382af63f09f98806f"})
    EXPECT_TRUE(is_utf8_hex(text)) << text;
}

TEST(Utf8, RefusesOverlongForms) {
  for (const char* text : {"c080", "c1bf", "e08080", "e09fbf", "f0808080", "f08fbfbf"})
    EXPECT_FALSE(is_utf8_hex(text)) << text;
}

TEST(Utf8, RefusesSurrogatesAndWhatLiesBeyondUnicode) {
  for (const char* text : {"eda080", "edbfbf", "f4908080", "f5808080", "ff", "fe"})
    EXPECT_FALSE(is_utf8_hex(text)) << text;
}

TEST(Utf8, RefusesCharactersThatAreCutOrBroken) {
  for (const char* text : {"80", "bf", "c2", "e0a0", "f09080", "c241", "c2c2", "e0a041", "e0a0c0", "f0904180",
                           "f0908041", "f09080c0", "61e382"})
    EXPECT_FALSE(is_utf8_hex(text)) << text;
}

}  // namespace
}  // namespace turnpike
