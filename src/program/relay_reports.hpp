#pragma once
// What the relay reports, as log lines and counters. Subjects are opaque and remote addresses are what an
// operator needs; names, passwords, tokens and keys stay out.

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "program/line_budget.hpp"
#include "relay/server.hpp"

namespace turnpike::program {

// Used from all shards at once. Strangers decide how often they are refused, so at most refusals_per_second
// of those lines are written, and the next one says how many were left out.
class RelayReports final : public relay::Observer {
 public:
  static constexpr int refusals_per_second = 20;

  RelayReports(Log& log, metrics::Registry& metrics);
  void on_report(const turn::Report& report, Now now) override;

 private:
  void on_created(const turn::AllocationCreated& created);
  void on_ended(const turn::AllocationEnded& ended);
  void on_refused(const turn::Refused& refused, Now now);

  Log& log_;
  std::vector<metrics::Counter> created_{};              // by Source
  std::vector<metrics::Counter> ended_{};                // by EndReason
  std::map<std::uint16_t, metrics::Counter> refused_{};  // by code
  LineBudget budget_{refusals_per_second};
};

// The relay's own counters; the relay outlives the registry's last serialise().
void add_relay_metrics(metrics::Registry& metrics, relay::Server& server);

}  // namespace turnpike::program
