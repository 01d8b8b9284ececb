#include "epcscf/call_table.hpp"

namespace turnpike::epcscf {

Call* CallTable::find(FlowId flow, std::string_view call_id) {
  const auto found = calls_.find({flow, std::string{call_id}});
  return found == calls_.end() ? nullptr : &found->second;
}

Call& CallTable::add(FlowId flow, std::string_view call_id) {
  return calls_.try_emplace({flow, std::string{call_id}}).first->second;
}

void CallTable::remove(FlowId flow, std::string_view call_id) { calls_.erase({flow, std::string{call_id}}); }

std::vector<CallTable::Key> CallTable::of_flow(FlowId flow) const {
  std::vector<Key> found;
  for (auto at = calls_.lower_bound({flow, {}}); at != calls_.end() && at->first.first == flow; ++at)
    found.push_back(at->first);
  return found;
}

void CallTable::move(FlowId from, FlowId to) {
  for (const Key& key : of_flow(from)) {
    auto node = calls_.extract(key);
    node.key().first = to;
    calls_.insert(std::move(node));
  }
}

void CallTable::lose(FlowId flow, Instant until) {
  if (!of_flow(flow).empty()) lost_.emplace(until, flow);
}

std::optional<FlowId> CallTable::take_lost(Instant now) {
  if (lost_.empty() || lost_.begin()->first > now) return std::nullopt;
  const FlowId flow = lost_.begin()->second;
  lost_.erase(lost_.begin());
  return flow;
}

std::optional<Instant> CallTable::next_timeout() const {
  return lost_.empty() ? std::nullopt : std::optional{lost_.begin()->first};
}

}  // namespace turnpike::epcscf
