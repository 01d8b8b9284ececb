#include "epcscf/effects.hpp"

#include <array>

namespace turnpike::epcscf {
namespace {

template <typename Enum, std::size_t size>
std::string_view name_of(const std::array<std::string_view, size>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

}  // namespace

std::string_view to_string(RegistrationRefusal refusal) {
  static constexpr std::array<std::string_view, registration_refusal_count> names{
      "malformed",        "wrong_domain",      "core_refused",
      "login_failed",     "too_many_failures", "core_silent",
      "core_unreachable", "tokens_not_taken",  "token_malformed",
      "token_invalid",    "token_expired",     "token_bound",
      "token_unchecked",  "identity_mismatch", "issuer_untrusted",
      "wwsf_untrusted",   "outside_pool",      "limit"};
  return name_of(names, refusal);
}

std::string_view to_string(EndTrigger trigger) {
  static constexpr std::array<std::string_view, end_trigger_count> names{
      "deregistered", "expired",        "token_expired", "network",
      "flow_failed",  "operator_asked", "reassigned",    "token_revoked"};
  return name_of(names, trigger);
}

std::string_view to_string(Unprovisioned reason) {
  static constexpr std::array<std::string_view, unprovisioned_count> names{
      "not_secure",       "third_party",       "unauthenticated", "malformed",
      "unknown_realm",    "unknown_transport", "no_relay",        "no_source",
      "not_acknowledged", "too_many_pushes",   "too_many_new"};
  return name_of(names, reason);
}

std::string_view to_string(BadMessage what) {
  static constexpr std::array<std::string_view, bad_message_count> names{
      "malformed",    "two_messages",     "not_registered", "forged_route", "dead_flow",
      "forged_trust", "untrusted_source", "stray_response", "limit",        "bad_reginfo"};
  return name_of(names, what);
}

}  // namespace turnpike::epcscf
