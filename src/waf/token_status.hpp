#pragma once
// What becomes of tokens after they were issued: questions about them (RFC 7662; the W5 of the eP-CSCF), and
// their revocation (RFC 7009).

#include "waf/visit.hpp"

namespace turnpike::waf {

// For clients with a secret or key, about tokens for the audiences that they may ask about. Anything else is
// {"active":false}.
Response answer_introspection(Visit& visit);

// A refresh token takes its whole family with it, a registration token the TURN tokens that came with it.
Response answer_revocation(Visit& visit);

}  // namespace turnpike::waf
