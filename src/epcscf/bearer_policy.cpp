#include "epcscf/bearer_policy.hpp"

#include <algorithm>

#include "epcscf/identities.hpp"
#include "sip/text.hpp"

namespace turnpike::epcscf {

std::optional<RegistrationRefusal> find_trust_objection(const TokenIdentity& identity,
                                                        const BearerSettings& settings) {
  if (std::ranges::find(settings.issuers, identity.issuer, &TokenIssuer::name) == settings.issuers.end())
    return RegistrationRefusal::issuer_untrusted;
  const auto wwsf = std::ranges::find(settings.wwsfs, identity.wwsf, &Wwsf::name);
  // TS 33.203 annex X, REQ 3.2: a pool belongs to a WWSF, so one has to be named.
  if (wwsf == settings.wwsfs.end() && (!identity.wwsf.empty() || identity.is_pool_identity))
    return RegistrationRefusal::wwsf_untrusted;
  if (identity.is_pool_identity && std::ranges::none_of(wwsf->pool, [&](const std::string& pattern) {
        return matches_identity_pattern(pattern, identity.impi);
      }))
    return RegistrationRefusal::outside_pool;
  return std::nullopt;
}

std::optional<RegistrationRefusal> find_objection(const TokenIdentity& identity,
                                                  const RegisterRequest& request,
                                                  const BearerSettings& settings) {
  if (const auto objection = find_trust_objection(identity, settings)) return objection;
  const auto has = [&](const std::string& wanted) {
    return std::ranges::any_of(identity.impus,
                               [&](const std::string& impu) { return canonical_identity(impu) == wanted; });
  };
  if (identity.impi.empty() || !has(request.key.aor) || !has(request.from))
    return RegistrationRefusal::identity_mismatch;
  return std::nullopt;
}

std::string find_authorization_entity(const TokenIdentity& identity, const BearerSettings& settings) {
  const auto issuer = std::ranges::find(settings.issuers, identity.issuer, &TokenIssuer::name);
  return issuer != settings.issuers.end() && issuer->is_third_party ? issuer->name : std::string{};
}

RegistrationRefusal refusal_of(TokenRefusal refusal) {
  switch (refusal) {
    case TokenRefusal::malformed:
      return RegistrationRefusal::token_malformed;
    case TokenRefusal::expired:
      return RegistrationRefusal::token_expired;
    case TokenRefusal::bound:
      return RegistrationRefusal::token_bound;
    case TokenRefusal::unavailable:
      return RegistrationRefusal::token_unchecked;
    case TokenRefusal::invalid:
    case TokenRefusal::not_yet_valid:
      break;
  }
  return RegistrationRefusal::token_invalid;
}

std::string make_bearer_challenge(const Settings& settings) {
  std::string value = "Bearer realm=" + sip::quoted_string(settings.home_domain) +
                      ", authz_server=" + sip::quoted_string(settings.bearer.authorization_server);
  if (!settings.bearer.scope.empty()) value += ", scope=" + sip::quoted_string(settings.bearer.scope);
  // RFC 6750 section 3.1: also of what is malformed.
  value += ", error=\"invalid_token\"";
  return value;
}

}  // namespace turnpike::epcscf
