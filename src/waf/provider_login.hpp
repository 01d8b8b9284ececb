#pragma once
// A login at another identity provider, from our side: the authorization code flow with PKCE, state and
// nonce (OpenID Connect Core section 3.1, RFC 9700, RFC 9207).

#include <expected>
#include <nlohmann/json.hpp>
#include <string_view>

#include "jose/token.hpp"
#include "waf/authorization_request.hpp"
#include "waf/reply.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

// Sends the browser there.
Reply ask_provider(Visit& visit, const Provider& provider, const AuthorizationRequest& request,
                   std::string_view query);
// The browser comes back, with a code or an error.
Reply answer_provider_callback(Visit& visit);
// What the provider has said to a call. The session that it ends with is this machine's own.
Reply answer_provider_call(Visit& visit, const ProviderCall& call, const ProviderAnswer& answer);

// OpenID Connect Core section 3.1.3.7: the claims of an ID token that answers this login.
std::expected<nlohmann::json, jose::Refusal> read_id_token(const Visit& visit, const Provider& provider,
                                                           const ProviderLogin& login, std::string_view text);

}  // namespace turnpike::waf
