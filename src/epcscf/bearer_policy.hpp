#pragma once
// Whether an accepted token lets its holder register as whom it says (TS 24.371, TS 33.203 annex X): issuer,
// WWSF, identity, pool.

#include <optional>

#include "epcscf/register_request.hpp"
#include "epcscf/settings.hpp"

namespace turnpike::epcscf {

// Of these, what concerns the token alone: issuer, WWSF and pool.
std::optional<RegistrationRefusal> find_trust_objection(const TokenIdentity& identity,
                                                        const BearerSettings& settings);
std::optional<RegistrationRefusal> find_objection(const TokenIdentity& identity,
                                                  const RegisterRequest& request,
                                                  const BearerSettings& settings);
// The WAF's name where it is outside the IMS provider's domain; else empty.
std::string find_authorization_entity(const TokenIdentity& identity, const BearerSettings& settings);

RegistrationRefusal refusal_of(TokenRefusal refusal);
// RFC 8898 section 4: Bearer authz_server="...", error="invalid_token".
std::string make_bearer_challenge(const Settings& settings);

}  // namespace turnpike::epcscf
