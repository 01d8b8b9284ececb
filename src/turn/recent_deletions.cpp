#include "turn/recent_deletions.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace turnpike::turn {

void RecentDeletions::add(const ClientPath& path, const stun::TransactionId& id, Instant now) {
  on_timeout(now);
  if (!turns_at_) turns_at_ = now + remembered_for;
  if (young_.size() >= per_generation_max) turn(now);
  young_.insert(hash(path, id));
}

bool RecentDeletions::contains(const ClientPath& path, const stun::TransactionId& id) const {
  const std::uint64_t wanted = hash(path, id);
  return young_.contains(wanted) || old_.contains(wanted);
}

void RecentDeletions::on_timeout(Instant now) {
  if (!turns_at_ || now < *turns_at_) return;
  const bool is_over = now >= *turns_at_ + remembered_for;  // nobody has asked for a whole generation
  turn(now);
  if (is_over) turn(now);
}

void RecentDeletions::turn(Instant now) {
  old_ = std::exchange(young_, {});
  turns_at_.reset();
  if (!old_.empty()) turns_at_ = now + remembered_for;
}

// The id in two parts, mixed by the keyed hash of addresses: nobody who lacks the key finds a second one.
std::uint64_t RecentDeletions::hash(const ClientPath& path, const stun::TransactionId& id) const {
  std::array<Byte, 16> words{};
  std::copy(id.begin(), id.end(), words.begin());
  store_big(words.data() + id.size(), static_cast<std::uint32_t>(path.listener));
  const std::uint64_t of_client = hash_(path.client);
  return AddressHash{hash_.key ^ of_client}(IpAddress::v6(words));
}

}  // namespace turnpike::turn
