#pragma once
// The source of passwords that both sides compute from a shared secret (approach 1 of TR 33.872; the REST
// convention of coturn and others):
//
//   username = expiry ":" [ key id "." ] opaque id, or the expiry alone
//   password = base64(HMAC(secret, username))
//
// The expiry is all before the first ':', in decimal seconds since 1970; it is accepted up to and including
// the second that it names. What follows may contain ':' and '.'.

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/attempt.hpp"
#include "credentials/grant.hpp"
#include "credentials/sources.hpp"

namespace turnpike::credentials {

struct ComputedName {
  WallTime refused_from{};  // the second after the expiry; a number beyond WallTime is clamped
  std::string_view id;      // what follows the first ':'; empty without one
};
std::optional<ComputedName> parse_computed_name(std::string_view username);

Secret make_computed_password(const Secret& secret, ComputedDigest digest, std::string_view username);

class ComputedPasswords {
 public:
  explicit ComputedPasswords(ComputedSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] Verdict verify(Attempt& attempt) const;
  [[nodiscard]] Effort effort() const;
  [[nodiscard]] ComputedDigest digest() const { return settings_.digest; }

 private:
  [[nodiscard]] std::size_t find_named_secret(std::string_view id) const;
  [[nodiscard]] Verdict try_secret(Attempt& attempt, const ComputedName& name, std::size_t index) const;

  ComputedSettings settings_;
};

}  // namespace turnpike::credentials
