#pragma once
// Alarm is the one deadline of a machine in its loop. A deadline that moves later costs nothing: the timer
// rings early, and is set again. It may end in the loop at any moment: it does not ring afterwards.

#include <functional>
#include <memory>
#include <optional>

#include "service/loop_impl.hpp"

namespace turnpike::service {

class Alarm {
 public:
  Alarm(Loop& loop, std::function<void()> ring) : timer_(loop.impl().context), ring_(std::move(ring)) {}

  void set(std::optional<Instant> at, Instant now) {
    wanted_ = at;
    if (!at || (set_to_ && *set_to_ <= *at)) return;
    set_to_ = *at;
    timer_.expires_after(*at > now ? *at - now : Duration{});
    // Where its time has come, the handler is in the queue already, and the end of the timer does not stop
    // it.
    timer_.async_wait([this, life = std::weak_ptr{life_}](const ErrorCode& error) {
      if (!error && !life.expired()) on_timer();
    });
  }
  void cancel() {
    wanted_.reset();
    set_to_.reset();
    timer_.cancel();
  }

 private:
  void on_timer() {
    set_to_.reset();
    const Instant now = read_clocks().mono;
    if (wanted_ && *wanted_ > now) return set(wanted_, now);
    if (wanted_) ring_();
  }

  SteadyTimer timer_;
  std::function<void()> ring_;
  std::optional<Instant> wanted_{};
  std::optional<Instant> set_to_{};
  std::shared_ptr<const bool> life_ = std::make_shared<const bool>();
};

}  // namespace turnpike::service
