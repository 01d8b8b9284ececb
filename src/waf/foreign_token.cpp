#include "waf/foreign_token.hpp"

#include <algorithm>

#include "jose/claims.hpp"
#include "waf/federated_user.hpp"

namespace turnpike::waf {
namespace {

std::unexpected<Refusal> refuse(std::string description) {
  return std::unexpected(Refusal{Error::invalid_request, "the subject_token: " + std::move(description)});
}

const AssertionIssuer* find_assertion_issuer(const Settings& settings, std::string_view issuer) {
  const auto& all = settings.assertion_issuers;
  const auto found = std::ranges::find(all, issuer, &AssertionIssuer::issuer);
  return found == all.end() ? nullptr : &*found;
}

bool has_key(const jose::KeySet* keys, const std::optional<std::string>& kid) {
  if (keys == nullptr) return false;
  const auto kids = keys->kids();
  return !kid || std::ranges::find(kids, *kid) != kids.end();
}

}  // namespace

const jose::KeySet* find_issuer_keys(const Visit& visit, std::string_view issuer) {
  const AssertionIssuer* fixed = find_assertion_issuer(visit.settings, issuer);
  if (fixed != nullptr && fixed->keys.size() > 0) return &fixed->keys;
  const auto state = visit.issuers.find(issuer);
  return state == visit.issuers.end() || !state->second.keys ? nullptr : &*state->second.keys;
}

const Provider* find_subject_issuer(const Settings& settings, std::string_view text,
                                    const jose::Limits& limits) {
  const auto token = jose::read_token(text, limits);
  const Provider* provider = token ? find_provider_by_issuer(settings, token->claimed_issuer()) : nullptr;
  return provider == nullptr || provider->token_audience.empty() ? nullptr : provider;
}

std::optional<FetchNeeded> find_needed_keys(const Visit& visit) {
  const Settings& settings = visit.settings;
  if (settings.providers.empty() && settings.assertion_issuers.empty()) return std::nullopt;
  const auto form = read_form(visit);
  if (!form) return std::nullopt;
  const auto type = parse_grant_type(form->find("grant_type"));
  const bool is_exchange = type == GrantType::token_exchange;
  if (!is_exchange && type != GrantType::jwt_bearer) return std::nullopt;
  const std::string_view text = form->find(is_exchange ? "subject_token" : "assertion");
  const auto token = jose::read_token(text, settings.limits.jose);
  if (!token) return std::nullopt;
  const std::string_view issuer = token->claimed_issuer();
  const AssertionIssuer* vouching = find_assertion_issuer(settings, issuer);
  const bool is_fetched = is_exchange ? find_subject_issuer(settings, text, settings.limits.jose) != nullptr
                                      : vouching != nullptr && vouching->keys.size() == 0;
  if (!is_fetched || has_key(find_issuer_keys(visit, issuer), token->kid)) return std::nullopt;
  return FetchNeeded{.issuer = std::string{issuer}, .keys = true};
}

std::expected<ForeignSubject, Refusal> take_foreign_subject(Visit& visit, const Provider& provider,
                                                            std::string_view text) {
  auto read = jose::read_token(text, visit.settings.limits.jose);
  if (!read) return refuse("it is no signed token");
  const jose::KeySet* keys = find_issuer_keys(visit, provider.issuer);
  if (keys == nullptr)
    return std::unexpected(Refusal{Error::temporarily_unavailable, "the keys of the provider cannot be had"});
  auto token = jose::verify(std::move(*read), *keys, provider.algorithms);
  if (!token) return refuse(std::string{jose::to_string(token.error())});
  const auto claims = jose::read_claims(std::move(*token),
                                        {.issuer = provider.issuer,
                                         .audience = provider.token_audience,
                                         .types = {"at+jwt", "jwt"},
                                         .required = {"sub"},
                                         .clock_skew = provider.clock_skew},
                                        visit.now);
  if (!claims) return refuse(std::string{jose::to_string(claims.error())});
  // RFC 7800: bound to a key whose proof we do not take for it.
  if (claims->payload.contains("cnf")) return refuse("it is bound to a key");
  auto user = admit_federated_user(visit, provider, claims->payload, Occasion::exchange);
  if (!user) return refuse(std::string{to_string(user.error())});
  // What the skew lets pass lives as long as the skew does.
  const bool is_over = claims->expires_at <= visit.now;
  return ForeignSubject{std::move(*user), is_over ? visit.now + provider.clock_skew : claims->expires_at};
}

}  // namespace turnpike::waf
