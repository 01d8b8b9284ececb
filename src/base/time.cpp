#include "base/time.hpp"

namespace turnpike {

Now read_clocks() {
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  return {Instant{std::chrono::duration_cast<Duration>(steady)},
          std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now())};
}

}  // namespace turnpike
