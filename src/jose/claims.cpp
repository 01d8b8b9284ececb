#include "jose/claims.hpp"

#include <algorithm>
#include <optional>

#include "jose/json.hpp"

namespace turnpike::jose {
namespace {

using nlohmann::json;

// RFC 7519 section 2: seconds since 1970, fractions allowed; clamped at the end of our clock. Fractions are
// cut.
std::optional<WallTime> read_date(const json& date) {
  if (date.is_number_unsigned()) return from_unix_seconds(date.get<std::uint64_t>());
  if (date.is_number_integer()) {
    const auto seconds = date.get<std::int64_t>();
    if (seconds < 0) return std::nullopt;
    return from_unix_seconds(static_cast<std::uint64_t>(seconds));
  }
  if (!date.is_number_float()) return std::nullopt;
  const double seconds = *date.get_ptr<const json::number_float_t*>();
  constexpr double clock_end = 9e9;
  if (!(seconds >= 0)) return std::nullopt;
  return from_unix_seconds(static_cast<std::uint64_t>(std::min(seconds, 2 * clock_end)));
}

// Adding to the end of time stays there.
WallTime later(WallTime at, std::chrono::seconds by) {
  return at > WallTime::max() - by ? WallTime::max() : at + by;
}

}  // namespace

bool is_for_audience(const json& payload, std::string_view audience) {
  const auto found = payload.find("aud");
  if (found == payload.end()) return false;
  if (const auto* text = found->get_ptr<const std::string*>()) return *text == audience;
  return found->is_array() && std::ranges::any_of(*found, [&](const json& item) {
           const auto* text = item.get_ptr<const std::string*>();
           return text != nullptr && *text == audience;
         });
}

bool is_bound_to_key(const json& payload) {
  const auto confirmation = payload.find("cnf");
  if (confirmation != payload.end() && !confirmation->is_null()) return true;
  const std::string* type = find_text(payload, "token_type");
  if (type == nullptr) return false;
  // RFC 6749 section 5.1: in whatever case.
  return std::ranges::equal(*type, std::string_view{"dpop"}, [](char letter, char small) {
    return letter == small || (letter >= 'A' && letter <= 'Z' && letter - 'A' + 'a' == small);
  });
}

std::expected<WallTime, Refusal> read_validity(const json& payload, std::chrono::seconds clock_skew,
                                               WallTime now) {
  const auto expiry = payload.find("exp");
  if (expiry == payload.end()) return std::unexpected(Refusal::missing_claim);
  const auto expires_at = read_date(*expiry);
  if (!expires_at) return std::unexpected(Refusal::malformed);
  // RFC 7519 section 4.1.4: not on or after; a small leeway for clocks.
  if (now >= later(*expires_at, clock_skew)) return std::unexpected(Refusal::expired);
  // RFC 7519 section 4.1.5; a token of the future (section 4.1.6) is not trusted either.
  for (const char* name : {"nbf", "iat"}) {
    const auto found = payload.find(name);
    if (found == payload.end()) continue;
    const auto begins_at = read_date(*found);
    if (!begins_at) return std::unexpected(Refusal::malformed);
    if (later(now, clock_skew) < *begins_at) return std::unexpected(Refusal::not_yet_valid);
  }
  return *expires_at;
}

std::expected<Claims, Refusal> read_claims(VerifiedToken token, const ClaimRules& rules, WallTime now) {
  if (std::ranges::find(rules.types, token.type) == rules.types.end()) return std::unexpected(Refusal::type);
  for (const char* name : {"iss", "aud"})
    if (!token.payload.contains(name)) return std::unexpected(Refusal::missing_claim);
  // RFC 9068 section 4: exactly the issuer that we know.
  const std::string* issuer = find_text(token.payload, "iss");
  if (issuer == nullptr || *issuer != rules.issuer) return std::unexpected(Refusal::issuer);
  if (!is_for_audience(token.payload, rules.audience)) return std::unexpected(Refusal::audience);
  const auto expires_at = read_validity(token.payload, rules.clock_skew, now);
  if (!expires_at) return std::unexpected(expires_at.error());
  for (const std::string& name : rules.required)
    if (!token.payload.contains(name)) return std::unexpected(Refusal::missing_claim);
  return Claims{*expires_at, std::move(token.payload)};
}

}  // namespace turnpike::jose
