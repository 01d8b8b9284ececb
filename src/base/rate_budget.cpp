#include "base/rate_budget.hpp"

#include <algorithm>

namespace turnpike {

std::uint32_t RateBudget::left(std::string_view name, Instant now) const {
  const auto known = buckets_.find(name);
  return times_ == 0 || known == buckets_.end() ? times_ : known->second.left(times_, span_, now);
}

bool RateBudget::spend(std::string_view name, Instant now) {
  if (times_ == 0) return false;
  auto known = buckets_.find(name);
  if (known == buckets_.end()) {
    if (buckets_.size() >= swept_at_size_) forget_full(now);
    known = buckets_.try_emplace(std::string{name}).first;
  }
  return known->second.take(times_, span_, now).count() == 0;
}

// Seldom enough that a name costs the same, however many there are.
void RateBudget::forget_full(Instant now) {
  constexpr std::size_t swept_at_least = 1024;
  std::erase_if(buckets_, [now](const auto& entry) { return entry.second.is_full(now); });
  swept_at_size_ = std::max(swept_at_least, 2 * buckets_.size());
}

}  // namespace turnpike
