// [epcscf] and [ims] as they are in force, in TOML and in words.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "program/config_sections.hpp"
#include "program/config_tokens.hpp"
#include "program/toml_text.hpp"

namespace turnpike::program {
namespace {

std::vector<std::string> names_of(const std::vector<service::SipListener>& listeners) {
  std::vector<std::string> names;
  names.reserve(listeners.size());
  for (const service::SipListener& listener : listeners) names.push_back(listener.to_string());
  return names;
}

std::vector<std::string> names_of(const std::vector<service::DoorListener>& listeners) {
  std::vector<std::string> names;
  names.reserve(listeners.size());
  for (const service::DoorListener& listener : listeners)
    names.push_back((listener.is_secure ? "wss:" : "ws:") + listener.address.to_string());
  return names;
}

std::vector<std::string> names_of(const std::vector<credentials::Source>& sources) {
  std::vector<std::string> names;
  names.reserve(sources.size());
  for (const credentials::Source source : sources) names.emplace_back(credentials::to_string(source));
  return names;
}

// Without the brackets that a Hop has.
std::vector<std::string> addresses_of(const std::vector<std::string>& hosts) {
  std::vector<std::string> addresses;
  addresses.reserve(hosts.size());
  for (const std::string& host : hosts)
    addresses.push_back(host.starts_with('[') ? host.substr(1, host.size() - 2) : host);
  return addresses;
}

class Lines {
 public:
  explicit Lines(std::string_view section) : text_(fmt::format("\n[{}]\n", section)) {}
  template <typename Value>
  Lines& add(std::string_view key, const Value& value) {
    text_ += fmt::format("{} = {}\n", key, value);
    return *this;
  }
  Lines& add(std::string_view key, const std::string& value) {
    text_ += fmt::format("{} = {}\n", key, quote(value));
    return *this;
  }
  Lines& add(std::string_view key, const std::vector<std::string>& values) {
    text_ += fmt::format("{} = {}\n", key, quote_all(values));
    return *this;
  }
  Lines& add(std::string_view key, std::chrono::seconds value) { return add(key, value.count()); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::int64_t milliseconds_of(Duration duration) {
  return std::chrono::floor<std::chrono::milliseconds>(duration).count();
}

std::string format_epcscf_limits(const EpcscfConfig& epcscf) {
  const service::DoorLimits& door = epcscf.door.limits;
  const epcscf::Limits& limits = epcscf.proxy.limits;
  return Lines{"epcscf.limits"}
      .add("connections_total", door.connections_max)
      .add("connections_per_source", door.connections_per_source_max)
      .add("handshakes_per_second_per_source", door.handshakes_per_second_per_source)
      .add("messages_per_second", door.messages_per_second)
      .add("message_bytes", door.message_bytes_max)
      .add("queue_bytes", door.queue_bytes_max)
      .add("handshake_timeout_seconds", door.handshake_timeout)
      .add("ping_interval_seconds", door.ping_interval)
      .add("idle_timeout_seconds", door.idle_timeout)
      .add("close_timeout_seconds", door.close_timeout)
      .add("registrations_total", limits.registrations_max)
      .add("registrations_per_impi", limits.registrations_per_impi_max)
      .add("failed_logins_per_minute_per_source", limits.failed_logins_per_minute)
      .add("provisioned_per_impi_per_hour", limits.provisioned_per_impi_per_hour)
      .add("registrations_per_connection", limits.registrations_per_flow_max)
      .add("calls_total", limits.calls_max)
      .add("calls_per_connection", limits.calls_per_flow_max)
      .add("transactions_total", epcscf.proxy.transactions.transactions_max)
      .add("transactions_per_connection", epcscf.proxy.transactions.servers_per_flow_max)
      .add("registration_seconds", limits.registration_max)
      .text();
}

}  // namespace

std::string format_epcscf(const EpcscfConfig& epcscf) {
  const service::DoorSettings& door = epcscf.door;
  const epcscf::Settings& proxy = epcscf.proxy;
  Lines lines{"epcscf"};
  lines.add("listen", names_of(door.listeners));
  if (!door.certificate.empty()) lines.add("certificate", door.certificate).add("key", door.key);
  if (!door.path.empty()) lines.add("path", door.path);
  lines.add("origins", epcscf.origins)
      .add("require_origin", door.requires_origin)
      .add("allow_cleartext", door.allows_cleartext)
      .add("core", epcscf.core)
      .add("core_listen", names_of(epcscf.core_listeners))
      .add("host", proxy.own_host)
      .add("trusted_core", addresses_of(proxy.trusted_core))
      .add("home_domain", proxy.home_domain)
      .add("visited_network", proxy.visited_network)
      .add("flow_grace_seconds", std::chrono::floor<std::chrono::seconds>(proxy.flow_grace))
      .add("flow_timer_seconds", proxy.flow_timer)
      .add("push_patience_milliseconds", milliseconds_of(proxy.push_patience))
      .add("reg_event", proxy.has_reg_event)
      .add("reg_event_patience_seconds", proxy.reg_event_patience);
  Lines credentials{"epcscf.credentials"};
  credentials.add("sources", names_of(epcscf.sources))
      .add("uris", epcscf.uris)
      .add("ttl_min_seconds", epcscf.life.floor)
      .add("ttl_max_seconds", epcscf.life.cap)
      .add("grace_seconds", epcscf.life.grace)
      .add("grace_of_long_seconds", epcscf.life.grace_of_long);
  const std::string tokens =
      epcscf.tokens ? format_tokens("epcscf.tokens", *epcscf.tokens, proxy.bearer, epcscf.wwsf_origins)
                    : std::string{};
  return lines.text() + credentials.text() + tokens + format_epcscf_limits(epcscf);
}

std::string format_ims(const ImsConfig& ims) {
  const ims::Settings& core = ims.core;
  return Lines{"ims"}
      .add("listen", names_of(ims.listeners))
      .add("host", fmt::format("{}:{}", core.self.host, core.self.port))
      .add("database", ims.database)
      .add("realm", core.domain)
      .add("trusted_nodes", addresses_of(core.trusted_nodes))
      .add("expires_min_seconds", core.expires_min)
      .add("expires_max_seconds", core.expires_max)
      .add("expires_default_seconds", core.expires_default)
      .add("nonce_lifetime_seconds", core.nonce_lifetime)
      .text();
}

std::string describe_control_plane(const Config& config) {
  std::string text;
  if (config.epcscf)
    text += fmt::format("eP-CSCF      {}, core {}, hands out {}\n",
                        fmt::join(names_of(config.epcscf->door.listeners), ", "), config.epcscf->core,
                        config.epcscf->sources.empty()
                            ? "nothing"
                            : fmt::format("{}", fmt::join(names_of(config.epcscf->sources), ", ")));
  if (config.epcscf) text += describe_tokens(*config.epcscf);
  for (const service::RelaySettings& relay : config.relays)
    text += fmt::format("relay        {}, {}\n", relay.name, relay.url);
  if (config.ims)
    text += fmt::format("home core    {}, subscribers in {}\n",
                        fmt::join(names_of(config.ims->listeners), ", "), config.ims->database);
  if (config.api) text += describe_api(*config.api);
  if (config.waf) text += describe_waf(config);
  return text;
}

}  // namespace turnpike::program
