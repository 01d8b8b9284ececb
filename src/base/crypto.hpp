#pragma once
// The few primitives that the credential mechanisms need, over OpenSSL. Sizes are in the types;
// nothing here fails on input except opening a sealed box, which returns nothing for a forgery.

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace turnpike::crypto {

using Md5 = std::array<Byte, 16>;
using Sha1 = std::array<Byte, 20>;
using Sha256 = std::array<Byte, 32>;

Md5 md5(Bytes message);
Sha256 sha256(Bytes message);

// RFC 2104. The message may come in two parts, which are taken as one.
Sha1 hmac_sha1(Bytes key, Bytes message, Bytes message_tail = {});
Sha256 hmac_sha256(Bytes key, Bytes message, Bytes message_tail = {});

// RFC 5869, extract then expand; length <= 255 * 32 bytes.
ByteVector hkdf_sha256(Bytes input_key, Bytes salt, Bytes info, std::size_t length);

// RFC 5116 AES-GCM with a tag of 16 bytes; the key size chooses AES-128 or AES-256 (16 or 32 bytes).
// A nonce may have 1..64 bytes, 12 where we choose it.
inline constexpr std::size_t gcm_tag_size = 16;
ByteVector aes_gcm_seal(Bytes key, Bytes nonce, Bytes additional_data, Bytes plaintext);
std::optional<ByteVector> aes_gcm_open(Bytes key, Bytes nonce, Bytes additional_data, Bytes sealed);

// One block of AES-128 (FIPS 197), as Milenage is built on; the key has 16 bytes. No cipher for messages.
using AesBlock = std::array<Byte, 16>;
AesBlock aes128_encrypt(Bytes key, const AesBlock& block);

// Takes the same time for equal sizes wherever the difference lies.
bool equal_in_constant_time(Bytes a, Bytes b);

// CRC-32 of ISO 3309 (zlib's), as FINGERPRINT uses it.
std::uint32_t crc32(Bytes message);

}  // namespace turnpike::crypto
