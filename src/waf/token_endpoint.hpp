#pragma once
// The token endpoint (RFC 6749 section 3.2, OAuth 2.1): a grant goes in, tokens come out.

#include <expected>
#include <string>

#include "waf/client_login.hpp"
#include "waf/dpop.hpp"
#include "waf/form.hpp"
#include "waf/reply.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

Reply answer_token_request(Visit& visit);

// What each grant is handed: the client is known, and may use it.
struct TokenRequest {
  Visit& visit;
  const Form& form;
  const Client& client;
  const DpopProof& proof;
};
using TokenAnswer = std::expected<std::string, Refusal>;  // JSON; contains secrets

TokenAnswer redeem_code(const TokenRequest& request);               // RFC 6749 section 4.1.3, RFC 7636
TokenAnswer refresh(const TokenRequest& request);                   // RFC 6749 section 6
TokenAnswer grant_client_credentials(const TokenRequest& request);  // RFC 6749 section 4.4
TokenAnswer exchange_token(const TokenRequest& request);            // RFC 8693
TokenAnswer accept_user_assertion(const TokenRequest& request);     // RFC 7523 section 2.1

}  // namespace turnpike::waf
