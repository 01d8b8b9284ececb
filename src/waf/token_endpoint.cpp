#include "waf/token_endpoint.hpp"

#include "waf/endpoints.hpp"
#include "waf/foreign_token.hpp"

namespace turnpike::waf {
namespace {

TokenAnswer dispatch(GrantType type, const TokenRequest& request) {
  switch (type) {
    case GrantType::authorization_code:
      return redeem_code(request);
    case GrantType::refresh_token:
      return refresh(request);
    case GrantType::client_credentials:
      return grant_client_credentials(request);
    case GrantType::token_exchange:
      return exchange_token(request);
    case GrantType::jwt_bearer:
      return accept_user_assertion(request);
  }
  return std::unexpected(Refusal{Error::unsupported_grant_type, {}});
}

TokenAnswer answer_grant(Visit& visit) {
  const auto form = read_form(visit);
  if (!form) return std::unexpected(form.error());
  const auto client = authenticate_client(visit, *form, endpoint::token);
  if (!client) return std::unexpected(client.error());
  if (!form->has("grant_type"))
    return std::unexpected(Refusal{Error::invalid_request, "there is no grant_type"});
  const auto type = parse_grant_type(form->find("grant_type"));
  if (!type)
    return std::unexpected(Refusal{Error::unsupported_grant_type, "the grant_type is not known here"});
  if (!(*client)->grants.contains(*type))
    return std::unexpected(Refusal{Error::unauthorized_client, "the client may not use this grant_type"});
  const auto proof = read_dpop(visit, endpoint::token);
  if (!proof) return std::unexpected(proof.error());
  if ((*client)->requires_dpop && proof->jkt.empty())
    return std::unexpected(Refusal{Error::invalid_dpop_proof, "the client has to send a DPoP proof"});
  return dispatch(*type, {visit, *form, **client, *proof});
}

}  // namespace

Reply answer_token_request(Visit& visit) {
  if (visit.may_fetch)
    if (auto needed = find_needed_keys(visit)) return std::move(*needed);
  const auto granted = answer_grant(visit);
  Response response = granted ? answer_json(*granted) : answer(granted.error());
  // RFC 9449 section 8.2: a newer nonce comes with each answer.
  if (visit.request.count("dpop") > 0)
    response.fields.emplace_back("DPoP-Nonce", make_dpop_nonce(visit.settings, visit.now));
  return response;
}

}  // namespace turnpike::waf
