#include "sip/digest.hpp"

#include <array>
#include <charconv>

#include "base/bytes.hpp"
#include "base/crypto.hpp"
#include "sip/text.hpp"

namespace turnpike::sip {
namespace {

struct Named {
  std::string_view name;
  DigestAlgorithm algorithm;
};
constexpr std::array<Named, 5> algorithms{{
    {"MD5", {DigestHash::md5, 0}},
    {"SHA-256", {DigestHash::sha256, 0}},
    {"AKAv1-MD5", {DigestHash::md5, 1}},
    {"AKAv2-MD5", {DigestHash::md5, 2}},
    {"AKAv2-SHA-256", {DigestHash::sha256, 2}},
}};

std::string hash_of(DigestHash hash, std::string_view text) {
  return hash == DigestHash::md5 ? to_hex(crypto::md5(as_bytes(text)))
                                 : to_hex(crypto::sha256(as_bytes(text)));
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) {
    if (part.data() != parts.begin()->data()) text += ':';
    text += part;
  }
  return text;
}

bool offers_auth(std::string_view qop) {
  while (const auto member = take_list_member(qop))
    if (equal_ignoring_case(*member, "auth")) return true;
  return false;
}

std::string hex8(std::uint32_t number) {
  std::array<char, 8> digits;
  digits.fill('0');
  std::array<char, 8> raw;
  const auto end = std::to_chars(raw.data(), raw.data() + raw.size(), number, 16).ptr;
  const auto size = static_cast<std::size_t>(end - raw.data());
  std::copy(raw.data(), end, digits.data() + (digits.size() - size));
  return {digits.data(), digits.size()};
}

std::string quoted(std::string_view name, std::string_view value) {
  return std::string{name} + '=' + quoted_string(value);
}

}  // namespace

std::optional<DigestAlgorithm> parse_digest_algorithm(std::string_view text) {
  for (const Named& known : algorithms)
    if (equal_ignoring_case(text, known.name)) return known.algorithm;
  return std::nullopt;
}

std::string_view to_string(const DigestAlgorithm& algorithm) {
  for (const Named& known : algorithms)
    if (known.algorithm == algorithm) return known.name;
  return "unknown";
}

std::string make_ha1(DigestHash hash, std::string_view username, std::string_view realm,
                     std::string_view password) {
  return hash_of(hash, joined({username, realm, password}));
}

std::string make_digest_response(const DigestProof& proof) {
  const std::string ha2 = hash_of(proof.hash, std::string{proof.method} + ':' + std::string{proof.uri});
  if (proof.nonce_count.empty()) return hash_of(proof.hash, joined({proof.ha1, proof.nonce, ha2}));
  return hash_of(proof.hash, joined({proof.ha1, proof.nonce, proof.nonce_count, proof.cnonce, "auth", ha2}));
}

std::optional<std::string> answer_challenge(const Credentials& challenge, const DigestAnswer& answer) {
  const auto realm = challenge.text("realm");
  const auto nonce = challenge.text("nonce");
  if (!challenge.is_digest() || !realm || !nonce) return std::nullopt;
  const auto named = challenge.text("algorithm");
  const auto algorithm = named ? parse_digest_algorithm(*named) : DigestAlgorithm{};
  if (!algorithm) return std::nullopt;
  const auto qop = challenge.text("qop");
  if (qop && !offers_auth(*qop)) return std::nullopt;

  const std::string ha1 = make_ha1(algorithm->hash, answer.username, *realm, answer.password);
  const std::string count = qop ? hex8(answer.nonce_count) : std::string{};
  const std::string response = make_digest_response({.hash = algorithm->hash,
                                                     .ha1 = ha1,
                                                     .nonce = *nonce,
                                                     .nonce_count = count,
                                                     .cnonce = answer.cnonce,
                                                     .method = answer.method,
                                                     .uri = answer.uri});
  std::string text = "Digest " + quoted("username", answer.username) + ", " + quoted("realm", *realm) + ", " +
                     quoted("nonce", *nonce) + ", " + quoted("uri", answer.uri) + ", " +
                     quoted("response", response);
  if (named) text += ", algorithm=" + std::string{to_string(*algorithm)};
  if (qop) text += ", qop=auth, nc=" + count + ", " + quoted("cnonce", answer.cnonce);
  if (const auto opaque = challenge.text("opaque")) text += ", " + quoted("opaque", *opaque);
  return text;
}

}  // namespace turnpike::sip
