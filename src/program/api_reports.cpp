#include "program/api_reports.hpp"

#include <string>

#include "program/credential_api.hpp"

namespace turnpike::program {
namespace {

constexpr int lines_per_second = 20;

}  // namespace

ApiReports::ApiReports(Log& log, metrics::Registry& metrics)
    : log_(log), metrics_(metrics), refusals_(lines_per_second) {}

// Those of a healthy day come in numbers; they are for those who look closely.
void ApiReports::on_issued(const Issued& issued) {
  metrics_
      .counter("turnpike_api_issued_total", "Credentials that the API has handed out, by source",
               {{"source", std::string{credentials::to_string(issued.source)}}})
      .add();
  log_.write(issued.is_fallback ? LogLevel::warn : LogLevel::debug, "api_issued",
             {{"caller", issued.caller},
              {"subject", issued.subject},
              {"source", credentials::to_string(issued.source)},
              {"is_fallback", issued.is_fallback},
              {"ttl_seconds", issued.ttl.count()}});
}

void ApiReports::on_withdrawn(std::string_view caller, std::size_t count, bool is_confirmed) {
  log_.write(is_confirmed ? LogLevel::info : LogLevel::warn, "api_withdrawn",
             {{"caller", caller}, {"revocations", count}, {"is_confirmed", is_confirmed}});
}

void ApiReports::on_refused(std::string_view caller, const SocketAddress& remote, service::ApiRefusal refusal,
                            Now now) {
  if (!log_.shows(LogLevel::info)) return;
  const auto left_out = refusals_.admit(now.mono);
  if (!left_out) return;
  log_.info("api_refused", {{"caller", caller},
                            {"client", remote.to_string()},
                            {"reason", service::to_string(refusal)},
                            {"code", service::status_of(refusal)},
                            {"left_out", *left_out}});
}

void add_api_metrics(metrics::Registry& metrics, CredentialApi& api) {
  metrics.on_collect([&api](metrics::Samples& samples) {
    const service::ApiCounters counters = api.counters();
    const auto count = [&](const char* name, const char* help, std::uint64_t value) {
      samples.counter(name, help, {}, static_cast<double>(value));
    };
    count("turnpike_api_issued_by_fallback_total", "The same, by another source than the first",
          counters.issued_by_fallback);
    count("turnpike_api_withdrawals_total", "Times that credentials were taken back", counters.withdrawals);
    count("turnpike_api_withdrawals_unconfirmed_total", "The same, where not every relay has acknowledged it",
          counters.withdrawals_unconfirmed);
    for (std::size_t at = 0; at < counters.refused.size(); ++at)
      samples.counter("turnpike_api_refused_total", "Requests to the API that were refused, by reason",
                      {{"reason", std::string{service::to_string(static_cast<service::ApiRefusal>(at))}}},
                      static_cast<double>(counters.refused[at]));
    samples.gauge("turnpike_api_users_active", "Users that the API remembers now", {},
                  static_cast<double>(counters.users));
    samples.gauge("turnpike_api_requests_waiting", "Requests that wait for a relay or a token's check now",
                  {}, static_cast<double>(counters.waiting));
  });
}

}  // namespace turnpike::program
