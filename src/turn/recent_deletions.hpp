#pragma once
// Which Refresh requests have deleted an allocation lately, so that their retransmissions are told of the
// success again instead of 437 (RFC 8489 section 6.3.1 wants 40 s). Two generations of keyed hashes: one is
// remembered for 40 to 80 s, in some 40 bytes, and the oldest are forgotten first when there are too many.

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_set>

#include "base/address.hpp"
#include "base/time.hpp"
#include "stun/message.hpp"
#include "turn/types.hpp"

namespace turnpike::turn {

class RecentDeletions {
 public:
  static constexpr std::chrono::seconds remembered_for{40};
  static constexpr std::size_t per_generation_max = 65536;

  explicit RecentDeletions(std::uint64_t hash_key) : hash_{hash_key} {}

  void add(const ClientPath& path, const stun::TransactionId& id, Instant now);
  [[nodiscard]] bool contains(const ClientPath& path, const stun::TransactionId& id) const;
  [[nodiscard]] std::optional<Instant> next_deadline() const { return turns_at_; }
  void on_timeout(Instant now);

 private:
  [[nodiscard]] std::uint64_t hash(const ClientPath& path, const stun::TransactionId& id) const;
  void turn(Instant now);

  AddressHash hash_;
  std::unordered_set<std::uint64_t> young_, old_;
  std::optional<Instant> turns_at_;  // nothing: nothing is remembered
};

}  // namespace turnpike::turn
