#include "credentials/registry.hpp"

#include <utility>

namespace turnpike::credentials {
namespace {

std::size_t pushed_max(const RegistrySettings& settings) {
  return settings.pushed ? settings.pushed->credentials_max : 0;
}

const Key& key_of(const PushedCredential& credential, PasswordAlgorithm algorithm) {
  return algorithm == PasswordAlgorithm::sha256 ? credential.key_sha256 : credential.key_md5;
}

}  // namespace

Registry::Registry(RegistrySettings settings)
    : realm_(settings.realm),
      pushed_(settings.realm, pushed_max(settings)),
      deny_list_(settings.revocations_max) {
  configure(std::move(settings));
}

std::expected<GrantPtr, Refusal> Registry::authenticate(const Claim& claim, Proof proof, WallTime wall) {
  Attempt attempt{claim, proof, wall};
  auto verdict = verify(attempt);
  if (!verdict) attempt.spend(refusal_effort(claim), computed_ ? computed_->digest() : ComputedDigest::sha1);
  last_effort_ = attempt.effort();
  return verdict;
}

bool Registry::is_revoked(const Grant& grant, WallTime wall) const {
  if (deny_list_.denies(grant, wall)) return true;
  if (grant.source == Source::static_user) return !static_users_ || !static_users_->still_grants(grant);
  if (grant.source == Source::token) return token_ && token_->is_withdrawn(grant.kid);
  if (grant.source != Source::pushed || wall >= grant.expires_at) return false;
  const PushedCredential* credential = pushed_.find(grant.username);
  return credential == nullptr || key_of(*credential, grant.algorithm) != grant.key;
}

std::expected<Grant, Refusal> Registry::explain(std::string_view username, WallTime wall) const {
  Verdict verdict = std::unexpected(Refusal::unknown_user);
  // A pushed credential may have the key of one algorithm only.
  for (const PasswordAlgorithm algorithm : {PasswordAlgorithm::md5, PasswordAlgorithm::sha256}) {
    const Claim claim{.realm = realm_, .username = username, .algorithm = algorithm};
    Attempt attempt{claim, [](Bytes) { return true; }, wall};
    verdict = ask_sources(attempt);
    if (verdict || verdict.error() != Refusal::wrong_key) break;
  }
  if (!verdict && verdict.error() == Refusal::unknown_user && token_)
    verdict = token_->explain_kid(username, wall);
  if (verdict && is_revoked(*verdict, wall)) return std::unexpected(Refusal::revoked);
  return verdict;
}

std::string_view Registry::server_name() const {
  return token_ ? std::string_view{token_->server_name()} : std::string_view{};
}

bool Registry::offers_username_anonymity() const {
  if (computed_) return false;
  if (token_ && (token_->derives_keys() || token_->accepts_browser_form())) return false;
  return static_users_ || has_pushed_ || token_;
}

void Registry::reconfigure(RegistrySettings settings) {
  if (settings.realm != realm_) pushed_ = PushedTable{settings.realm, pushed_max(settings)};
  pushed_.limit(pushed_max(settings));
  cache_.clear();
  configure(std::move(settings));
}

void Registry::configure(RegistrySettings settings) {
  realm_ = std::move(settings.realm);
  static_users_.reset();
  computed_.reset();
  token_.reset();
  if (settings.static_users) static_users_.emplace(*settings.static_users, realm_);
  if (settings.computed) computed_.emplace(std::move(*settings.computed));
  if (settings.token) token_.emplace(std::move(*settings.token), realm_);
  has_pushed_ = settings.pushed.has_value();
}

// Of the dearest refusal: every source fails at its last step, after a cached grant of this name has failed.
Effort Registry::refusal_effort(const Claim& claim) const {
  Effort effort;
  if (!claim.token.empty()) {
    if (token_) effort += token_->access_token_effort();
    ++effort.proofs;
    return effort;
  }
  if (static_users_) effort += StaticUsers::effort();
  if (has_pushed_) ++effort.proofs;
  if (computed_) effort += computed_->effort();
  if (token_) effort += token_->browser_form_effort();
  if (computed_ || token_) ++effort.proofs;
  return effort;
}

std::expected<GrantPtr, Refusal> Registry::verify(Attempt& attempt) {
  if (attempt.claim().realm != realm_) return std::unexpected(Refusal::wrong_realm);
  GrantPtr grant = find_cached(attempt);
  if (!grant) {
    Verdict verdict = ask_sources(attempt);
    if (!verdict) return std::unexpected(verdict.error());
    grant = cache_.share(std::move(*verdict));
  }
  if (deny_list_.denies(*grant, attempt.wall())) return std::unexpected(Refusal::revoked);
  return grant;
}

GrantPtr Registry::find_cached(Attempt& attempt) const {
  const Claim& claim = attempt.claim();
  if (claim.userhash != nullptr) return nullptr;
  GrantPtr grant = claim.token.empty() ? cache_.find_name(claim.username, claim.algorithm)
                                       : cache_.find_token(claim.username, attempt.token_hash());
  if (!grant || attempt.wall() >= grant->expires_at) return nullptr;
  if (grant->source == Source::token && !token_->still_opens(*grant, attempt.wall())) return nullptr;
  return attempt.proves(grant->key.reveal()) ? grant : nullptr;
}

Verdict Registry::ask_sources(Attempt& attempt) const {
  Verdict verdict = std::unexpected(Refusal::unknown_user);
  if (!attempt.claim().token.empty()) return token_ ? token_->verify_access_token(attempt) : verdict;
  const auto has_granted = [&verdict](Verdict answer) {
    if (answer || verdict.error() == Refusal::unknown_user) verdict = std::move(answer);
    return verdict.has_value();
  };
  if (static_users_ && has_granted(static_users_->verify(attempt))) return verdict;
  if (has_pushed_ && has_granted(verify_pushed(attempt))) return verdict;
  if (computed_ && has_granted(computed_->verify(attempt))) return verdict;
  if (token_ && has_granted(token_->verify_browser_form(attempt))) return verdict;
  return verdict;
}

Verdict Registry::verify_pushed(Attempt& attempt) const {
  const Claim& claim = attempt.claim();
  const PushedCredential* credential =
      claim.userhash != nullptr ? pushed_.find(*claim.userhash) : pushed_.find(claim.username);
  if (credential == nullptr) return std::unexpected(Refusal::unknown_user);
  const Key& key = key_of(*credential, claim.algorithm);
  if (!attempt.proves(key.reveal())) return std::unexpected(Refusal::wrong_key);
  if (attempt.wall() < credential->not_before) return std::unexpected(Refusal::not_yet_valid);
  if (attempt.wall() >= credential->expires_at) return std::unexpected(Refusal::expired);
  return Grant{.source = Source::pushed,
               .username = credential->username,
               .subject = credential->subject,
               .userhash = make_userhash(credential->username, realm_),
               .key = key,
               .algorithm = claim.algorithm,
               .policy = credential->policy,
               .expires_at = credential->expires_at};
}

}  // namespace turnpike::credentials
