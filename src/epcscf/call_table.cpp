#include "epcscf/call_table.hpp"

#include <algorithm>

namespace turnpike::epcscf {

Call* CallTable::find(FlowId flow, std::string_view call_id) {
  const auto found = calls_.find({flow, std::string{call_id}});
  return found == calls_.end() ? nullptr : &found->second;
}

std::optional<FlowId> CallTable::find_holder(FlowId flow, std::string_view call_id) const {
  const Key key{flow, std::string{call_id}};
  if (calls_.contains(key)) return flow;
  const auto moved = moved_.find(key);
  return moved == moved_.end() ? std::nullopt : std::optional{moved->second};
}

Call& CallTable::add(FlowId flow, std::string_view call_id) {
  return calls_.try_emplace({flow, std::string{call_id}}).first->second;
}

void CallTable::remove(FlowId flow, std::string_view call_id) {
  const auto found = calls_.find({flow, std::string{call_id}});
  if (found == calls_.end()) return;
  for (const FlowId former : found->second.former_flows) moved_.erase({former, std::string{call_id}});
  calls_.erase(found);
}

std::vector<CallTable::Key> CallTable::of_flow(FlowId flow) const {
  std::vector<Key> found;
  for (auto at = calls_.lower_bound({flow, {}}); at != calls_.end() && at->first.first == flow; ++at)
    found.push_back(at->first);
  return found;
}

void CallTable::move(FlowId from, FlowId to, std::string_view impi) {
  for (const Key& key : of_flow(from))
    if (calls_.at(key).impi == impi) move_call(key, to);
}

void CallTable::move_back(FlowId from, const std::function<bool(FlowId)>& lives) {
  for (const Key& key : of_flow(from)) {
    const std::vector<FlowId>& former = calls_.at(key).former_flows;
    const auto living = std::ranges::find_if(former.rbegin(), former.rend(), lives);
    if (living != former.rend()) move_call(key, FlowId{*living});
  }
}

void CallTable::move_call(const Key& key, FlowId to) {
  const auto& [from, call_id] = key;
  Call call = std::move(calls_.extract(key).mapped());
  Call& there = add(to, call_id);
  std::vector<FlowId> former = std::move(call.former_flows);
  former.push_back(from);
  former.insert(former.end(), there.former_flows.begin(), there.former_flows.end());
  std::erase(former, to);
  const std::size_t attempts = there.attempts + call.attempts;
  if (!there.is_established) there = std::move(call);
  there.attempts = attempts;
  moved_.erase({to, call_id});
  for (; former.size() > former_flows_max; former.erase(former.begin()))
    moved_.erase({former.front(), call_id});
  for (const FlowId flow : former) moved_[{flow, call_id}] = to;
  there.former_flows = std::move(former);
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
