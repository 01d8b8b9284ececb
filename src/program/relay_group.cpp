#include "program/relay_group.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace turnpike::program {
namespace {

// Of the eP-CSCF's patience, so that a relay that does not answer is known before the push is given up.
constexpr int deadline_percent = 80;

void tell_offer(Log& log, const std::vector<std::string>& uris) {
  if (uris.empty())
    log.warn("relays_offered", {{"uris", "none"}, {"problem", "no relay of [[relays]] can be used"}});
  else
    log.info("relays_offered", {{"uris", fmt::format("{}", fmt::join(uris, ","))}});
}

}  // namespace

service::RelayFleetSettings make_fleet_settings(const Config& config) {
  service::RelayFleetSettings settings;
  settings.relays = config.relays;
  settings.realm = config.credentials.realm;
  for (const service::RelaySettings& relay : config.relays)
    if (std::ranges::find(settings.regions, relay.region) == settings.regions.end())
      settings.regions.push_back(relay.region);
  const auto patience = std::chrono::floor<std::chrono::milliseconds>(config.epcscf->proxy.push_patience);
  settings.deadline = std::min(settings.deadline, patience * deadline_percent / 100);
  return settings;
}

std::vector<std::string> find_unconfirmed_uris(const Config& config) {
  const std::size_t count = std::min(config.relays.size(), service::RelayFleetSettings{}.offered_max);
  std::vector<std::string> uris;
  for (std::size_t at = 0; at < count; ++at)
    uris.insert(uris.end(), config.relays[at].uris.begin(), config.relays[at].uris.end());
  return uris;
}

std::expected<std::unique_ptr<RelayGroup>, std::string> RelayGroup::start(const Config& config,
                                                                          service::EpcscfNode& node,
                                                                          LocalRelay& local, Log& log) {
  std::unique_ptr<RelayGroup> group{new RelayGroup{local}};
  const auto on_offer = [&node, &log](std::vector<std::string> uris) {
    tell_offer(log, uris);
    node.offer(std::move(uris));
  };
  auto fleet = service::RelayFleet::start(node.loop().context(), make_fleet_settings(config), group->random_,
                                          on_offer);
  if (!fleet) return std::unexpected("relays: " + fleet.error());
  group->fleet_ = std::move(*fleet);
  return group;
}

void RelayGroup::put(const credentials::PushedCredential& credential, Completion on_done) {
  fleet_->put(credential, std::move(on_done));
}

void RelayGroup::revoke(const credentials::Revocation& revocation, Completion on_done) {
  struct Both {
    Completion on_done;
    int waits_for = 2;
    bool is_done = true;
  };
  const auto both = std::make_shared<Both>(Both{.on_done = std::move(on_done)});
  const auto count = [both](bool is_done) {
    both->is_done &= is_done;
    if (--both->waits_for == 0) both->on_done(both->is_done);
  };
  fleet_->revoke(revocation, count);
  local_.revoke(revocation, count);
}

}  // namespace turnpike::program
