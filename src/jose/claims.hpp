#pragma once
// What a verified token says, held against what we expect (RFC 7519 section 4.1, RFC 9068 section 4).

#include <chrono>
#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "jose/token.hpp"

namespace turnpike::jose {

struct ClaimRules {
  std::string issuer{};
  std::string audience{};  // ours; has to be among the token's
  // RFC 9068 section 4: an access token says that it is one, so that no ID token passes for it.
  std::vector<std::string> types{"at+jwt"};  // in lower case
  std::vector<std::string> required{};       // claims besides iss, aud and exp that have to be there
  std::chrono::seconds clock_skew{30};
};

struct Claims {
  WallTime expires_at{};   // the skew is not added
  nlohmann::json payload;  // all of them
};
std::expected<Claims, Refusal> read_claims(VerifiedToken token, const ClaimRules& rules, WallTime now);

// The times of a token or of an answer to an introspection; both spell them alike.
std::expected<WallTime, Refusal> read_validity(const nlohmann::json& payload, std::chrono::seconds clock_skew,
                                               WallTime now);
// RFC 7800 section 3.1: to a key of its holder, of DPoP (RFC 9449 section 6) or of a certificate (RFC 8705
// section 3). Whoever shows such a token alone may have stolen it. "token_type" is in answers to
// introspections.
bool is_bound_to_key(const nlohmann::json& payload);
// "aud" is a text or a list of texts.
bool is_for_audience(const nlohmann::json& payload, std::string_view audience);

}  // namespace turnpike::jose
