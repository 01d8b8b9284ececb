#include "turn/free_ports.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.hpp"

namespace turnpike::turn {
namespace {

// The free ports of a kind in one word. A word begins at an even port, so that no pair spans two words.
std::uint64_t select_kind(std::uint64_t word, PortParity kind) {
  constexpr std::uint64_t even = 0x5555'5555'5555'5555;
  switch (kind) {
    case PortParity::any:
      return word;
    case PortParity::even:
      return word & even;
    case PortParity::even_with_next_free:
      return word & (word >> 1) & even;
  }
  return 0;
}

}  // namespace

FreePorts::FreePorts(std::uint16_t port_min, std::uint16_t port_max) : words_(65536 / ports_per_word) {
  for (std::uint32_t port = std::max<std::uint32_t>(port_min, 1); port <= port_max; ++port)
    insert(static_cast<std::uint16_t>(port));
}

bool FreePorts::contains(std::uint16_t port) const {
  return (words_[port / ports_per_word] >> (port % ports_per_word) & 1) != 0;
}

std::size_t FreePorts::count(PortParity kind) const { return counts_[std::to_underlying(kind)]; }

std::uint16_t FreePorts::select(PortParity kind, std::size_t index) const {
  check(index < count(kind), "a free port was asked for where none is left");
  const auto place = std::to_underlying(kind);
  std::size_t block = 0;
  for (; index >= block_counts_[block][place]; ++block) index -= block_counts_[block][place];
  std::size_t at = block * words_per_block;
  std::uint64_t word = select_kind(words_[at], kind);
  while (index >= static_cast<std::size_t>(std::popcount(word))) {
    index -= static_cast<std::size_t>(std::popcount(word));
    word = select_kind(words_[++at], kind);
  }
  for (; index > 0; --index) word &= word - 1;
  return static_cast<std::uint16_t>(at * ports_per_word + static_cast<std::size_t>(std::countr_zero(word)));
}

void FreePorts::insert(std::uint16_t port) {
  check(!contains(port), "a free port became free again");
  flip(port);
}

void FreePorts::remove(std::uint16_t port) {
  check(contains(port), "a port that is not free was taken");
  flip(port);
}

void FreePorts::flip(std::uint16_t port) {
  count_word(port, false);
  words_[port / ports_per_word] ^= std::uint64_t{1} << (port % ports_per_word);
  count_word(port, true);
}

void FreePorts::count_word(std::uint16_t port, bool adds) {
  const std::size_t at = port / ports_per_word;
  Counts& block = block_counts_[at / words_per_block];
  for (const PortParity kind : {PortParity::any, PortParity::even, PortParity::even_with_next_free}) {
    const auto place = std::to_underlying(kind);
    const auto found = static_cast<std::uint32_t>(std::popcount(select_kind(words_[at], kind)));
    const std::uint32_t change = adds ? found : 0U - found;
    block[place] += change;
    counts_[place] += change;
  }
}

}  // namespace turnpike::turn
