#pragma once
// How often something may be done for each of many names in a span of time: a token bucket per name, full at
// first. A name whose bucket is full again is forgotten, so that memory follows those who were busy of late.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace turnpike {

class RateBudget {
 public:
  // `times` in each `span`, and as many at once. 0 times: never.
  RateBudget(std::uint32_t times, Duration span);

  [[nodiscard]] bool has_left(std::string_view name, Instant now) const;
  [[nodiscard]] bool spend(std::string_view name, Instant now);
  [[nodiscard]] std::size_t size() const { return full_at_.size(); }

 private:
  void forget_full(Instant now);

  Duration price_;
  Duration span_;
  std::map<std::string, Instant, std::less<>> full_at_{};  // when each bucket is full again
  std::size_t swept_at_size_ = 1024;
};

}  // namespace turnpike
