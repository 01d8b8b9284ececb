#pragma once
// The ports of one address that are free, and how many of each kind: any, even, and even with a free
// successor (EVEN-PORT, RFC 8656 section 7.2). A bitmap counted in blocks, 8.5 KiB: changing a port and
// finding the n-th of a kind take a bounded number of steps, however few are left.

#include <array>
#include <cstdint>
#include <vector>

#include "turn/commons.hpp"

namespace turnpike::turn {

class FreePorts {
 public:
  // All ports from port_min to port_max are free; port 0 never is.
  FreePorts(std::uint16_t port_min, std::uint16_t port_max);

  [[nodiscard]] bool contains(std::uint16_t port) const;
  [[nodiscard]] std::size_t count(PortParity kind) const;
  // The ports of the kind in ascending order, from 0; index < count(kind).
  [[nodiscard]] std::uint16_t select(PortParity kind, std::size_t index) const;
  void insert(std::uint16_t port);  // not there
  void remove(std::uint16_t port);  // there

 private:
  static constexpr std::size_t ports_per_word = 64;
  static constexpr std::size_t words_per_block = 16;
  static constexpr std::size_t blocks = 65536 / ports_per_word / words_per_block;
  using Counts = std::array<std::uint32_t, 3>;  // by PortParity
  void flip(std::uint16_t port);
  void count_word(std::uint16_t port, bool adds);

  std::vector<std::uint64_t> words_;
  std::array<Counts, blocks> block_counts_{};
  Counts counts_{};
};

}  // namespace turnpike::turn
