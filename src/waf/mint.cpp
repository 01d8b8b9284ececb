#include "waf/mint.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "jose/signing_key.hpp"

namespace turnpike::waf {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::seconds;

constexpr std::string_view mac_algorithm = "HMAC-SHA-1";

std::string to_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

seconds find_lifetime(seconds lifetime, WallTime ends_at, WallTime now) {
  return ends_at - now > lifetime ? lifetime : std::chrono::floor<seconds>(ends_at - now);
}

// When a credential that lives so long should be renewed, as those of a registration are.
seconds find_refresh(seconds life) { return life > seconds{1200} ? life - seconds{600} : life / 2; }

Json make_claims(const Visit& visit, const TokenOrder& order, const Issued& issued) {
  Json claims;
  claims["iss"] = visit.settings.issuer;
  claims["sub"] = order.subject;
  claims["aud"] = issued.audience;
  claims["exp"] = unix_seconds(issued.ends_at);
  claims["iat"] = unix_seconds(issued.issued_at);
  claims["jti"] = issued.id;
  claims["client_id"] = order.client;
  claims["scope"] = to_string(issued.scope);
  if (order.authenticated_at != WallTime{}) claims["auth_time"] = unix_seconds(order.authenticated_at);
  claims["impi"] = order.identity.impi;
  claims["impus"] = order.identity.impus;
  if (!order.identity.wwsf.empty()) claims["wwsf"] = order.identity.wwsf;
  if (order.identity.is_pool_identity) claims["pool"] = true;
  if (!order.jkt.empty()) claims["cnf"] = Json{{"jkt", order.jkt}};
  return claims;
}

Issued make_issued(const Visit& visit, const TokenOrder& order, IssuedKind kind, seconds lifetime) {
  return {.kind = kind,
          .family = order.family,
          .client = order.client,
          .subject = order.subject,
          .scope = order.scope,
          .turn_subject = order.turn_subject,
          .issued_at = visit.now,
          .ends_at = visit.now + lifetime};
}

std::expected<Issued, Refusal> mint_registration(const Visit& visit, const TokenOrder& order, Json& answer) {
  const jose::SigningKey* key = visit.keys.find_signer(visit.now);
  const seconds lifetime = find_lifetime(visit.settings.lifetimes.access_token, order.ends_at, visit.now);
  if (key == nullptr)
    return std::unexpected(Refusal{Error::temporarily_unavailable, "there is no key that signs"});
  if (lifetime < seconds{1})
    return std::unexpected(Refusal{Error::invalid_grant, "there is no time left for such a token"});
  Issued issued = make_issued(visit, order, IssuedKind::registration, lifetime);
  issued.id = to_base64url(visit.random.draw<16>());
  issued.audience = visit.settings.registration.audience;
  answer["access_token"] = key->sign("at+jwt", to_text(make_claims(visit, order, issued)));
  answer["token_type"] = order.jkt.empty() ? "Bearer" : "DPoP";
  answer["expires_in"] = lifetime.count();
  return issued;
}

Json make_turn_answer(const TurnTarget& target, const TurnToken& token, seconds lifetime) {
  // coturn computes with the first 16 bytes: a client that follows RFC 7635 has to be handed no more.
  Bytes key = token.native.mac_key.reveal();
  if (target.token.mac_key == credentials::MacKeyRule::coturn16) key = key.first(16);
  const std::string mac_key = to_base64(key);
  Json answer;
  answer["access_token"] = to_base64(token.native.access_token);
  answer["token_type"] = "pop";
  answer["expires_in"] = lifetime.count();
  answer["kid"] = token.native.kid;
  answer["key"] = mac_key;
  answer["key_b64"] = mac_key;
  answer["alg"] = mac_algorithm;
  answer["server_name"] = target.token.server_name;
  if (!target.realm.empty()) answer["realm"] = target.realm;
  answer["expires_at"] = unix_seconds(token.native.expires_at);
  answer["refresh_after"] = find_refresh(lifetime).count();
  if (!token.browser.username.empty()) {
    Json server;
    server["urls"] = target.uris;
    server["username"] = token.browser.username;
    server["credential"] = std::string{token.browser.password.reveal_text()};
    server["credentialType"] = "password";
    answer["iceServers"] = Json::array({std::move(server)});
  }
  return answer;
}

std::expected<Issued, Refusal> mint_turn(const Visit& visit, const TokenOrder& order, Json& answer) {
  const TurnTarget& target = *order.targets.turn;
  const seconds lifetime = find_lifetime(visit.settings.lifetimes.turn_token, order.ends_at, visit.now);
  auto token = mint_turn_token(target, order.turn_subject, visit.now, lifetime, visit.random);
  if (!token)
    return std::unexpected(Refusal{Error::invalid_target, "no key of the TURN server is valid for so long"});
  Issued issued = make_issued(visit, order, IssuedKind::turn, lifetime);
  issued.audience = target.token.server_name;
  answer = make_turn_answer(target, *token, lifetime);
  issued.id = std::move(token->id);
  issued.twin = std::move(token->twin);
  return issued;
}

// Nothing to register with: what was not asked for by name is left out.
std::optional<Refusal> check_identity(TokenOrder& order) {
  if (!order.targets.registration || !order.identity.impi.empty()) return std::nullopt;
  order.targets.registration = false;
  if (order.targets.were_named || order.targets.turn == nullptr)
    return Refusal{Error::invalid_target, "there is no IMS identity that could be registered"};
  return std::nullopt;
}

}  // namespace

std::optional<TurnToken> mint_turn_token(const TurnTarget& target, std::string_view subject, WallTime now,
                                         std::chrono::seconds lifetime, Random& random) {
  TurnToken minted;
  const std::string_view suffix = target.names_subjects() ? subject : std::string_view{};
  auto native = credentials::issue_token(target.token, suffix, now, lifetime, random);
  if (!native) return std::nullopt;
  minted.native = std::move(*native);
  minted.id = to_hex(crypto::sha256(minted.native.access_token));
  if (!target.token.browser_form) return minted;
  auto browser = credentials::issue_browser_token(
      target.token, {.subject = std::string{subject}, .policy = target.token.policy}, now, lifetime, random);
  if (!browser) return std::nullopt;
  const auto dot = browser->username.rfind('.');
  minted.twin = to_hex(crypto::sha256(*from_base64url(std::string_view{browser->username}.substr(dot + 1))));
  minted.browser = std::move(*browser);
  return minted;
}

std::string make_turn_subject(const Settings& settings, std::string_view user, Random& random) {
  const Digest key = crypto::hmac_sha256(settings.key.reveal(), as_bytes("turn subject"));
  return credentials::make_opaque_id(Secret{key}, user, as_text(random.draw<16>()));
}

std::expected<Minted, Refusal> mint(const Visit& visit, TokenOrder order) {
  if (auto refusal = check_identity(order)) return std::unexpected(std::move(*refusal));
  if (order.turn_subject.empty())
    order.turn_subject = make_turn_subject(visit.settings, order.subject, visit.random);
  Minted minted;
  Json answer;
  if (order.targets.registration) {
    auto issued = mint_registration(visit, order, answer);
    if (!issued) return std::unexpected(issued.error());
    minted.issued.push_back(std::move(*issued));
  }
  if (order.targets.turn != nullptr) {
    Json turn;
    auto issued = mint_turn(visit, order, turn);
    // Who has not asked for it by name can register without it.
    const bool may_lack = order.targets.registration && !order.targets.were_named;
    if (!issued && !may_lack) return std::unexpected(issued.error());
    if (issued) minted.issued.push_back(std::move(*issued));
    if (!order.targets.registration) {
      answer = std::move(turn);
    } else if (issued) {
      answer["turn"] = std::move(turn);
    }
  }
  answer["scope"] = to_string(order.scope);
  minted.members = to_text(answer);
  minted.members.pop_back();
  return minted;
}

}  // namespace turnpike::waf
