#pragma once
// An authorization request (RFC 6749 section 4.1.1, OAuth 2.1, RFC 7636, RFC 8707, RFC 9449 section 10),
// read.

#include <expected>
#include <string>
#include <string_view>

#include "waf/client_login.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

struct AuthorizationRequest {
  ClientPtr client{};
  std::string redirect_uri{};
  std::string state{};
  std::string challenge{};  // S256
  Scope scope{};
  Scope audiences{};
  std::string jkt{};
  std::string prompt{};                // "", "none", "login" or "consent"
  std::string login_hint{};            // OpenID Connect Core section 3.1.2.1: for a provider
  const Provider* provider = nullptr;  // that is to log the user in; null: not chosen yet
};

// The answer where it is refused: a page where the redirect cannot be trusted, else a redirect with the
// error.
std::expected<AuthorizationRequest, Response> read_authorization_request(const Visit& visit,
                                                                         std::string_view query);

// RFC 6749 section 4.1.2.1, with the issuer (RFC 9207).
Response redirect_with_error(const Visit& visit, const AuthorizationRequest& request, const Refusal& refusal);
// RFC 6749 section 4.1.2: makes a code for this user.
Response redirect_with_code(Visit& visit, const AuthorizationRequest& request, const Session& session);

// 303: the browser goes on with a GET, and does not send again what it has posted (RFC 9700 section 4.12).
Response redirect_to(std::string uri);

}  // namespace turnpike::waf
