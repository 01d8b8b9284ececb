#include "service/api_json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "provisioning/body.hpp"
#include "provisioning/turn_credentials.hpp"
#include "provisioning/turn_uri.hpp"

namespace turnpike::service {
namespace {

using Json = nlohmann::ordered_json;
using provisioning::Entry;
using provisioning::Provision;

// What is not UTF-8 is replaced: a dump must not fail.
std::string to_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string text_of(const Secret& secret) { return std::string{secret.reveal_text()}; }

std::string format_utc(WallTime at) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::floor<std::chrono::seconds>(at));
}
std::string format_rfc2822(WallTime at) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S +0000}", std::chrono::floor<std::chrono::seconds>(at));
}

// draft-uberti-behave-turn-rest-00, and Matrix.
void add_draft(const Entry& entry, Json& to) {
  to["username"] = entry.username;
  to["password"] = text_of(entry.password);
  to["ttl"] = entry.ttl.count();
  to["uris"] = entry.uris;
}

// W3C RTCConfiguration; tokens of RFC 7635 stand beside, for browsers refuse them.
void add_ice_servers(const Provision& provision, Json& to) {
  Json body = Json::parse(provisioning::format_body(provision), nullptr, false);
  to["iceServers"] = std::move(body["iceServers"]);
  if (body.contains("oauth")) to["oauth"] = std::move(body["oauth"]);
}

// Twilio's Network Traversal Service has one entry for each URI, in two spellings.
void add_twilio_servers(const Entry& entry, Json& to) {
  Json& servers = to["ice_servers"] = Json::array();
  for (const std::string& uri : entry.uris)
    servers.push_back(
        {{"url", uri}, {"urls", uri}, {"username", entry.username}, {"credential", text_of(entry.password)}});
}

// XEP-0215: the attributes of a <service/>.
void add_xmpp_services(const Entry& entry, Json& to) {
  Json& services = to["services"] = Json::array();
  for (const std::string& text : entry.uris) {
    const auto uri = provisioning::TurnUri::parse(text);
    if (!uri) continue;
    services.push_back({{"type", uri->is_secure ? "turns" : "turn"},
                        {"host", uri->host},
                        {"port", uri->port},
                        {"transport", uri->transport},
                        {"username", entry.username},
                        {"password", text_of(entry.password)},
                        {"expires", format_utc(entry.expires_at)},
                        {"restricted", true}});
  }
}

void add_twilio(const Entry& entry, WallTime wall, Json& to) {
  to["username"] = entry.username;
  to["password"] = text_of(entry.password);
  to["ttl"] = std::to_string(entry.ttl.count());
  to["date_created"] = format_rfc2822(wall);
  to["date_updated"] = format_rfc2822(wall);
  add_twilio_servers(entry, to);
}

void add_all(const Provision& provision, Json& to) {
  const Entry& entry = provision.entries.front();
  add_draft(entry, to);
  to["credential"] = text_of(entry.password);
  to["urls"] = entry.uris;
  to["type"] = "password";
  to["realm"] = entry.realm;
  to["expires_at"] = unix_seconds(entry.expires_at);
  to["refresh_after"] = provision.refresh_after.count();
  add_ice_servers(provision, to);
  add_twilio_servers(entry, to);
  add_xmpp_services(entry, to);
  // For an edge that speaks SIP: the values of its header, ready to be copied.
  to["turn_credentials"] = provisioning::format_answer(provision);
}

}  // namespace

std::string format_api_answer(const Provision& provision, ApiFormat format, WallTime wall) {
  const Entry& entry = provision.entries.front();
  Json json = Json::object();
  switch (format) {
    case ApiFormat::all:
      add_all(provision, json);
      break;
    case ApiFormat::draft:
    case ApiFormat::matrix:
      add_draft(entry, json);
      break;
    case ApiFormat::ice_servers:
      add_ice_servers(provision, json);
      break;
    case ApiFormat::twilio:
      add_twilio(entry, wall, json);
      break;
    case ApiFormat::xep0215:
      add_xmpp_services(entry, json);
      break;
  }
  return to_text(json);
}

std::string format_api_problem(unsigned status, std::string_view error, std::string_view title,
                               std::string_view detail) {
  Json json{{"status", status}, {"error", error}, {"title", title}};
  if (!detail.empty()) json["detail"] = detail;
  return to_text(json);
}

std::string format_api_withdrawal(std::size_t withdrawn, bool is_confirmed) {
  return to_text(Json{{"withdrawn", withdrawn}, {"confirmed", is_confirmed}});
}

std::optional<std::map<std::string, std::string>> parse_api_body(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  std::map<std::string, std::string> parameters;
  for (const auto& [name, value] : json.items()) {
    if (value.is_string()) parameters[name] = value.get<std::string>();
    if (value.is_number()) parameters[name] = value.dump();
  }
  return parameters;
}

}  // namespace turnpike::service
