#pragma once
// AKA over HTTP Digest: RFC 3310 (version 1) and RFC 4169 (version 2), for both ends. The nonce is
// base64(RAND || AUTN || data of the server), with AUTN = SQN xor AK || AMF || MAC (TS 33.102 section 6.3).

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "ims/milenage.hpp"
#include "ims/subscribers.hpp"
#include "sip/digest.hpp"

namespace turnpike::ims {

inline constexpr std::uint64_t sqn_bound = std::uint64_t{1} << 48;
// TS 33.102 annex C.3.2: the last five bits of SQN are an index among those that may be outstanding.
inline constexpr unsigned sqn_index_bits = 5;

// A challenge as it travels; `data` is the server's own.
struct AkaNonce {
  AkaBlock rand{};
  AkaBlock autn{};
  ByteVector data{};

  static std::optional<AkaNonce> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
};

// The password of the digest: RES for version 1, base64(PRF(RES || IK || CK, ...)) for version 2, whose PRF
// is the HMAC of the algorithm's hash.
Secret make_aka_password(const sip::DigestAlgorithm& algorithm, const MilenageAnswer& answer);

// --- the home network -------------------------------------------------------------------------------------
AkaBlock make_autn(const AkaSecret& secret, const AkaBlock& rand, std::uint64_t sqn);
// The SQN that the card has, from its AUTS: base64(SQN xor AK* || MAC-S). Nothing for a forgery.
std::optional<std::uint64_t> open_auts(const AkaSecret& secret, const AkaBlock& rand, std::string_view auts);

// --- the card ---------------------------------------------------------------------------------------------
enum class AkaFault : std::uint8_t {
  forged,     // MAC is wrong: the network does not know K
  malformed,  // no nonce of AKA
};
struct AkaAnswer {
  MilenageAnswer milenage{};
  std::uint64_t sqn = 0;  // to be kept, where `auts` is empty
  std::string auts{};     // SQN is one that was used: to be sent instead of a response, with the password ""
};
// secret.sqn is the highest that the card has accepted.
std::expected<AkaAnswer, AkaFault> answer_aka(const AkaSecret& secret, std::string_view nonce);

}  // namespace turnpike::ims
