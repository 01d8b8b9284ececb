#pragma once
// The WAF ([waf], docs/waf.md) as `turnpike serve` runs it: service::WafNode on a ledger in SQLite.

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "program/config.hpp"
#include "program/line_budget.hpp"
#include "service/waf_node.hpp"
#include "store/waf_ledger.hpp"

namespace turnpike::program {

// What the WAF reports, as log lines and counters. Who has logged in stands in its audit trail.
class WafReports final : public service::WafObserver {
 public:
  WafReports(Log& log, metrics::Registry& metrics);
  void on_answer(const service::WafExchange& exchange, Now now) override;
  void on_revoked(bool is_done, Now now) override;
  void on_keys_changed(Now now) override;
  void on_issuer(const service::IssuerNews& news, Now now) override;
  void on_ledger_failed(std::string_view what, Now now) override;
  void on_turn_keys(const std::vector<std::string>& unfetched, bool have_changed, Now now) override;
  void on_turn_keys_fetched(std::string_view server_name, const IpAddress& remote, Now now) override;

 private:
  Log& log_;
  metrics::Registry& metrics_;
  metrics::Counter revocations_, unconfirmed_, failures_, fetches_;
  metrics::Gauge unfetched_;
  metrics::Counter issuer_failures_;
  std::vector<std::string> told_unfetched_{};
  LineBudget refusals_;  // lines that a stranger can cause
  LineBudget troubles_;
};

class WafRole {
 public:
  // Opens the ledger and every socket; nobody is served before start(). The error is one line. Log and
  // metrics outlive it.
  static std::expected<std::unique_ptr<WafRole>, std::string> open(const Config& config, Log& log,
                                                                   metrics::Registry& metrics);

  service::Loop& loop() { return node_->loop(); }
  void start(const service::WafPorts& ports) { node_->start(ports); }
  void stop() { node_->stop(); }

  // From the thread that has started it: encrypts what the database holds with another secret, from which
  // reconfigure() then derives everything else. The error is one line, and all stays as it was.
  std::expected<void, std::string> change_secret(const WafConfig& config);
  // From the thread that has started it. The error is one line about the certificate, whose old one stays.
  std::expected<void, std::string> reconfigure(const Config& config);
  // The same: what a command has changed in the ledger about the keys of TURN servers.
  void take_turn_keys() { node_->take_turn_keys(); }
  [[nodiscard]] std::vector<std::string> listeners() const;  // "https:192.0.2.1:8445"
  [[nodiscard]] std::optional<std::string> key_listener() const;

 private:
  WafRole(Log& log, metrics::Registry& metrics) : log_(log), reports_(log, metrics) {}

  Log& log_;
  WafReports reports_;
  std::unique_ptr<store::WafLedger> ledger_{};
  std::unique_ptr<service::WafNode> node_{};
  std::vector<HttpListener> listeners_{};
};

}  // namespace turnpike::program
