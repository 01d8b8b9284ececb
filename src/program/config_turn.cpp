#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <ranges>

#include "base/browser_ports.hpp"
#include "program/config_sections.hpp"

namespace turnpike::program {
namespace {

constexpr std::size_t listeners_max = 256;
constexpr std::string_view listen_allowed =
    "\"udp:ADDRESS:PORT\", such as \"udp:0.0.0.0:3478\" or \"udp:[::]:3478\"";
constexpr std::string_view relay_allowed =
    "the addresses on which peers reach this machine, \"192.0.2.10\", or \"10.0.0.5/192.0.2.11\" "
    "(bound/shown)";

template <typename Values, typename Value>
bool contains(const Values& values, const Value& value) {
  return std::ranges::find(values, value) != std::ranges::end(values);
}

void read_listener(TableReader& turn, const std::string& key, const Node& node, turn::Settings& settings) {
  constexpr std::array later{"tcp:", "tls:", "dtls:"};
  if (std::ranges::any_of(later, [&](const char* scheme) { return node.text.starts_with(scheme); }))
    return turn.refuse(key, node,
                       fmt::format("{}; this version of turnpike serves udp alone", listen_allowed));
  const std::string_view text = node.text;
  const auto address = text.starts_with("udp:") ? SocketAddress::parse(text.substr(4)) : std::nullopt;
  if (!address || address->port == 0) return turn.refuse(key, node, listen_allowed);
  if (contains(settings.listeners, *address)) return turn.refuse(key, node, "each address once");
  settings.listeners.push_back(*address);
}

void read_listeners(TableReader& turn, turn::Settings& settings) {
  if (turn.find("listen") == nullptr) {
    settings.listeners = {{IpAddress{}, 3478}, {IpAddress::v6({}), 3478}};
    return;
  }
  const auto texts = turn.texts("listen", fmt::format("a list of {}", listen_allowed));
  for (std::size_t at = 0; at < texts.size(); ++at)
    read_listener(turn, fmt::format("listen[{}]", at), *texts[at], settings);
  const Node& list = *turn.find("listen");
  if (list.kind == Node::Kind::list && (list.items.empty() || list.items.size() > listeners_max))
    turn.refuse("listen", list, fmt::format("1 to {} of {}", listeners_max, listen_allowed));
}

std::optional<turn::RelayAddress> parse_relay_address(std::string_view text) {
  const auto slash = text.find('/');
  const auto bind = IpAddress::parse(text.substr(0, slash));
  const auto advertised = slash == std::string_view::npos ? bind : IpAddress::parse(text.substr(slash + 1));
  if (!bind || !advertised || bind->family() != advertised->family()) return std::nullopt;
  if (bind->is_unspecified() || advertised->is_unspecified()) return std::nullopt;
  return turn::RelayAddress{*bind, *advertised};
}

void read_relay_addresses(TableReader& turn, turn::Settings& settings) {
  const Node* list = turn.find("relay_addresses");
  for (const Node* node : turn.texts("relay_addresses", relay_allowed)) {
    const auto address = parse_relay_address(node->text);
    if (!address) {
      turn.refuse("relay_addresses", *node, relay_allowed);
    } else if (std::ranges::any_of(settings.relay_addresses, [&](const turn::RelayAddress& other) {
                 return other.bind == address->bind;
               })) {
      turn.refuse("relay_addresses", *node, "each bound address once");
    } else {
      settings.relay_addresses.push_back(*address);
    }
  }
  if (list != nullptr) {
    if (list->kind == Node::Kind::list && list->items.empty())
      turn.refuse("relay_addresses", *list, relay_allowed);
    return;
  }
  for (const SocketAddress& listener : settings.listeners) {
    if (listener.ip.is_unspecified()) return turn.missing("relay_addresses", relay_allowed);
    if (std::ranges::none_of(settings.relay_addresses,
                             [&](const turn::RelayAddress& other) { return other.bind == listener.ip; }))
      settings.relay_addresses.push_back({listener.ip, listener.ip});
  }
}

void read_relay_ports(TableReader& turn, turn::Settings& settings) {
  constexpr std::int64_t port_min = 1024, port_max = 65535;
  const Node* node = turn.find("relay_ports");
  if (node == nullptr) return;
  const auto is_port = [](const Node& item) {
    return item.kind == Node::Kind::integer && item.integer >= port_min && item.integer <= port_max;
  };
  if (node->kind != Node::Kind::list || node->items.size() != 2 ||
      !std::ranges::all_of(node->items, is_port) || node->items[0].integer > node->items[1].integer)
    return turn.refuse("relay_ports", *node, "[first, last], two ports from 1024 to 65535");
  settings.relay_port_min = static_cast<std::uint16_t>(node->items[0].integer);
  settings.relay_port_max = static_cast<std::uint16_t>(node->items[1].integer);
  const auto ports = std::views::iota(node->items[0].integer, node->items[1].integer + 1);
  if (std::ranges::all_of(
          ports, [](std::int64_t port) { return is_blocked_by_browsers(static_cast<std::uint16_t>(port)); }))
    turn.complain("relay_ports", node->line,
                  "found ports to which browsers do not go, allowed: a range with others, as those are never "
                  "given out");
}

// RFC 8489 section 14.9: fewer than 128 characters. Without control characters, as it goes into logs and
// URIs.
void read_name(TableReader& table, std::string_view key, std::string& to, std::size_t size_max) {
  std::string name;
  table.text(key, name, size_max);
  if (std::ranges::any_of(name,
                          [](unsigned char character) { return character < 0x20 || character == 0x7f; }))
    return table.complain(key, line_of(table, key), "found a control character, allowed: a text without any");
  if (!name.empty()) to = name;
}

void read_lifetimes(TableReader& table, turn::Limits& limits, Config& config) {
  table.seconds("allocation_lifetime_default_seconds", limits.allocation_lifetime_default, 60, 86400);
  table.seconds("allocation_lifetime_max_seconds", limits.allocation_lifetime_max, 60, 86400);
  table.seconds("permission_lifetime_seconds", limits.permission_lifetime, 10, 3600);
  table.seconds("channel_lifetime_seconds", limits.channel_lifetime, 10, 7200);
  table.seconds("channel_rebind_delay_seconds", limits.channel_rebind_delay, 0, 7200);
  table.seconds("reservation_lifetime_seconds", limits.reservation_lifetime, 1, 600);
  table.seconds("relay_port_reuse_delay_seconds", limits.relay_port_reuse_delay, 0, 3600);
  table.seconds("expiry_slack_seconds", limits.expiry_slack, 0, 7 * 86400);
  table.seconds("nonce_lifetime_seconds", config.nonce_lifetime, 10, 86400);
  if (limits.allocation_lifetime_max < limits.allocation_lifetime_default)
    table.complain(
        "allocation_lifetime_max_seconds", line_of(table, "allocation_lifetime_max_seconds"),
        fmt::format("found {}, allowed: at least allocation_lifetime_default_seconds, which is {}",
                    limits.allocation_lifetime_max.count(), limits.allocation_lifetime_default.count()));
}

void read_limits(TableReader table, turn::Limits& limits, Config& config) {
  constexpr std::uint64_t many = 10'000'000;
  table.number("allocations_per_subject", limits.allocations_per_subject, 1, many);
  table.number("allocations_per_source", limits.allocations_per_source, 1, many);
  table.number("allocations_total", limits.allocations_total, 1, many);
  table.number("permissions_per_allocation", limits.permissions_per_allocation, 1, 10'000);
  table.number("channels_per_allocation", limits.channels_per_allocation, 1, 4096);  // RFC 8656 section 12
  table.number("peers_per_request", limits.peers_per_request, 1, 64);
  table.number("unauthorized_per_second_per_source", limits.unauthorized_per_second_per_source, 1, many);
  table.number("bytes_per_second_per_allocation", limits.bytes_per_second_per_allocation, 0,
               std::uint64_t{1} << 40);
  table.number("port_attempts", limits.port_attempts, 1, 1024);
  read_lifetimes(table, limits, config);
  table.finish();
}

void read_peers(TableReader table, turn::PeerPolicySettings& peers) {
  read_prefixes(table, "allow", peers.allow);
  read_prefixes(table, "deny", peers.deny);
  table.finish();
}

std::string make_uri(const SocketAddress& address) {
  return "turn:" + address.to_string() + "?transport=udp";
}

// A client cannot be told 0.0.0.0; the relay's own addresses are those that the world reaches.
void make_uris(Config& config) {
  const auto add = [&](std::string uri) {
    if (!contains(config.uris, uri)) config.uris.push_back(std::move(uri));
  };
  const turn::Settings& turn = *config.turn;
  for (const SocketAddress& listener : turn.listeners) {
    if (!listener.ip.is_unspecified()) {
      const auto shown = std::ranges::find(turn.relay_addresses, listener.ip, &turn::RelayAddress::bind);
      add(make_uri({shown == turn.relay_addresses.end() ? listener.ip : shown->advertised, listener.port}));
      continue;
    }
    for (const turn::RelayAddress& relay : turn.relay_addresses)
      if (relay.advertised.family() == listener.ip.family()) add(make_uri({relay.advertised, listener.port}));
  }
}

}  // namespace

void read_prefixes(TableReader& table, std::string_view key, std::vector<IpPrefix>& to) {
  constexpr std::string_view allowed =
      "a list of addresses or prefixes, such as \"198.51.100.0/24\" or \"2001:db8::/32\"";
  for (const Node* node : table.texts(key, allowed)) {
    const auto prefix = IpPrefix::parse(node->text);
    if (prefix)
      to.push_back(*prefix);
    else
      table.refuse(key, *node, allowed);
  }
}

void read_relays_elsewhere(TableReader& credentials, Config& config) {
  if (config.turn) {
    for (const char* key : {"realm", "server_name", "uris"})
      if (const Node* node = credentials.find(key))
        credentials.refuse(key, *node, "in [turn], as that is the relay for which credentials are made");
    return;
  }
  read_name(credentials, "realm", config.credentials.realm, 127);
  config.server_name = config.credentials.realm;
  read_name(credentials, "server_name", config.server_name, 255);
  read_turn_uris(credentials, config.uris);
}

void read_turn_section(TableReader& turn, Config& config) {
  if (!turn.is_present()) return;
  turn::Settings& settings = config.turn.emplace();
  read_listeners(turn, settings);
  if (turn.find("realm") == nullptr)
    turn.missing("realm", "the name of the credentials' domain, such as \"ims.example\"");
  read_name(turn, "realm", config.credentials.realm, 127);
  config.server_name = config.credentials.realm;
  read_name(turn, "server_name", config.server_name, 255);
  read_relay_addresses(turn, settings);
  read_relay_ports(turn, settings);
  turn.number("shards", config.shards, 0, 1024);
  turn.choice<turn::ExpiryMode>("expiry", settings.expiry,
                                {{"lenient", turn::ExpiryMode::lenient},
                                 {"bounded", turn::ExpiryMode::bounded},
                                 {"strict", turn::ExpiryMode::strict}});
  turn.boolean("password_algorithms", settings.password_algorithms);
  read_name(turn, "software", settings.software, 127);
  read_turn_uris(turn, config.uris);
  if (turn.find("uris") == nullptr) make_uris(config);
  if (const Node* tls = turn.find("tls"))
    turn.complain("tls", tls->line,
                  "found a table, allowed: nothing yet; this version of turnpike serves udp alone");
  read_peers(turn.sub_table("peers"), settings.peers);
  read_limits(turn.sub_table("limits"), settings.limits, config);
  turn.finish();
}

}  // namespace turnpike::program
