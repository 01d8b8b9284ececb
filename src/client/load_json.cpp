#include <cmath>
#include <nlohmann/json.hpp>

#include "client/load.hpp"

namespace turnpike::client {
namespace {

using Json = nlohmann::ordered_json;

double rounded(double value) { return std::round(value * 1000) / 1000; }
double rounded_share(double value) { return std::round(value * 1e7) / 1e7; }

Json to_json(const LoadLatency& latency) {
  return {{"samples", latency.samples},        {"mean_us", rounded(latency.mean_us)},
          {"p50_us", rounded(latency.p50_us)}, {"p90_us", rounded(latency.p90_us)},
          {"p99_us", rounded(latency.p99_us)}, {"p999_us", rounded(latency.p999_us)},
          {"max_us", rounded(latency.max_us)}};
}

Json to_json(const LoadStream& stream) {
  return {{"sent", stream.sent},   {"received", stream.received},
          {"lost", stream.lost()}, {"duplicates", stream.duplicates},
          {"bytes", stream.bytes}, {"latency", to_json(stream.latency)}};
}

Json to_json(const LoadSetUp& set_up) {
  Json json{{"wanted", set_up.wanted},
            {"done", set_up.done},
            {"fresh_starts", set_up.fresh_starts},
            {"failures", set_up.failures},
            {"seconds", rounded(set_up.seconds)},
            {"per_second", rounded(set_up.per_second)},
            {"generator_cpu_us", rounded(set_up.generator_cpu_us)},
            {"latency", to_json(set_up.latency)}};
  if (set_up.server_cpu_us) json["server_cpu_us"] = rounded(*set_up.server_cpu_us);
  return json;
}

Json to_json(const LoadTraffic& traffic) {
  Json json{{"seconds", rounded(traffic.seconds)},
            {"offered_per_second", rounded(traffic.offered_per_second)},
            {"relayed_per_second", rounded(traffic.relayed_per_second)},
            {"loss", rounded_share(traffic.loss)},
            {"corrupted", traffic.corrupted},
            {"foreign", traffic.foreign},
            {"unsent", traffic.unsent},
            {"generator_busy", rounded(traffic.generator_busy)},
            {"up", to_json(traffic.up)},
            {"down", to_json(traffic.down)}};
  if (traffic.server_cpu_us) json["server_cpu_us"] = rounded(*traffic.server_cpu_us);
  if (traffic.server_cpu_user_us) json["server_cpu_user_us"] = rounded(*traffic.server_cpu_user_us);
  if (traffic.server_busy) json["server_busy"] = rounded(*traffic.server_busy);
  return json;
}

Json to_json(const LoadMemory& memory) {
  Json json{{"before_bytes", memory.before},
            {"allocated_bytes", memory.allocated},
            {"bytes_per_allocation", rounded(memory.bytes_per_allocation)}};
  if (memory.deleted) json["deleted_bytes"] = *memory.deleted;
  return json;
}

Json to_json(const LoadSettings& settings) {
  return {{"pattern", to_string(settings.pattern)},
          {"server", settings.server.to_string()},
          {"direction", to_string(settings.direction)},
          {"framing", settings.channels ? "channels" : "indications"},
          {"flows", settings.flows},
          {"payload_bytes", settings.payload_bytes},
          {"packets_per_second", settings.packets_per_second},
          {"packets_per_frame", settings.packets_per_frame},
          {"segments", settings.segments},
          {"window", settings.window},
          {"duration_ms", settings.duration.count()},
          {"seed", settings.seed}};
}

}  // namespace

std::string format_json(const LoadReport& report) {
  Json json = to_json(report.settings);
  json["set_up"] = to_json(report.set_up);
  if (report.traffic) json["traffic"] = to_json(*report.traffic);
  if (report.deletion) json["deletion"] = to_json(*report.deletion);
  if (report.memory) json["memory"] = to_json(*report.memory);
  for (const LoadProbe& probe : report.search)
    json["search"].push_back({{"offered_per_second", rounded(probe.offered_per_second)},
                              {"loss", rounded_share(probe.loss)},
                              {"clean", probe.is_clean}});
  if (report.loss_free_per_second) json["loss_free_per_second"] = rounded(*report.loss_free_per_second);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace turnpike::client
