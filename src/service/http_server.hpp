#pragma once
// A small HTTP/1.1 server (RFC 9110, RFC 9112) on the loop of its owner: https, which may ask for a client's
// certificate, or plain http on loopback alone; with limits on sizes, time and connections.
//
// All calls happen on the one thread that runs the loop.

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "service/http_client.hpp"

namespace turnpike::service {

struct HttpServerSettings {
  SocketAddress listen{};
  std::string certificate_file{};  // PEM, with its chain; empty: plain http, for a loopback address alone
  std::string key_file{};
  std::string client_ca_file{};             // who may vouch for clients; empty: no certificate is asked for
  bool requires_client_certificate = true;  // where client_ca_file is set: without one no request is read
  std::size_t body_bytes_max = std::size_t{64} * 1024;
  std::uint32_t header_bytes_max = 16 * 1024;
  // Another one takes the place of that whose client has been silent for longest: of the same source, or of
  // all. Where a client waits for us in each of them, it is closed at once.
  std::size_t connections_max = 256;
  std::size_t connections_per_source_max = 100;  // an IPv4 address or an IPv6 /64
  std::vector<IpPrefix> proxies{};               // which speak for many sources: the limit is not theirs
  std::chrono::seconds idle_max{60};             // between two requests
  std::chrono::seconds deadline{10};  // for a handshake, and for all of a request once it has begun
};

struct HttpPeer {
  SocketAddress remote{};
  // DNS and URI names of the certificate that was verified, and its common name; empty without one.
  std::vector<std::string> names{};
};

struct ServedRequest {
  HttpPeer peer{};
  std::string method{};
  std::string target{};  // path and query as they were sent
  HttpFields fields{};
  std::string body{};

  [[nodiscard]] std::string_view path() const;
  // Of the query, decoded; nothing when it is absent or malformed.
  [[nodiscard]] std::optional<std::string> find_query(std::string_view name) const;
  // The first field of this name, whatever its case.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
};

class HttpServer {
 public:
  // At most once, from the loop; never called, the connection is closed.
  using Respond = std::move_only_function<void(HttpResponse)>;
  using Handler = std::function<void(ServedRequest, Respond)>;
  // The answer to a request that cannot be read to its end, of what was read of it.
  using Refuse = std::function<HttpResponse(ServedRequest head, unsigned status)>;

  // A sentence where the address or a file cannot be used.
  static std::expected<std::unique_ptr<HttpServer>, std::string> start(boost::asio::io_context& loop,
                                                                       const HttpServerSettings& settings,
                                                                       Handler handler, Refuse refuse = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();  // closes everything

  // For connections that begin from now on; the old one stays where a file cannot be used.
  std::expected<void, std::string> reload_certificate(const std::string& certificate_file,
                                                      const std::string& key_file);
  [[nodiscard]] SocketAddress listener() const;  // with the port that the kernel chose where it was 0

 private:
  class Core;
  explicit HttpServer(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace turnpike::service
