#pragma once
// Hops is the numbers of the peers that the transaction layer calls flows.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

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

  // Nothing when there are too many that were heard of lately.
  std::optional<sip::Flow> flow_of(const sip::Hop& hop, Now now);
  [[nodiscard]] const sip::Hop* find(std::uint64_t flow) const;
  [[nodiscard]] std::optional<std::uint64_t> find(const sip::Hop& hop) const;
  [[nodiscard]] std::size_t size() const { return hops_.size(); }

 private:
  struct Entry {
    std::uint64_t id = 0;
    Instant used_at{};
  };
  void forget_old(Now now);

  std::size_t hops_max_;
  std::uint64_t last_id_ = 0;
  std::optional<Instant> swept_at_{};
  std::map<sip::Hop, Entry> hops_;
  std::unordered_map<std::uint64_t, sip::Hop> by_id_;  // looked up alone
};

}  // namespace turnpike::ims
