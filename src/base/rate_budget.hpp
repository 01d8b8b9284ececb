#pragma once
// How often something may be done for each of many names in a span of time. A name whose bucket is full again
// is forgotten, so that memory follows those who were busy of late.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/rate_bucket.hpp"
#include "base/time.hpp"

namespace turnpike {

class RateBudget {
 public:
  // `times` in each `span`, and as many at once. 0 times: never.
  RateBudget(std::uint32_t times, Duration span) : times_(times), span_(span) {}

  [[nodiscard]] std::uint32_t left(std::string_view name, Instant now) const;
  [[nodiscard]] bool spend(std::string_view name, Instant now);
  [[nodiscard]] std::size_t size() const { return buckets_.size(); }

 private:
  void forget_full(Instant now);

  std::uint32_t times_;
  Duration span_;
  std::map<std::string, RateBucket, std::less<>> buckets_{};
  std::size_t swept_at_size_ = 1024;
};

}  // namespace turnpike
