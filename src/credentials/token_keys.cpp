#include "credentials/token_keys.hpp"

#include <algorithm>
#include <utility>

#include "base/crypto.hpp"
#include "credentials/token.hpp"

namespace turnpike::credentials {
namespace {

constexpr std::size_t coturn_key_size = 16;
constexpr std::size_t token_bytes_min = 2 + 1 + 2 + 1 + 8 + 4 + crypto::gcm_tag_size;

Refusal to_refusal(TokenError error) {
  return error == TokenError::forged ? Refusal::token_forged : Refusal::token_malformed;
}

std::optional<Refusal> find_time_refusal(const TokenContent& content, WallTime wall) {
  switch (check_token_time(content, wall)) {
    case TokenTime::valid:
      return std::nullopt;
    case TokenTime::expired:
      return Refusal::expired;
    case TokenTime::in_future:
      return Refusal::not_yet_valid;
    case TokenTime::without_lifetime:
      return Refusal::token_without_lifetime;
  }
  return Refusal::expired;
}

std::string make_subject(const TokenContent& content, std::string_view suffix, Bytes token_hash) {
  if (content.policy && !content.policy->subject.empty()) return content.policy->subject;
  return suffix.empty() ? to_hex(token_hash) : std::string{suffix};
}

}  // namespace

Secret make_browser_password(const Secret& mac_key) {
  std::string text = to_base64(mac_key.reveal());
  Secret password = Secret::from_text(text);
  wipe({reinterpret_cast<Byte*>(text.data()), text.size()});
  return password;
}

TokenKeys::TokenKeys(TokenSettings settings, std::string_view realm) : settings_(std::move(settings)) {
  for (std::size_t i = 0; i < settings_.keys.size(); ++i) {
    const TokenKey& key = settings_.keys[i];
    derives_ = derives_ || key.derives;
    by_kid_.emplace(key.kid, i);
    by_userhash_.emplace(make_userhash(key.kid, realm), i);
  }
}

// RFC 7635 section 7.
Verdict TokenKeys::verify_access_token(Attempt& attempt) const {
  const std::optional<std::string_view> kid = find_kid(attempt.claim());
  const std::optional<Chosen> chosen = kid ? find_key(*kid, attempt.wall()) : std::nullopt;
  if (!chosen) return std::unexpected(Refusal::unknown_key);
  auto opened = open(attempt, *chosen, attempt.claim().token, attempt.token_hash());
  if (!opened) return std::unexpected(opened.error());
  if (opened->content.policy) return std::unexpected(Refusal::token_malformed);
  if (!proves(attempt, opened->content.mac_key, opened->grant.key))
    return std::unexpected(Refusal::wrong_key);
  if (const auto refusal = find_time_refusal(opened->content, attempt.wall()))
    return std::unexpected(*refusal);
  opened->grant.username = chosen->kid;
  opened->grant.userhash = make_userhash(chosen->kid, attempt.claim().realm);
  return std::move(opened->grant);
}

Verdict TokenKeys::verify_browser_form(Attempt& attempt) const {
  const std::string_view username = attempt.claim().username;
  const std::size_t dot = username.rfind('.');
  if (!settings_.browser_form || attempt.claim().userhash != nullptr || dot == std::string_view::npos)
    return std::unexpected(Refusal::unknown_user);
  const auto token = from_base64url(username.substr(dot + 1));
  if (token && token->size() < token_bytes_min) return std::unexpected(Refusal::unknown_user);
  const std::optional<Chosen> chosen = find_key(username.substr(0, dot), attempt.wall());
  if (!chosen) return std::unexpected(token ? Refusal::unknown_key : Refusal::unknown_user);
  if (!token) return std::unexpected(Refusal::malformed_username);

  auto opened = open(attempt, *chosen, *token, crypto::sha256(*token));
  if (!opened) return std::unexpected(opened.error());
  Grant& grant = opened->grant;
  grant.key =
      attempt.make_long_term_key(username, make_browser_password(opened->content.mac_key).reveal_text());
  if (!attempt.proves(grant.key.reveal())) return std::unexpected(Refusal::wrong_key);
  if (const auto refusal = find_time_refusal(opened->content, attempt.wall()))
    return std::unexpected(*refusal);
  grant.username = username;
  grant.userhash = make_userhash(username, attempt.claim().realm);
  return std::move(grant);
}

Effort TokenKeys::access_token_effort() const {
  return {.proofs = tries_two_keys() ? 2U : 1U, .key_derivations = derives_ ? 1U : 0U, .openings = 1};
}

Effort TokenKeys::browser_form_effort() const {
  if (!settings_.browser_form) return {};
  return {.proofs = 1, .long_term_keys = 1, .key_derivations = derives_ ? 1U : 0U, .openings = 1};
}

Verdict TokenKeys::explain_kid(std::string_view kid, WallTime wall) const {
  const std::optional<Chosen> chosen = find_key(kid, wall);
  if (!chosen) return std::unexpected(by_kid_.contains(kid) ? Refusal::unknown_key : Refusal::unknown_user);
  return Grant{.source = Source::token,
               .username = std::string{kid},
               .subject = std::string{chosen->suffix},
               .kid = std::string{kid},
               .policy = settings_.policy,
               .expires_at = chosen->key->not_after};
}

bool TokenKeys::is_withdrawn(std::string_view kid) const {
  return std::ranges::any_of(settings_.withdrawn_prefixes,
                             [&](const std::string& prefix) { return kid.starts_with(prefix); });
}

bool TokenKeys::still_opens(const Grant& grant, WallTime wall) const {
  return find_key(grant.kid, wall).has_value();
}

const TokenKey* TokenKeys::find_exactly(std::string_view kid, WallTime wall) const {
  const auto found = by_kid_.find(kid);
  if (found == by_kid_.end()) return nullptr;
  const TokenKey& key = settings_.keys[found->second];
  return key.not_before <= wall && wall < key.not_after ? &key : nullptr;
}

std::optional<TokenKeys::Chosen> TokenKeys::find_key(std::string_view kid, WallTime wall) const {
  if (is_withdrawn(kid)) return std::nullopt;
  if (by_kid_.contains(kid)) {
    const TokenKey* key = find_exactly(kid, wall);
    return key == nullptr ? std::nullopt : std::optional{Chosen{.key = key, .kid = kid, .suffix = {}}};
  }
  const std::size_t dot = kid.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == kid.size()) return std::nullopt;
  const TokenKey* master = find_exactly(kid.substr(0, dot), wall);
  if (master == nullptr || !master->derives) return std::nullopt;
  return Chosen{.key = master, .kid = kid, .suffix = kid.substr(dot + 1)};
}

std::optional<std::string_view> TokenKeys::find_kid(const Claim& claim) const {
  if (claim.userhash == nullptr) return claim.username;
  const auto found = by_userhash_.find(*claim.userhash);
  if (found == by_userhash_.end()) return std::nullopt;
  return settings_.keys[found->second].kid;
}

std::expected<TokenKeys::Opened, Refusal> TokenKeys::open(Attempt& attempt, const Chosen& chosen, Bytes token,
                                                          const crypto::Sha256& token_hash) const {
  const bool is_derived = !chosen.suffix.empty();
  const Secret derived =
      is_derived ? attempt.derive_token_key(*chosen.key, settings_.server_name, chosen.kid) : Secret{};
  auto content = attempt.open_token(token, {.key = is_derived ? derived.reveal() : chosen.key->key.reveal(),
                                            .algorithm = chosen.key->algorithm,
                                            .server_name = settings_.server_name});
  if (!content) return std::unexpected(to_refusal(content.error()));

  Grant grant{.source = Source::token,
              .subject = make_subject(*content, chosen.suffix, token_hash),
              .kid = std::string{chosen.kid},
              .token_hash = token_hash,
              .algorithm = attempt.claim().algorithm,
              .policy = content->policy ? content->policy->policy : settings_.policy,
              .expires_at = find_token_end(*content, attempt.wall())};
  return Opened{.content = std::move(*content), .grant = std::move(grant)};
}

bool TokenKeys::proves(Attempt& attempt, const Secret& mac_key, Key& key) const {
  const Bytes whole = mac_key.reveal();
  const Bytes cut = whole.first(std::min(whole.size(), coturn_key_size));
  key = Key{settings_.mac_key == MacKeyRule::coturn16 ? cut : whole};
  if (attempt.proves(key.reveal())) return true;
  if (!tries_two_keys() || cut.size() == whole.size()) return false;
  key = Key{cut};
  return attempt.proves(cut);
}

}  // namespace turnpike::credentials
