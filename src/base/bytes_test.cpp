#include "base/bytes.hpp"

#include <gtest/gtest.h>

#include <array>

namespace turnpike {
namespace {

TEST(Bytes, AreLoadedAndStoredBigEndian) {
  std::array<Byte, 8> bytes{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(load_big<std::uint8_t>(bytes.data()), 0x01);
  EXPECT_EQ(load_big<std::uint16_t>(bytes.data()), 0x0102);
  EXPECT_EQ(load_big<std::uint32_t>(bytes.data()), 0x01020304U);
  EXPECT_EQ(load_big<std::uint64_t>(bytes.data()), 0x0102030405060708U);

  store_big<std::uint16_t>(bytes.data(), 0xa1b2);
  store_big<std::uint32_t>(bytes.data() + 2, 0xc3d4e5f6);
  EXPECT_EQ(to_hex(bytes), "a1b2c3d4e5f60708");
  store_big<std::uint64_t>(bytes.data(), 0x8000000000000001);
  EXPECT_EQ(to_hex(bytes), "8000000000000001");
}

TEST(Bytes, AreEqualByContent) {
  EXPECT_TRUE(equal({}, {}));
  EXPECT_TRUE(equal(as_bytes("abc"), as_bytes("abc")));
  EXPECT_FALSE(equal(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(equal(as_bytes("abc"), as_bytes("ab")));
}

TEST(Hex, ReadsBothCasesAndWritesLowerCase) {
  EXPECT_EQ(from_hex("00fFAb"), (ByteVector{0x00, 0xff, 0xab}));
  EXPECT_EQ(to_hex(*from_hex("00fFAb")), "00ffab");
  EXPECT_EQ(from_hex(""), ByteVector{});
}

TEST(Hex, RefusesWhatIsNoHex) {
  for (const char* text : {"0", "abc", "0g", " 1", "0x", "--"}) EXPECT_FALSE(from_hex(text)) << text;
}

struct Pair {
  const char* plain;
  const char* encoded;
};

// RFC 4648 section 10.
constexpr Pair base64_vectors[] = {{"", ""},
                                   {"f", "Zg=="},
                                   {"fo", "Zm8="},
                                   {"foo", "Zm9v"},
                                   {"foob", "Zm9vYg=="},
                                   {"fooba", "Zm9vYmE="},
                                   {"foobar", "Zm9vYmFy"}};

TEST(Base64, PassesTheVectorsOfRfc4648) {
  for (const auto& [plain, encoded] : base64_vectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
    EXPECT_EQ(from_base64(encoded), to_vector(as_bytes(plain))) << encoded;
  }
}

TEST(Base64, HasOneSpellingPerValue) {
  for (const char* text : {"Zh==", "Zm9=", "Zg=", "Zg", "Zg===", "====", "=", "Z===", "Zg==Zg==", "Zm9v\n",
                           "Zm 9v", "Zm-_", "Zg==="})
    EXPECT_FALSE(from_base64(text)) << text;
  EXPECT_FALSE(from_base64(std::string_view{"Zm9\0", 4}));
}

TEST(Base64, UsesItsOwnDigits) {
  const ByteVector bytes{0xfb, 0xff, 0xbf};
  EXPECT_EQ(to_base64(bytes), "+/+/");
  EXPECT_EQ(to_base64url(bytes), "-_-_");
  EXPECT_EQ(from_base64("+/+/"), bytes);
  EXPECT_EQ(from_base64url("-_-_"), bytes);
  EXPECT_FALSE(from_base64url("+/+/"));
}

TEST(Base64url, HasNoPadding) {
  EXPECT_EQ(to_base64url(as_bytes("fooba")), "Zm9vYmE");
  EXPECT_EQ(from_base64url("Zm9vYmE"), to_vector(as_bytes("fooba")));
  for (const char* text : {"Zm9vYmE=", "Zm9vYmF", "Z", "Zm9vY"}) EXPECT_FALSE(from_base64url(text)) << text;
}

TEST(Base64, ReturnsEveryByteThatWentIn) {
  ByteVector bytes;
  for (unsigned i = 0; i < 256; ++i) {
    bytes.push_back(static_cast<Byte>(i * 37));
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
    EXPECT_EQ(from_hex(to_hex(bytes)), bytes);
  }
}

}  // namespace
}  // namespace turnpike
