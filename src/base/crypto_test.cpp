#include "base/crypto.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace turnpike::crypto {
namespace {

ByteVector hex(std::string_view text) {
  const auto bytes = from_hex(text);
  EXPECT_TRUE(bytes) << text;
  return bytes.value_or(ByteVector{});
}

TEST(Digest, PassesKnownVectors) {
  // RFC 1321 section A.5, FIPS 180-2 section B.1.
  EXPECT_EQ(to_hex(md5({})), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(to_hex(md5(as_bytes("message digest"))), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

struct HmacVector {
  ByteVector key;
  ByteVector message;
  const char* digest;
};

ByteVector text(std::string_view characters) { return to_vector(as_bytes(characters)); }

TEST(HmacSha1, PassesTheVectorsOfRfc2202) {
  const HmacVector vectors[] = {
      {ByteVector(20, 0x0b), text("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00"},
      {text("Jefe"), text("what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
      {ByteVector(20, 0xaa), ByteVector(50, 0xdd), "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
      {hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), ByteVector(50, 0xcd),
       "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
      {ByteVector(20, 0x0c), text("Test With Truncation"), "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"},
      {ByteVector(80, 0xaa), text("Test Using Larger Than Block-Size Key - Hash Key First"),
       "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
      {ByteVector(80, 0xaa),
       text("Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data"),
       "e8e99d0f45237d786d6bbaa7965c7808bbff1a91"},
  };
  for (const auto& [key, message, digest] : vectors) EXPECT_EQ(to_hex(hmac_sha1(key, message)), digest);
}

TEST(HmacSha256, PassesTheVectorsOfRfc4231) {
  const HmacVector vectors[] = {
      {ByteVector(20, 0x0b), text("Hi There"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {text("Jefe"), text("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {ByteVector(20, 0xaa), ByteVector(50, 0xdd),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), ByteVector(50, 0xcd),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {ByteVector(131, 0xaa), text("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {ByteVector(131, 0xaa),
       text("This is a test using a larger than block-size key and a larger than block-size data. The key "
            "needs to be hashed before being used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const auto& [key, message, digest] : vectors) EXPECT_EQ(to_hex(hmac_sha256(key, message)), digest);
}

TEST(Hmac, TakesAMessageInTwoPartsAsOne) {
  const Bytes message = as_bytes("what do ya want for nothing?");
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    EXPECT_EQ(hmac_sha1(as_bytes("Jefe"), message.first(cut), message.subspan(cut)),
              hmac_sha1(as_bytes("Jefe"), message));
    EXPECT_EQ(hmac_sha256(as_bytes("Jefe"), message.first(cut), message.subspan(cut)),
              hmac_sha256(as_bytes("Jefe"), message));
  }
}

TEST(Hmac, TakesAnEmptyKeyAndMessage) {
  EXPECT_EQ(to_hex(hmac_sha1({}, {})), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
  EXPECT_EQ(to_hex(hmac_sha256({}, {})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Hkdf, PassesTheVectorsOfRfc5869) {
  EXPECT_EQ(to_hex(hkdf_sha256(ByteVector(22, 0x0b), hex("000102030405060708090a0b0c"),
                               hex("f0f1f2f3f4f5f6f7f8f9"), 42)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  ByteVector key, salt, info;
  for (unsigned i = 0; i < 80; ++i) {
    key.push_back(static_cast<Byte>(i));
    salt.push_back(static_cast<Byte>(0x60 + i));
    info.push_back(static_cast<Byte>(0xb0 + i));
  }
  EXPECT_EQ(to_hex(hkdf_sha256(key, salt, info, 82)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(to_hex(hkdf_sha256(ByteVector(22, 0x0b), {}, {}, 42)),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Hkdf, GivesAnyLengthThatItCan) {
  EXPECT_TRUE(hkdf_sha256(as_bytes("key"), {}, {}, 0).empty());
  EXPECT_EQ(hkdf_sha256(as_bytes("key"), {}, {}, 255 * 32).size(), 255U * 32);
  EXPECT_DEATH(hkdf_sha256(as_bytes("key"), {}, {}, 255 * 32 + 1), "255 blocks");
}

struct GcmVector {
  const char* key;
  const char* nonce;
  const char* additional;
  const char* plain;
  const char* sealed;
};

// The test cases of the GCM submission to NIST: 2, 4, 5, 6 (AES-128) and 14, 16 (AES-256).
constexpr GcmVector gcm_vectors[] = {
    {"00000000000000000000000000000000", "000000000000000000000000", "", "00000000000000000000000000000000",
     "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
    {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf"
     "5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b3"
     "96a0aac973d58e091"
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbad", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf"
     "5aa0de657ba637b39",
     "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896b424989b5e"
     "1ebac0f07c23f4598"
     "3612d2e79e3b0785561be14aaca2fccb"},
    {"feffe9928665731c6d6a8f9467308308",
     "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedbf"
     "5a0de6a57a637b39b",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf"
     "5aa0de657ba637b39",
     "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7c6fd62875d"
     "2aca417034c34aee5"
     "619cc5aefffe0bfa462af43c1699d050"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf"
     "5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6"
     "393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

TEST(AesGcm, PassesTheVectorsOfItsSubmission) {
  for (const auto& [key, nonce, additional, plain, sealed] : gcm_vectors) {
    EXPECT_EQ(to_hex(aes_gcm_seal(hex(key), hex(nonce), hex(additional), hex(plain))), sealed);
    EXPECT_EQ(aes_gcm_open(hex(key), hex(nonce), hex(additional), hex(sealed)), hex(plain));
  }
}

TEST(AesGcm, SealsAnEmptyText) {
  EXPECT_EQ(to_hex(aes_gcm_seal(ByteVector(16), ByteVector(12), {}, {})), "58e2fccefa7e3061367f1d57a4e7455a");
  EXPECT_EQ(aes_gcm_open(ByteVector(16), ByteVector(12), {}, hex("58e2fccefa7e3061367f1d57a4e7455a")),
            ByteVector{});
}

TEST(AesGcm, DoesNotOpenAForgery) {
  const GcmVector& vector = gcm_vectors[1];
  const ByteVector key = hex(vector.key), nonce = hex(vector.nonce), additional = hex(vector.additional);
  const ByteVector sealed = hex(vector.sealed);
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    ByteVector forged = sealed;
    forged[at] ^= 0x01;
    EXPECT_FALSE(aes_gcm_open(key, nonce, additional, forged)) << at;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size)
    EXPECT_FALSE(aes_gcm_open(key, nonce, additional, Bytes{sealed}.first(size))) << size;
  EXPECT_FALSE(aes_gcm_open(key, nonce, {}, sealed));
  EXPECT_FALSE(aes_gcm_open(key, Bytes{nonce}.first(11), additional, sealed));
  EXPECT_FALSE(aes_gcm_open(ByteVector(16), nonce, additional, sealed));
  EXPECT_FALSE(aes_gcm_open(key, {}, additional, sealed));
  EXPECT_FALSE(aes_gcm_open(key, ByteVector(65), additional, sealed));
}

TEST(AesGcmDeath, AKeyOfAnotherSizeIsOurBug) {
  EXPECT_DEATH(aes_gcm_seal(ByteVector(24), ByteVector(12), {}, {}), "16 or 32 bytes");
}

TEST(ConstantTimeEquality, IsEquality) {
  EXPECT_TRUE(equal_in_constant_time({}, {}));
  EXPECT_TRUE(equal_in_constant_time(as_bytes("abc"), as_bytes("abc")));
  EXPECT_FALSE(equal_in_constant_time(as_bytes("abc"), as_bytes("xbc")));
  EXPECT_FALSE(equal_in_constant_time(as_bytes("abc"), as_bytes("abx")));
  EXPECT_FALSE(equal_in_constant_time(as_bytes("abc"), as_bytes("ab")));
}

TEST(Crc32, PassesItsCheckValue) {
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926U);
  EXPECT_EQ(crc32({}), 0U);
}

TEST(Aes128, EncryptsTheBlockOfItsStandard) {  // FIPS 197, appendix C.1
  crypto::AesBlock block{};
  const auto plain = from_hex("00112233445566778899aabbccddeeff");
  std::copy(plain->begin(), plain->end(), block.begin());
  EXPECT_EQ(to_hex(crypto::aes128_encrypt(*from_hex("000102030405060708090a0b0c0d0e0f"), block)),
            "69c4e0d86a7b0430d8cdb78070b4c55a");
}

}  // namespace
}  // namespace turnpike::crypto
