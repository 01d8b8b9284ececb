#include <cmath>
#include <nlohmann/json.hpp>

#include "client/probe.hpp"

namespace turnpike::client {
namespace {

using Json = nlohmann::ordered_json;

// Microseconds are as fine as these clocks are true.
double rounded(double ms) { return std::round(ms * 1000) / 1000; }

Json to_json(const std::optional<SocketAddress>& address) {
  return address ? Json(address->to_string()) : Json(nullptr);
}

Json to_json(const RoundTrips& trips) {
  Json json{{"sent", trips.sent}, {"received", trips.received}};
  if (trips.received > 0) {
    json["min_ms"] = rounded(trips.min_ms);
    json["median_ms"] = rounded(trips.median_ms);
    json["max_ms"] = rounded(trips.max_ms);
  }
  return json;
}

Json to_json(const turn::ServerDescription& description) {
  Json algorithms = Json::array();
  for (std::size_t i = 0; i < description.algorithms.count; ++i)
    algorithms.push_back(description.algorithms.algorithms[i]);
  Json json{
      {"realm", description.realm}, {"software", description.software}, {"password_algorithms", algorithms}};
  json["token_server_name"] =
      description.token_server_name ? Json(*description.token_server_name) : Json(nullptr);
  return json;
}

std::string_view to_string(ProbeEvent::Direction direction) {
  switch (direction) {
    case ProbeEvent::Direction::note:
      return "note";
    case ProbeEvent::Direction::sent:
      return "sent";
    case ProbeEvent::Direction::received:
      return "received";
  }
  return "";
}

Json steps_of(const ProbeReport& report) {
  Json steps = Json::array();
  for (const ProbeStep& step : report.steps)
    steps.push_back({{"name", client::to_string(step.name)},
                     {"outcome", client::to_string(step.outcome)},
                     {"took_ms", rounded(step.took_ms)},
                     {"words", step.words}});
  return steps;
}

Json timeline_of(const ProbeReport& report) {
  Json timeline = Json::array();
  for (const ProbeEvent& event : report.timeline)
    timeline.push_back({{"at_ms", rounded(event.at_ms)},
                        {"direction", to_string(event.direction)},
                        {"message", event.message},
                        {"result", event.result}});
  return timeline;
}

}  // namespace

std::string format_json(const ProbeReport& report) {
  Json json{
      {"uri", report.uri},         {"relays", report.exit_status == 0}, {"exit_status", report.exit_status},
      {"verdict", report.verdict}, {"warnings", report.warnings},       {"advice", report.advice}};
  json["addresses"] = {{"server", to_json(report.server)},
                       {"local", to_json(report.local)},
                       {"mapped", to_json(report.mapped)},
                       {"relayed", to_json(report.relayed)},
                       {"peer", to_json(report.peer)}};
  json["lifetime_seconds"] = report.lifetime ? Json(report.lifetime->count()) : Json(nullptr);
  json["server"] = report.description ? to_json(*report.description) : Json(nullptr);
  json["round_trips"] = {{"send", to_json(report.send_round_trips)},
                         {"channel_data", to_json(report.channel_round_trips)}};
  json["steps"] = steps_of(report);
  json["timeline"] = timeline_of(report);
  json["took_ms"] = rounded(report.took_ms);
  // A server may send words that are not UTF-8; they are shown with replacement characters.
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace turnpike::client
