#include "credentials/deny_list.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace turnpike::credentials {

using By = Revocation::By;

bool DenyList::add(const Revocation& revocation, WallTime wall) {
  Ends& ends = ends_[static_cast<std::size_t>(revocation.by)];
  const auto known = ends.find(revocation.value);
  if (known != ends.end()) {
    known->second = std::max(known->second, revocation.until);
    return true;
  }
  if (size() >= room_) drop_ended(wall);
  // What has ended by itself is kept where there is room: the clock may be set back.
  if (size() >= room_) return revocation.until <= wall;
  ends.emplace(revocation.value, revocation.until);
  first_end_ = std::min(first_end_, revocation.until);
  return true;
}

bool DenyList::denies(const Grant& grant, WallTime wall) const {
  if (has(By::username, grant.username, wall)) return true;
  if (has(By::subject, grant.subject, wall)) return true;
  if (denies_kid(grant.kid, wall)) return true;
  const bool lists_tokens = !ends_[static_cast<std::size_t>(By::token_hash)].empty();
  return lists_tokens && grant.token_hash && has(By::token_hash, to_hex(*grant.token_hash), wall);
}

bool DenyList::holds(const Revocation& revocation, WallTime wall) const {
  return revocation.until <= wall || has(revocation.by, revocation.value, wall);
}

std::vector<Revocation> DenyList::list(WallTime wall) const {
  std::vector<Revocation> revocations;
  for (std::size_t kind = 0; kind < kind_count; ++kind)
    for (const auto& [value, until] : ends_[kind])
      if (until > wall) revocations.push_back({static_cast<By>(kind), value, until});
  return revocations;
}

std::size_t DenyList::size() const {
  std::size_t size = 0;
  for (const Ends& ends : ends_) size += ends.size();
  return size;
}

bool DenyList::has(By by, std::string_view value, WallTime wall) const {
  const Ends& ends = ends_[static_cast<std::size_t>(by)];
  const auto found = ends.find(value);
  return found != ends.end() && found->second > wall;
}

bool DenyList::denies_kid(std::string_view kid, WallTime wall) const {
  if (kid.empty() || ends_[static_cast<std::size_t>(By::kid)].empty()) return false;
  for (std::size_t dot = kid.find('.'); dot != std::string_view::npos; dot = kid.find('.', dot + 1))
    if (has(By::kid, kid.substr(0, dot), wall)) return true;
  return has(By::kid, kid, wall);
}

// Looks through the list only when something in it has ended, so that a full list refuses at no cost.
void DenyList::drop_ended(WallTime wall) {
  if (first_end_ > wall) return;
  first_end_ = WallTime::max();
  for (Ends& ends : ends_) {
    std::erase_if(ends, [wall](const auto& entry) { return entry.second <= wall; });
    for (const auto& [value, until] : ends) first_end_ = std::min(first_end_, until);
  }
}

}  // namespace turnpike::credentials
