#pragma once
// A fleet of remote relays, and the relay of the same process beside them, behind the one port of the
// eP-CSCF: credentials are pushed to the fleet alone, and revocations go to both, as the relay of the process
// may know what was computed from the same secret.

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/random.hpp"
#include "program/config.hpp"
#include "program/local_relay.hpp"
#include "service/epcscf_node.hpp"
#include "service/relay_fleet.hpp"

namespace turnpike::program {

class RelayGroup final : public service::RelayPort {
 public:
  // For a node that has not started, on whose loop it works; the URIs of the relays that live are handed out
  // by that node. It ends when that loop has ended and before the node does. Log and local relay outlive it.
  static std::expected<std::unique_ptr<RelayGroup>, std::string> start(const Config& config,
                                                                       service::EpcscfNode& node,
                                                                       LocalRelay& local, Log& log);

  void put(const credentials::PushedCredential& credential, Completion on_done) override;
  void revoke(const credentials::Revocation& revocation, Completion on_done) override;

 private:
  explicit RelayGroup(LocalRelay& local) : local_(local) {}

  LocalRelay& local_;
  SystemRandom random_{};
  std::unique_ptr<service::RelayFleet> fleet_{};
};

// Regions in the order of first appearance, and deadlines below the eP-CSCF's patience with a push.
service::RelayFleetSettings make_fleet_settings(const Config& config);
// What is handed out while no relay's interface answers, for credentials that need no push: the relays
// themselves may live.
std::vector<std::string> find_unconfirmed_uris(const Config& config);

}  // namespace turnpike::program
