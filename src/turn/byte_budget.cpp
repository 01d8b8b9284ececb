#include "turn/byte_budget.hpp"

#include <algorithm>

namespace turnpike::turn {
namespace {

constexpr std::chrono::seconds burst{1};

// The time in which so many bytes are earned, rounded up: the average never exceeds the rate. A datagram has
// fewer than 2^16 bytes; the clamp keeps a larger number from overflowing.
Duration price(std::size_t bytes, std::uint64_t bytes_per_second) {
  constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;
  const std::uint64_t billed = std::min<std::uint64_t>(bytes, std::uint64_t{1} << 32);
  const std::uint64_t earned = billed * nanoseconds_per_second;
  return Duration{static_cast<Duration::rep>(earned / bytes_per_second + (earned % bytes_per_second != 0))};
}

}  // namespace

bool ByteBudget::take(std::size_t bytes, Instant now) {
  if (bytes_per_second_ == 0) return true;
  const Instant start = std::max(paid_at_, now);
  const Instant end = start + price(bytes, bytes_per_second_);
  if (start > now && end > now + burst) return false;
  paid_at_ = end;
  return true;
}

}  // namespace turnpike::turn
