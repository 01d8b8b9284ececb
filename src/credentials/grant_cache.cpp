#include "credentials/grant_cache.hpp"

#include <functional>
#include <utility>

namespace turnpike::credentials {

namespace {

// Its username is a kid, which says nothing without the token.
bool is_of_access_token(const Grant& grant) {
  return grant.source == Source::token && grant.username == grant.kid;
}

}  // namespace

GrantPtr GrantCache::find_name(std::string_view username, PasswordAlgorithm algorithm) const {
  const GrantPtr& grant = slots_[slot_of(username, algorithm)];
  if (!grant || grant->username != username || grant->algorithm != algorithm) return nullptr;
  const bool is_self_contained = grant->source == Source::computed || grant->source == Source::token;
  return is_self_contained && !is_of_access_token(*grant) ? grant : nullptr;
}

GrantPtr GrantCache::find_token(std::string_view kid, const crypto::Sha256& token_hash) const {
  const GrantPtr& grant = slots_[slot_of(token_hash)];
  if (!grant || !is_of_access_token(*grant)) return nullptr;
  return grant->token_hash == token_hash && grant->kid == kid ? grant : nullptr;
}

GrantPtr GrantCache::share(Grant grant) {
  GrantPtr& slot = slots_[slot_of(grant)];
  if (!slot || *slot != grant) slot = std::make_shared<const Grant>(std::move(grant));
  return slot;
}

std::size_t GrantCache::slot_of(const Grant& grant) {
  return is_of_access_token(grant) ? slot_of(*grant.token_hash) : slot_of(grant.username, grant.algorithm);
}

std::size_t GrantCache::slot_of(std::string_view username, PasswordAlgorithm algorithm) {
  return (std::hash<std::string_view>{}(username) + static_cast<std::size_t>(algorithm)) % grants_max;
}

std::size_t GrantCache::slot_of(const crypto::Sha256& token_hash) { return token_hash[0] % grants_max; }

}  // namespace turnpike::credentials
