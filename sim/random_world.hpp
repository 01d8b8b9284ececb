#pragma once
// A world that a seed makes up: settings, clients, NATs, links, peers, an attacker, and what they do; the
// model watches. The same seed is the same world, byte for byte.

#include <cstdint>
#include <string>
#include <vector>

#include "sim/journal.hpp"
#include "sim/model.hpp"
#include "sim/relay_host.hpp"

namespace turnpike::sim {

struct RandomWorld {
  std::uint64_t seed = 1;
  std::uint32_t steps = 150;
  Fault fault = Fault::none;
  Journal::Reader reader{};  // of every line of the journal
};

struct WorldOutcome {
  std::vector<std::string> violations;
  std::uint64_t journal_hash = 0;
  std::uint64_t journal_lines = 0;
  Model::Tally tally;
};

WorldOutcome run(const RandomWorld& random_world);

}  // namespace turnpike::sim
