#pragma once
// What the credential API reports, as log lines and counters. Users appear as opaque subjects; keys, tokens
// and passwords stay out.

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "program/line_budget.hpp"
#include "service/api_desk.hpp"

namespace turnpike::program {

class CredentialApi;

class ApiReports final : public service::ApiObserver {
 public:
  ApiReports(Log& log, metrics::Registry& metrics);
  void on_issued(const Issued& issued) override;
  void on_withdrawn(std::string_view caller, std::size_t count, bool is_confirmed) override;
  void on_refused(std::string_view caller, const SocketAddress& remote, service::ApiRefusal refusal,
                  Now now) override;

 private:
  Log& log_;
  metrics::Registry& metrics_;
  LineBudget refusals_;  // lines that a stranger can cause
};

// Its counters; the API outlives the registry's last serialise().
void add_api_metrics(metrics::Registry& metrics, CredentialApi& api);

}  // namespace turnpike::program
