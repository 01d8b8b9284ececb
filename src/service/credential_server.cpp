#include "service/credential_server.hpp"

#include <utility>

namespace turnpike::service {

HttpServerSettings make_credential_http(const SocketAddress& listen, std::string certificate_file,
                                        std::string key_file, std::string client_ca_file) {
  return {.listen = listen,
          .certificate_file = std::move(certificate_file),
          .key_file = std::move(key_file),
          .client_ca_file = std::move(client_ca_file),
          .requires_client_certificate = true,
          .body_bytes_max = std::size_t{64} * 1024 * 1024,
          .connections_max = 64,
          .idle_max = std::chrono::seconds{120}};
}

std::expected<std::unique_ptr<CredentialServer>, std::string> CredentialServer::start(
    boost::asio::io_context& loop, const CredentialServerSettings& settings, CredentialStore& store) {
  if (settings.http.certificate_file.empty() || settings.http.client_ca_file.empty() ||
      !settings.http.requires_client_certificate)
    return std::unexpected("the credential interface needs a certificate and an authority of its clients");
  std::unique_ptr<CredentialServer> server{new CredentialServer{store, settings.desk}};
  auto http =
      HttpServer::start(loop, settings.http,
                        [desk = &server->desk_](const ServedRequest& request, HttpServer::Respond respond) {
                          respond(desk->answer(request, read_clocks().wall));
                        });
  if (!http) return std::unexpected(http.error());
  server->http_ = std::move(*http);
  return server;
}

}  // namespace turnpike::service
