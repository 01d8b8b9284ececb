#include "stun/attribute.hpp"

#include <gtest/gtest.h>

#include <set>

namespace turnpike::stun {
namespace {

TEST(ReasonPhrase, SaysTheWordsOfTheRfc) {
  EXPECT_EQ(reason_phrase(ErrorCode::unauthenticated), "Unauthenticated");
  EXPECT_EQ(reason_phrase(ErrorCode::address_family_not_supported), "Address Family not Supported");
  EXPECT_EQ(reason_phrase(ErrorCode::insufficient_capacity), "Insufficient Capacity");
}

TEST(ReasonPhrase, HasItsOwnWordsForEachCodeAndNoneForOthers) {
  const std::set<int> codes{300, 400, 401, 403, 405, 420, 437, 438, 440,
                            441, 442, 443, 446, 447, 486, 487, 500, 508};
  std::set<std::string_view> phrases;
  for (int code = 0; code < 800; ++code) {
    const std::string_view phrase = reason_phrase(static_cast<ErrorCode>(code));
    EXPECT_EQ(!phrase.empty(), codes.contains(code)) << code;
    EXPECT_TRUE(phrase.empty() || phrases.insert(phrase).second) << code;
  }
}

TEST(AttributeType, IsComprehensionRequiredInItsLowerHalf) {
  EXPECT_TRUE(is_comprehension_required(AttributeType::access_token));
  EXPECT_TRUE(is_comprehension_required(static_cast<AttributeType>(0x7fff)));
  EXPECT_FALSE(is_comprehension_required(static_cast<AttributeType>(0x8000)));
  EXPECT_FALSE(is_comprehension_required(AttributeType::mobility_ticket));
}

}  // namespace
}  // namespace turnpike::stun
