#pragma once
// HTTP Digest as SIP uses it: RFC 3261 section 22, RFC 7616 and RFC 8760 (SHA-256), with qop=auth or, of old,
// without. For AKAv1 and AKAv2 (RFC 3310, RFC 4169) the password is made elsewhere; the hash is the one
// named.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sip/values.hpp"

namespace turnpike::sip {

enum class DigestHash : std::uint8_t { md5, sha256 };

// The algorithm parameter; MD5 where it is absent. "AKAv2-SHA-256" is SHA-256 with a password made by AKA.
struct DigestAlgorithm {
  DigestHash hash = DigestHash::md5;
  std::uint8_t aka_version = 0;  // 0: no AKA
  bool operator==(const DigestAlgorithm&) const = default;
};
std::optional<DigestAlgorithm> parse_digest_algorithm(std::string_view text);
std::string_view to_string(
    const DigestAlgorithm& algorithm);  // "MD5", "SHA-256", "AKAv1-MD5", "AKAv2-SHA-256"

// Hex of H(username ":" realm ":" password), 32 or 64 digits.
std::string make_ha1(DigestHash hash, std::string_view username, std::string_view realm,
                     std::string_view password);

struct DigestProof {
  DigestHash hash = DigestHash::md5;
  std::string_view ha1{};  // hex
  std::string_view nonce{};
  std::string_view nonce_count{};  // "00000001"; empty: without qop
  std::string_view cnonce{};
  std::string_view method{};  // empty: the rspauth of Authentication-Info
  std::string_view uri{};
};
// RFC 7616 section 3.4.1, hex.
std::string make_digest_response(const DigestProof& proof);

// The whole value of an Authorization that answers the challenge. Nothing when the challenge is no Digest of
// a known algorithm, has no realm or nonce, or offers a qop without auth.
struct DigestAnswer {
  std::string_view username{};
  std::string_view password{};
  std::string_view method{};
  std::string_view uri{};
  std::string_view cnonce{};
  std::uint32_t nonce_count = 1;
};
std::optional<std::string> answer_challenge(const Credentials& challenge, const DigestAnswer& answer);

}  // namespace turnpike::sip
