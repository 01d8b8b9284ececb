#pragma once
// For whom tokens are asked: resource indicators (RFC 8707) and audiences (RFC 8693 section 2.1).

#include <expected>
#include <string>
#include <vector>

#include "waf/accounts.hpp"
#include "waf/form.hpp"
#include "waf/refusal.hpp"
#include "waf/settings.hpp"

namespace turnpike::waf {

// What one answer of the token endpoint brings: a registration token, a TURN token, or both.
struct Targets {
  bool registration = false;
  const TurnTarget* turn = nullptr;
  bool were_named = false;  // by the request, and not chosen by its scope
};

// The audiences that the parameters resource and audience mean; empty where there are none.
std::expected<Scope, Refusal> read_audiences(const Settings& settings, const Client& client,
                                             const Form& form);

// `audiences` as read; where they are empty, those of `bound`; where that is empty too, all that the scope
// covers. token_type=pop without a name means a TURN server (RFC 7635 appendix B).
std::expected<Targets, Refusal> choose_targets(const Settings& settings, const Client& client,
                                               const Form& form, const Scope& scope, const Scope& bound);

// RFC 6749 section 3.3: what is asked for, held against what is allowed; all of that where nothing is asked
// for.
std::expected<Scope, Refusal> read_scope(const Settings& settings, const Form& form, const Scope& allowed);

}  // namespace turnpike::waf
