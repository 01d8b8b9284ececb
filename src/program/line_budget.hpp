#pragma once
// How many lines per second a stranger may cause in the log. May be used from several threads at once.

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "base/time.hpp"

namespace turnpike::program {

class LineBudget {
 public:
  explicit LineBudget(int lines_per_second) : lines_per_second_(lines_per_second) {}

  // How many lines were left out before this one; nothing: leave this one out too.
  std::optional<std::uint64_t> admit(Instant now) {
    const std::scoped_lock lock{mutex_};
    if (now - second_begins_ >= std::chrono::seconds{1}) {
      second_begins_ = now;
      lines_in_second_ = 0;
    }
    if (++lines_in_second_ > lines_per_second_) {
      ++left_out_;
      return std::nullopt;
    }
    return std::exchange(left_out_, 0);
  }

 private:
  int lines_per_second_;
  std::mutex mutex_{};  // guards what follows
  Instant second_begins_{};
  int lines_in_second_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace turnpike::program
