#include "epcscf/login_queue.hpp"

namespace turnpike::epcscf {

LoginQueue::Turn LoginQueue::turn_of(const std::string& source, Instant now) const {
  const std::size_t left = failures_.left(source, now);
  if (left == 0) return Turn::never;
  const auto known = sources_.find(source);
  return known != sources_.end() && known->second.under_way >= left ? Turn::later : Turn::now;
}

void LoginQueue::begin(const std::string& source) { ++sources_[source].under_way; }

void LoginQueue::end(const std::string& source, bool has_failed, Instant now) {
  if (has_failed) static_cast<void>(failures_.spend(source, now));
  --sources_.find(source)->second.under_way;
  forget_idle(source);
}

bool LoginQueue::wait(RegisterRequest& request, const std::string& source, Instant until) {
  Source& known = sources_[source];
  if (known.waiting.size() >= waiting_max_) return false;
  const Id id{++last_};
  known.waiting.insert(id);
  ends_.emplace(until, id);
  of_flow_.emplace(request.flow, id);
  waiting_.emplace(id, Waiting{std::move(request), source, until});
  return true;
}

RegisterRequest LoginQueue::take(Id id) {
  Waiting taken = std::move(waiting_.extract(id).mapped());
  ends_.erase({taken.until, id});
  of_flow_.erase({taken.request.flow, id});
  sources_.find(taken.source)->second.waiting.erase(id);
  forget_idle(taken.source);
  return std::move(taken.request);
}

std::optional<RegisterRequest> LoginQueue::take_first(const std::string& source) {
  const auto known = sources_.find(source);
  if (known == sources_.end() || known->second.waiting.empty()) return std::nullopt;
  return take(*known->second.waiting.begin());
}

std::optional<RegisterRequest> LoginQueue::take_overdue(Instant now) {
  if (ends_.empty() || ends_.begin()->first > now) return std::nullopt;
  return take(ends_.begin()->second);
}

void LoginQueue::forget(FlowId flow) {
  for (auto at = of_flow_.lower_bound({flow, Id{}}); at != of_flow_.end() && at->first == flow;
       at = of_flow_.lower_bound({flow, Id{}}))
    static_cast<void>(take(at->second));
}

std::optional<Instant> LoginQueue::next_timeout() const {
  return ends_.empty() ? std::nullopt : std::optional{ends_.begin()->first};
}

void LoginQueue::forget_idle(const std::string& source) {
  const auto known = sources_.find(source);
  if (known->second.under_way == 0 && known->second.waiting.empty()) sources_.erase(known);
}

}  // namespace turnpike::epcscf
