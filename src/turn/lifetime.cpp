#include "turn/lifetime.hpp"

#include <algorithm>

namespace turnpike::turn {
namespace {

using std::chrono::seconds;

// When the last allocation of the credential must end. Nothing: it need not.
std::optional<WallTime> last_end(const credentials::Grant& grant, bool is_token, const Settings& settings) {
  if (grant.expires_at == WallTime::max()) return std::nullopt;
  // RFC 7635 section 9: a token bounds the lifetime whatever the operator thinks of other credentials.
  if (is_token || settings.expiry == ExpiryMode::strict) return grant.expires_at;
  if (settings.expiry == ExpiryMode::lenient) return std::nullopt;
  if (grant.expires_at > WallTime::max() - settings.limits.expiry_slack) return std::nullopt;
  return grant.expires_at + settings.limits.expiry_slack;
}

}  // namespace

std::optional<GrantedLifetime> grant_lifetime(std::optional<std::uint32_t> asked,
                                              const credentials::Grant& grant, bool is_token,
                                              const Settings& settings, WallTime wall) {
  const Limits& limits = settings.limits;
  // Less than the default is not granted: RFC 8656 section 7.2.
  const seconds wanted = std::max(limits.allocation_lifetime_default, seconds{asked.value_or(0)});
  const seconds lifetime = std::min(wanted, limits.allocation_lifetime_max);
  const auto end = last_end(grant, is_token, settings);
  if (!end) return GrantedLifetime{lifetime};
  if (*end <= wall) return std::nullopt;
  const auto left = std::chrono::floor<seconds>(*end - wall);
  if (left > lifetime) return GrantedLifetime{lifetime};
  // A lifetime of zero would tell the client that its allocation is deleted.
  if (left < seconds{1}) return std::nullopt;
  return GrantedLifetime{left, true};
}

}  // namespace turnpike::turn
