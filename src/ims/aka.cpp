#include "ims/aka.hpp"

#include <algorithm>
#include <array>

#include "base/crypto.hpp"

namespace turnpike::ims {
namespace {

constexpr std::size_t nonce_size_min = 32;
constexpr std::size_t auts_size = 14;
constexpr std::size_t md5_block = 64;
// TS 33.102 section 6.3.3: MAC-S is made with an AMF of zero.
constexpr AkaAmf amf_of_auts{};

AkaSequence sequence_of(std::uint64_t sqn) {
  std::array<Byte, 8> bytes;
  store_big(bytes.data(), sqn);
  AkaSequence sequence;
  std::copy(bytes.begin() + 2, bytes.end(), sequence.begin());
  return sequence;
}

std::uint64_t number_of(const AkaSequence& sequence) {
  std::uint64_t sqn = 0;
  for (const Byte byte : sequence) sqn = sqn << 8 | byte;
  return sqn;
}

AkaSequence hidden(const AkaSequence& sequence, const AkaSequence& ak) {
  AkaSequence result;
  std::transform(sequence.begin(), sequence.end(), ak.begin(), result.begin(),
                 [](Byte a, Byte b) { return static_cast<Byte>(a ^ b); });
  return result;
}

// RFC 2104 over MD5, which nothing else here needs.
ByteVector hmac_md5(Bytes key, Bytes message) {
  ByteVector inner(md5_block);
  std::copy(key.begin(), key.end(), inner.begin());  // a key of AKA is shorter than the block
  ByteVector outer = inner;
  for (Byte& byte : inner) byte ^= 0x36;
  for (Byte& byte : outer) byte ^= 0x5c;
  inner.insert(inner.end(), message.begin(), message.end());
  const auto digest = crypto::md5(inner);
  outer.insert(outer.end(), digest.begin(), digest.end());
  const auto result = crypto::md5(outer);
  wipe(inner);
  wipe(outer);
  return to_vector(result);
}

}  // namespace

std::optional<AkaNonce> AkaNonce::parse(std::string_view text) {
  const auto bytes = from_base64(text);
  if (!bytes || bytes->size() < nonce_size_min) return std::nullopt;
  AkaNonce nonce;
  std::copy_n(bytes->begin(), 16, nonce.rand.begin());
  std::copy_n(bytes->begin() + 16, 16, nonce.autn.begin());
  nonce.data.assign(bytes->begin() + nonce_size_min, bytes->end());
  return nonce;
}

std::string AkaNonce::text() const {
  ByteVector bytes{rand.begin(), rand.end()};
  bytes.insert(bytes.end(), autn.begin(), autn.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return to_base64(bytes);
}

Secret make_aka_password(const sip::DigestAlgorithm& algorithm, const MilenageAnswer& answer) {
  if (algorithm.aka_version != 2) return Secret{answer.res};  // RFC 3310 section 3.3
  // RFC 4169 section 3.
  constexpr std::string_view label = "http-digest-akav2-password";
  ByteVector key{answer.res.begin(), answer.res.end()};
  key.insert(key.end(), answer.ik.begin(), answer.ik.end());
  key.insert(key.end(), answer.ck.begin(), answer.ck.end());
  const std::string password = algorithm.hash == sip::DigestHash::md5
                                   ? to_base64(hmac_md5(key, as_bytes(label)))
                                   : to_base64(crypto::hmac_sha256(key, as_bytes(label)));
  wipe(key);
  return Secret::from_text(password);
}

AkaBlock make_autn(const AkaSecret& secret, const AkaBlock& rand, std::uint64_t sqn) {
  const Milenage milenage{secret.k.reveal(), secret.opc.reveal()};
  const AkaSequence sequence = sequence_of(sqn);
  const AkaSequence concealed = hidden(sequence, milenage.f2345(rand).ak);
  const AkaMac mac = milenage.f1(rand, sequence, secret.amf);
  AkaBlock autn;
  auto at = std::copy(concealed.begin(), concealed.end(), autn.begin());
  at = std::copy(secret.amf.begin(), secret.amf.end(), at);
  std::copy(mac.begin(), mac.end(), at);
  return autn;
}

std::optional<std::uint64_t> open_auts(const AkaSecret& secret, const AkaBlock& rand, std::string_view auts) {
  const auto bytes = from_base64(auts);
  if (!bytes || bytes->size() != auts_size) return std::nullopt;
  const Milenage milenage{secret.k.reveal(), secret.opc.reveal()};
  AkaSequence concealed;
  std::copy_n(bytes->begin(), concealed.size(), concealed.begin());
  const AkaSequence sequence = hidden(concealed, milenage.f2345(rand).ak_s);
  const AkaMac mac = milenage.f1_s(rand, sequence, amf_of_auts);
  if (!crypto::equal_in_constant_time(mac, Bytes{*bytes}.last(mac.size()))) return std::nullopt;
  return number_of(sequence);
}

std::expected<AkaAnswer, AkaFault> answer_aka(const AkaSecret& secret, std::string_view nonce_text) {
  const auto nonce = AkaNonce::parse(nonce_text);
  if (!nonce) return std::unexpected(AkaFault::malformed);
  const Milenage milenage{secret.k.reveal(), secret.opc.reveal()};
  AkaAnswer answer{.milenage = milenage.f2345(nonce->rand)};
  AkaSequence concealed;
  std::copy_n(nonce->autn.begin(), concealed.size(), concealed.begin());
  const AkaSequence sequence = hidden(concealed, answer.milenage.ak);
  AkaAmf amf;
  std::copy_n(nonce->autn.begin() + 6, amf.size(), amf.begin());
  if (!crypto::equal_in_constant_time(milenage.f1(nonce->rand, sequence, amf), Bytes{nonce->autn}.last(8)))
    return std::unexpected(AkaFault::forged);
  answer.sqn = number_of(sequence);
  if (answer.sqn > secret.sqn) return answer;
  // TS 33.102 section 6.3.3.
  const AkaSequence own = sequence_of(secret.sqn);
  const AkaSequence own_concealed = hidden(own, answer.milenage.ak_s);
  const AkaMac mac = milenage.f1_s(nonce->rand, own, amf_of_auts);
  ByteVector auts{own_concealed.begin(), own_concealed.end()};
  auts.insert(auts.end(), mac.begin(), mac.end());
  answer.auts = to_base64(auts);
  return answer;
}

}  // namespace turnpike::ims
