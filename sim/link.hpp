#pragma once
// One direction of a path: delay, jitter, loss in bursts (Gilbert-Elliott), duplication, reordering and MTU.
// Says what becomes of a datagram; carrying it is the network's task.

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/random.hpp"
#include "base/time.hpp"

namespace turnpike::sim {

struct LinkSettings {
  Duration delay = std::chrono::milliseconds{10};
  Duration jitter{};  // up to this much more, evenly
  // In one thousand datagrams. Bursts: the link turns bad and good again with these chances at each datagram.
  std::uint32_t loss = 0;         // while good
  std::uint32_t loss_in_bad = 0;  // while bad
  std::uint32_t turns_bad = 0;
  std::uint32_t turns_good = 1000;
  std::uint32_t duplicates = 0;
  std::uint32_t reorders = 0;  // overtaken by what follows within reorder_delay
  Duration reorder_delay = std::chrono::milliseconds{50};
  std::size_t mtu = 1500;  // of the IP packet
};

class Link {
 public:
  Link(const LinkSettings& settings, const SeededRandom& random) : settings_(settings), random_(random) {}

  struct Fate {
    std::array<Instant, 2> arrivals{};
    std::size_t copies = 0;  // none: lost
  };
  Fate carry(Instant now);
  void change(const LinkSettings& settings) { settings_ = settings; }
  [[nodiscard]] std::size_t mtu() const { return settings_.mtu; }

 private:
  bool happens(std::uint32_t chance_in_1000);
  Instant arrival(Instant now);

  LinkSettings settings_;
  SeededRandom random_;
  bool is_bad_ = false;
  Instant latest_{};  // arrival of what was in order
};

}  // namespace turnpike::sim
