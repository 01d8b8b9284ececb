#pragma once
// A budget of so many in a time, one for each whom it is kept for: what is not used is kept, up to the whole
// number at once.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/time.hpp"

namespace turnpike::service {

class RateBucket {
 public:
  // Zero when there is room, and one is taken; else how long until there is, rounded up to whole seconds.
  // `count` is at least 1.
  std::chrono::seconds take(std::uint32_t count, Duration period, Instant now) {
    const Duration price = period / count;
    const Instant start = std::max(paid_until_, now);
    const Duration over = start + price - (now + period);
    if (over > Duration{}) return std::chrono::ceil<std::chrono::seconds>(over);
    paid_until_ = start + price;
    return std::chrono::seconds{0};
  }
  [[nodiscard]] bool is_full(Instant now) const { return paid_until_ <= now; }

 private:
  Instant paid_until_ = Instant::min();
};

}  // namespace turnpike::service
