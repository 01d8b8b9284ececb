#pragma once
// A fleet of remote relays, and the relay of the same process if there is one, behind the one port of this
// process's issuers: credentials are pushed to the fleet alone, and revocations go to both, as the relay of
// the process may know what was computed from the same secret.

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "program/config.hpp"
#include "program/local_relay.hpp"
#include "service/loop.hpp"
#include "service/relay_fleet.hpp"

namespace turnpike::program {

class RelayGroup final : public service::RelayPort {
 public:
  // For a loop that has not started. `local` is null without a relay in this process; `on_offer` is told on
  // the loop of the URIs of the relays that live. It ends when the loop has ended and before that is
  // destroyed. Log and local relay outlive it.
  static std::expected<std::unique_ptr<RelayGroup>, std::string> start(const Config& config,
                                                                       service::Loop& loop, LocalRelay* local,
                                                                       service::RelayFleet::Offer on_offer,
                                                                       Log& log);

  void put(const credentials::PushedCredential& credential, Completion on_done) override;
  void revoke(const credentials::Revocation& revocation, Completion on_done) override;

  // --- from another thread than the loop's ---
  // Relays and regions of a configuration that was read again; a sentence where they cannot be used.
  std::expected<void, std::string> reconfigure(const Config& config);
  // In the order of the configuration; nothing when the loop does not run.
  std::vector<service::RelayStatus> status();
  // At the fleet alone: whether every relay of it that lives has obeyed in time. The others will before they
  // are offered again.
  bool revoke_at_fleet(const credentials::Revocation& revocation);

 private:
  RelayGroup(service::Loop& loop, LocalRelay* local) : loop_(loop), local_(local) {}

  service::Loop& loop_;
  LocalRelay* local_;
  SystemRandom random_{};
  std::unique_ptr<service::RelayFleet> fleet_{};
};

// Regions in the order of first appearance, and deadlines below every issuer's patience with a push.
service::RelayFleetSettings make_fleet_settings(const Config& config);
// What is handed out while no relay's interface answers, for credentials that need no push: the relays
// themselves may live.
std::vector<std::string> find_unconfirmed_uris(const Config& config);

// One sample per relay, as `status` tells at the moment of asking.
void add_fleet_metrics(metrics::Registry& metrics, std::function<std::vector<service::RelayStatus>()> status);

}  // namespace turnpike::program
