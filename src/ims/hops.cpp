#include "ims/hops.hpp"

namespace turnpike::ims {

std::optional<sip::Flow> Hops::flow_of(const sip::Hop& hop, bool is_trusted, Now now) {
  auto found = hops_.find(hop);
  if (found == hops_.end()) {
    if (hops_.size() >= hops_max_) make_room(now);
    if (hops_.size() >= hops_max_) return std::nullopt;
    found = hops_.emplace(hop, Entry{.id = ++last_id_}).first;
    by_id_.emplace(found->second.id, hop);
  }
  Entry& entry = found->second;
  strangers_.erase({entry.used_at, entry.id});
  entry.used_at = now.mono;
  if (!is_trusted) strangers_.emplace(entry.used_at, entry.id);
  return sip::Flow{.id = entry.id, .is_reliable = hop.transport == sip::Transport::tcp, .is_shared = true};
}

const sip::Hop* Hops::find(std::uint64_t flow) const {
  const auto found = by_id_.find(flow);
  return found == by_id_.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> Hops::find(const sip::Hop& hop) const {
  const auto found = hops_.find(hop);
  return found == hops_.end() ? std::nullopt : std::optional{found->second.id};
}

void Hops::make_room(Now now) {
  if (strangers_.empty()) return forget_old(now);
  const auto oldest = by_id_.find(strangers_.begin()->second);
  hops_.erase(oldest->second);
  by_id_.erase(oldest);
  strangers_.erase(strangers_.begin());
}

// A walk over all of them, and therefore rare. There is no stranger.
void Hops::forget_old(Now now) {
  if (swept_at_ && *swept_at_ + sweep_interval > now.mono) return;
  swept_at_ = now.mono;
  std::erase_if(hops_, [&](const auto& entry) {
    if (entry.second.used_at + memory > now.mono) return false;
    by_id_.erase(entry.second.id);
    return true;
  });
}

}  // namespace turnpike::ims
