#pragma once
// Durations counted in buckets whose width is 1/256 of their value: percentiles are true to about 0.4 %,
// and recording costs a few instructions.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace turnpike::client {

class LoadHistogram {
 public:
  struct Bucket {
    std::uint64_t highest, samples;
  };

  void record(std::uint64_t nanoseconds) {
    ++counts_[std::min(bucket_of(nanoseconds), counts_.size() - 1)];
    ++samples_;
    sum_ += nanoseconds;
    max_ = std::max(max_, nanoseconds);
  }
  [[nodiscard]] std::uint64_t samples() const { return samples_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] double mean() const {
    return samples_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(samples_);
  }
  // The value that `share` of the samples do not exceed, 0 < share <= 1; 0 without samples.
  [[nodiscard]] std::uint64_t percentile(double share) const;
  // Those that hold something, from the lowest: several runs can be pooled, which percentiles cannot.
  [[nodiscard]] std::vector<Bucket> buckets() const;

 private:
  static constexpr unsigned precision_bits = 8;
  static constexpr std::uint64_t sub_buckets = 1u << precision_bits;
  static constexpr unsigned powers = 34;  // up to 2^41 ns, about 36 minutes

  // Below 2 * sub_buckets a bucket holds one value; above, the highest bits of the value name its bucket.
  static std::size_t bucket_of(std::uint64_t value) {
    if (value < 2 * sub_buckets) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - precision_bits - 1;
    return static_cast<std::size_t>(shift * sub_buckets + (value >> shift));
  }
  static std::uint64_t highest_of(std::size_t bucket);

  std::array<std::uint64_t, powers * sub_buckets> counts_{};
  std::uint64_t samples_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace turnpike::client
