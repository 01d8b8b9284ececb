#pragma once
// The body application/turn-credentials+json of W2 (docs/turn-credentials.md): RTCConfiguration.iceServers as
// W3C WebRTC has it, and around it what an application needs to renew them.
//
//   {"iceServers":[{"urls":[..],"username":"..","credential":"..","credentialType":"password"}],
//    "realm":"..","ttl":3720,"expires_at":1893456000,"refresh_after":3000,"oauth":[{..}]}
//
// Tokens of RFC 7635 stand beside the array, for browsers refuse an array that holds one.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "provisioning/provision.hpp"

namespace turnpike::provisioning {

inline constexpr std::string_view turn_credentials_media_type = "application/turn-credentials+json";

// One line of JSON, or of several when `indent` is not negative. Contains secrets.
std::string format_body(const Provision& provision, int indent = -1);

// The answer of a token endpoint (RFC 7635 appendix B) for an entry of form oauth: the key in base64, and
// iceServers with what RTCOAuthCredential took. Contains secrets.
std::string format_token_answer(const Entry& entry, int indent = -1);

enum class BodyDefect : std::uint8_t {
  malformed,       // no JSON, or too much of it
  no_credentials,  // a member is missing or is of another type, or holds what it cannot
};
std::string_view to_string(BodyDefect defect);  // "malformed", ...
inline constexpr std::size_t body_bytes_max = 65535;

// Unknown members are passed over; push and source stay empty.
std::expected<Provision, BodyDefect> parse_body(std::string_view json, WallTime wall);

}  // namespace turnpike::provisioning
