#pragma once
// The bandwidth of one allocation, both directions together: bytes per second on average, and a burst of one
// second's worth. A datagram larger than that passes when nothing is owed, and is paid off afterwards, so
// that a limit below the size of a datagram slows an allocation down but never silences it.

#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace turnpike::turn {

class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}  // 0: no limit

  // True: the bytes may pass and are counted. False: they are to be dropped and cost nothing.
  [[nodiscard]] bool take(std::size_t bytes, Instant now);

 private:
  std::uint64_t bytes_per_second_;
  Instant paid_at_ = Instant::min();  // when everything that has passed is paid for
};

}  // namespace turnpike::turn
