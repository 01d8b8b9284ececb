#pragma once
// INVITE dialogs and attempts at them, by connection and Call-ID: for limits and reports, and to hang up for
// who has vanished. Forks of one call count once.

#include <cstddef>
#include <functional>
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
  std::string impi{};     // of its user
  std::string subject{};  // of the registration under which it began
  bool is_originating = false;
  bool is_established = false;
  std::size_t attempts = 0;  // INVITEs that began it and have not failed: forks, or one after the other
  std::optional<FarEnd> far_end{};  // of the dialog that was established first
  std::vector<FlowId>
      former_flows{};  // on which it was before its device came back on another, the last ones
};

class CallTable {
 public:
  using Key = std::pair<FlowId, std::string>;  // and Call-ID

  [[nodiscard]] Call* find(FlowId flow, std::string_view call_id);
  // The connection under which a call stands that began on this one: another where its device has come back.
  [[nodiscard]] std::optional<FlowId> find_holder(FlowId flow, std::string_view call_id) const;
  // The one that is there already, else a new one.
  Call& add(FlowId flow, std::string_view call_id);
  void remove(FlowId flow, std::string_view call_id);
  // A device of this user has come back on another connection. Who calls himself has both sides of the call
  // under one name: they become one.
  void move(FlowId from, FlowId to, std::string_view impi);
  // A connection is lost: its calls go on where they were before, if that lives. A device may have several.
  void move_back(FlowId from, const std::function<bool(FlowId)>& lives);
  [[nodiscard]] std::vector<Key> of_flow(FlowId flow) const;
  [[nodiscard]] std::size_t count_of_flow(FlowId flow) const { return of_flow(flow).size(); }
  [[nodiscard]] std::size_t size() const { return calls_.size(); }

  // Connections that are lost, until their calls are given up.
  void lose(FlowId flow, Instant until);
  [[nodiscard]] std::optional<FlowId> take_lost(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

 private:
  static constexpr std::size_t former_flows_max = 8;
  void move_call(const Key& key, FlowId to);

  std::map<Key, Call> calls_;
  std::map<Key, FlowId> moved_;  // by each of the former connections
  std::set<std::pair<Instant, FlowId>> lost_;
};

}  // namespace turnpike::epcscf
