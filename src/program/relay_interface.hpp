#pragma once
// The interface through which issuers push credentials to this relay over HTTPS
// (docs/credential-interface.md): a thread of its own between service::CredentialServer and relay::Server.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "relay/server.hpp"
#include "service/credential_server.hpp"
#include "service/loop.hpp"

namespace turnpike::program {

struct RelayInterfaceSettings {  // [credentials.interface]
  SocketAddress listen{};
  std::string certificate_file{};
  std::string key_file{};
  std::string client_ca_file{};
  std::vector<std::string> allowed_names{};  // empty: whoever the authority vouches for
};

// What of a relay issuers may change and see. The server outlives it.
class RelayStore final : public service::CredentialStore {
 public:
  RelayStore(relay::Server& server, std::string realm, std::uint64_t allocations_max,
             std::uint64_t credentials_max)
      : server_(server),
        realm_(std::move(realm)),
        allocations_max_(allocations_max),
        credentials_max_(credentials_max) {}

  std::vector<credentials::ChangeResult> apply(const std::vector<credentials::Change>& changes) override {
    return server_.apply(changes);
  }
  std::vector<credentials::PushedEntry> list(const std::string& subject) override {
    return server_.list_pushed(subject);
  }
  service::RelayHealth health() override;

 private:
  relay::Server& server_;
  std::string realm_;
  std::uint64_t allocations_max_;
  std::uint64_t credentials_max_;
};

class RelayInterface {
 public:
  // The store outlives it. The error is a sentence, and nothing is left open then.
  static std::expected<std::unique_ptr<RelayInterface>, std::string> start(
      const RelayInterfaceSettings& settings, service::CredentialStore& store);
  ~RelayInterface();
  RelayInterface(const RelayInterface&) = delete;
  RelayInterface& operator=(const RelayInterface&) = delete;

  [[nodiscard]] SocketAddress listener() const { return listener_; }

 private:
  RelayInterface() = default;
  service::Loop loop_{};
  std::unique_ptr<service::CredentialServer> server_{};
  SocketAddress listener_{};
};

}  // namespace turnpike::program
