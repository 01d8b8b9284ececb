#include "turn/allocation_table.hpp"

#include "base/check.hpp"

namespace turnpike::turn {

AllocationTable::AllocationTable(std::uint64_t hash_key) : by_path_(0, PathHash{{hash_key}}) {}

Allocation* AllocationTable::find(const ClientPath& path) {
  if (last_found_ != nullptr && last_found_->path == path) return last_found_;
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return nullptr;
  last_found_ = &found->second;
  return last_found_;
}

Allocation& AllocationTable::insert(const ClientPath& path, const credentials::GrantPtr& grant,
                                    std::uint64_t bytes_per_second) {
  const auto [at, is_new] = by_path_.try_emplace(path, path, grant, bytes_per_second);
  check(is_new, "a 5-tuple has one allocation");
  return at->second;
}

void AllocationTable::erase(Allocation& allocation) {
  timers_.remove(allocation);
  if (last_found_ == &allocation) last_found_ = nullptr;
  by_path_.erase(ClientPath{allocation.path});
}

RelayPortId AllocationTable::take_port_id(Allocation& owner) {
  if (free_ports_.empty()) {
    ports_.push_back(&owner);
    return static_cast<RelayPortId>(ports_.size() - 1);
  }
  const RelayPortId port = free_ports_.back();
  free_ports_.pop_back();
  ports_[port] = &owner;
  return port;
}

void AllocationTable::free_port_id(RelayPortId port) {
  check(ports_[port] != nullptr, "a free port is freed");
  ports_[port] = nullptr;
  free_ports_.push_back(port);
}

void AllocationTable::schedule(Allocation& allocation) {
  const auto at = allocation.next_deadline();
  if (at)
    timers_.set(allocation, *at);
  else
    timers_.remove(allocation);
}

std::vector<Allocation*> AllocationTable::select(FunctionRef<bool(const Allocation&)> matches,
                                                 std::size_t max) const {
  std::vector<Allocation*> selected;
  for (RelayPortId port = 0; port < ports_.size() && selected.size() < max; ++port) {
    Allocation* allocation = ports_[port];
    if (allocation == nullptr || !matches(*allocation)) continue;
    // One with two ports is met twice; only its lower one counts.
    const auto is_lower = [&](const RelayedAddress& relayed) {
      return relayed.number == 0 || relayed.port >= port;
    };
    const auto& [v4, v6] = allocation->relayed_by_family;
    if (is_lower(v4) && is_lower(v6)) selected.push_back(allocation);
  }
  return selected;
}

}  // namespace turnpike::turn
