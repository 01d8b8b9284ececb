// Grants that begin with a user who has logged in, or with a client alone.

#include <algorithm>

#include "waf/mint.hpp"
#include "waf/token_endpoint.hpp"

namespace turnpike::waf {
namespace {

std::unexpected<Refusal> refuse_grant(std::string_view description) {
  return std::unexpected(Refusal{Error::invalid_grant, std::string{description}});
}

std::unexpected<Refusal> refuse_replayed_proof() {
  return std::unexpected(Refusal{Error::invalid_dpop_proof, "the DPoP proof has been used before"});
}

// RFC 7636 section 4.1: 43 to 128 unreserved characters; section 4.6: S256.
bool matches_challenge(std::string_view verifier, std::string_view challenge) {
  const auto is_unreserved = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view{"-._~"}.contains(c);
  };
  if (verifier.size() < 43 || verifier.size() > 128 || !std::ranges::all_of(verifier, is_unreserved))
    return false;
  const std::string computed = to_base64url(digest_of(verifier));
  return crypto::equal_in_constant_time(as_bytes(computed), as_bytes(challenge));
}

std::shared_ptr<const User> find_enabled_user(const Visit& visit, std::string_view id) {
  auto user = visit.ledger.find_user(id);
  return user && user->is_enabled ? user : nullptr;
}

Identity identity_of(const User& user, const Client& client) {
  Identity identity = user.identity;
  if (identity.wwsf.empty()) identity.wwsf = client.wwsf;
  return identity;
}

struct RefreshToken {
  std::string family;
  Digest digest{};
};

// The family's id "." a secret: all tokens of a family name it, so that an old one is known for what it is.
std::optional<RefreshToken> parse_refresh_token(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos || dot == 0 || text.size() > 128) return std::nullopt;
  return RefreshToken{std::string{text.substr(0, dot)}, digest_of(text.substr(dot + 1))};
}

std::string close(std::string members, std::string_view refresh_token) {
  if (!refresh_token.empty()) members.append(R"(,"refresh_token":")").append(refresh_token).append(1, '"');
  return members + '}';
}

std::expected<Code, Refusal> take_code(const TokenRequest& request) {
  Visit& visit = request.visit;
  const Client& client = request.client;
  CodeRedemption redemption =
      visit.ledger.redeem_code(digest_of(request.form.find("code")), client.id, visit.now);
  if (redemption.outcome == CodeRedemption::Outcome::replayed) {
    // RFC 6749 section 4.1.2: one of the two who hold the code has stolen it.
    visit.revoke(redemption.revoked);
    visit.audit("code_replayed", client.id, redemption.code ? redemption.code->family.user : std::string{});
  }
  if (redemption.outcome != CodeRedemption::Outcome::redeemed)
    return refuse_grant("the code is not known, has ended or was used before");
  const std::string_view redirect_uri = request.form.find("redirect_uri");
  if (!redirect_uri.empty() && redirect_uri != redemption.code->redirect_uri)
    return refuse_grant("redirect_uri is not the one of the authorization request");
  if (!matches_challenge(request.form.find("code_verifier"), redemption.code->challenge))
    return refuse_grant("code_verifier does not match the code_challenge");
  // RFC 9449 section 10.
  const std::string& jkt = redemption.code->family.jkt;
  if (!jkt.empty() && jkt != request.proof.jkt) return refuse_grant("the code is bound to another DPoP key");
  return std::move(*redemption.code);
}

}  // namespace

TokenAnswer redeem_code(const TokenRequest& request) {
  Visit& visit = request.visit;
  const Client& client = request.client;
  for (const char* name : {"code", "code_verifier"})
    if (!request.form.has(name))
      return std::unexpected(Refusal{Error::invalid_request, "there is no " + std::string{name}});
  auto code = take_code(request);
  if (!code) return std::unexpected(code.error());
  Family& family = code->family;
  const auto user = find_enabled_user(visit, family.user);
  if (!user) return refuse_grant("the user may not log in any more");
  const auto targets = choose_targets(visit.settings, client, request.form, family.scope, family.audiences);
  if (!targets) return std::unexpected(targets.error());
  if (!use(visit, request.proof)) return refuse_replayed_proof();

  auto minted = mint(visit, {.targets = *targets,
                             .client = client.id,
                             .subject = user->id,
                             .identity = identity_of(*user, client),
                             .scope = family.scope,
                             .jkt = request.proof.jkt,
                             .family = family.id,
                             .authenticated_at = family.authenticated_at});
  if (!minted) return std::unexpected(minted.error());
  // RFC 9449 section 5: what binds the refresh tokens of others is their client authentication.
  family.jkt = client.method == ClientMethod::none ? request.proof.jkt : "";
  const bool refreshes = client.grants.contains(GrantType::refresh_token);
  if (!refreshes) family.ends_at = visit.now + visit.settings.lifetimes.access_token;
  const std::string secret = refreshes ? make_random_text(visit.random) : "";
  const Opening opening =
      visit.ledger.open_family(family, refreshes ? std::optional{digest_of(secret)} : std::nullopt,
                               minted->issued, visit.settings.limits.families_per_user_max, visit.now);
  if (!opening.is_open) return refuse_grant("the code was used before");
  visit.revoke(opening.revoked);
  visit.audit("tokens_issued", client.id, user->id, "authorization_code");
  return close(std::move(minted->members), refreshes ? family.id + '.' + secret : "");
}

TokenAnswer refresh(const TokenRequest& request) {
  Visit& visit = request.visit;
  const Client& client = request.client;
  if (!request.form.has("refresh_token"))
    return std::unexpected(Refusal{Error::invalid_request, "there is no refresh_token"});
  const auto shown = parse_refresh_token(request.form.find("refresh_token"));
  const auto family = shown ? visit.ledger.find_family(shown->family, visit.now) : std::nullopt;
  if (!family || family->client != client.id)
    return refuse_grant("the refresh token is not known, has ended or was revoked");
  if (!family->jkt.empty() && family->jkt != request.proof.jkt)
    return refuse_grant("the refresh token is bound to another DPoP key");
  const auto user = find_enabled_user(visit, family->user);
  if (!user) return refuse_grant("the user may not log in any more");
  const auto scope = read_scope(visit.settings, request.form, intersect(family->scope, client.scopes));
  if (!scope) return std::unexpected(scope.error());
  const auto targets = choose_targets(visit.settings, client, request.form, *scope, family->audiences);
  if (!targets) return std::unexpected(targets.error());

  auto minted = mint(visit, {.targets = *targets,
                             .client = client.id,
                             .subject = user->id,
                             .identity = identity_of(*user, client),
                             .scope = *scope,
                             .jkt = request.proof.jkt,
                             .family = family->id,
                             .authenticated_at = family->authenticated_at});
  if (!minted) return std::unexpected(minted.error());
  if (!use(visit, request.proof)) return refuse_replayed_proof();
  const std::string secret = make_random_text(visit.random);
  const Rotation rotation =
      visit.ledger.rotate(family->id, shown->digest, digest_of(secret), minted->issued, visit.now);
  if (rotation.outcome == Rotation::Outcome::replayed) {
    visit.revoke(rotation.revoked);
    visit.audit("refresh_token_replayed", client.id, user->id);
  }
  if (rotation.outcome != Rotation::Outcome::rotated)
    return refuse_grant("the refresh token is not known, has ended or was revoked");
  visit.audit("tokens_issued", client.id, user->id, "refresh_token");
  return close(std::move(minted->members), family->id + '.' + secret);
}

TokenAnswer grant_client_credentials(const TokenRequest& request) {
  Visit& visit = request.visit;
  const Client& client = request.client;
  if (client.method == ClientMethod::none)
    return std::unexpected(
        Refusal{Error::unauthorized_client, "a client without a secret has no such grant"});
  const auto scope = read_scope(visit.settings, request.form, client.scopes);
  if (!scope) return std::unexpected(scope.error());
  const auto targets = choose_targets(visit.settings, client, request.form, *scope, {});
  if (!targets) return std::unexpected(targets.error());
  auto minted = mint(visit, {.targets = *targets,
                             .client = client.id,
                             .subject = client.id,
                             .identity = client.identity.value_or(Identity{}),
                             .scope = *scope,
                             .jkt = request.proof.jkt});
  if (!minted) return std::unexpected(minted.error());
  if (!use(visit, request.proof)) return refuse_replayed_proof();
  if (!visit.ledger.note_issued(minted->issued, visit.now))
    return refuse_grant("the authorization was revoked");
  visit.audit("tokens_issued", client.id, client.id, "client_credentials");
  return close(std::move(minted->members), "");
}

}  // namespace turnpike::waf
