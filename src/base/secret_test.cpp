#include "base/secret.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ostream>
#include <type_traits>
#include <utility>

namespace turnpike {
namespace {

template <typename Type>
concept Streamable = requires(std::ostream& stream, const Type& value) { stream << value; };
template <typename Type>
concept ComparesInVariableTime = requires(const Type& a, const Type& b) { a == b; };

static_assert(Streamable<std::string>);
static_assert(!Streamable<Secret>);
static_assert(fmt::is_formattable<std::string>::value);
static_assert(!fmt::is_formattable<Secret>::value);
static_assert(!ComparesInVariableTime<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_convertible_v<Secret, Bytes>);
static_assert(!std::is_convertible_v<std::string, Secret>);

TEST(Secret, RevealsWhatItHolds) {
  const Secret secret = Secret::from_text("password");
  EXPECT_EQ(secret.reveal_text(), "password");
  EXPECT_EQ(secret.size(), 8U);
  EXPECT_TRUE(equal(secret.reveal(), as_bytes("password")));
  EXPECT_TRUE(Secret{}.empty());
}

TEST(Secret, EqualsTheSameBytesOnly) {
  const Secret secret = Secret::from_text("password");
  EXPECT_TRUE(secret.equals(as_bytes("password")));
  EXPECT_FALSE(secret.equals(as_bytes("passwore")));
  EXPECT_FALSE(secret.equals(as_bytes("passwor")));
  EXPECT_FALSE(secret.equals({}));
  EXPECT_TRUE(Secret{}.equals({}));
}

TEST(Secret, IsCopiedAndMovedWhole) {
  Secret original = Secret::from_text("password");
  const Secret copy = original;
  Secret assigned = Secret::from_text("something else");
  assigned = original;
  const Secret moved = std::move(original);
  EXPECT_TRUE(copy.equals(as_bytes("password")));
  EXPECT_TRUE(assigned.equals(as_bytes("password")));
  EXPECT_TRUE(moved.equals(as_bytes("password")));
  Secret& same = assigned;
  assigned = same;
  EXPECT_TRUE(assigned.equals(as_bytes("password")));
}

TEST(Secret, LeavesNothingBehindWhenItIsOverwritten) {
  Secret secret = Secret::from_text("a password that is longer than what follows");
  const Bytes before = secret.reveal();
  const Secret shorter = Secret::from_text("short");
  secret = shorter;
  EXPECT_TRUE(secret.equals(as_bytes("short")));
  ASSERT_EQ(secret.reveal().data(),
            before.data());  // the vector keeps its memory, so its tail can be looked at
  for (const Byte byte : before.subspan(shorter.size())) EXPECT_EQ(byte, 0);
}

TEST(Wipe, ZeroesEveryByte) {
  ByteVector bytes(100, 0xff);
  wipe(bytes);
  EXPECT_EQ(bytes, ByteVector(100, 0));
  wipe({});
}

}  // namespace
}  // namespace turnpike
