#pragma once
// The grants that were verified last, so that the many requests of one credential share one Grant and need
// not compute or open anything again. Small and fixed; a stranger cannot fill it, since only what was proved
// comes in. It changes what an authentication costs, never what it says.

#include <array>
#include <cstddef>
#include <string_view>

#include "base/bytes.hpp"
#include "base/crypto.hpp"
#include "credentials/grant.hpp"

namespace turnpike::credentials {

class GrantCache {
 public:
  static constexpr std::size_t grants_max = 256;

  // A computed credential or a token in its browser form, by the name and algorithm of its claim.
  [[nodiscard]] GrantPtr find_name(std::string_view username, PasswordAlgorithm algorithm) const;
  // RFC 7635: by kid and token. A kid is shared by many users.
  [[nodiscard]] GrantPtr find_token(std::string_view kid, const crypto::Sha256& token_hash) const;

  // The cached grant that is equal, or this one, which is cached from now on.
  GrantPtr share(Grant grant);
  void clear() { slots_.fill({}); }

 private:
  static std::size_t slot_of(const Grant& grant);
  static std::size_t slot_of(std::string_view username, PasswordAlgorithm algorithm);
  static std::size_t slot_of(const crypto::Sha256& token_hash);

  std::array<GrantPtr, grants_max> slots_;
};

}  // namespace turnpike::credentials
