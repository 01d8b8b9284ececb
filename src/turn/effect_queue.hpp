#pragma once
// The effects that wait for the shell, in order.

#include <deque>
#include <optional>
#include <utility>

#include "turn/types.hpp"

namespace turnpike::turn {

class EffectQueue {
 public:
  void push(Effect effect) { effects_.push_back(std::move(effect)); }
  std::optional<Effect> next() {
    if (effects_.empty()) return std::nullopt;
    std::optional<Effect> first{std::move(effects_.front())};
    effects_.pop_front();
    return first;
  }

 private:
  std::deque<Effect> effects_;
};

}  // namespace turnpike::turn
