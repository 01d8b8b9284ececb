#pragma once
// Hops is the numbers of the peers that the transaction layer calls flows. Anybody makes new ones, by a
// message before any check, so whoever is not trusted makes room for the next: nobody locks out another.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/time.hpp"
#include "sip/hop.hpp"
#include "sip/transaction_layer.hpp"

namespace turnpike::ims {

class Hops {
 public:
  // No transaction sleeps longer without a message: timer C of a proxy is the longest.
  static constexpr std::chrono::minutes memory{10};
  static constexpr std::chrono::seconds sweep_interval{1};

  explicit Hops(std::size_t hops_max) : hops_max_(hops_max) {}

  // Where there are too many, that of a stranger which was used least lately is forgotten. Nothing when all
  // are of trusted nodes and were used lately.
  std::optional<sip::Flow> flow_of(const sip::Hop& hop, bool is_trusted, Now now);
  [[nodiscard]] const sip::Hop* find(std::uint64_t flow) const;
  [[nodiscard]] std::optional<std::uint64_t> find(const sip::Hop& hop) const;
  [[nodiscard]] std::size_t size() const { return hops_.size(); }

 private:
  struct Entry {
    std::uint64_t id = 0;
    Instant used_at{};
  };
  void make_room(Now now);
  void forget_old(Now now);

  std::size_t hops_max_;
  std::uint64_t last_id_ = 0;
  std::optional<Instant> swept_at_{};
  std::map<sip::Hop, Entry> hops_;
  std::unordered_map<std::uint64_t, sip::Hop> by_id_;      // looked up alone
  std::set<std::pair<Instant, std::uint64_t>> strangers_;  // those that are not trusted, by their last use
};

}  // namespace turnpike::ims
