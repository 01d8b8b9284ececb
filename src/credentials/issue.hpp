#pragma once
// The other side of the registry: makes the credentials that it accepts. Used by `turnpike issue`, and later
// by the eP-CSCF, the WAF and the credential API.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/pushed_table.hpp"
#include "credentials/sources.hpp"

namespace turnpike::credentials {

struct IssuedPassword {  // for RTCIceServer.username and .credential
  std::string username;
  Secret password;
  WallTime expires_at{};
};

// An opaque user id that tells nothing of the user and differs at each issue: base32, lower case, of the
// first 80 bits of HMAC-SHA256(key, user id "|" salt); 16 characters.
std::string make_opaque_id(const Secret& key, std::string_view user_id, std::string_view salt);

// Uses the first secret; there is one. `opaque_id` has no ':'; an empty one gives a name that is the expiry
// alone.
IssuedPassword issue_computed(const ComputedSettings& settings, std::string_view opaque_id,
                              WallTime expires_at);

struct IssuedPushed {
  IssuedPassword shown;     // to the user: 96 random bits of name, 160 of password
  PushedCredential stored;  // by the relay
};
IssuedPushed issue_pushed(std::string_view realm, std::string_view subject, WallTime expires_at,
                          const Policy& policy, Random& random);
// The stored form of a name and password that are given.
PushedCredential make_pushed_credential(std::string_view username, std::string_view password,
                                        std::string_view realm, std::string_view subject, WallTime expires_at,
                                        const Policy& policy);

struct IssuedToken {  // RFC 7635, for native clients
  std::string kid;
  ByteVector access_token;
  Secret mac_key;  // 20 bytes
  TokenAlgorithm algorithm{};
  WallTime expires_at{};
};
// Nothing when no key of the settings is valid from `wall` until the token ends, or for a lifetime below a
// second. A suffix makes a kid of its own ("k1" "." suffix) by a key that derives; it has no '.', and the kid
// fits a USERNAME.
std::optional<IssuedToken> issue_token(const TokenSettings& settings, std::string_view kid_suffix,
                                       WallTime wall, std::chrono::seconds lifetime, Random& random);
// The browser form: username = kid "." base64url(token), password = base64(mac_key). Nothing also when the
// policy makes the username longer than the 508 bytes that RFC 8489 and the browsers allow.
std::optional<IssuedPassword> issue_browser_token(const TokenSettings& settings, const TokenPolicy& policy,
                                                  WallTime wall, std::chrono::seconds lifetime,
                                                  Random& random);

}  // namespace turnpike::credentials
