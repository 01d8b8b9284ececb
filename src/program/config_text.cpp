#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "program/config.hpp"
#include "program/config_sections.hpp"
#include "program/time_text.hpp"
#include "program/toml_text.hpp"

namespace turnpike::program {
namespace {

constexpr std::string_view mask = "\"(hidden)\"";

template <typename Items, typename Name>
std::vector<std::string> names_of(const Items& items, Name name) {
  std::vector<std::string> names;
  names.reserve(items.size());
  for (const auto& item : items) names.push_back(name(item));
  return names;
}

std::vector<std::string> listener_names(const Config& config) {
  return names_of(config.turn->listeners,
                  [](const SocketAddress& address) { return "udp:" + address.to_string(); });
}

std::vector<std::string> relay_names(const Config& config) {
  return names_of(config.turn->relay_addresses, [](const turn::RelayAddress& address) {
    return address.bind == address.advertised
               ? address.bind.to_string()
               : address.bind.to_string() + '/' + address.advertised.to_string();
  });
}

std::vector<std::string> prefix_names(const std::vector<IpPrefix>& prefixes) {
  return names_of(prefixes, [](const IpPrefix& prefix) { return prefix.to_string(); });
}

std::string_view name_of(turn::ExpiryMode mode) {
  switch (mode) {
    case turn::ExpiryMode::lenient:
      return "lenient";
    case turn::ExpiryMode::bounded:
      return "bounded";
    case turn::ExpiryMode::strict:
      return "strict";
  }
  return "";
}

std::string_view name_of(credentials::MacKeyRule rule) {
  switch (rule) {
    case credentials::MacKeyRule::rfc7635:
      return "rfc7635";
    case credentials::MacKeyRule::coturn16:
      return "coturn16";
    case credentials::MacKeyRule::automatic:
      return "auto";
  }
  return "";
}

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return "trace";
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "";
}

std::string format_turn(const Config& config) {
  const turn::Settings& turn = *config.turn;
  std::string text = "[turn]\n";
  text += fmt::format("listen = {}\n", quote_all(listener_names(config)));
  text += fmt::format("realm = {}\n", quote(config.credentials.realm));
  text += fmt::format("server_name = {}\n", quote(config.server_name));
  text += fmt::format("relay_addresses = {}\n", quote_all(relay_names(config)));
  text += fmt::format("relay_ports = [{}, {}]\n", turn.relay_port_min, turn.relay_port_max);
  text += fmt::format("shards = {}\n", config.shards);
  text += fmt::format("expiry = {}\n", quote(name_of(turn.expiry)));
  text += fmt::format("password_algorithms = {}\n", turn.password_algorithms);
  if (!turn.software.empty()) text += fmt::format("software = {}\n", quote(turn.software));
  text += fmt::format("uris = {}\n", quote_all(config.uris));
  text += "\n[turn.peers]\n";
  text += fmt::format("allow = {}\n", quote_all(prefix_names(turn.peers.allow)));
  text += fmt::format("deny = {}\n", quote_all(prefix_names(turn.peers.deny)));
  return text;
}

std::string format_relays_elsewhere(const Config& config) {
  if (config.credentials.realm.empty()) return "";
  return fmt::format("[credentials]\nrealm = {}\nserver_name = {}\nuris = {}\n",
                     quote(config.credentials.realm), quote(config.server_name), quote_all(config.uris));
}

std::string format_limits(const Config& config) {
  const turn::Limits& limits = config.turn->limits;
  std::string text = "\n[turn.limits]\n";
  const auto add = [&](std::string_view key, auto value) { text += fmt::format("{} = {}\n", key, value); };
  add("allocations_per_subject", limits.allocations_per_subject);
  add("allocations_per_source", limits.allocations_per_source);
  add("allocations_total", limits.allocations_total);
  add("permissions_per_allocation", limits.permissions_per_allocation);
  add("channels_per_allocation", limits.channels_per_allocation);
  add("peers_per_request", limits.peers_per_request);
  add("allocation_lifetime_default_seconds", limits.allocation_lifetime_default.count());
  add("allocation_lifetime_max_seconds", limits.allocation_lifetime_max.count());
  add("permission_lifetime_seconds", limits.permission_lifetime.count());
  add("channel_lifetime_seconds", limits.channel_lifetime.count());
  add("channel_rebind_delay_seconds", limits.channel_rebind_delay.count());
  add("reservation_lifetime_seconds", limits.reservation_lifetime.count());
  add("relay_port_reuse_delay_seconds", limits.relay_port_reuse_delay.count());
  add("expiry_slack_seconds", limits.expiry_slack.count());
  add("nonce_lifetime_seconds", config.nonce_lifetime.count());
  add("unauthorized_per_second_per_source", limits.unauthorized_per_second_per_source);
  add("bytes_per_second_per_allocation", limits.bytes_per_second_per_allocation);
  add("port_attempts", limits.port_attempts);
  return text;
}

std::string format_policy(const credentials::Policy& policy) {
  std::string text;
  if (policy.allocations_max != 0)
    text += fmt::format("allocations_per_subject = {}\n", policy.allocations_max);
  if (policy.bytes_per_second != 0)
    text += fmt::format("bytes_per_second_per_allocation = {}\n", policy.bytes_per_second);
  if (!policy.allowed_peers.empty())
    text += fmt::format("allowed_peers = {}\n", quote_all(prefix_names(policy.allowed_peers)));
  return text;
}

std::string format_token(const credentials::TokenSettings& token) {
  std::string text = "\n[credentials.token]\nkeys = [\n";
  for (const credentials::TokenKey& key : token.keys) {
    text += fmt::format("  {{ kid = {}, key = {}, alg = \"{}\", derives = {}", quote(key.kid), mask,
                        credentials::to_string(key.algorithm), key.derives);
    if (key.not_before != WallTime::min())
      text += fmt::format(", not_before = {}", format_time(key.not_before));
    if (key.not_after != WallTime::max()) text += fmt::format(", not_after = {}", format_time(key.not_after));
    text += " },\n";
  }
  return text +
         fmt::format("]\nmac_key = \"{}\"\nbrowser_form = {}\n", name_of(token.mac_key), token.browser_form) +
         format_policy(token.policy);
}

std::string format_credentials(const credentials::RegistrySettings& settings) {
  std::string text;
  if (settings.static_users) {
    text += "\n[credentials.static]\n" + format_policy(settings.static_users->policy) +
            "[credentials.static.users]\n";
    for (const auto& [name, password] : settings.static_users->users)
      text += fmt::format("{} = {}\n", quote(name), mask);
  }
  if (settings.computed) {
    text += "\n[credentials.computed]\nsecrets = [\n";
    for (const credentials::ComputedSecret& secret : settings.computed->secrets)
      text += secret.id.empty() ? fmt::format("  {{ secret = {} }},\n", mask)
                                : fmt::format("  {{ id = {}, secret = {} }},\n", quote(secret.id), mask);
    const bool is_sha1 = settings.computed->digest == credentials::ComputedDigest::sha1;
    text += fmt::format("]\ndigest = \"{}\"\n", is_sha1 ? "sha1" : "sha256") +
            format_policy(settings.computed->policy);
  }
  if (settings.pushed)
    text += fmt::format("\n[credentials.pushed]\ncredentials_max = {}\n", settings.pushed->credentials_max);
  if (settings.token) text += format_token(*settings.token);
  return text;
}

std::string describe_keys(std::size_t keys, std::size_t providers) {
  std::string text = fmt::format("token ({} {}", keys, keys == 1 ? "key" : "keys");
  if (providers != 0) text += fmt::format(", {} {}", providers, providers == 1 ? "provider" : "providers");
  return text + ')';
}

std::string describe_sources(const Config& config) {
  const credentials::RegistrySettings& settings = config.credentials;
  const auto count = [](std::size_t number, std::string_view one, std::string_view many) {
    return fmt::format("{} {}", number, number == 1 ? one : many);
  };
  std::vector<std::string> sources;
  if (settings.static_users)
    sources.push_back("static (" + count(settings.static_users->users.size(), "user", "users") + ")");
  if (settings.computed)
    sources.push_back("computed (" + count(settings.computed->secrets.size(), "secret", "secrets") + ")");
  if (settings.pushed) sources.push_back(fmt::format("pushed (up to {})", settings.pushed->credentials_max));
  if (settings.token)
    sources.push_back(describe_keys(settings.token->keys.size(), config.key_providers.size()));
  return fmt::format("{}", fmt::join(sources, ", "));
}

}  // namespace

std::string format_config(const Config& config) {
  std::string text =
      config.turn ? format_turn(config) + format_limits(config) : format_relays_elsewhere(config);
  text += format_credentials(config.credentials) + format_key_providers(config);
  if (!config.admin_socket.empty())
    text += fmt::format("\n[admin]\nsocket = {}\n", quote(config.admin_socket));
  text += fmt::format("\n[log]\nlevel = \"{}\"\nformat = \"{}\"\n", name_of(config.log_level),
                      config.log_format == LogFormat::json ? "json" : "text");
  if (config.epcscf) text += format_epcscf(*config.epcscf);
  if (config.ims) text += format_ims(*config.ims);
  if (config.api) text += format_api(*config.api);
  if (config.waf) text += format_waf(config);
  text += format_relay_interface(config);
  if (!config.opaque_id_key.empty()) text += fmt::format("\n[issue]\nopaque_id_key = {}\n", mask);
  return text;
}

namespace {

std::string describe_relay(const Config& config) {
  const turn::Settings& turn = *config.turn;
  std::string text = fmt::format("serves       {}, realm {}\n", fmt::join(listener_names(config), ", "),
                                 config.credentials.realm);
  text += fmt::format("credentials  {}\n", describe_sources(config));
  text += fmt::format("relays from  {}, ports {} to {}\n", fmt::join(relay_names(config), ", "),
                      turn.relay_port_min, turn.relay_port_max);
  text += fmt::format(
      "peers        {}\n",
      turn.peers.allow.empty()
          ? "public addresses"
          : fmt::format("public addresses and {}", fmt::join(prefix_names(turn.peers.allow), ", ")));
  return text + fmt::format("told         {}\n", fmt::join(config.uris, ", "));
}

std::string describe_relays_elsewhere(const Config& config) {
  const std::string sources = describe_sources(config);
  if (sources.empty()) return "";
  return fmt::format("credentials  {}, for relays of realm {}\ntold         {}\n", sources,
                     config.credentials.realm, fmt::join(config.uris, ", "));
}

}  // namespace

std::string describe_config(const Config& config) {
  std::string text = config.turn ? describe_relay(config) : describe_relays_elsewhere(config);
  text += describe_control_plane(config);
  text += fmt::format("admin        {}\n", config.admin_socket.empty() ? "no socket" : config.admin_socket);
  return text;
}

}  // namespace turnpike::program
