#pragma once
// The errors of OAuth, each with its name, and the answers that tell them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "waf/message.hpp"

namespace turnpike::waf {

enum class Error : std::uint8_t {
  // RFC 6749 section 5.2
  invalid_request,
  invalid_client,
  invalid_grant,
  unauthorized_client,
  unsupported_grant_type,
  invalid_scope,
  // RFC 6749 section 4.1.2.1
  access_denied,
  unsupported_response_type,
  // RFC 8707 section 2
  invalid_target,
  // RFC 9449 sections 5 and 8
  invalid_dpop_proof,
  use_dpop_nonce,
  // OpenID Connect Core section 3.1.2.6
  login_required,
  consent_required,
  request_not_supported,
  request_uri_not_supported,
  // RFC 6749 section 4.1.2.1, also said by the token endpoint: 503
  temporarily_unavailable,
};
std::string_view to_string(Error error);

// A refusal of the protocol. The description is for developers: printable ASCII without '"' and '\', nothing
// secret.
struct Refusal {
  Error error = Error::invalid_request;
  std::string description{};
};

// RFC 6749 section 5.2: {"error":..,"error_description":..}, 400, 401 for
// invalid_client or 503 for temporarily_unavailable; never stored.
Response answer(const Refusal& refusal);

// A JSON answer that caches keep no copy of.
Response answer_json(std::string body, unsigned status = 200);
Response answer_plain(unsigned status, std::string_view text, Fields fields = {});

}  // namespace turnpike::waf
