#include <fmt/format.h>

#include <algorithm>

#include "base/http_url.hpp"
#include "program/config_sections.hpp"
#include "program/toml_text.hpp"
#include "provisioning/turn_uri.hpp"

namespace turnpike::program {
namespace {

constexpr std::string_view turn_uris_allowed =
    "turn: or turns: URIs, \"turn:turn1.example:3478?transport=udp\"";

constexpr std::size_t path_bytes_max = 4096;
constexpr std::size_t name_bytes_max = 256;

// A path of a file that has to be named.
void read_path(TableReader& table, std::string_view key, std::string_view allowed,
               const std::filesystem::path& folder, std::string& to) {
  table.file_name(key, to, folder);
  if (to.empty()) table.missing(key, allowed);
}

std::filesystem::path folder_of(const Config& config) {
  return std::filesystem::path{config.file}.parent_path();
}

// By its name a relay is known to operators: host and port of its URL unless set.
void read_name(TableReader& table, const std::vector<service::RelaySettings>& others,
               service::RelaySettings& relay) {
  if (const auto url = HttpUrl::parse(relay.url)) relay.name = url->authority();
  table.text("name", relay.name, name_bytes_max);
  if (!relay.name.empty() &&
      std::ranges::find(others, relay.name, &service::RelaySettings::name) != others.end())
    table.complain("name", line_of(table, "name"),
                   fmt::format("found \"{}\" again, allowed: each name once", relay.name));
}

service::RelaySettings read_relay(TableReader table, const std::filesystem::path& folder,
                                  const std::vector<service::RelaySettings>& others) {
  constexpr std::string_view allowed = "\"https://HOST:PORT\" of the relay's credential interface";
  service::RelaySettings relay;
  table.text("url", relay.url, path_bytes_max);
  const auto url = HttpUrl::parse(relay.url);
  if (relay.url.empty())
    table.missing("url", allowed);
  else if (!url || !url->is_secure)
    table.complain("url", line_of(table, "url"),
                   fmt::format("found \"{}\", allowed: {}", relay.url, allowed));
  read_name(table, others, relay);
  table.text("region", relay.region, name_bytes_max);
  read_path(table, "certificate", "the file of our certificate, in PEM", folder, relay.certificate_file);
  read_path(table, "key", "the file of our certificate's key, in PEM", folder, relay.key_file);
  read_path(table, "ca", "the file of the authority that vouches for the relay, in PEM", folder,
            relay.ca_file);
  read_needed_turn_uris(table, relay.uris);
  table.finish();
  return relay;
}

}  // namespace

void read_turn_uris(TableReader& table, std::vector<std::string>& to) {
  if (table.find("uris") == nullptr) return;
  to.clear();
  for (const Node* node : table.texts("uris", turn_uris_allowed)) {
    if (!provisioning::TurnUri::parse(node->text)) table.refuse("uris", *node, turn_uris_allowed);
    to.push_back(node->text);
  }
}

void read_needed_turn_uris(TableReader& table, std::vector<std::string>& to) {
  read_turn_uris(table, to);
  if (to.empty()) table.missing("uris", turn_uris_allowed);
}

void read_relay_interface(TableReader table, Config& config) {
  if (!table.is_present()) return;
  constexpr std::string_view allowed = "\"IP:PORT\", where issuers reach this relay";
  RelayInterfaceSettings settings;
  std::string listen;
  table.text("listen", listen, name_bytes_max);
  const auto address = SocketAddress::parse(listen);
  if (listen.empty())
    table.missing("listen", allowed);
  else if (!address)
    table.complain("listen", line_of(table, "listen"),
                   fmt::format("found \"{}\", allowed: {}", listen, allowed));
  settings.listen = address.value_or(SocketAddress{});
  const auto folder = folder_of(config);
  read_path(table, "certificate", "the file of our certificate, in PEM", folder, settings.certificate_file);
  read_path(table, "key", "the file of our certificate's key, in PEM", folder, settings.key_file);
  read_path(table, "client_ca", "the file of the authority that vouches for issuers, in PEM", folder,
            settings.client_ca_file);
  table.text_list("allowed_names", settings.allowed_names, "names in the certificates of issuers");
  table.finish();
  config.relay_interface = std::move(settings);
}

void read_relays(TableReader& root, Config& config, std::vector<Problem>& problems) {
  const auto entries = root.tables("relays", "[[relays]] tables");
  for (std::size_t at = 0; at < entries.size(); ++at)
    config.relays.push_back(
        read_relay({entries[at], fmt::format("relays[{}]", at), problems}, folder_of(config), config.relays));
  if (config.turn || !config.uris.empty()) return;
  for (const service::RelaySettings& relay : config.relays)
    config.uris.insert(config.uris.end(), relay.uris.begin(), relay.uris.end());
}

std::string format_relay_interface(const Config& config) {
  std::string text;
  if (const auto& interface = config.relay_interface) {
    text +=
        fmt::format("\n[credentials.interface]\nlisten = {}\ncertificate = {}\nkey = {}\nclient_ca = {}\n",
                    quote(interface->listen.to_string()), quote(interface->certificate_file),
                    quote(interface->key_file), quote(interface->client_ca_file));
    if (!interface->allowed_names.empty())
      text += fmt::format("allowed_names = {}\n", quote_all(interface->allowed_names));
  }
  for (const service::RelaySettings& relay : config.relays) {
    text += fmt::format("\n[[relays]]\nurl = {}\nname = {}\n", quote(relay.url), quote(relay.name));
    if (!relay.region.empty()) text += fmt::format("region = {}\n", quote(relay.region));
    text += fmt::format("certificate = {}\nkey = {}\nca = {}\nuris = {}\n", quote(relay.certificate_file),
                        quote(relay.key_file), quote(relay.ca_file), quote_all(relay.uris));
  }
  return text;
}

}  // namespace turnpike::program
