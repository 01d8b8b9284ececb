#include "epcscf/revoked_tokens.hpp"

#include <algorithm>

namespace turnpike::epcscf {

std::string make_token_key(std::string_view issuer, std::string_view token_id) {
  return std::string{issuer} + '\n' + std::string{token_id};
}

void RevokedTokens::add(const RevokedToken& token, std::size_t max, WallTime now) {
  while (!ends_.empty() && ends_.begin()->first <= now) forget_first();
  if (token.token_id.empty() || token.until <= now) return;
  const auto [known, is_new] = until_.emplace(make_token_key(token.issuer, token.token_id), token.until);
  if (!is_new) ends_.erase({known->second, known->first});
  known->second = std::max(known->second, token.until);
  ends_.emplace(known->second, known->first);
  while (until_.size() > max) forget_first();
}

bool RevokedTokens::has(const TokenIdentity& identity, WallTime now) const {
  if (until_.empty() || identity.token_id.empty()) return false;
  const auto found = until_.find(make_token_key(identity.issuer, identity.token_id));
  return found != until_.end() && now < found->second;
}

void RevokedTokens::forget_first() {
  until_.erase(until_.find(ends_.begin()->second));
  ends_.erase(ends_.begin());
}

}  // namespace turnpike::epcscf
