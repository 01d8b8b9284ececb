#include "program/relay_reports.hpp"

#include <chrono>
#include <string>
#include <variant>

namespace turnpike::program {
namespace {

constexpr std::array sources{credentials::Source::static_user, credentials::Source::computed,
                             credentials::Source::pushed, credentials::Source::token};
constexpr std::array end_reasons{turn::EndReason::expired,   turn::EndReason::refreshed_to_zero,
                                 turn::EndReason::revoked,   turn::EndReason::credential_expired,
                                 turn::EndReason::port_lost, turn::EndReason::shutdown};
constexpr std::array codes{400, 401, 403, 405, 420, 437, 438, 440, 441,
                           442, 443, 446, 447, 486, 487, 500, 508};

std::string_view name_of(stun::Method method) {
  switch (method) {
    case stun::Method::binding:
      return "binding";
    case stun::Method::allocate:
      return "allocate";
    case stun::Method::refresh:
      return "refresh";
    case stun::Method::create_permission:
      return "create_permission";
    case stun::Method::channel_bind:
      return "channel_bind";
    default:
      return "other";
  }
}

// RFC 8489 section 9.2.3: the first request of every client is answered so.
bool is_challenge(const turn::Refused& refused) {
  return !refused.credential &&
         (refused.code == stun::ErrorCode::unauthenticated || refused.code == stun::ErrorCode::stale_nonce);
}

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

RelayReports::RelayReports(Log& log, metrics::Registry& metrics) : log_(log) {
  for (const auto source : sources)
    created_.push_back(metrics.counter("turnpike_allocations_created_total",
                                       "Allocations made, by the source of their credential",
                                       {{"source", std::string{credentials::to_string(source)}}}));
  for (const auto reason : end_reasons)
    ended_.push_back(metrics.counter("turnpike_allocations_ended_total", "Allocations ended, by reason",
                                     {{"reason", std::string{turn::to_string(reason)}}}));
  for (const int code : codes)
    refused_.emplace(
        static_cast<std::uint16_t>(code),
        metrics.counter("turnpike_error_answers_total", "Answers with an error code, challenges among them",
                        {{"code", std::to_string(code)}}));
}

void RelayReports::on_report(const turn::Report& report, Now now) {
  std::visit(Overloaded{[&](const turn::AllocationCreated& created) { on_created(created); },
                        [&](const turn::AllocationEnded& ended) { on_ended(ended); },
                        [&](const turn::Refused& refused) { on_refused(refused, now); }},
             report);
}

void RelayReports::on_created(const turn::AllocationCreated& created) {
  created_[static_cast<std::size_t>(created.grant->source)].add();
  if (!log_.shows(LogLevel::info)) return;
  log_.info("allocation_created",
            {{"subject", created.grant->subject},
             {"source", credentials::to_string(created.grant->source)},
             {"client", created.path.client.to_string()},
             {"relayed", created.relayed.to_string()},
             {"lifetime_seconds", std::chrono::floor<std::chrono::seconds>(created.lifetime).count()}});
}

void RelayReports::on_ended(const turn::AllocationEnded& ended) {
  ended_[static_cast<std::size_t>(ended.reason)].add();
  if (!log_.shows(LogLevel::info)) return;
  log_.info("allocation_ended", {{"reason", turn::to_string(ended.reason)},
                                 {"subject", ended.grant->subject},
                                 {"client", ended.path.client.to_string()},
                                 {"packets_from_client", ended.packets_from_client},
                                 {"packets_to_client", ended.packets_to_client},
                                 {"bytes_from_client", ended.bytes_from_client},
                                 {"bytes_to_client", ended.bytes_to_client}});
}

void RelayReports::on_refused(const turn::Refused& refused, Now now) {
  const auto code = static_cast<std::uint16_t>(refused.code);
  if (const auto counter = refused_.find(code); counter != refused_.end()) counter->second.add();
  const LogLevel level = is_challenge(refused) ? LogLevel::debug : LogLevel::info;
  if (!log_.shows(level)) return;
  const auto left_out = budget_.admit(now.mono);
  if (!left_out) return;
  log_.write(level, is_challenge(refused) ? "challenged" : "refused",
             {{"client", refused.path.client.to_string()},
              {"method", name_of(refused.method)},
              {"code", code},
              {"reason", refused.credential ? credentials::to_string(*refused.credential)
                                            : stun::reason_phrase(refused.code)},
              {"left_out", *left_out}});
}

namespace {

void collect_traffic(metrics::Samples& samples, const turn::Counters& counters) {
  const auto relayed = [&](const std::string& name, const std::string& help, std::uint64_t up,
                           std::uint64_t down) {
    samples.counter(name, help, {{"direction", "from_client"}}, static_cast<double>(up));
    samples.counter(name, help, {{"direction", "to_client"}}, static_cast<double>(down));
  };
  relayed("turnpike_relayed_packets_total", "Packets relayed", counters.packets_from_clients,
          counters.packets_to_clients);
  relayed("turnpike_relayed_bytes_total", "Payload relayed", counters.bytes_from_clients,
          counters.bytes_to_clients);
  const auto dropped = [&](const char* reason, std::uint64_t count) {
    samples.counter("turnpike_dropped_packets_total", "Packets not relayed, by reason", {{"reason", reason}},
                    static_cast<double>(count));
  };
  dropped("no_allocation", counters.dropped_no_allocation);
  dropped("no_permission", counters.dropped_no_permission);
  dropped("rate", counters.dropped_rate);
  dropped("malformed", counters.dropped_malformed);
}

void collect_requests(metrics::Samples& samples, const turn::Counters& counters) {
  const auto count = [&](const char* name, const char* help, std::uint64_t value) {
    samples.counter(name, help, {}, static_cast<double>(value));
  };
  count("turnpike_requests_total", "STUN and TURN requests read", counters.requests);
  count("turnpike_challenges_total", "Answers that ask for a credential", counters.challenges);
  count("turnpike_challenges_suppressed_total", "The same, left out since their source asked too often",
        counters.challenges_suppressed);
  for (std::size_t at = 0; at < counters.refusals.size(); ++at)
    samples.counter("turnpike_credentials_refused_total",
                    "Credentials that were shown and refused, by reason",
                    {{"reason", std::string{credentials::to_string(static_cast<credentials::Refusal>(at))}}},
                    static_cast<double>(counters.refusals[at]));
}

}  // namespace

void add_relay_metrics(metrics::Registry& metrics, relay::Server& server) {
  metrics.on_collect([&server](metrics::Samples& samples) {
    const turn::Counters counters = server.counters();
    const auto gauge = [&](const char* name, const char* help, std::uint64_t value) {
      samples.gauge(name, help, {}, static_cast<double>(value));
    };
    gauge("turnpike_allocations_active", "Allocations now", counters.allocations_active);
    gauge("turnpike_permissions_active", "Permissions now", counters.permissions_active);
    gauge("turnpike_channels_active", "Channels now", counters.channels_active);
    gauge("turnpike_shards", "Threads that relay", server.shard_count());
    gauge("turnpike_pushed_credentials", "Credentials in the pushed table", server.list_pushed().size());
    gauge("turnpike_revocations", "Entries in the deny-list", server.list_revocations().size());
    collect_traffic(samples, counters);
    collect_requests(samples, counters);
  });
}

}  // namespace turnpike::program
