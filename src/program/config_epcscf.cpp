// [epcscf] and [ims].
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "program/config_sections.hpp"
#include "program/config_tokens.hpp"

namespace turnpike::program {
namespace {

using credentials::Source;
using service::DoorListener;
using service::SipListener;

constexpr std::uint64_t many = 10'000'000;
constexpr std::size_t text_bytes_max = 255;
constexpr std::uint16_t door_port = 8443;
constexpr std::uint16_t core_side_port = 5072;
constexpr std::uint16_t home_core_port = 5070;

constexpr std::string_view door_allowed = "\"wss:ADDRESS:PORT\", such as \"wss:0.0.0.0:8443\", or \"ws:...\"";
constexpr std::string_view sip_allowed =
    "\"udp:ADDRESS:PORT\" or \"tcp:ADDRESS:PORT\", such as \"udp:127.0.0.1:5070\"";
constexpr std::string_view core_allowed =
    "the sip: URI of the I-CSCF, over udp or tcp, such as \"sip:127.0.0.1:5070\" or "
    "\"sip:icscf.ims.example;transport=tcp\"";
constexpr std::string_view domain_allowed = "the home domain of the users, such as \"ims.example\"";
constexpr std::string_view host_allowed =
    "HOST or HOST:PORT by which the others reach this node, such as \"epcscf.ims.example:5072\"";

SocketAddress loopback(std::uint16_t port) { return {IpAddress::v4({127, 0, 0, 1}), port}; }
std::vector<SipListener> both_transports(std::uint16_t port) {
  return {{sip::Transport::udp, loopback(port)}, {sip::Transport::tcp, loopback(port)}};
}

std::optional<DoorListener> parse_door(std::string_view text) {
  const bool is_secure = text.starts_with("wss:");
  if (!is_secure && !text.starts_with("ws:")) return std::nullopt;
  const auto address = SocketAddress::parse(text.substr(is_secure ? 4 : 3));
  if (!address || address->port == 0) return std::nullopt;
  return DoorListener{*address, is_secure};
}

std::optional<SipListener> parse_sip(std::string_view text) {
  const bool is_udp = text.starts_with("udp:");
  if (!is_udp && !text.starts_with("tcp:")) return std::nullopt;
  const auto address = SocketAddress::parse(text.substr(4));
  if (!address || address->port == 0) return std::nullopt;
  return SipListener{is_udp ? sip::Transport::udp : sip::Transport::tcp, *address};
}

template <typename Listener, typename Parse>
void read_listeners(TableReader& table, std::string_view key, std::vector<Listener>& to,
                    std::string_view allowed, Parse parse) {
  const Node* list = table.find(key);
  if (list == nullptr) return;
  to.clear();
  for (const Node* node : table.texts(key, fmt::format("a list of {}", allowed))) {
    const auto listener = parse(node->text);
    if (!listener)
      table.refuse(key, *node, allowed);
    else if (std::ranges::find(to, *listener) != to.end())
      table.refuse(key, *node, "each address once");
    else
      to.push_back(*listener);
  }
  if (list->kind == Node::Kind::list && list->items.empty())
    table.refuse(key, *list, fmt::format("at least one of {}", allowed));
}

std::string host_text(const SocketAddress& address) {
  return address.ip.is_v4() ? address.ip.to_string() : '[' + address.ip.to_string() + ']';
}

// Hosts as messages of them come in: "192.0.2.1" or "[2001:db8::1]".
void read_hosts(TableReader& table, std::string_view key, std::vector<std::string>& to) {
  constexpr std::string_view allowed = "a list of addresses, such as \"192.0.2.10\" or \"2001:db8::10\"";
  if (table.find(key) == nullptr) return;
  to.clear();
  for (const Node* node : table.texts(key, allowed)) {
    const auto address = IpAddress::parse(node->text);
    if (address)
      to.push_back(host_text({*address, 0}));
    else
      table.refuse(key, *node, allowed);
  }
}

void read_host(TableReader& table, const std::vector<SipListener>& listeners, std::string& to) {
  if (!listeners.empty() && !listeners.front().address.ip.is_unspecified())
    to = listeners.front().address.to_string();
  table.text("host", to, text_bytes_max);
  if (table.find("host") == nullptr && to.empty()) return table.missing("host", host_allowed);
  if (!sip::Uri::parse("sip:" + to) || to.find_first_of("@;?") != std::string::npos)
    table.complain("host", line_of(table, "host"),
                   fmt::format("found \"{}\", allowed: {}", to, host_allowed));
}

// --- [epcscf] ---------------------------------------------------------------------------------------------

void read_door(TableReader& table, service::DoorSettings& door, const std::filesystem::path& folder) {
  door.listeners = {{{IpAddress{}, door_port}, true}};
  read_listeners(table, "listen", door.listeners, door_allowed, parse_door);
  table.boolean("allow_cleartext", door.allows_cleartext);
  const auto read_file = [&](const char* key, std::string& to) {
    table.file_name(key, to, folder);
    const bool is_needed = std::ranges::any_of(door.listeners, &DoorListener::is_secure);
    if (is_needed && table.find(key) == nullptr)
      table.missing(key, "a PEM file, as wss: needs it; `turnpike key certificate` makes one to try with");
  };
  read_file("certificate", door.certificate);
  read_file("key", door.key);
  table.text("path", door.path, text_bytes_max);
  if (!door.path.empty() && door.path.front() != '/')
    table.complain("path", line_of(table, "path"),
                   fmt::format("found \"{}\", allowed: a path, such as \"/ws\"", door.path));
  table.text_list("origins", door.origins,
                  "a list of origins, such as \"https://web.ims.example\", or \"*\" for all");
  table.boolean("require_origin", door.requires_origin);
}

// Over TCP where both nodes can: it carries messages of any size, many in one write, and ends transactions at
// once that over UDP stay for half a minute.
std::string uri_of_own_core(const ImsConfig& ims, const std::vector<SipListener>& own) {
  const auto is_tcp = [](const SipListener& each) { return each.transport == sip::Transport::tcp; };
  const auto tcp = std::ranges::find_if(ims.listeners, is_tcp);
  if (tcp == ims.listeners.end() || std::ranges::none_of(own, is_tcp))
    return "sip:" + ims.listeners.front().address.to_string();
  return "sip:" + tcp->address.to_string() + ";transport=tcp";
}

// Not sips: and no other transport: it would go over UDP, in the clear.
bool is_spoken(const sip::Uri& uri) {
  const std::string_view transport = uri.params().value("transport").value_or("udp");
  return uri.scheme() == sip::Scheme::sip &&
         (sip::equal_ignoring_case(transport, "udp") || sip::equal_ignoring_case(transport, "tcp"));
}

void read_core(TableReader& table, EpcscfConfig& epcscf, const Config& config) {
  if (config.ims) epcscf.core = uri_of_own_core(*config.ims, epcscf.core_listeners);
  table.text("core", epcscf.core, text_bytes_max);
  if (epcscf.core.empty()) return table.missing("core", core_allowed);
  const auto uri = sip::Uri::parse(epcscf.core);
  const auto hop = uri && is_spoken(*uri) ? sip::hop_of(*uri) : std::nullopt;
  if (!hop)
    return table.complain("core", line_of(table, "core"),
                          fmt::format("found \"{}\", allowed: {}", epcscf.core, core_allowed));
  epcscf.proxy.core = *hop;
  read_hosts(table, "trusted_core", epcscf.proxy.trusted_core);
  std::string_view host = hop->host;
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  if (!IpAddress::parse(host) && epcscf.proxy.trusted_core.empty())
    table.missing("trusted_core",
                  "the addresses from which the core speaks, as its URI has a name and no address");
}

}  // namespace

void read_issuer_sources(TableReader& table, std::vector<Source>& to,
                         const credentials::RegistrySettings& settings) {
  constexpr std::array<std::pair<std::string_view, Source>, 3> names{
      {{"computed", Source::computed}, {"token", Source::token}, {"pushed", Source::pushed}}};
  constexpr std::string_view allowed = "a list of \"computed\", \"token\" and \"pushed\"";
  const auto is_configured = [&](Source source) {
    return source == Source::computed ? settings.computed.has_value()
           : source == Source::token  ? settings.token && !settings.token->keys.empty()
                                      : settings.pushed.has_value();
  };
  if (table.find("sources") == nullptr) {
    for (const auto& [name, source] : names)
      if (is_configured(source)) to.push_back(source);
    return;
  }
  for (const Node* node : table.texts("sources", allowed)) {
    const auto found = std::ranges::find(names, node->text, &std::pair<std::string_view, Source>::first);
    if (found == names.end())
      table.refuse("sources", *node, allowed);
    else if (!is_configured(found->second))
      table.refuse("sources", *node, fmt::format("a source that [credentials.{}] configures", node->text));
    else
      to.push_back(found->second);
  }
}

namespace {

void read_provisioning(TableReader table, EpcscfConfig& epcscf, const Config& config) {
  constexpr std::int64_t day = 86400;
  read_issuer_sources(table, epcscf.sources, config.credentials);
  epcscf.uris = config.uris;
  read_turn_uris(table, epcscf.uris);
  table.seconds("ttl_min_seconds", epcscf.life.floor, 30, day);
  table.seconds("ttl_max_seconds", epcscf.life.cap, 60, 30 * day);
  table.seconds("grace_seconds", epcscf.life.grace, 0, 3600);
  table.seconds("grace_of_long_seconds", epcscf.life.grace_of_long, 0, 3600);
  if (epcscf.life.cap < epcscf.life.floor)
    table.complain("ttl_max_seconds", line_of(table, "ttl_max_seconds"),
                   fmt::format("found {}, allowed: at least ttl_min_seconds, which is {}",
                               epcscf.life.cap.count(), epcscf.life.floor.count()));
  table.finish();
}

void read_door_limits(TableReader& table, service::DoorLimits& door) {
  table.number("connections_total", door.connections_max, 1, many);
  table.number("connections_per_source", door.connections_per_source_max, 1, many);
  table.number("handshakes_per_second_per_source", door.handshakes_per_second_per_source, 1, many);
  table.number("messages_per_second", door.messages_per_second, 1, many);
  table.number("message_bytes", door.message_bytes_max, 1024, sip::message_bytes_bound);
  table.number("queue_bytes", door.queue_bytes_max, 65'536, std::uint64_t{1} << 30);
  table.seconds("handshake_timeout_seconds", door.handshake_timeout, 1, 300);
  table.seconds("ping_interval_seconds", door.ping_interval, 1, 3600);
  table.seconds("idle_timeout_seconds", door.idle_timeout, 2, 86400);
  table.seconds("close_timeout_seconds", door.close_timeout, 1, 60);
  if (door.idle_timeout <= door.ping_interval)
    table.complain("idle_timeout_seconds", line_of(table, "idle_timeout_seconds"),
                   fmt::format("found {}, allowed: more than ping_interval_seconds, which is {}",
                               door.idle_timeout.count(), door.ping_interval.count()));
}

void read_limits(TableReader table, EpcscfConfig& epcscf) {
  read_door_limits(table, epcscf.door.limits);
  epcscf::Limits& limits = epcscf.proxy.limits;
  table.number("registrations_total", limits.registrations_max, 1, many);
  table.number("registrations_per_impi", limits.registrations_per_impi_max, 1, 1000);
  table.number("failed_logins_per_minute_per_source", limits.failed_logins_per_minute, 1, 1'000'000);
  table.number("provisioned_per_impi_per_hour", limits.provisioned_per_impi_per_hour, 1, 1'000'000);
  table.number("registrations_per_connection", limits.registrations_per_flow_max, 1, 1000);
  table.number("calls_total", limits.calls_max, 1, many);
  table.number("calls_per_connection", limits.calls_per_flow_max, 1, 1000);
  table.number("transactions_total", epcscf.proxy.transactions.transactions_max, 100, many);
  table.number("transactions_per_connection", epcscf.proxy.transactions.servers_per_flow_max, 1, many);
  table.seconds("registration_seconds", limits.registration_max, 60, 600'000);
  limits.clients_max = epcscf.door.limits.connections_max;
  table.finish();
}

void read_milliseconds(TableReader& table, std::string_view key, Duration& to, std::uint64_t min,
                       std::uint64_t max) {
  auto value = static_cast<std::uint64_t>(std::chrono::floor<std::chrono::milliseconds>(to).count());
  table.number(key, value, min, max);
  to = std::chrono::milliseconds{value};
}

void read_token_section(TableReader table, EpcscfConfig& epcscf, const std::filesystem::path& folder,
                        SecretReader& secrets, std::vector<Problem>& problems) {
  auto tokens = read_tokens(std::move(table), folder, secrets, problems);
  if (!tokens) return;
  epcscf.tokens = std::move(tokens->checks);
  epcscf.proxy.bearer = std::move(tokens->bearer);
  epcscf.wwsf_origins = std::move(tokens->wwsf_origins);
  auto& origins = epcscf.door.origins;
  for (const auto& [wwsf, its_own] : epcscf.wwsf_origins)
    for (const std::string& origin : its_own)
      if (std::ranges::find(origins, origin) == origins.end()) origins.push_back(origin);
}

void read_epcscf(TableReader table, Config& config, const std::filesystem::path& folder,
                 SecretReader& secrets, std::vector<Problem>& problems) {
  if (!table.is_present()) return;
  EpcscfConfig epcscf;
  epcscf::Settings& proxy = epcscf.proxy;
  read_door(table, epcscf.door, folder);
  epcscf.origins = epcscf.door.origins;
  epcscf.core_listeners = both_transports(core_side_port);
  read_listeners(table, "core_listen", epcscf.core_listeners, sip_allowed, parse_sip);
  read_host(table, epcscf.core_listeners, proxy.own_host);
  read_core(table, epcscf, config);
  proxy.home_domain = config.credentials.realm;
  if (proxy.home_domain.empty() && config.ims) proxy.home_domain = config.ims->core.domain;
  table.text("home_domain", proxy.home_domain, text_bytes_max);
  if (table.find("home_domain") == nullptr && proxy.home_domain.empty())
    table.missing("home_domain", domain_allowed);
  proxy.visited_network = proxy.home_domain;
  table.text("visited_network", proxy.visited_network, text_bytes_max);
  std::chrono::seconds grace = std::chrono::floor<std::chrono::seconds>(proxy.flow_grace);
  table.seconds("flow_grace_seconds", grace, 0, 3600);
  proxy.flow_grace = grace;
  table.seconds("flow_timer_seconds", proxy.flow_timer, 0, 3600);
  read_milliseconds(table, "push_patience_milliseconds", proxy.push_patience, 10, 10'000);
  table.boolean("reg_event", proxy.has_reg_event);
  table.seconds("reg_event_patience_seconds", proxy.reg_event_patience, 1, 3600);
  read_provisioning(table.sub_table("credentials"), epcscf, config);
  read_token_section(table.sub_table("tokens"), epcscf, folder, secrets, problems);
  read_limits(table.sub_table("limits"), epcscf);
  table.finish();
  config.epcscf = std::move(epcscf);
}

// --- [ims] ------------------------------------------------------------------------------------------------

void read_ims(TableReader table, Config& config, const std::filesystem::path& folder) {
  if (!table.is_present()) return;
  ImsConfig ims;
  ims::Settings& core = ims.core;
  ims.listeners = both_transports(home_core_port);
  read_listeners(table, "listen", ims.listeners, sip_allowed, parse_sip);
  if (ims.listeners.empty()) ims.listeners = both_transports(home_core_port);  // complained about
  std::string host;
  read_host(table, ims.listeners, host);
  const std::string own_uri = "sip:" + host;
  if (const auto uri = sip::Uri::parse(own_uri))
    core.self = {ims.listeners.front().transport, std::string{uri->host()}, uri->port().value_or(5060)};
  table.file_name("database", ims.database, folder);
  if (table.find("database") == nullptr)
    table.missing("database", "the file of the subscribers, which `turnpike subscriber add` fills");
  core.domain = config.credentials.realm;
  table.text("realm", core.domain, text_bytes_max);
  if (table.find("realm") == nullptr && core.domain.empty()) table.missing("realm", domain_allowed);
  core.review_every = std::chrono::seconds{1};
  core.trusted_nodes = {"127.0.0.1"};
  read_hosts(table, "trusted_nodes", core.trusted_nodes);
  table.seconds("expires_min_seconds", core.expires_min, 10, 600'000);
  table.seconds("expires_max_seconds", core.expires_max, 10, 600'000);
  table.seconds("expires_default_seconds", core.expires_default, 10, 600'000);
  table.seconds("nonce_lifetime_seconds", core.nonce_lifetime, 10, 86400);
  if (core.expires_min > core.expires_default || core.expires_default > core.expires_max)
    table.complain(
        "expires_default_seconds", line_of(table, "expires_default_seconds"),
        fmt::format("found {}, allowed: expires_min_seconds to expires_max_seconds, {} to {}",
                    core.expires_default.count(), core.expires_min.count(), core.expires_max.count()));
  table.finish();
  config.ims = std::move(ims);
}

}  // namespace

void read_control_plane(TableReader& root, Config& config, const std::filesystem::path& folder,
                        SecretReader& secrets, std::vector<Problem>& problems) {
  read_ims(root.sub_table("ims"), config, folder);
  read_epcscf(root.sub_table("epcscf"), config, folder, secrets, problems);
  read_api(root.sub_table("api"), config, folder, secrets, problems);
  read_waf(root.sub_table("waf"), config, folder, secrets, problems);
}

}  // namespace turnpike::program
