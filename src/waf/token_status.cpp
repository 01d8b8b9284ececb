#include "waf/token_status.hpp"

#include <nlohmann/json.hpp>

#include "waf/client_login.hpp"
#include "waf/endpoints.hpp"
#include "waf/own_token.hpp"

namespace turnpike::waf {
namespace {

using nlohmann::json;

json describe(const Visit& visit, const OwnToken& token) {
  const Issued& issued = token.issued;
  json answer = token.claims.is_object() ? token.claims : json::object();
  answer["active"] = true;
  answer["iss"] = visit.settings.issuer;
  answer["sub"] = issued.subject;
  answer["aud"] = issued.audience;
  answer["client_id"] = issued.client;
  answer["scope"] = to_string(issued.scope);
  answer["iat"] = unix_seconds(issued.issued_at);
  answer["exp"] = unix_seconds(issued.ends_at);
  if (issued.kind == IssuedKind::turn) {
    answer["token_type"] = "pop";
  } else {
    answer["token_type"] = answer.contains("cnf") ? "DPoP" : "Bearer";
  }
  return answer;
}

std::optional<OwnToken> find_token(const Visit& visit, std::string_view text) {
  auto token = find_own_token(visit, text);
  return token ? token : find_turn_token(visit, text);
}

std::expected<std::string, Refusal> introspect(Visit& visit) {
  const auto form = read_form(visit);
  if (!form) return std::unexpected(form.error());
  const auto client = authenticate_client(visit, *form, endpoint::introspection);
  if (!client) return std::unexpected(client.error());
  // RFC 7662 section 2.1: somebody who can fish for tokens finds some.
  if ((*client)->method == ClientMethod::none || (*client)->introspects.empty())
    return std::unexpected(Refusal{Error::unauthorized_client, "the client may not ask about tokens"});
  if (!form->has("token")) return std::unexpected(Refusal{Error::invalid_request, "there is no token"});
  const auto token = find_token(visit, form->find("token"));
  // Section 4: about a token for others nothing is said, not even that it is one.
  if (!token || !(*client)->introspects.contains(token->issued.audience)) return R"({"active":false})";
  return describe(visit, *token).dump(-1, ' ', false, json::error_handler_t::replace);
}

Refusal refuse_foreign() { return {Error::invalid_grant, "the token was given to another client"}; }

std::optional<Refusal> revoke_family(Visit& visit, const Client& client, const Family& family) {
  if (family.client != client.id) return refuse_foreign();
  visit.revoke(visit.ledger.revoke_family(family.id, family.ends_at, visit.now));
  visit.audit("family_revoked", client.id, family.user);
  return std::nullopt;
}

std::optional<Refusal> revoke_token(Visit& visit, const Client& client, std::string_view text) {
  const std::string_view family_id = text.substr(0, text.find('.'));
  if (const auto family = visit.ledger.find_family(family_id, visit.now);
      family && family_id.size() < text.size())
    return revoke_family(visit, client, *family);
  const auto token = find_token(visit, text);
  if (!token) return std::nullopt;  // section 2.2: what is not known is not valid, which was wanted
  if (token->issued.client != client.id) return refuse_foreign();
  visit.revoke(visit.ledger.revoke_issued(token->issued.id, visit.now));
  visit.audit("token_revoked", client.id, token->issued.subject);
  return std::nullopt;
}

std::optional<Refusal> revoke(Visit& visit) {
  const auto form = read_form(visit);
  if (!form) return form.error();
  const auto client = authenticate_client(visit, *form, endpoint::revocation);
  if (!client) return client.error();
  if (!form->has("token")) return Refusal{Error::invalid_request, "there is no token"};
  return revoke_token(visit, **client, form->find("token"));
}

}  // namespace

Response answer_introspection(Visit& visit) {
  auto described = introspect(visit);
  return described ? answer_json(std::move(*described)) : answer(described.error());
}

Response answer_revocation(Visit& visit) {
  if (const auto refusal = revoke(visit)) return answer(*refusal);
  return {.status = 200, .fields = {{"Cache-Control", "no-store"}, {"Pragma", "no-cache"}}};
}

}  // namespace turnpike::waf
