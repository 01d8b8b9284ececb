#pragma once
// How long a credential lives whose user is registered for so long (TS 33.203 X.5 leaves the number open: at
// least until the next re-registration).

#include <chrono>
#include <optional>

namespace turnpike::provisioning {

struct LifeLimits {
  std::chrono::seconds floor{120};
  std::chrono::seconds cap{86400};
  // What a credential outlives its registration by, so that a re-registration on its way finds it alive.
  std::chrono::seconds grace{60};
  std::chrono::seconds grace_of_long{120};  // of a registration above long_registration
  bool operator==(const LifeLimits&) const = default;
};

// TS 24.229 section 5.1.1.4.1: registrations above it are renewed 600 s before their end, others at half
// time.
inline constexpr std::chrono::seconds long_registration{1200};
inline constexpr std::chrono::seconds renewal_lead{600};

// registration + grace within floor and cap; a wish shortens it, down to the floor, and never lengthens it.
std::chrono::seconds find_ttl(std::chrono::seconds registration, std::optional<std::chrono::seconds> wish,
                              const LifeLimits& limits);

// From now, when what lives so long should be renewed: as a registration of the same length would be.
std::chrono::seconds find_refresh(std::chrono::seconds life);

}  // namespace turnpike::provisioning
