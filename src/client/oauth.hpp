#pragma once
// What a native app (RFC 8252) says to an OAuth 2.0 authorization server such as a WAF, and what it reads of
// the answers: metadata (RFC 8414), an authorization request with PKCE (RFC 7636), its redirect (RFC 9207),
// requests to the token endpoint, and tokens for the registration and for TURN (RFC 7635). Text in, text out.
// An error is a clause for a person, such as "its metadata names no token_endpoint".

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "provisioning/provision.hpp"

namespace turnpike::client {

struct OAuthServer {
  std::string issuer{};
  std::string authorization_endpoint{};
  std::string token_endpoint{};
  std::string revocation_endpoint{};  // may be absent
};
// Of the document at the well-known place of this issuer.
std::expected<OAuthServer, std::string> parse_metadata(std::string_view text, std::string_view issuer);
// RFC 8414 section 3.1: "https://waf.example/tenant" has it below its host, before its own path.
std::string make_metadata_url(std::string_view issuer);

struct AuthorizationRequest {
  std::string url{};
  std::string redirect_uri{};
  std::string state{};
  Secret verifier{};
};
AuthorizationRequest make_authorization_request(const OAuthServer& server, std::string_view client_id,
                                                std::string_view redirect_uri, std::string_view scope,
                                                Random& random);

// The server has said no: "access_denied", and its description.
struct OAuthRefusal {
  std::string error{};
  std::string description{};
  [[nodiscard]] std::string to_string() const;
};
// Whether a URL, or what came to a listener, is the redirect that this request waits for: RFC 6749
// section 10.12 has anything with another state passed over.
bool is_redirect(std::string_view url, const AuthorizationRequest& request);
// The code. RFC 9207: an issuer that is another one's is refused.
std::expected<Secret, OAuthRefusal> read_redirect(std::string_view url, const AuthorizationRequest& request,
                                                  const OAuthServer& server);

using FormFields = std::vector<std::pair<std::string, std::string>>;
std::string encode_form(const FormFields& fields);  // application/x-www-form-urlencoded

struct OAuthTokens {
  Secret registration{};  // empty: none came
  std::chrono::seconds registration_life{};
  std::optional<provisioning::Entry> turn{};
  std::chrono::seconds refresh_after{};  // from now, when newer ones should be fetched
  Secret refresh_token{};                // empty: none came
};
std::expected<OAuthTokens, OAuthRefusal> parse_token_answer(unsigned status, std::string_view body,
                                                            WallTime now);

// What a signed token says of its holder; nothing of one that is opaque. Nothing is verified: that is for
// those who take it.
struct TokenHolder {
  std::string identity{};         // the first public one that it names; empty: it names none
  bool is_pool_identity = false;  // lent from a pool (scenario 3)
};
std::optional<TokenHolder> find_token_holder(const Secret& token);

}  // namespace turnpike::client
