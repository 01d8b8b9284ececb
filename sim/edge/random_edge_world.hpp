#pragma once
// A world of registrations that a seed makes up: settings, WICs, links, and what everybody does and suffers;
// the model watches. The same seed is the same world, byte for byte.

#include <cstdint>
#include <string>
#include <vector>

#include "sim/edge/edge_host.hpp"
#include "sim/edge/edge_model.hpp"
#include "sim/journal.hpp"

namespace turnpike::sim {

struct RandomEdgeWorld {
  std::uint64_t seed = 1;
  std::uint32_t steps = 80;
  EdgeFault fault = EdgeFault::none;
  Journal::Reader reader{};  // of every line of the journal
};

struct EdgeWorldOutcome {
  std::vector<std::string> violations;
  std::uint64_t journal_hash = 0;
  std::uint64_t journal_lines = 0;
  EdgeModel::Tally tally;
};

EdgeWorldOutcome run(const RandomEdgeWorld& random_world);

}  // namespace turnpike::sim
