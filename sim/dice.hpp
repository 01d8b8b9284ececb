#pragma once
// What a seed draws: numbers, chances, choices.

#include <array>
#include <cstdint>
#include <vector>

#include "base/random.hpp"

namespace turnpike::sim {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  std::uint32_t below(std::uint32_t bound) { return random_.below(bound); }
  std::uint32_t between(std::uint32_t least, std::uint32_t most) { return least + below(most - least + 1); }
  bool chance(std::uint32_t in_100) { return below(100) < in_100; }
  template <typename Item, std::size_t count>
  Item one_of(const std::array<Item, count>& items) {
    return items[below(static_cast<std::uint32_t>(count))];
  }
  template <typename Item>
  const Item& one_of(const std::vector<Item>& items) {
    return items[below(static_cast<std::uint32_t>(items.size()))];
  }

 private:
  SeededRandom random_;
};

}  // namespace turnpike::sim
