#include <cmath>
#include <nlohmann/json.hpp>

#include "client/wic_run.hpp"

namespace turnpike::client {
namespace {

using Json = nlohmann::ordered_json;

// Microseconds are as fine as these clocks are true.
double rounded(double ms) { return std::round(ms * 1000) / 1000; }

Json to_json(const std::optional<SocketAddress>& address) {
  return address ? Json(address->to_string()) : Json(nullptr);
}

std::string_view to_string(WicCredential::Carrier carrier) {
  if (carrier == WicCredential::Carrier::waf) return "waf";
  return carrier == WicCredential::Carrier::body ? "body" : "header";
}

Json to_json(const WicCredential& credential) {
  return {{"type", credential.form == provisioning::Form::oauth ? "oauth" : "password"},
          {"source", credentials::to_string(credential.source)},
          {"urls", credential.uris},
          {"realm", credential.realm},
          {"username", credential.username},
          {"ttl", credential.ttl.count()},
          {"expires_at", unix_seconds(credential.expires_at)},
          {"refresh_after", credential.refresh_after.count()},
          {"carried_by", to_string(credential.carrier)},
          {"at_ms", rounded(credential.at_ms)}};
}

Json to_json(const WicCallReport& call) {
  Json json{{"other", call.other},
            {"other_relayed", to_json(call.other_relayed)},
            {"set_up_ms", rounded(call.set_up_ms)},
            {"first_media_ms", rounded(call.first_media_ms)},
            {"extra_round_trips", {{"waf", call.waf_round_trips}, {"register", call.registrations}}},
            {"echoed", call.echoed},
            {"sent", call.media.sent},
            {"received", call.media.received}};
  if (call.media.received > 0)
    json["round_trip_ms"] = {{"min", rounded(call.media.min_ms)},
                             {"median", rounded(call.media.median_ms)},
                             {"max", rounded(call.media.max_ms)}};
  json["end"] = call.end;
  return json;
}

Json to_json(const ProbeEvent& event) {
  const std::string_view direction = event.direction == ProbeEvent::Direction::sent       ? "sent"
                                     : event.direction == ProbeEvent::Direction::received ? "received"
                                                                                          : "note";
  return {{"at_ms", rounded(event.at_ms)},
          {"direction", direction},
          {"message", event.message},
          {"result", event.result}};
}

Json to_json(const std::optional<WicWafReport>& waf) {
  if (!waf) return nullptr;
  return {{"issuer", waf->issuer},
          {"login", to_string(waf->way)},
          {"round_trips", waf->round_trips},
          {"renewals", waf->renewals}};
}

template <typename Values>
Json to_array(const Values& values) {
  Json array = Json::array();
  for (const auto& value : values) array.push_back(to_json(value));
  return array;
}

}  // namespace

std::string format_json(const WicReport& report) {
  const Json json{{"server", report.server},
                  {"identity", report.identity},
                  {"registered", report.is_registered},
                  {"registered_ms", rounded(report.registered_ms)},
                  {"expires", report.expires.count()},
                  {"identities", report.identities},
                  {"login", report.login_method},
                  {"credentials", to_array(report.credentials)},
                  {"relay", to_json(report.relay)},
                  {"relayed", to_json(report.relayed)},
                  {"waf", to_json(report.waf)},
                  {"reconnections", report.reconnections},
                  {"calls", to_array(report.calls)},
                  {"timeline", to_array(report.timeline)},
                  {"verdict", report.verdict},
                  {"warnings", report.warnings},
                  {"advice", report.advice},
                  {"exit_status", report.exit_status},
                  {"took_ms", rounded(report.took_ms)}};
  // What strangers wrote may be no UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace turnpike::client
