#pragma once
// The HTTPS server at a relay to which issuers push credentials: a CredentialDesk behind an HttpServer that
// demands a client certificate.

#include <expected>
#include <memory>
#include <string>

#include "service/credential_desk.hpp"
#include "service/http_server.hpp"

namespace turnpike::service {

struct CredentialServerSettings {
  HttpServerSettings http{};  // with a certificate and client_ca_file; see make_credential_http
  CredentialDeskSettings desk{};
};

// What the interface needs of an HttpServer: a certificate of each client, and room for a full state.
HttpServerSettings make_credential_http(const SocketAddress& listen, std::string certificate_file,
                                        std::string key_file, std::string client_ca_file);

class CredentialServer {
 public:
  // The store outlives the server. The error is a sentence.
  static std::expected<std::unique_ptr<CredentialServer>, std::string> start(
      boost::asio::io_context& loop, const CredentialServerSettings& settings, CredentialStore& store);

  [[nodiscard]] SocketAddress listener() const { return http_->listener(); }

 private:
  CredentialServer(CredentialStore& store, CredentialDeskSettings settings)
      : desk_(store, std::move(settings)) {}

  CredentialDesk desk_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace turnpike::service
