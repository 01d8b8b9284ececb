#include "client/load_histogram.hpp"

#include <cmath>

namespace turnpike::client {

std::uint64_t LoadHistogram::percentile(double share) const {
  if (samples_ == 0) return 0;
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(samples_) - 1e-9)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= wanted) return std::min(highest_of(bucket), max_);
  }
  return max_;
}

std::vector<LoadHistogram::Bucket> LoadHistogram::buckets() const {
  std::vector<Bucket> found;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket)
    if (counts_[bucket] > 0) found.push_back({std::min(highest_of(bucket), max_), counts_[bucket]});
  return found;
}

std::uint64_t LoadHistogram::highest_of(std::size_t bucket) {
  if (bucket < 2 * sub_buckets) return bucket;
  const std::uint64_t shift = bucket / sub_buckets - 1;
  const std::uint64_t leading = bucket - shift * sub_buckets;
  return ((leading + 1) << shift) - 1;
}

}  // namespace turnpike::client
