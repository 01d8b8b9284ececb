#include "ims/hops.hpp"

namespace turnpike::ims {

std::optional<sip::Flow> Hops::flow_of(const sip::Hop& hop, Now now) {
  auto found = hops_.find(hop);
  if (found == hops_.end()) {
    if (hops_.size() >= hops_max_) forget_old(now);
    if (hops_.size() >= hops_max_) return std::nullopt;
    found = hops_.emplace(hop, Entry{.id = ++last_id_}).first;
    by_id_.emplace(found->second.id, hop);
  }
  found->second.used_at = now.mono;
  return sip::Flow{
      .id = found->second.id, .is_reliable = hop.transport == sip::Transport::tcp, .is_shared = true};
}

const sip::Hop* Hops::find(std::uint64_t flow) const {
  const auto found = by_id_.find(flow);
  return found == by_id_.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> Hops::find(const sip::Hop& hop) const {
  const auto found = hops_.find(hop);
  return found == hops_.end() ? std::nullopt : std::optional{found->second.id};
}

// A walk over all of them, and therefore rare.
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
