#include "base/source_limiter.hpp"

#include <algorithm>
#include <array>

#include "base/source_key.hpp"

namespace turnpike {
namespace {

constexpr std::size_t buckets_per_table = 8192;
constexpr Duration burst = std::chrono::seconds{1};

Duration price_of_one(std::uint32_t per_second) {
  return per_second == 0 ? burst + Duration{1} : burst / per_second;
}

}  // namespace

SourceLimiter::SourceLimiter(std::uint32_t per_second, std::uint64_t hash_key)
    : price_(price_of_one(per_second)), hash_{hash_key}, paid_at_(2 * buckets_per_table, Instant::min()) {}

bool SourceLimiter::admit(const IpAddress& source, Instant now) {
  const std::uint64_t hash = hash_(source_key(source));
  const std::array<Instant*, 2> buckets{&paid_at_[hash % buckets_per_table],
                                        &paid_at_[buckets_per_table + (hash >> 32) % buckets_per_table]};
  const Instant start = std::max(std::min(*buckets[0], *buckets[1]), now);
  const Instant end = start + price_;
  if (end > now + burst) return false;
  for (Instant* bucket : buckets) *bucket = std::max(*bucket, end);
  return true;
}

}  // namespace turnpike
