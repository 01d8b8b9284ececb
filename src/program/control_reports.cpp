#include "program/control_reports.hpp"

#include <string>
#include <variant>

namespace turnpike::program {
namespace {

constexpr int lines_per_second = 20;

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

std::uint64_t number_of(epcscf::FlowId flow) { return static_cast<std::uint64_t>(flow); }

}  // namespace

EpcscfReports::EpcscfReports(Log& log, metrics::Registry& metrics)
    : log_(log),
      revocations_unconfirmed_(metrics.counter("turnpike_epcscf_revocations_unconfirmed_total",
                                               "Revocations that not every relay has acknowledged")),
      of_clients_(lines_per_second),
      of_core_(lines_per_second),
      of_provisioning_(lines_per_second) {}

void EpcscfReports::on_report(const epcscf::Report& report, Now now) {
  std::visit(Overloaded{[&](const epcscf::Registered& registered) { tell(registered); },
                        [&](const epcscf::RegistrationRefused& refused) { tell(refused, now); },
                        [&](const epcscf::Deregistered& ended) {
                          log_.info("deregistered", {{"subject", ended.subject},
                                                     {"trigger", epcscf::to_string(ended.trigger)}});
                        },
                        [&](const epcscf::Provisioned& provisioned) { tell(provisioned, now); },
                        [&](const epcscf::NotProvisioned& failed) { tell(failed, now); },
                        [&](const epcscf::CallStarted& call) {
                          log_.info("call_started", {{"flow", number_of(call.flow)},
                                                     {"subject", call.subject},
                                                     {"is_originating", call.is_originating}});
                        },
                        [&](const epcscf::CallEnded& call) {
                          log_.info("call_ended", {{"flow", number_of(call.flow)},
                                                   {"subject", call.subject},
                                                   {"is_abandoned", call.is_abandoned}});
                        },
                        [&](const epcscf::MessageRefused& refused) { tell(refused, now); }},
             report);
}

// Refreshes and their credentials come in numbers; they are for those who look closely.
void EpcscfReports::tell(const epcscf::Registered& registered) {
  log_.write(registered.is_refresh && !registered.has_moved ? LogLevel::debug : LogLevel::info, "registered",
             {{"flow", number_of(registered.flow)},
              {"client", registered.client.to_string()},
              {"subject", registered.subject},
              {"expires_in_seconds", registered.expires_in.count()},
              {"is_refresh", registered.is_refresh},
              {"has_moved", registered.has_moved}});
}

void EpcscfReports::tell(const epcscf::Provisioned& provisioned, Now now) {
  const LogLevel level = provisioned.is_fallback ? LogLevel::warn : LogLevel::debug;
  if (!log_.shows(level)) return;
  const auto left_out =
      provisioned.is_fallback ? of_provisioning_.admit(now.mono) : std::optional<std::uint64_t>{0};
  if (!left_out) return;
  log_.write(level, "provisioned",
             {{"subject", provisioned.subject},
              {"source", credentials::to_string(provisioned.source)},
              {"is_fallback", provisioned.is_fallback},
              {"ttl_seconds", provisioned.ttl.count()},
              {"left_out", *left_out}});
}

void EpcscfReports::tell(const epcscf::NotProvisioned& failed, Now now) {
  if (!log_.shows(LogLevel::info)) return;
  const auto left_out = of_provisioning_.admit(now.mono);
  if (!left_out) return;
  log_.info(
      "not_provisioned",
      {{"subject", failed.subject}, {"reason", epcscf::to_string(failed.reason)}, {"left_out", *left_out}});
}

void EpcscfReports::tell(const epcscf::RegistrationRefused& refused, Now now) {
  if (!log_.shows(LogLevel::info)) return;
  const auto left_out = of_clients_.admit(now.mono);
  if (!left_out) return;
  log_.info("registration_refused", {{"flow", number_of(refused.flow)},
                                     {"client", refused.client.to_string()},
                                     {"reason", epcscf::to_string(refused.reason)},
                                     {"code", refused.status_code},
                                     {"left_out", *left_out}});
}

void EpcscfReports::tell(const epcscf::MessageRefused& refused, Now now) {
  if (!log_.shows(LogLevel::info)) return;
  const auto left_out = of_clients_.admit(now.mono);
  if (!left_out) return;
  log_.info("message_refused", {{"flow", number_of(refused.flow)},
                                {"client", refused.client.port == 0 ? "core" : refused.client.to_string()},
                                {"reason", epcscf::to_string(refused.what)},
                                {"code", refused.status_code},
                                {"left_out", *left_out}});
}

void EpcscfReports::on_client_refused(const SocketAddress& remote, service::DoorRefusal refusal, Now now) {
  if (!log_.shows(LogLevel::info)) return;
  const auto left_out = of_clients_.admit(now.mono);
  if (!left_out) return;
  log_.info(
      "client_refused",
      {{"client", remote.to_string()}, {"reason", service::to_string(refusal)}, {"left_out", *left_out}});
}

void EpcscfReports::on_core_failed(const sip::Hop& to, Now now) {
  const auto left_out = of_core_.admit(now.mono);
  if (left_out) log_.warn("core_unreachable", {{"hop", to.to_string()}, {"left_out", *left_out}});
}

void EpcscfReports::on_revoked(bool is_done, Now now) {
  if (is_done) return;
  revocations_unconfirmed_.add();
  const auto left_out = of_core_.admit(now.mono);
  if (left_out) log_.warn("revocation_unconfirmed", {{"left_out", *left_out}});
}

HomeCoreReports::HomeCoreReports(Log& log) : log_(log), refusals_(lines_per_second) {}

void HomeCoreReports::on_registration(const ims::RegistrationReport& report, Now /*now*/) {
  const ims::Registration& registration = report.change.registration;
  log_.debug("home_core_registration",
             {{"impi", registration.impi}, {"bindings", registration.bindings.size()}});
}

void HomeCoreReports::on_refusal(const ims::RefusalReport& report, Now now) {
  if (!log_.shows(LogLevel::info)) return;
  const auto left_out = refusals_.admit(now.mono);
  if (!left_out) return;
  log_.info("home_core_refused", {{"impi", report.impi},
                                  {"reason", ims::to_string(report.reason)},
                                  {"from", report.from.to_string()},
                                  {"left_out", *left_out}});
}

namespace {

using metrics::Samples;

template <typename Name, typename Counts>
void count_by(Samples& samples, const std::string& metric, const std::string& help, const std::string& label,
              const Counts& counts, Name name) {
  for (std::size_t at = 0; at < counts.size(); ++at)
    samples.counter(metric, help, {{label, std::string{name(at)}}}, static_cast<double>(counts[at]));
}

void collect_door(Samples& samples, const service::DoorCounts& door) {
  const auto count = [&](const char* name, const char* help, std::uint64_t value) {
    samples.counter(name, help, {}, static_cast<double>(value));
  };
  samples.gauge("turnpike_epcscf_connections_active", "WebSocket connections now, handshakes among them", {},
                static_cast<double>(door.connections_active));
  samples.gauge("turnpike_epcscf_flows_active", "WebSocket connections that carry SIP now", {},
                static_cast<double>(door.flows_active));
  count("turnpike_epcscf_flows_total", "WebSocket connections that have passed the handshake",
        door.flows_begun);
  count("turnpike_epcscf_keep_alives_total", "Keep-alives of RFC 5626 that came in", door.keep_alives);
  count_by(samples, "turnpike_epcscf_connections_refused_total", "Connections that became no flow, by reason",
           "reason", door.refused,
           [](std::size_t at) { return service::to_string(static_cast<service::DoorRefusal>(at)); });
  count_by(samples, "turnpike_epcscf_flows_ended_total", "Flows that ended, by reason", "reason", door.ended,
           [](std::size_t at) { return service::to_string(static_cast<service::DoorEnd>(at)); });
}

void collect_messages(Samples& samples, const epcscf::Counters& counters) {
  const auto messages = [&](const char* side, std::uint64_t in, std::uint64_t out) {
    const std::string help = "SIP messages, by side and direction";
    samples.counter("turnpike_epcscf_messages_total", help, {{"side", side}, {"direction", "in"}},
                    static_cast<double>(in));
    samples.counter("turnpike_epcscf_messages_total", help, {{"side", side}, {"direction", "out"}},
                    static_cast<double>(out));
  };
  messages("client", counters.messages_from_clients, counters.messages_to_clients);
  messages("core", counters.messages_from_core, counters.messages_to_core);
  count_by(samples, "turnpike_epcscf_bad_messages_total", "Messages that were refused or dropped, by reason",
           "reason", counters.bad_messages,
           [](std::size_t at) { return epcscf::to_string(static_cast<epcscf::BadMessage>(at)); });
}

void collect_registrations(Samples& samples, const epcscf::Counters& counters) {
  const auto count = [&](const char* name, const char* help, std::uint64_t value) {
    samples.counter(name, help, {}, static_cast<double>(value));
  };
  const auto gauge = [&](const char* name, const char* help, std::uint64_t value) {
    samples.gauge(name, help, {}, static_cast<double>(value));
  };
  gauge("turnpike_epcscf_registrations_active", "Registrations now", counters.registrations_active);
  gauge("turnpike_epcscf_calls_active", "Calls now", counters.calls_active);
  gauge("turnpike_epcscf_subscriptions_active", "Subscriptions to the core's registration events now",
        counters.subscriptions_active);
  gauge("turnpike_epcscf_transactions_active", "SIP transactions now", counters.transactions_active);
  count("turnpike_epcscf_registrations_total", "Registrations that began", counters.registrations_started);
  count("turnpike_epcscf_registrations_refreshed_total", "Registrations that were renewed",
        counters.registrations_refreshed);
  count("turnpike_epcscf_challenges_total", "Challenges of the core that were handed on",
        counters.challenges);
  count("turnpike_epcscf_calls_total", "Calls that began", counters.calls_started);
  count("turnpike_epcscf_calls_abandoned_total", "Calls that were hung up for clients that had vanished",
        counters.calls_abandoned);
  count("turnpike_epcscf_provisioned_total", "Answers with TURN credentials", counters.provisioned);
  count("turnpike_epcscf_provisioned_by_fallback_total", "The same, by another source than the first",
        counters.provisioned_by_fallback);
  count_by(samples, "turnpike_epcscf_registrations_refused_total", "REGISTERs that were refused, by reason",
           "reason", counters.refusals,
           [](std::size_t at) { return epcscf::to_string(static_cast<epcscf::RegistrationRefusal>(at)); });
  count_by(samples, "turnpike_epcscf_registrations_ended_total", "Registrations that ended, by trigger",
           "trigger", counters.ends,
           [](std::size_t at) { return epcscf::to_string(static_cast<epcscf::EndTrigger>(at)); });
  count_by(samples, "turnpike_epcscf_not_provisioned_total", "Answers without TURN credentials, by reason",
           "reason", counters.unprovisioned,
           [](std::size_t at) { return epcscf::to_string(static_cast<epcscf::Unprovisioned>(at)); });
}

}  // namespace

void add_epcscf_metrics(metrics::Registry& metrics, service::EpcscfNode& node) {
  metrics.on_collect([&node](Samples& samples) {
    const epcscf::Counters counters = node.counters();
    collect_door(samples, node.door_counts());
    collect_messages(samples, counters);
    collect_registrations(samples, counters);
    const service::SipEndpointCounts& core = node.core_counts();
    samples.counter("turnpike_epcscf_core_failures_total", "Messages to the core that may not have arrived",
                    {}, static_cast<double>(core.send_failures));
    samples.gauge("turnpike_epcscf_core_connections_active", "TCP connections with the core now", {},
                  static_cast<double>(core.connections_active));
  });
}

void add_home_core_metrics(metrics::Registry& metrics, service::HomeCoreNode& node) {
  metrics.on_collect([&node](Samples& samples) {
    const ims::Counters counters = node.counters();
    const auto count = [&](const char* outcome, std::uint64_t value) {
      samples.counter("turnpike_home_core_registers_total", "REGISTERs at the home core, by outcome",
                      {{"outcome", outcome}}, static_cast<double>(value));
    };
    count("registered", counters.registered);
    count("deregistered", counters.deregistered);
    count("fetched", counters.fetched);
    count("challenged", counters.challenged);
    count("refused", counters.refused);
    samples.counter("turnpike_home_core_forwarded_total", "Requests between users that were routed", {},
                    static_cast<double>(counters.forwarded));
    samples.counter("turnpike_home_core_not_routed_total", "The same, that found nobody", {},
                    static_cast<double>(counters.not_routed));
  });
}

}  // namespace turnpike::program
