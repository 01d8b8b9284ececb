#include "base/crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include <memory>

#include "base/check.hpp"

namespace turnpike::crypto {
namespace {

struct Sha1Algorithm {
  using Context = SHA_CTX;
  using Digest = Sha1;
  static void init(Context& context) { SHA1_Init(&context); }
  static void update(Context& context, Bytes bytes) { SHA1_Update(&context, bytes.data(), bytes.size()); }
  static void finish(Context& context, Byte* digest) { SHA1_Final(digest, &context); }
};

struct Sha256Algorithm {
  using Context = SHA256_CTX;
  using Digest = Sha256;
  static void init(Context& context) { SHA256_Init(&context); }
  static void update(Context& context, Bytes bytes) { SHA256_Update(&context, bytes.data(), bytes.size()); }
  static void finish(Context& context, Byte* digest) { SHA256_Final(digest, &context); }
};

// RFC 2104 with a block of 64 bytes, as SHA-1 and SHA-256 have.
template <typename Algorithm>
typename Algorithm::Digest hmac(Bytes key, Bytes message, Bytes message_tail) {
  typename Algorithm::Context context;
  typename Algorithm::Digest digest;
  std::array<Byte, 64> block{};
  if (key.size() > block.size()) {
    Algorithm::init(context);
    Algorithm::update(context, key);
    Algorithm::finish(context, block.data());
  } else if (!key.empty()) {
    std::memcpy(block.data(), key.data(), key.size());
  }
  for (Byte& byte : block) byte ^= 0x36;
  Algorithm::init(context);
  Algorithm::update(context, block);
  Algorithm::update(context, message);
  Algorithm::update(context, message_tail);
  Algorithm::finish(context, digest.data());
  for (Byte& byte : block) byte ^= 0x36 ^ 0x5c;
  Algorithm::init(context);
  Algorithm::update(context, block);
  Algorithm::update(context, digest);
  Algorithm::finish(context, digest.data());
  OPENSSL_cleanse(block.data(), block.size());
  OPENSSL_cleanse(&context, sizeof context);
  return digest;
}

struct FreeCipherContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipherContext>;

const EVP_CIPHER* gcm_for(Bytes key) {
  check(key.size() == 16 || key.size() == 32, "an AES-GCM key has 16 or 32 bytes");
  // Fetched once: OpenSSL 3 looks the algorithm up again for each use of the legacy constants.
  static const EVP_CIPHER* const aes128 = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  static const EVP_CIPHER* const aes256 = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return key.size() == 16 ? aes128 : aes256;
}

struct GcmContext {
  CipherContext context{};
  std::size_t nonce_size = 12;  // OpenSSL's default
};

// Making a context takes longer than sealing a token, so each thread has one for each kind of use. It keeps
// the schedule of its last key, as the settings keep the key itself.
EVP_CIPHER_CTX* start_gcm(Bytes key, Bytes nonce, Bytes additional_data, bool encrypt) {
  check(!nonce.empty() && nonce.size() <= 64, "an AES-GCM nonce has 1..64 bytes");
  thread_local std::array<GcmContext, 4> contexts;
  const EVP_CIPHER* cipher = gcm_for(key);
  GcmContext& own = contexts[(key.size() == 32 ? 2U : 0U) + (encrypt ? 1U : 0U)];
  if (!own.context) {
    own.context.reset(EVP_CIPHER_CTX_new());
    check(EVP_CipherInit_ex(own.context.get(), cipher, nullptr, nullptr, nullptr, encrypt ? 1 : 0) == 1);
  }
  EVP_CIPHER_CTX* context = own.context.get();
  if (own.nonce_size != nonce.size()) {
    check(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(nonce.size()), nullptr) ==
          1);
    own.nonce_size = nonce.size();
  }
  check(EVP_CipherInit_ex(context, nullptr, nullptr, key.data(), nonce.data(), encrypt ? 1 : 0) == 1);
  int written = 0;
  if (!additional_data.empty())
    check(EVP_CipherUpdate(context, nullptr, &written, additional_data.data(),
                           static_cast<int>(additional_data.size())) == 1);
  return context;
}

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? 0xedb88320 ^ (value >> 1) : value >> 1;
    table[i] = value;
  }
  return table;
}();

}  // namespace

Md5 md5(Bytes message) {
  Md5 digest;
  MD5(message.data(), message.size(), digest.data());
  return digest;
}

Sha256 sha256(Bytes message) {
  // OpenSSL 3's SHA256() looks the algorithm up by name at each call, which costs more than a short digest.
  SHA256_CTX context;
  Sha256 digest;
  Sha256Algorithm::init(context);
  Sha256Algorithm::update(context, message);
  Sha256Algorithm::finish(context, digest.data());
  OPENSSL_cleanse(&context, sizeof context);
  return digest;
}

Sha1 hmac_sha1(Bytes key, Bytes message, Bytes message_tail) {
  return hmac<Sha1Algorithm>(key, message, message_tail);
}

Sha256 hmac_sha256(Bytes key, Bytes message, Bytes message_tail) {
  return hmac<Sha256Algorithm>(key, message, message_tail);
}

ByteVector hkdf_sha256(Bytes input_key, Bytes salt, Bytes info, std::size_t length) {
  check(length <= 255 * sizeof(Sha256), "HKDF gives at most 255 blocks");
  const Sha256 extracted = hmac_sha256(salt, input_key);
  ByteVector output;
  output.reserve(length + sizeof(Sha256));
  ByteVector input;
  for (Byte counter = 1; output.size() < length; ++counter) {
    input.insert(input.end(), info.begin(), info.end());
    input.push_back(counter);
    const Sha256 block = hmac_sha256(extracted, input);
    output.insert(output.end(), block.begin(), block.end());
    input.assign(block.begin(), block.end());
  }
  output.resize(length);
  return output;
}

ByteVector aes_gcm_seal(Bytes key, Bytes nonce, Bytes additional_data, Bytes plaintext) {
  EVP_CIPHER_CTX* context = start_gcm(key, nonce, additional_data, true);
  ByteVector sealed(plaintext.size() + gcm_tag_size);
  int written = 0;
  check(EVP_CipherUpdate(context, sealed.data(), &written, plaintext.data(),
                         static_cast<int>(plaintext.size())) == 1);
  check(EVP_CipherFinal_ex(context, sealed.data() + written, &written) == 1);
  check(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(gcm_tag_size),
                            sealed.data() + plaintext.size()) == 1);
  return sealed;
}

std::optional<ByteVector> aes_gcm_open(Bytes key, Bytes nonce, Bytes additional_data, Bytes sealed) {
  if (sealed.size() < gcm_tag_size || nonce.empty() || nonce.size() > 64) return std::nullopt;
  EVP_CIPHER_CTX* context = start_gcm(key, nonce, additional_data, false);
  const Bytes ciphertext = sealed.first(sealed.size() - gcm_tag_size);
  std::array<Byte, gcm_tag_size> tag;
  std::memcpy(tag.data(), sealed.data() + ciphertext.size(), tag.size());
  ByteVector plaintext(ciphertext.size());
  int written = 0;
  if (EVP_CipherUpdate(context, plaintext.data(), &written, ciphertext.data(),
                       static_cast<int>(ciphertext.size())) != 1)
    return std::nullopt;
  check(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), tag.data()) == 1);
  if (EVP_CipherFinal_ex(context, plaintext.data() + written, &written) != 1) return std::nullopt;
  return plaintext;
}

AesBlock aes128_encrypt(Bytes key, const AesBlock& block) {
  check(key.size() == block.size(), "an AES-128 key has 16 bytes");
  static const EVP_CIPHER* const aes128 = EVP_CIPHER_fetch(nullptr, "AES-128-ECB", nullptr);
  const CipherContext context{EVP_CIPHER_CTX_new()};
  AesBlock result{};
  int written = 0;
  check(EVP_EncryptInit_ex(context.get(), aes128, nullptr, key.data(), nullptr) == 1);
  check(EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1);
  check(EVP_EncryptUpdate(context.get(), result.data(), &written, block.data(),
                          static_cast<int>(block.size())) == 1);
  return result;
}

bool equal_in_constant_time(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

std::uint32_t crc32(Bytes message) {
  std::uint32_t value = 0xffffffff;
  for (const Byte byte : message) value = crc_table[(value ^ byte) & 0xff] ^ (value >> 8);
  return value ^ 0xffffffff;
}

}  // namespace turnpike::crypto
