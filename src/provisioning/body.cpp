#include "provisioning/body.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "credentials/sources.hpp"
#include "provisioning/credential_life.hpp"
#include "provisioning/turn_uri.hpp"

namespace turnpike::provisioning {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t entries_max = 64;
constexpr std::uint64_t seconds_max = 0xFFFF'FFFF;

std::string text_of(const Secret& secret) { return std::string{secret.reveal_text()}; }

Json make_ice_server(const Entry& entry) {
  Json server;
  server["urls"] = entry.uris;
  server["username"] = entry.username;
  if (entry.form == Form::oauth) {
    server["credential"] = {{"macKey", text_of(entry.password)},
                            {"accessToken", to_base64(entry.access_token)}};
    server["credentialType"] = "oauth";
  } else {
    server["credential"] = text_of(entry.password);
    server["credentialType"] = "password";
  }
  return server;
}

Json make_token_answer(const Entry& entry) {
  Json json;
  json["access_token"] = to_base64(entry.access_token);
  json["token_type"] = "pop";
  json["expires_in"] = entry.ttl.count();
  json["kid"] = entry.username;
  json["key_b64"] = text_of(entry.password);
  json["alg"] = entry.algorithm;
  json["server_name"] = entry.server_name;
  json["expires_at"] = unix_seconds(entry.expires_at);
  json["iceServers"] = Json::array({make_ice_server(entry)});
  return json;
}

// What is not UTF-8 is replaced: a dump must not fail.
std::string to_text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

const Json* find_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::optional<std::string> find_text(const Json& object, const char* name) {
  const Json* member = find_member(object, name);
  if (member == nullptr || !member->is_string()) return std::nullopt;
  return *member->get_ptr<const std::string*>();
}

std::optional<std::uint64_t> find_number(const Json& object, const char* name, std::uint64_t max) {
  const Json* member = find_member(object, name);
  if (member == nullptr || !member->is_number_unsigned()) return std::nullopt;
  const std::uint64_t number = *member->get_ptr<const Json::number_unsigned_t*>();
  return number <= max ? std::optional{number} : std::nullopt;
}

std::optional<std::chrono::seconds> find_seconds(const Json& object, const char* name) {
  const auto number = find_number(object, name, seconds_max);
  if (!number) return std::nullopt;
  return std::chrono::seconds{static_cast<std::int64_t>(*number)};
}

// RTCIceServer.urls: one or several, each of which is a turn URI.
std::optional<std::vector<std::string>> find_uris(const Json& server) {
  const Json* urls = find_member(server, "urls");
  if (urls == nullptr) return std::nullopt;
  const Json list = urls->is_array() ? *urls : Json::array({*urls});
  if (list.empty() || list.size() > entries_max) return std::nullopt;
  std::vector<std::string> uris;
  for (const Json& url : list) {
    if (!url.is_string() || !TurnUri::parse(*url.get_ptr<const std::string*>())) return std::nullopt;
    uris.push_back(*url.get_ptr<const std::string*>());
  }
  return uris;
}

bool fits_username(const std::optional<std::string>& name) {
  return name && !name->empty() && name->size() <= credentials::username_bytes_max;
}

// What stands around the entries and holds for all passwords.
struct Frame {
  std::string realm;
  std::chrono::seconds ttl{};
  WallTime expires_at{};
};

std::optional<Entry> read_password(const Json& server, const Frame& frame) {
  if (!server.is_object()) return std::nullopt;
  auto uris = find_uris(server);
  auto username = find_text(server, "username");
  const auto credential = find_text(server, "credential");
  if (!uris || !fits_username(username) || !credential || credential->empty()) return std::nullopt;
  return Entry{.form = Form::password,
               .uris = std::move(*uris),
               .realm = frame.realm,
               .username = std::move(*username),
               .password = Secret::from_text(*credential),
               .ttl = frame.ttl,
               .expires_at = frame.expires_at};
}

WallTime find_end(const Json& object, std::chrono::seconds ttl, WallTime wall) {
  const auto end = find_number(object, "expires_at", UINT64_MAX);
  return std::chrono::floor<std::chrono::seconds>(end ? from_unix_seconds(*end) : wall + ttl);
}

std::optional<Entry> read_token(const Json& token, const Frame& frame, WallTime wall) {
  if (!token.is_object()) return std::nullopt;
  const Json* servers = find_member(token, "iceServers");
  if (servers == nullptr || !servers->is_array() || servers->size() != 1 || !servers->front().is_object())
    return std::nullopt;
  auto uris = find_uris(servers->front());
  auto kid = find_text(token, "kid");
  auto access_token = from_base64(find_text(token, "access_token").value_or(""));
  const auto mac_key = find_text(token, "key_b64");
  const auto mac_key_bytes = from_base64(mac_key.value_or(""));
  const auto ttl = find_seconds(token, "expires_in");
  if (!uris || !fits_username(kid) || !ttl) return std::nullopt;
  if (!access_token || access_token->empty() || access_token->size() > credentials::token_bytes_max)
    return std::nullopt;
  if (!mac_key_bytes || mac_key_bytes->empty() || mac_key_bytes->size() > credentials::Key::size_max)
    return std::nullopt;
  return Entry{.form = Form::oauth,
               .uris = std::move(*uris),
               .realm = frame.realm,
               .username = std::move(*kid),
               .password = Secret::from_text(*mac_key),
               .access_token = std::move(*access_token),
               .algorithm = find_text(token, "alg").value_or("HMAC-SHA-1"),
               .server_name = find_text(token, "server_name").value_or(""),
               .ttl = *ttl,
               .expires_at = find_end(token, *ttl, wall)};
}

bool read_entries(const Json& json, const Frame& frame, WallTime wall, Provision& to) {
  const Json* servers = find_member(json, "iceServers");
  if (servers == nullptr || !servers->is_array()) return false;
  const Json* tokens = find_member(json, "oauth");
  if (tokens != nullptr && !tokens->is_array()) return false;
  if (servers->size() + (tokens == nullptr ? 0 : tokens->size()) > entries_max) return false;
  const auto add = [&to](std::optional<Entry> entry) {
    if (entry) to.entries.push_back(std::move(*entry));
    return entry.has_value();
  };
  if (!std::ranges::all_of(*servers, [&](const Json& server) { return add(read_password(server, frame)); }))
    return false;
  if (tokens == nullptr) return !to.entries.empty();
  return std::ranges::all_of(*tokens,
                             [&](const Json& token) { return add(read_token(token, frame, wall)); }) &&
         !to.entries.empty();
}

}  // namespace

std::string format_body(const Provision& provision, int indent) {
  Json servers = Json::array();
  Json tokens = Json::array();
  const Entry* first = nullptr;
  for (const Entry& entry : provision.entries) {
    if (entry.form == Form::oauth) {
      tokens.push_back(make_token_answer(entry));
    } else {
      servers.push_back(make_ice_server(entry));
      if (first == nullptr) first = &entry;
    }
  }
  if (first == nullptr && !provision.entries.empty()) first = &provision.entries.front();
  Json json;
  json["iceServers"] = std::move(servers);
  if (first != nullptr) {
    if (!first->realm.empty()) json["realm"] = first->realm;
    json["ttl"] = first->ttl.count();
    json["expires_at"] = unix_seconds(first->expires_at);
    json["refresh_after"] = provision.refresh_after.count();
  }
  if (!tokens.empty()) json["oauth"] = std::move(tokens);
  return to_text(json, indent);
}

std::string format_token_answer(const Entry& entry, int indent) {
  return to_text(make_token_answer(entry), indent);
}

std::string_view to_string(BodyDefect defect) {
  return defect == BodyDefect::malformed ? "malformed" : "no_credentials";
}

std::expected<Provision, BodyDefect> parse_body(std::string_view json, WallTime wall) {
  if (json.size() > body_bytes_max) return std::unexpected(BodyDefect::malformed);
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return std::unexpected(BodyDefect::malformed);
  const auto ttl = find_seconds(document, "ttl");
  if (!ttl) return std::unexpected(BodyDefect::no_credentials);
  const Frame frame{find_text(document, "realm").value_or(""), *ttl, find_end(document, *ttl, wall)};
  Provision provision;
  if (!read_entries(document, frame, wall, provision)) return std::unexpected(BodyDefect::no_credentials);
  provision.refresh_after = find_seconds(document, "refresh_after").value_or(find_refresh(*ttl));
  return provision;
}

}  // namespace turnpike::provisioning
