#pragma once
// Users whom a provider has logged in. Each one is a user of ours from the first login on, with an id that
// follows from the provider and its "sub", so that an operator can disable it and nobody inherits it.

#include <cstdint>
#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "waf/accounts.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

enum class NotAdmitted : std::uint8_t {
  no_subject,  // "sub" is no text of 1 to 255 printable characters
  no_rule,
  taken,  // the identity is another user's
  full,   // there are too many users
  disabled,
  changed,  // the identity is another one than at the last login
};
std::string_view to_string(NotAdmitted reason);  // for the audit trail

const Provider* find_provider(const Settings& settings, std::string_view name);
const Provider* find_provider_by_issuer(const Settings& settings, std::string_view issuer);

std::string make_federated_id(std::string_view issuer, std::string_view subject);

enum class Occasion : std::uint8_t {
  login,     // at the provider, in a browser
  exchange,  // a client has shown a token of the provider, which may be older than the last login
};

// The user of these claims, which were verified; one who is new is added. An identity belongs to whom it was
// given first: a provider's word takes it from nobody. A login renews who is known: a user whose identity has
// changed, or whom no rule matches any more, loses what was given to the earlier one. An exchange changes
// nobody and takes nothing from anybody: it is refused where its claims say something else than the login.
std::expected<User, NotAdmitted> admit_federated_user(Visit& visit, const Provider& provider,
                                                      const nlohmann::json& claims, Occasion occasion);

}  // namespace turnpike::waf
