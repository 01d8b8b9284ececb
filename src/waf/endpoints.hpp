#pragma once
// Where the parts of the WAF are found, below its issuer.

#include <string>
#include <string_view>

namespace turnpike::waf::endpoint {

inline constexpr std::string_view authorization = "/authorize";
inline constexpr std::string_view login = "/login";
inline constexpr std::string_view consent = "/consent";
// With the name of a provider behind it: where its answers come back to.
inline constexpr std::string_view federation = "/federation/";
inline constexpr std::string_view token = "/token";
inline constexpr std::string_view introspection = "/introspect";
inline constexpr std::string_view revocation = "/revoke";
inline constexpr std::string_view jwks = "/jwks";
inline constexpr std::string_view oauth_metadata = "/.well-known/oauth-authorization-server";
inline constexpr std::string_view openid_metadata = "/.well-known/openid-configuration";
// RFC 7635 section 4.1.1, on a listener of its own.
inline constexpr std::string_view stun_key = "/.well-known/stun-key";

// The path of an issuer that has one: "/waf" of "https://ims.example/waf"; else "".
std::string_view path_of(std::string_view issuer);
// "https://ims.example"
std::string_view origin_of(std::string_view uri);

}  // namespace turnpike::waf::endpoint
