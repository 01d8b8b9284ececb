#include "program/control_plane.hpp"

#include <chrono>
#include <utility>

#include "program/provisioning_settings.hpp"

namespace turnpike::program {
namespace {

// Short for whoever changes a subscriber, long for a core that is asked ten thousand times a second.
constexpr std::chrono::milliseconds subscribers_trusted_for{100};

std::optional<provisioning::Settings> make_provisioning(const Config& config) {
  const EpcscfConfig& epcscf = *config.epcscf;
  if (epcscf.sources.empty()) return std::nullopt;
  provisioning::Settings settings = make_provisioning_settings(config, epcscf.sources, epcscf.uris);
  settings.life = epcscf.life;
  return settings;
}

service::EpcscfSettings make_epcscf_settings(const Config& config,
                                             const std::shared_ptr<service::SipNeighbours>& neighbours) {
  return {.door = config.epcscf->door,
          .core = {.listeners = config.epcscf->core_listeners, .neighbours = neighbours},
          .proxy = make_proxy_settings(config)};
}

}  // namespace

epcscf::Settings make_proxy_settings(const Config& config) {
  epcscf::Settings settings = config.epcscf->proxy;
  settings.provisioning = make_provisioning(config);
  return settings;
}

ControlPlane::~ControlPlane() { stop(); }

std::expected<std::unique_ptr<ControlPlane>, std::string> ControlPlane::start(const Config& config,
                                                                              relay::Server* server, Log& log,
                                                                              metrics::Registry& metrics) {
  std::unique_ptr<ControlPlane> plane{new ControlPlane{log}};
  if (auto opened = plane->open(config, server, metrics); !opened)
    return std::unexpected(std::move(opened.error()));
  if (plane->home_core_) plane->home_core_->start();
  if (plane->epcscf_)
    plane->epcscf_->start(
        {.relays = plane->find_relays(plane->epcscf_->loop()), .tokens = plane->tokens_.get()});
  if (plane->api_) plane->api_->start(plane->find_relays(plane->api_->loop()));
  if (plane->waf_)
    plane->waf_->start(
        {.relays = plane->find_relays(plane->waf_->loop()), .registrations = plane->epcscf_.get()});
  return plane;
}

std::expected<void, std::string> ControlPlane::open(const Config& config, relay::Server* server,
                                                    metrics::Registry& metrics) {
  if (config.ims)
    if (auto opened = open_home_core(*config.ims, metrics); !opened) return opened;
  if (config.epcscf)
    if (auto opened = open_epcscf(config, metrics); !opened) return opened;
  if (config.api) {
    auto api = CredentialApi::open(config, log_, metrics);
    if (!api) return std::unexpected(std::move(api.error()));
    api_ = std::move(*api);
    add_api_metrics(metrics, *api_);
  }
  if (config.waf) {
    auto waf = WafRole::open(config, log_, metrics);
    if (!waf) return std::unexpected(std::move(waf.error()));
    waf_ = std::move(*waf);
  }
  if (epcscf_ || api_ || waf_) return open_relays(config, server, metrics);
  return {};
}

std::expected<void, std::string> ControlPlane::open_home_core(const ImsConfig& ims,
                                                              metrics::Registry& metrics) {
  auto book = store::SubscriberBook::open(ims.database, {}, subscribers_trusted_for);
  if (!book) return std::unexpected("the subscribers: " + book.error().text);
  subscribers_.emplace(std::move(*book));
  auto core = service::HomeCoreNode::open(
      {.endpoint = {.listeners = ims.listeners, .neighbours = neighbours_}, .core = ims.core}, *subscribers_,
      home_core_reports_);
  if (!core) return std::unexpected(std::move(core.error()));
  home_core_ = std::move(*core);
  add_home_core_metrics(metrics, *home_core_);
  return {};
}

std::expected<void, std::string> ControlPlane::open_epcscf(const Config& config, metrics::Registry& metrics) {
  epcscf_reports_.emplace(log_, metrics);
  auto node = service::EpcscfNode::open(make_epcscf_settings(config, neighbours_), *epcscf_reports_);
  if (!node) return std::unexpected(std::move(node.error()));
  epcscf_ = std::move(*node);
  if (config.epcscf->tokens) {
    auto tokens = service::TokenDesk::make(epcscf_->loop().context(), *config.epcscf->tokens, log_);
    if (!tokens) return std::unexpected("tokens: " + tokens.error());
    tokens_ = std::move(*tokens);
  }
  add_epcscf_metrics(metrics, *epcscf_);
  return {};
}

// A relay takes one stream from each issuer, so all issuers of this process share one port: on the loop of
// the first of them.
std::expected<void, std::string> ControlPlane::open_relays(const Config& config, relay::Server* server,
                                                           metrics::Registry& metrics) {
  service::Loop& loop = epcscf_ ? epcscf_->loop() : api_ ? api_->loop() : waf_->loop();
  relay_loop_ = &loop;
  if (server != nullptr) relay_ = std::make_unique<LocalRelay>(*server, loop);
  if (config.relays.empty()) return {};
  const auto on_offer = [this](const std::vector<std::string>& uris) {
    if (epcscf_) epcscf_->offer(uris);
    if (api_) api_->offer(uris);
  };
  auto group = RelayGroup::start(config, loop, relay_.get(), on_offer, log_);
  if (!group) return std::unexpected(std::move(group.error()));
  relays_ = std::move(*group);
  add_fleet_metrics(metrics,
                    [this] { return relays_ ? relays_->status() : std::vector<service::RelayStatus>{}; });
  return {};
}

service::RelayPort* ControlPlane::find_relays(service::Loop& for_loop) {
  service::RelayPort* port = relay_.get();
  if (relays_) port = relays_.get();
  if (port == nullptr || &for_loop == relay_loop_) return port;
  posted_relays_.push_back(std::make_unique<PostedRelayPort>(*port, *relay_loop_, for_loop));
  return posted_relays_.back().get();
}

void ControlPlane::tell_ready() const {
  if (epcscf_) {
    for (const service::DoorListener& listener : epcscf_->listeners())
      log_.info("listening",
                {{"address", (listener.is_secure ? "wss:" : "ws:") + listener.address.to_string()},
                 {"part", "epcscf"}});
    for (const service::SipListener& listener : epcscf_->core_listeners())
      log_.info("listening", {{"address", listener.to_string()}, {"part", "epcscf_core_side"}});
  }
  if (home_core_)
    for (const service::SipListener& listener : home_core_->listeners())
      log_.info("listening", {{"address", listener.to_string()}, {"part", "home_core"}});
  if (api_)
    for (const std::string& address : api_->listeners())
      log_.info("listening", {{"address", address}, {"part", "api"}});
  if (waf_)
    for (const std::string& address : waf_->listeners())
      log_.info("listening", {{"address", address}, {"part", "waf"}});
  if (waf_)
    if (const auto address = waf_->key_listener())
      log_.info("listening", {{"address", *address}, {"part", "waf_stun_keys"}});
}

std::expected<void, std::string> ControlPlane::reconfigure(const Config& config) {
  std::expected<void, std::string> outcome;
  if (relays_) outcome = relays_->reconfigure(config);
  if (epcscf_) {
    epcscf_->reconfigure(make_proxy_settings(config));
    if (!config.epcscf->door.certificate.empty())
      if (auto done = epcscf_->reload_certificate(config.epcscf->door.certificate, config.epcscf->door.key);
          outcome)
        outcome = std::move(done);
  }
  for (const auto& of_part :
       {api_ ? api_->reconfigure(config) : outcome, waf_ ? waf_->reconfigure(config) : outcome})
    if (outcome) outcome = of_part;
  return outcome;
}

std::expected<void, std::string> ControlPlane::reconfigure_tokens(const service::TokenSettings& tokens) {
  std::expected<void, std::string> outcome;
  (void)epcscf_->loop().ask([&] { outcome = tokens_->reconfigure(tokens); });
  if (!outcome) return std::unexpected("tokens: " + outcome.error());
  return {};
}

void ControlPlane::drain() {
  if (epcscf_) epcscf_->drain();
}

void ControlPlane::stop() {
  if (api_) api_->stop();
  if (waf_) waf_->stop();
  if (epcscf_) epcscf_->stop();
  if (home_core_) home_core_->stop();
  relays_.reset();
  relay_.reset();  // done with what it was asked for
  tokens_.reset();
}

std::vector<epcscf::RegistrationView> ControlPlane::registrations(std::size_t max) {
  return epcscf_ ? epcscf_->registrations(max) : std::vector<epcscf::RegistrationView>{};
}

std::size_t ControlPlane::deregister(std::string_view impi) {
  const std::size_t ended = epcscf_ ? epcscf_->deregister(impi) : 0;
  if (home_core_) (void)home_core_->deregister(impi);
  return ended;
}

}  // namespace turnpike::program
