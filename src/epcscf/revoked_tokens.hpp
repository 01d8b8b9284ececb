#pragma once
// Tokens that were revoked before their time, until they would have ended. A signature alone does not tell.

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.hpp"
#include "epcscf/effects.hpp"

namespace turnpike::epcscf {

// What stands for a token in tables: its jti is unique for its issuer alone (RFC 7519 section 4.1.7).
std::string make_token_key(std::string_view issuer, std::string_view token_id);

class RevokedTokens {
 public:
  // Of more than `max` those that end first are forgotten.
  void add(const RevokedToken& token, std::size_t max, WallTime now);
  [[nodiscard]] bool has(const TokenIdentity& identity, WallTime now) const;
  [[nodiscard]] std::size_t size() const { return until_.size(); }

 private:
  void forget_first();

  std::map<std::string, WallTime, std::less<>> until_;
  std::set<std::pair<WallTime, std::string>> ends_;
};

}  // namespace turnpike::epcscf
