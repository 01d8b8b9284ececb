// Keys of tokens that are fetched: [[credentials.token.providers]] at a relay, [waf.stun_keys] and
// [[waf.turn_servers]] at a WAF.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/http_url.hpp"
#include "program/config_sections.hpp"
#include "program/toml_text.hpp"
#include "waf/turn_key_ring.hpp"

namespace turnpike::program {
namespace {

constexpr std::size_t path_bytes_max = 4096;
constexpr std::size_t name_bytes_max = 256;
constexpr std::size_t providers_max = 32;
constexpr std::int64_t day = 86400;

// A file that has to be named, and to be readable: what is found wrong here is not found out by an outage.
void read_file_name(TableReader& table, std::string_view key, std::string_view what,
                    const std::filesystem::path& folder, std::string& to) {
  if (table.find(key) == nullptr) return table.missing(key, what);
  table.file_name(key, to, folder);
  if (!to.empty() && ::access(to.c_str(), R_OK) != 0)
    table.complain(key, line_of(table, key),
                   fmt::format("found \"{}\", which cannot be read, allowed: {}", to, what));
}

bool overlap(std::string_view a, std::string_view b) { return a.starts_with(b) || b.starts_with(a); }

// No kid of a provider begins as one of another provider, or of the configuration: what is withdrawn has an
// owner.
void read_prefix(TableReader& table, service::KeyProviderSettings& provider,
                 const std::vector<service::KeyProviderSettings>& others,
                 const credentials::TokenSettings& token) {
  std::string& prefix = provider.answer.kid_prefix;
  if (table.find("kid_prefix") == nullptr)
    return table.missing("kid_prefix",
                         "what all kids of this provider begin with: its [waf.stun_keys] kid_prefix");
  table.text("kid_prefix", prefix, name_bytes_max);
  const int line = line_of(table, "kid_prefix");
  if (const auto problem = waf::find_kid_prefix_problem(prefix))
    return table.complain("kid_prefix", line, *problem);
  const auto other = std::ranges::find_if(others, [&](const service::KeyProviderSettings& it) {
    return !it.answer.kid_prefix.empty() && overlap(it.answer.kid_prefix, prefix);
  });
  if (other != others.end())
    table.complain(
        "kid_prefix", line,
        fmt::format("found \"{}\" beside \"{}\" of {}, allowed: prefixes of which none begins another one",
                    prefix, other->answer.kid_prefix, other->name));
  const auto key = std::ranges::find_if(
      token.keys, [&](const credentials::TokenKey& it) { return it.kid.starts_with(prefix); });
  if (key != token.keys.end())
    table.complain("kid_prefix", line,
                   fmt::format("found \"{}\", and the key {} of this file begins so, allowed: another one",
                               prefix, key->kid));
}

void read_url(TableReader& table, std::string& to) {
  constexpr std::string_view allowed = "\"https://HOST:PORT\" of the provider's keys, without a path";
  table.text("url", to, path_bytes_max);
  if (to.empty()) return table.missing("url", allowed);
  const auto url = HttpUrl::parse(to);
  if (!url || !url->is_secure || url->target != "/" || to.ends_with('/') || to.contains('?') ||
      to.contains('#'))
    table.complain("url", line_of(table, "url"), fmt::format("found \"{}\", allowed: {}", to, allowed));
}

void read_provider_name(TableReader& table, const std::vector<service::KeyProviderSettings>& others,
                        std::string& to) {
  constexpr std::string_view allowed = "a name of 1 to 64 letters, digits, \"-\", \"_\" and \".\", each once";
  table.text("name", to, 64);
  if (to.empty()) return table.missing("name", allowed);
  const bool is_plain = std::ranges::all_of(to, [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  });
  if (!is_plain || std::ranges::find(others, to, &service::KeyProviderSettings::name) != others.end())
    table.complain("name", line_of(table, "name"), fmt::format("found \"{}\", allowed: {}", to, allowed));
}

service::KeyProviderSettings read_provider(TableReader table, const credentials::TokenSettings& token,
                                           const Config& config, const std::filesystem::path& folder) {
  service::KeyProviderSettings provider{.server_name = config.server_name};
  read_provider_name(table, config.key_providers, provider.name);
  read_url(table, provider.url);
  read_prefix(table, provider, config.key_providers, token);
  read_file_name(table, "certificate",
                 "the PEM file of this relay's certificate, with the name of the TURN server", folder,
                 provider.certificate_file);
  read_file_name(table, "key", "the PEM file of that certificate's key", folder, provider.key_file);
  read_file_name(table, "ca", "the PEM file of the authority that vouches for the provider", folder,
                 provider.ca_file);
  table.file_name("state_file", provider.state_file, folder);
  if (!provider.state_file.empty() &&
      std::ranges::find(config.key_providers, provider.state_file,
                        &service::KeyProviderSettings::state_file) != config.key_providers.end())
    table.complain("state_file", line_of(table, "state_file"),
                   fmt::format("found \"{}\" again, allowed: a file for each provider", provider.state_file));
  table.boolean("derives", provider.derives);
  table.boolean("withdrawn", provider.is_withdrawn);
  table.seconds("keep_seconds", provider.answer.keep, 0, 30 * day);
  table.finish();
  return provider;
}

}  // namespace

void read_key_providers(TableReader& token, const std::string& path,
                        const credentials::TokenSettings& settings, Config& config,
                        std::vector<Problem>& problems) {
  const auto entries = token.tables("providers", "[[credentials.token.providers]] tables");
  const auto folder = std::filesystem::path{config.file}.parent_path();
  if (!entries.empty() && !config.turn)
    return token.complain("providers", entries.front()->line,
                          "found without [turn], allowed: beside it, as it is the relay that fetches keys");
  if (entries.size() > providers_max)
    return token.complain("providers", entries.front()->line,
                          fmt::format("found {}, allowed: at most {}", entries.size(), providers_max));
  for (std::size_t at = 0; at < entries.size(); ++at)
    config.key_providers.push_back(read_provider(
        {entries[at], fmt::format("{}.providers[{}]", path, at), problems}, settings, config, folder));
}

std::string format_key_providers(const Config& config) {
  std::string text;
  for (const service::KeyProviderSettings& provider : config.key_providers) {
    text += fmt::format("\n[[credentials.token.providers]]\nname = {}\nurl = {}\nkid_prefix = {}\n",
                        quote(provider.name), quote(provider.url), quote(provider.answer.kid_prefix));
    text += fmt::format("certificate = {}\nkey = {}\nca = {}\n", quote(provider.certificate_file),
                        quote(provider.key_file), quote(provider.ca_file));
    if (!provider.state_file.empty()) text += fmt::format("state_file = {}\n", quote(provider.state_file));
    text += fmt::format("derives = {}\nwithdrawn = {}\nkeep_seconds = {}\n", provider.derives,
                        provider.is_withdrawn, provider.answer.keep.count());
  }
  return text;
}

// --- the WAF's end ----------------------------------------------------------------------------------------
namespace {

void read_stun_keys(TableReader table, WafConfig& waf, const Config& config,
                    const std::filesystem::path& folder) {
  if (!table.is_present()) return;
  constexpr std::string_view allowed =
      "\"https:ADDRESS:PORT\", where TURN servers fetch their keys; not that of [waf]";
  WafKeyConfig keys;
  std::string listen;
  table.text("listen", listen, name_bytes_max);
  const auto address =
      listen.starts_with("https:") ? SocketAddress::parse(std::string_view{listen}.substr(6)) : std::nullopt;
  const bool is_taken = address && std::ranges::find(waf.door.listeners, *address, &HttpListener::address) !=
                                       waf.door.listeners.end();
  if (listen.empty())
    table.missing("listen", allowed);
  else if (!address || address->port == 0 || is_taken)
    table.complain("listen", line_of(table, "listen"),
                   fmt::format("found \"{}\", allowed: {}", listen, allowed));
  keys.listen = address.value_or(SocketAddress{});
  keys.certificate = waf.door.certificate;
  keys.key = waf.door.key;
  if (table.find("certificate") != nullptr || table.find("key") != nullptr || keys.certificate.empty()) {
    read_file_name(table, "certificate", "the PEM file of the certificate of this listener", folder,
                   keys.certificate);
    read_file_name(table, "key", "the PEM file of that certificate's key", folder, keys.key);
  }
  read_file_name(table, "client_ca", "the PEM file of the authority that vouches for TURN servers", folder,
                 keys.client_ca);
  waf::TurnKeyRules& rules = waf.node.waf.turn_keys;
  if (table.find("kid_prefix") == nullptr)
    table.missing("kid_prefix", "what the kids of this WAF begin with, as \"w1-\"");
  table.text("kid_prefix", rules.kid_prefix, name_bytes_max);
  if (const auto problem = waf::find_kid_prefix_problem(rules.kid_prefix);
      problem && table.find("kid_prefix") != nullptr)
    table.complain("kid_prefix", line_of(table, "kid_prefix"), *problem);
  if (config.credentials.token)
    for (const credentials::TokenKey& key : config.credentials.token->keys)
      if (!rules.kid_prefix.empty() && key.kid.starts_with(rules.kid_prefix))
        table.complain(
            "kid_prefix", line_of(table, "kid_prefix"),
            fmt::format("found \"{}\", and the key {} of [credentials.token] begins so, allowed: another one",
                        rules.kid_prefix, key.kid));
  table.seconds("used_for_seconds", rules.used_for, 60, 366 * day);
  table.seconds("published_before_seconds", rules.published_before, 10, 31 * day);
  table.seconds("refresh_after_seconds", rules.refresh_after, 5, day);
  if (rules.published_before >= rules.used_for)
    table.complain("published_before_seconds", line_of(table, "published_before_seconds"),
                   fmt::format("found {}, allowed: less than used_for_seconds, which is {}",
                               rules.published_before.count(), rules.used_for.count()));
  if (rules.refresh_after * 2 > rules.published_before)
    table.complain(
        "refresh_after_seconds", line_of(table, "refresh_after_seconds"),
        fmt::format("found {}, allowed: at most half of published_before_seconds, which is {}, so that each "
                    "TURN server has a key before it is used",
                    rules.refresh_after.count(), rules.published_before.count()));
  table.finish();
  waf.keys = std::move(keys);
}

std::optional<waf::TurnTarget> read_turn_server(TableReader table, const Config& config,
                                                const WafConfig& waf) {
  waf::TurnTarget target{.fetches_keys = true};
  std::string& name = target.token.server_name;
  table.text("server_name", name, name_bytes_max);
  if (name.empty())
    table.missing("server_name", "the turn.server_name of the relay, which its tokens are sealed for");
  const bool is_taken =
      !name.empty() &&
      (std::ranges::any_of(waf.turn_servers,
                           [&](const waf::TurnTarget& it) { return it.token.server_name == name; }) ||
       (config.credentials.token && !config.credentials.token->keys.empty() &&
        config.credentials.token->server_name == name));
  if (is_taken)
    table.complain(
        "server_name", line_of(table, "server_name"),
        fmt::format(
            "found \"{}\" again, allowed: each once, by [[waf.turn_servers]] or by [credentials.token]",
            name));
  target.realm = config.credentials.realm;
  table.text("realm", target.realm, 127);
  read_needed_turn_uris(table, target.uris);
  for (const Node* node : table.texts("resources", "a list of URIs that mean the TURN server too"))
    target.resources.push_back(node->text);
  for (const Node* node :
       table.texts("certificate_names", "names in the certificates of those who may fetch its keys"))
    target.certificate_names.push_back(node->text);
  if (table.find("certificate_names") == nullptr) target.certificate_names = {name};
  if (target.certificate_names.empty() ||
      std::ranges::find(target.certificate_names, "") != target.certificate_names.end())
    table.complain("certificate_names", line_of(table, "certificate_names"),
                   "found no name, or an empty one, allowed: names (DNS, URI or common name)");
  table.choice<credentials::TokenAlgorithm>(
      "alg", target.algorithm,
      {{"A256GCM", credentials::TokenAlgorithm::a256gcm}, {"A128GCM", credentials::TokenAlgorithm::a128gcm}});
  table.finish();
  if (name.empty() || is_taken) return std::nullopt;
  return target;
}

}  // namespace

void read_waf_turn_keys(TableReader& waf_table, WafConfig& waf, const Config& config,
                        const std::filesystem::path& folder, std::vector<Problem>& problems) {
  read_stun_keys(waf_table.sub_table("stun_keys"), waf, config, folder);
  const auto entries = waf_table.tables("turn_servers", "[[waf.turn_servers]] tables");
  for (std::size_t at = 0; at < entries.size(); ++at)
    if (auto read =
            read_turn_server({entries[at], fmt::format("waf.turn_servers[{}]", at), problems}, config, waf))
      waf.turn_servers.push_back(std::move(*read));
  if (!entries.empty() && !waf.keys)
    waf_table.complain(
        "turn_servers", entries.front()->line,
        "found without [waf.stun_keys], allowed: beside it, as it says where they fetch their keys");
  if (entries.empty() && waf.keys)
    waf_table.complain(
        "stun_keys", line_of(waf_table, "stun_keys"),
        "found without [[waf.turn_servers]], allowed: beside at least one, whose keys are fetched");
}

std::string format_waf_turn_keys(const WafConfig& waf) {
  std::string text;
  if (waf.keys) {
    const waf::TurnKeyRules& rules = waf.node.waf.turn_keys;
    text += fmt::format("\n[waf.stun_keys]\nlisten = {}\ncertificate = {}\nkey = {}\nclient_ca = {}\n",
                        quote("https:" + waf.keys->listen.to_string()), quote(waf.keys->certificate),
                        quote(waf.keys->key), quote(waf.keys->client_ca));
    text += fmt::format(
        "kid_prefix = {}\nused_for_seconds = {}\npublished_before_seconds = {}\nrefresh_after_seconds = {}\n",
        quote(rules.kid_prefix), rules.used_for.count(), rules.published_before.count(),
        rules.refresh_after.count());
  }
  for (const waf::TurnTarget& target : waf.turn_servers)
    text += fmt::format(
        "\n[[waf.turn_servers]]\nserver_name = {}\nrealm = {}\nuris = {}\nresources = {}\ncertificate_names "
        "= {}\nalg = "
        "\"{}\"\n",
        quote(target.token.server_name), quote(target.realm), quote_all(target.uris),
        quote_all(target.resources), quote_all(target.certificate_names),
        credentials::to_string(target.algorithm));
  return text;
}

}  // namespace turnpike::program
