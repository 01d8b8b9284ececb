#pragma once
// The allocations of one engine, found by 5-tuple and by relay port, with their deadlines. Visits them in the
// order of their relay ports, which depends on what happened and on nothing else.

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/function_ref.hpp"
#include "turn/allocation.hpp"
#include "turn/timer_queue.hpp"

namespace turnpike::turn {

class AllocationTable {
 public:
  explicit AllocationTable(std::uint64_t hash_key);

  // Null: there is none. An allocation stays where it is until it is erased.
  [[nodiscard]] Allocation* find(const ClientPath& path);
  [[nodiscard]] Allocation* find(RelayPortId port) { return port < ports_.size() ? ports_[port] : nullptr; }
  Allocation& insert(const ClientPath& path, const credentials::GrantPtr& grant,
                     std::uint64_t bytes_per_second);
  void erase(Allocation& allocation);

  RelayPortId take_port_id(Allocation& owner);
  void free_port_id(RelayPortId port);

  // After each change of a deadline.
  void schedule(Allocation& allocation);
  [[nodiscard]] bool is_due(Instant now) const { return timers_.is_due(now); }
  [[nodiscard]] Allocation* find_due(Instant now) const {
    return static_cast<Allocation*>(timers_.find_due(now));
  }
  [[nodiscard]] std::optional<Instant> next_deadline() const { return timers_.next(); }

  // Those that match, in the order of their ports, to be ended one after the other.
  [[nodiscard]] std::vector<Allocation*> select(FunctionRef<bool(const Allocation&)> matches,
                                                std::size_t max = SIZE_MAX) const;
  [[nodiscard]] std::size_t size() const { return by_path_.size(); }

 private:
  struct PathHash {
    AddressHash address;
    std::size_t operator()(const ClientPath& path) const noexcept {
      return address(path.client) + path.listener * std::size_t{0x9e3779b97f4a7c15};
    }
  };
  std::unordered_map<ClientPath, Allocation, PathHash> by_path_;
  Allocation* last_found_ = nullptr;  // packets come in trains
  std::vector<Allocation*> ports_;
  std::vector<RelayPortId> free_ports_;
  TimerQueue timers_;
};

}  // namespace turnpike::turn
