#pragma once
// INVITE dialogs and attempts at them, by connection and Call-ID: for limits and reports, and to hang up for
// who has vanished. Forks of one call count once.

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "epcscf/effects.hpp"
#include "epcscf/far_end.hpp"

namespace turnpike::epcscf {

struct Call {
  std::string subject{};
  bool is_originating = false;
  bool is_established = false;
  std::size_t attempts = 0;  // INVITEs that began it and have not failed: forks, or one after the other
  std::optional<FarEnd> far_end{};  // of the dialog that was established first
};

class CallTable {
 public:
  using Key = std::pair<FlowId, std::string>;  // and Call-ID

  [[nodiscard]] Call* find(FlowId flow, std::string_view call_id);
  // The one that is there already, else a new one.
  Call& add(FlowId flow, std::string_view call_id);
  void remove(FlowId flow, std::string_view call_id);
  // The device of the calls has come back on another connection.
  void move(FlowId from, FlowId to);
  [[nodiscard]] std::vector<Key> of_flow(FlowId flow) const;
  [[nodiscard]] std::size_t count_of_flow(FlowId flow) const { return of_flow(flow).size(); }
  [[nodiscard]] std::size_t size() const { return calls_.size(); }

  // Connections that are lost, until their calls are given up.
  void lose(FlowId flow, Instant until);
  [[nodiscard]] std::optional<FlowId> take_lost(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

 private:
  std::map<Key, Call> calls_;
  std::set<std::pair<Instant, FlowId>> lost_;
};

}  // namespace turnpike::epcscf
