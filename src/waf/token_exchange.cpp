// Grants that begin with a token: one of ours (RFC 8693), or somebody's who vouches for a user (RFC 7523).

#include <algorithm>

#include "base/glob.hpp"
#include "jose/json.hpp"
#include "waf/assertion.hpp"
#include "waf/endpoints.hpp"
#include "waf/foreign_token.hpp"
#include "waf/mint.hpp"
#include "waf/own_token.hpp"
#include "waf/token_endpoint.hpp"

namespace turnpike::waf {
namespace {

using nlohmann::json;

constexpr std::string_view access_token_type = "urn:ietf:params:oauth:token-type:access_token";
constexpr std::string_view jwt_type = "urn:ietf:params:oauth:token-type:jwt";
constexpr std::string_view id_token_type = "urn:ietf:params:oauth:token-type:id_token";
constexpr std::string_view issued_type =
    R"(,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token")";
constexpr std::size_t impus_max = 32;

// RFC 8693 section 2.2.2: a subject_token that is not acceptable makes the request an invalid one.
std::unexpected<Refusal> refuse(std::string_view description, Error error = Error::invalid_request) {
  return std::unexpected(Refusal{error, std::string{description}});
}

std::string text_at(const json& claims, std::string_view name) {
  const std::string* text = jose::find_text(claims, name);
  return text == nullptr ? std::string{} : *text;
}

std::vector<std::string> texts_at(const json& claims, std::string_view name) {
  std::vector<std::string> texts;
  const auto found = claims.find(name);
  if (found == claims.end()) return texts;
  if (const auto* one = found->get_ptr<const std::string*>()) return {*one};
  for (const json& item : *found)
    if (const auto* text = item.get_ptr<const std::string*>()) texts.push_back(*text);
  return texts;
}

Identity read_identity(const json& claims) {
  Identity identity{
      .impi = text_at(claims, "impi"), .impus = texts_at(claims, "impus"), .wwsf = text_at(claims, "wwsf")};
  const auto pool = claims.find("pool");
  identity.is_pool_identity = pool != claims.end() && pool->is_boolean() && *pool == true;
  return identity;
}

std::string jkt_of(const json& claims) {
  const auto confirmation = claims.find("cnf");
  return confirmation == claims.end() ? std::string{} : text_at(*confirmation, "jkt");
}

std::optional<Refusal> check_exchange(const Form& form) {
  const auto refused = [](std::string_view why) { return refuse(why).error(); };
  if (!form.has("subject_token")) return refused("there is no subject_token");
  const std::string_view type = form.find("subject_token_type");
  if (type != access_token_type && type != jwt_type && type != id_token_type)
    return refused("subject_token_type is an access token, an ID token or a jwt");
  if (form.has("actor_token") || form.has("actor_token_type")) return refused("actors are not taken");
  const std::string_view wanted = form.find("requested_token_type");
  if (!wanted.empty() && wanted != access_token_type)
    return refused("requested_token_type is an access token");
  return std::nullopt;
}

std::expected<OwnToken, Refusal> take_subject_token(const TokenRequest& request) {
  const Visit& visit = request.visit;
  auto token = find_own_token(visit, request.form.find("subject_token"));
  if (!token || token->issued.audience != visit.settings.registration.audience)
    return refuse("the subject_token is not one of ours that is valid");
  const bool is_own = token->issued.client == request.client.id;
  if (!is_own && !request.client.exchanges_for_others)
    return refuse("the subject_token was given to another client");
  if (is_own && token->claims.contains("cnf") && jkt_of(token->claims) != request.proof.jkt)
    return refuse("the DPoP proof: the subject_token is bound to another key", Error::invalid_dpop_proof);
  return std::move(*token);
}

bool may_name_public(const AssertionIssuer& issuer, std::string_view impu) {
  const auto matches = [&](const std::string& pattern) { return matches_glob(pattern, impu); };
  const auto is_sip_uri_of = [&](const std::string& pattern) {
    return matches_glob("sip:" + pattern, impu) || matches_glob("sips:" + pattern, impu);
  };
  return issuer.impus.empty() ? std::ranges::any_of(issuer.impis, is_sip_uri_of)
                              : std::ranges::any_of(issuer.impus, matches);
}

// Of an issuer that may name identities itself: those alone that are its own.
std::expected<Identity, Refusal> read_vouched_identity(const AssertionIssuer& issuer, const json& claims) {
  Identity identity{.impi = text_at(claims, "impi"),
                    .impus = texts_at(claims, "impus"),
                    .wwsf = issuer.wwsf,
                    .is_pool_identity = issuer.is_pool};
  const auto is_its_own = [&](const std::string& pattern) { return matches_glob(pattern, identity.impi); };
  if (identity.impi.empty() || std::ranges::none_of(issuer.impis, is_its_own))
    return refuse("the assertion: its impi is not one that its issuer may name", Error::invalid_grant);
  if (identity.impus.empty() || identity.impus.size() > impus_max)
    return refuse("the assertion: it has no impus, or too many", Error::invalid_grant);
  if (!std::ranges::all_of(identity.impus, [&](const auto& impu) { return may_name_public(issuer, impu); }))
    return refuse("the assertion: one of its impus is not one that its issuer may name",
                  Error::invalid_grant);
  return identity;
}

struct Vouched {
  std::string subject;
  Identity identity;
};

std::expected<Vouched, Refusal> take_user_assertion(const TokenRequest& request) {
  Visit& visit = request.visit;
  auto token = jose::read_token(request.form.find("assertion"), visit.settings.limits.jose);
  if (!token) return refuse("the assertion is no signed token that is taken here", Error::invalid_grant);
  const auto issuer = std::ranges::find(visit.settings.assertion_issuers, token->claimed_issuer(),
                                        [](const auto& it) { return std::string_view{it.issuer}; });
  if (issuer == visit.settings.assertion_issuers.end())
    return refuse("the issuer of the assertion is not trusted", Error::invalid_grant);
  const jose::KeySet* keys = find_issuer_keys(visit, issuer->issuer);
  if (keys == nullptr) return refuse("the keys of the issuer cannot be had", Error::temporarily_unavailable);
  const auto claims = accept_assertion(
      visit, std::move(*token),
      {.issuer = issuer->issuer, .keys = *keys, .algorithms = issuer->algorithms, .path = endpoint::token});
  if (!claims) return refuse(claims.error(), Error::invalid_grant);
  const std::string subject = text_at(*claims, "sub");
  if (subject.empty() || subject.size() > visit.settings.limits.name_bytes_max)
    return refuse("the assertion: it has no sub", Error::invalid_grant);
  if (!issuer->impis.empty()) {
    auto identity = read_vouched_identity(*issuer, *claims);
    if (!identity) return std::unexpected(identity.error());
    const Digest opaque = digest_of(issuer->issuer + ' ' + subject);
    return Vouched{to_base64url(Bytes{opaque}.first(16)), std::move(*identity)};
  }
  const auto user = visit.ledger.find_user_by_name(subject);
  if (!user || !user->is_enabled)
    return refuse("the assertion: its sub is no user who may log in", Error::invalid_grant);
  Identity identity = user->identity;
  if (identity.wwsf.empty()) identity.wwsf = issuer->wwsf.empty() ? request.client.wwsf : issuer->wwsf;
  return Vouched{user->id, std::move(identity)};
}

TokenAnswer finish(const TokenRequest& request, TokenOrder order, std::string_view grant,
                   std::string_view more) {
  Visit& visit = request.visit;
  const std::string subject = order.subject;
  auto minted = mint(visit, std::move(order));
  if (!minted) return std::unexpected(minted.error());
  if (!use(visit, request.proof))
    return refuse("the DPoP proof has been used before", Error::invalid_dpop_proof);
  if (!visit.ledger.note_issued(minted->issued, visit.now))
    return refuse("the authorization was revoked", Error::invalid_grant);
  visit.audit("tokens_issued", request.client.id, subject, grant);
  return minted->members.append(more).append(1, '}');
}

// Who a provider's token speaks of was not asked by this client, so that it has to be one that acts for
// others.
TokenAnswer exchange_foreign_token(const TokenRequest& request, const Provider& provider) {
  Visit& visit = request.visit;
  if (!request.client.exchanges_for_others)
    return refuse("the client may not exchange tokens that others were given");
  const auto scope = read_scope(visit.settings, request.form, request.client.scopes);
  if (!scope) return std::unexpected(scope.error());
  const auto targets = choose_targets(visit.settings, request.client, request.form, *scope, {});
  if (!targets) return std::unexpected(targets.error());
  auto subject = take_foreign_subject(visit, provider, request.form.find("subject_token"));
  if (!subject) return std::unexpected(subject.error());
  Identity identity = std::move(subject->user.identity);
  if (identity.wwsf.empty()) identity.wwsf = request.client.wwsf;
  return finish(request,
                {.targets = *targets,
                 .client = request.client.id,
                 .subject = std::move(subject->user.id),
                 .identity = std::move(identity),
                 .scope = *scope,
                 .jkt = request.proof.jkt,
                 .ends_at = subject->ends_at},
                "token_exchange " + provider.name, issued_type);
}

}  // namespace

TokenAnswer exchange_token(const TokenRequest& request) {
  const Visit& visit = request.visit;
  if (auto refusal = check_exchange(request.form)) return std::unexpected(std::move(*refusal));
  const std::string_view text = request.form.find("subject_token");
  if (const Provider* provider = find_subject_issuer(visit.settings, text, visit.settings.limits.jose))
    return exchange_foreign_token(request, *provider);
  if (request.form.find("subject_token_type") == id_token_type)
    return refuse("the subject_token is no ID token of a provider whose tokens are taken");
  auto token = take_subject_token(request);
  if (!token) return std::unexpected(token.error());
  Issued& issued = token->issued;
  const auto scope = read_scope(visit.settings, request.form, issued.scope);
  if (!scope) return std::unexpected(scope.error());
  const auto family = visit.ledger.find_family(issued.family, visit.now);
  const auto targets = choose_targets(visit.settings, request.client, request.form, *scope,
                                      family ? family->audiences : Scope{});
  if (!targets) return std::unexpected(targets.error());
  // A server that acts for a holder does not get rid of the binding to the holder's key.
  if (targets->registration && token->claims.contains("cnf") && request.proof.jkt != jkt_of(token->claims))
    return refuse("the subject_token is bound to a key: its holder alone gets another one of its kind");
  return finish(
      request,
      {.targets = *targets,
       .client = request.client.id,
       .subject = issued.subject,
       .identity = read_identity(token->claims),
       .scope = *scope,
       .jkt = request.proof.jkt,
       .family = issued.family,
       // What comes with a token can be revoked with it; a new registration has a subject of its own.
       .turn_subject = targets->registration ? std::string{} : issued.turn_subject,
       .ends_at = issued.ends_at},
      "token_exchange", issued_type);
}

TokenAnswer accept_user_assertion(const TokenRequest& request) {
  Visit& visit = request.visit;
  if (!request.form.has("assertion")) return refuse("there is no assertion");
  const auto scope = read_scope(visit.settings, request.form, request.client.scopes);
  if (!scope) return std::unexpected(scope.error());
  const auto targets = choose_targets(visit.settings, request.client, request.form, *scope, {});
  if (!targets) return std::unexpected(targets.error());
  auto vouched = take_user_assertion(request);
  if (!vouched) return std::unexpected(vouched.error());
  return finish(request,
                {.targets = *targets,
                 .client = request.client.id,
                 .subject = std::move(vouched->subject),
                 .identity = std::move(vouched->identity),
                 .scope = *scope,
                 .jkt = request.proof.jkt},
                "jwt_bearer", "");
}

}  // namespace turnpike::waf
