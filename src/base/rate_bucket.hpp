#pragma once
// A token bucket, full at first: so many in each period, and as many at once. RateBudget has one for each of
// many names.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/time.hpp"

namespace turnpike {

class RateBucket {
 public:
  // Zero when there is room, else how long until there is, rounded up to whole seconds. `count` is at least
  // 1, and the same in all calls, as is `period`.
  [[nodiscard]] std::chrono::seconds wait(std::uint32_t count, Duration period, Instant now) const {
    const Duration over = std::max(full_at_, now) + period / count - (now + period);
    return over > Duration{} ? std::chrono::ceil<std::chrono::seconds>(over) : std::chrono::seconds{0};
  }
  // How many may be taken now.
  [[nodiscard]] std::uint32_t left(std::uint32_t count, Duration period, Instant now) const {
    const Duration used = std::max(full_at_, now) - now;
    if (used >= period) return 0;
    return static_cast<std::uint32_t>(std::min<Duration::rep>((period - used) / (period / count), count));
  }
  // As wait(), and takes one where there is room.
  std::chrono::seconds take(std::uint32_t count, Duration period, Instant now) {
    const auto needed = wait(count, period, now);
    if (needed == std::chrono::seconds{0}) full_at_ = std::max(full_at_, now) + period / count;
    return needed;
  }
  [[nodiscard]] bool is_full(Instant now) const { return full_at_ <= now; }

 private:
  Instant full_at_ = Instant::min();
};

}  // namespace turnpike
