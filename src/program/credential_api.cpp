#include "program/credential_api.hpp"

#include <utility>

#include "program/provisioning_settings.hpp"

namespace turnpike::program {

service::ApiSettings make_api_settings(const Config& config) {
  service::ApiSettings settings = config.api->desk;
  for (const auto& [wwsf, origins] : config.api->wwsf_origins)
    settings.origins.insert(settings.origins.end(), origins.begin(), origins.end());
  settings.provisioning = make_provisioning_settings(config, config.api->sources, config.api->uris);
  return settings;
}

std::expected<std::unique_ptr<CredentialApi>, std::string> CredentialApi::open(const Config& config, Log& log,
                                                                               metrics::Registry& metrics) {
  std::unique_ptr<CredentialApi> api{new CredentialApi{log, metrics}};
  api->settings_ = make_api_settings(config);
  if (config.api->tokens) {
    auto tokens = service::TokenDesk::make(api->loop_.context(), *config.api->tokens, log);
    if (!tokens) return std::unexpected("api.tokens: " + tokens.error());
    api->tokens_ = std::move(*tokens);
  }
  if (auto listening = api->listen(*config.api); !listening)
    return std::unexpected("the credential API: " + listening.error());
  return api;
}

std::expected<void, std::string> CredentialApi::listen(const ApiConfig& config) {
  for (const HttpListener& listener : config.door.listeners) {
    service::HttpServerSettings settings{.listen = listener.address,
                                         .requires_client_certificate = false,
                                         .connections_max = config.connections_max,
                                         .connections_per_source_max = config.connections_per_source_max};
    if (listener.is_secure) {
      settings.certificate_file = config.door.certificate;
      settings.key_file = config.door.key;
      settings.client_ca_file = config.client_ca;
    }
    auto server = service::HttpServer::start(
        loop_.context(), settings,
        [this](service::ServedRequest request, service::HttpServer::Respond respond) {
          desk_->answer(std::move(request), std::move(respond));
        });
    if (!server) return std::unexpected(std::move(server.error()));
    servers_.push_back(std::move(*server));
    are_secure_.push_back(listener.is_secure);
  }
  return {};
}

CredentialApi::~CredentialApi() { stop(); }

void CredentialApi::start(service::RelayPort* relays) {
  desk_ = std::make_unique<service::ApiDesk>(loop_.context(), *std::exchange(settings_, std::nullopt),
                                             service::ApiPorts{.relays = relays, .tokens = tokens_.get()},
                                             random_, reports_);
  loop_.start("api");
}

void CredentialApi::stop() { loop_.stop(); }

void CredentialApi::offer(std::vector<std::string> uris) {
  loop_.post([this, uris = std::move(uris)]() mutable { desk_->offer(std::move(uris)); });
}

std::expected<void, std::string> CredentialApi::reconfigure(const Config& config) {
  std::expected<void, std::string> outcome;
  loop_.ask([&] {
    desk_->reconfigure(make_api_settings(config));
    if (tokens_ && config.api->tokens) outcome = tokens_->reconfigure(*config.api->tokens);
    for (std::size_t at = 0; at < servers_.size() && outcome; ++at)
      if (are_secure_[at])
        outcome = servers_[at]->reload_certificate(config.api->door.certificate, config.api->door.key);
  });
  return outcome;
}

std::vector<service::ApiUserView> CredentialApi::users(std::size_t max) {
  std::vector<service::ApiUserView> users;
  loop_.ask([&] { users = desk_->users(max); });
  return users;
}

std::size_t CredentialApi::withdraw(std::string_view user) {
  std::size_t count = 0;
  loop_.ask([&] { count = desk_->withdraw(user); });
  return count;
}

service::ApiCounters CredentialApi::counters() {
  service::ApiCounters counters;
  loop_.ask([&] { counters = desk_->counters(); });
  return counters;
}

std::vector<std::string> CredentialApi::listeners() const {
  std::vector<std::string> names;
  names.reserve(servers_.size());
  for (std::size_t at = 0; at < servers_.size(); ++at)
    names.push_back((are_secure_[at] ? "https:" : "http:") + servers_[at]->listener().to_string());
  return names;
}

service::RelayPort::Completion PostedRelayPort::bring_home(Completion on_done) const {
  return [&home = own_loop_, on_done = std::move(on_done)](bool is_done) mutable {
    home.post([is_done, on_done = std::move(on_done)]() mutable { on_done(is_done); });
  };
}

void PostedRelayPort::put(const credentials::PushedCredential& credential, Completion on_done) {
  its_loop_.post([&port = port_, credential, on_done = bring_home(std::move(on_done))]() mutable {
    port.put(credential, std::move(on_done));
  });
}

void PostedRelayPort::revoke(const credentials::Revocation& revocation, Completion on_done) {
  its_loop_.post([&port = port_, revocation, on_done = bring_home(std::move(on_done))]() mutable {
    port.revoke(revocation, std::move(on_done));
  });
}

}  // namespace turnpike::program
