#include "base/rate_budget.hpp"

#include <algorithm>

namespace turnpike {

RateBudget::RateBudget(std::uint32_t times, Duration span)
    : price_(times == 0 ? span + Duration{1} : span / times), span_(span) {}

bool RateBudget::has_left(std::string_view name, Instant now) const {
  const auto known = full_at_.find(name);
  return (known == full_at_.end() ? now : std::max(known->second, now)) + price_ <= now + span_;
}

bool RateBudget::spend(std::string_view name, Instant now) {
  const auto known = full_at_.find(name);
  if (!has_left(name, now)) return false;
  const Instant full_at = (known == full_at_.end() ? now : std::max(known->second, now)) + price_;
  if (known != full_at_.end()) {
    known->second = full_at;
    return true;
  }
  if (full_at_.size() >= swept_at_size_) forget_full(now);
  full_at_.emplace(name, full_at);
  return true;
}

// Seldom enough that a name costs the same, however many there are.
void RateBudget::forget_full(Instant now) {
  constexpr std::size_t swept_at_least = 1024;
  std::erase_if(full_at_, [now](const auto& entry) { return entry.second <= now; });
  swept_at_size_ = std::max(swept_at_least, 2 * full_at_.size());
}

}  // namespace turnpike
