#pragma once
// The source of configured users (RFC 8489 section 9.2). Keeps their HA1 keys for both password algorithms,
// so that a request costs no hashing but its own integrity check; the passwords are not kept.

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "credentials/attempt.hpp"
#include "credentials/grant.hpp"
#include "credentials/sources.hpp"

namespace turnpike::credentials {

class StaticUsers {
 public:
  StaticUsers(const StaticSettings& settings, std::string_view realm);
  StaticUsers(StaticUsers&&) = default;
  StaticUsers& operator=(StaticUsers&&) = default;

  [[nodiscard]] Verdict verify(Attempt& attempt) const;
  // The grant's user is still there, with the same password.
  [[nodiscard]] bool still_grants(const Grant& grant) const;
  static Effort effort() { return {.proofs = 1}; }

 private:
  struct Keys {
    Key md5;
    Key sha256;
    Userhash userhash{};
    [[nodiscard]] const Key& of(PasswordAlgorithm algorithm) const {
      return algorithm == PasswordAlgorithm::sha256 ? sha256 : md5;
    }
  };
  using Users = std::map<std::string, Keys, std::less<>>;
  [[nodiscard]] const Users::value_type* find(const Claim& claim) const;

  Policy policy_;
  Users users_;
  std::map<Userhash, const Users::value_type*> by_userhash_;
};

}  // namespace turnpike::credentials
