#include "program/relay_interface.hpp"

#include "service/loop_impl.hpp"

namespace turnpike::program {

service::RelayHealth RelayStore::health() {
  return {.is_draining = server_.is_draining(),
          .realm = realm_,
          .allocations = server_.counters().allocations_active,
          .allocations_max = allocations_max_,
          .credentials = server_.count_pushed(),
          .credentials_max = credentials_max_};
}

std::expected<std::unique_ptr<RelayInterface>, std::string> RelayInterface::start(
    const RelayInterfaceSettings& settings, service::CredentialStore& store) {
  std::unique_ptr<RelayInterface> interface{new RelayInterface};
  const service::CredentialServerSettings server_settings{
      .http = service::make_credential_http(settings.listen, settings.certificate_file, settings.key_file,
                                            settings.client_ca_file),
      .desk = {.allowed_names = settings.allowed_names}};
  auto server = service::CredentialServer::start(interface->loop_.impl().context, server_settings, store);
  if (!server) return std::unexpected("credentials.interface: " + server.error());
  interface->server_ = std::move(*server);
  interface->listener_ = interface->server_->listener();
  interface->loop_.start("credentials");
  return interface;
}

RelayInterface::~RelayInterface() { loop_.stop(); }

}  // namespace turnpike::program
