#pragma once
// The credential API ([api], docs/credential-api.md) with its sockets: a thread of its own between HTTP
// servers and service::ApiDesk.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "program/api_reports.hpp"
#include "program/config.hpp"
#include "service/api_desk.hpp"
#include "service/http_server.hpp"
#include "service/loop.hpp"
#include "service/token_desk.hpp"

namespace turnpike::program {

class CredentialApi {
 public:
  // Opens every socket; nobody is served before start(). The error is one line, and nothing is left open
  // then. Log and metrics outlive it.
  static std::expected<std::unique_ptr<CredentialApi>, std::string> open(const Config& config, Log& log,
                                                                         metrics::Registry& metrics);
  ~CredentialApi();  // stops
  CredentialApi(const CredentialApi&) = delete;
  CredentialApi& operator=(const CredentialApi&) = delete;

  service::Loop& loop() { return loop_; }
  // The port is called on the loop, and outlives that; null: there is no relay to tell.
  void start(service::RelayPort* relays);
  void stop();

  // From any thread: the URIs of the relays that live.
  void offer(std::vector<std::string> uris);
  // From the thread that has started it. The error is one line about a file; what it
  // belongs to stays as it was.
  std::expected<void, std::string> reconfigure(const Config& config);
  std::vector<service::ApiUserView> users(std::size_t max);
  std::size_t withdraw(std::string_view user);  // how many subjects were taken back
  service::ApiCounters counters();
  [[nodiscard]] std::vector<std::string> listeners() const;  // "https:192.0.2.1:8444"

 private:
  CredentialApi(Log& log, metrics::Registry& metrics) : reports_(log, metrics) {}
  std::expected<void, std::string> listen(const ApiConfig& api);

  service::Loop loop_{};
  SystemRandom random_{};
  ApiReports reports_;
  std::unique_ptr<service::TokenDesk> tokens_{};
  std::optional<service::ApiSettings> settings_{};  // until it is started
  std::unique_ptr<service::ApiDesk> desk_{};
  std::vector<std::unique_ptr<service::HttpServer>> servers_{};
  std::vector<bool> are_secure_{};
};

// The API's settings with what it hands out.
service::ApiSettings make_api_settings(const Config& config);

// A port that lives on another loop: it is called there, and answers here.
class PostedRelayPort final : public service::RelayPort {
 public:
  PostedRelayPort(service::RelayPort& port, service::Loop& its_loop, service::Loop& own_loop)
      : port_(port), its_loop_(its_loop), own_loop_(own_loop) {}

  void put(const credentials::PushedCredential& credential, Completion on_done) override;
  void revoke(const credentials::Revocation& revocation, Completion on_done) override;

 private:
  [[nodiscard]] Completion bring_home(Completion on_done) const;

  service::RelayPort& port_;
  service::Loop& its_loop_;
  service::Loop& own_loop_;
};

}  // namespace turnpike::program
