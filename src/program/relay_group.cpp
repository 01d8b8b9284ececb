#include "program/relay_group.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <future>
#include <utility>

namespace turnpike::program {
namespace {

// Of an issuer's patience, so that a relay that does not answer is known before the push is given up.
constexpr int deadline_percent = 80;
// Longer than an exchange with a relay, and one that was under way before.
constexpr std::chrono::seconds confirmation_patience{2};

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
  const auto bound = [&](Duration patience) {
    const auto whole = std::chrono::floor<std::chrono::milliseconds>(patience);
    settings.deadline = std::min(settings.deadline, whole * deadline_percent / 100);
  };
  if (config.epcscf) bound(config.epcscf->proxy.push_patience);
  if (config.api) bound(config.api->desk.push_patience);
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
                                                                          service::Loop& loop,
                                                                          LocalRelay* local,
                                                                          service::RelayFleet::Offer on_offer,
                                                                          Log& log) {
  std::unique_ptr<RelayGroup> group{new RelayGroup{loop, local}};
  auto tell = [&log, on_offer = std::move(on_offer)](std::vector<std::string> uris) {
    tell_offer(log, uris);
    on_offer(std::move(uris));
  };
  auto fleet = service::RelayFleet::start(loop.context(), make_fleet_settings(config), group->random_,
                                          std::move(tell));
  if (!fleet) return std::unexpected("relays: " + fleet.error());
  group->fleet_ = std::move(*fleet);
  return group;
}

void RelayGroup::put(const credentials::PushedCredential& credential, Completion on_done) {
  fleet_->put(credential, std::move(on_done));
}

void RelayGroup::revoke(const credentials::Revocation& revocation, Completion on_done) {
  if (local_ == nullptr) return fleet_->revoke(revocation, std::move(on_done));
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
  local_->revoke(revocation, count);
}

std::expected<void, std::string> RelayGroup::reconfigure(const Config& config) {
  service::RelayFleetSettings settings = make_fleet_settings(config);
  std::expected<void, std::string> outcome;
  (void)loop_.ask(
      [&] { outcome = fleet_->reconfigure(std::move(settings.relays), std::move(settings.regions)); });
  if (!outcome) return std::unexpected("relays: " + outcome.error());
  return {};
}

std::vector<service::RelayStatus> RelayGroup::status() {
  std::vector<service::RelayStatus> all;
  (void)loop_.ask([&] { all = fleet_->status(); });
  return all;
}

bool RelayGroup::revoke_at_fleet(const credentials::Revocation& revocation) {
  const auto answer = std::make_shared<std::promise<bool>>();
  auto outcome = answer->get_future();
  const bool is_asked =
      loop_.ask([&] { fleet_->revoke(revocation, [answer](bool is_done) { answer->set_value(is_done); }); });
  return is_asked && outcome.wait_for(confirmation_patience) == std::future_status::ready && outcome.get();
}

void add_fleet_metrics(metrics::Registry& metrics,
                       std::function<std::vector<service::RelayStatus>()> status) {
  metrics.on_collect([status = std::move(status)](metrics::Samples& samples) {
    for (const service::RelayStatus& relay : status()) {
      const metrics::Labels labels{{"relay", relay.name}, {"region", relay.region}};
      const auto gauge = [&](const char* name, const char* help, double value) {
        samples.gauge(name, help, labels, value);
      };
      gauge("turnpike_fleet_relay_live", "1 while the relay has all that was put and revoked", relay.is_live);
      gauge("turnpike_fleet_relay_offered", "1 while its URIs are handed out", relay.is_offered);
      gauge("turnpike_fleet_relay_load", "Of the fuller of its allocations and its credentials, 0 to 1",
            relay.load);
      gauge("turnpike_fleet_relay_credentials", "Pushed credentials that it has, of all issuers",
            static_cast<double>(relay.credentials));
      gauge("turnpike_fleet_relay_waiting", "Changes that it has not acknowledged",
            static_cast<double>(relay.waiting));
      samples.counter("turnpike_fleet_relay_failures_total", "Times that it was lost or not reached", labels,
                      static_cast<double>(relay.failures));
    }
  });
}

}  // namespace turnpike::program
