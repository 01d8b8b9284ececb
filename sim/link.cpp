#include "sim/link.hpp"

#include <algorithm>

namespace turnpike::sim {

Link::Fate Link::carry(Instant now) {
  is_bad_ = is_bad_ ? !happens(settings_.turns_good) : happens(settings_.turns_bad);
  if (happens(is_bad_ ? settings_.loss_in_bad : settings_.loss)) return {};
  Fate fate;
  fate.arrivals[fate.copies++] = arrival(now);
  if (happens(settings_.duplicates)) fate.arrivals[fate.copies++] = arrival(now);
  return fate;
}

bool Link::happens(std::uint32_t chance_in_1000) {
  return chance_in_1000 > 0 && random_.below(1000) < chance_in_1000;
}

Instant Link::arrival(Instant now) {
  const auto jitter_us = std::chrono::duration_cast<std::chrono::microseconds>(settings_.jitter).count();
  const Duration jitter =
      jitter_us == 0 ? Duration{}
                     : std::chrono::microseconds{random_.below(static_cast<std::uint32_t>(jitter_us) + 1)};
  const Instant at = now + settings_.delay + jitter;
  if (happens(settings_.reorders)) return at + settings_.reorder_delay;
  latest_ = std::max(latest_, at);
  return latest_;
}

}  // namespace turnpike::sim
