#include "waf/assertion.hpp"

#include <algorithm>

#include "jose/claims.hpp"
#include "jose/json.hpp"

namespace turnpike::waf {
namespace {

using nlohmann::json;

// Every audience is ours: an assertion that is addressed to others, too, could be replayed by them.
bool is_for_us(const json& payload, const Settings& settings, std::string_view path) {
  const auto found = payload.find("aud");
  if (found == payload.end()) return false;
  const auto is_ours = [&](const json& value) {
    const auto* text = value.get_ptr<const std::string*>();
    return text != nullptr && (*text == settings.issuer || *text == settings.issuer + std::string{path});
  };
  return found->is_array() ? !found->empty() && std::ranges::all_of(*found, is_ours) : is_ours(*found);
}

}  // namespace

std::expected<json, std::string> accept_assertion(Visit& visit, jose::UnverifiedToken unverified,
                                                  const AssertionRules& rules) {
  const auto refuse = [](std::string_view why) {
    return std::unexpected("the assertion: " + std::string{why});
  };
  if (unverified.claimed_issuer() != rules.issuer) return refuse("its iss is not the one that is expected");
  auto token = jose::verify(std::move(unverified), rules.keys, rules.algorithms);
  if (!token) return refuse(jose::to_string(token.error()));
  if (token->type != "jwt" && token->type != "client-authentication+jwt")
    return refuse("its typ is another one");
  const json& payload = token->payload;
  if (!is_for_us(payload, visit.settings, rules.path)) return refuse("its aud is not this server alone");
  const Lifetimes& lifetimes = visit.settings.lifetimes;
  const auto ends_at = jose::read_validity(payload, lifetimes.clock_skew, visit.now);
  if (!ends_at) return refuse(jose::to_string(ends_at.error()));
  if (*ends_at - visit.now > lifetimes.assertion_max + lifetimes.clock_skew)
    return refuse("it lives too long");
  const std::string* id = jose::find_text(payload, "jti");
  if (id == nullptr || id->empty() || id->size() > 255) return refuse("it has no jti of 1 to 255 bytes");
  const std::string key = "assertion " + std::string{rules.issuer} + ' ' + *id;
  if (!visit.ledger.use_once(key, *ends_at + lifetimes.clock_skew, visit.now))
    return refuse("it has been used before");
  return std::move(token->payload);
}

}  // namespace turnpike::waf
