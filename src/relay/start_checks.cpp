#include "relay/start_checks.hpp"

#include <algorithm>

#include "relay/machine.hpp"
#include "relay/udp_socket.hpp"

namespace turnpike::relay {
namespace {

using Checked = std::expected<void, std::string>;

// Standard streams, files and the control plane.
constexpr std::uint64_t descriptors_for_others = 64;

std::string to_text(const PortRange& range) {
  return std::to_string(range.first) + "-" + std::to_string(range.last);
}

PortRange relay_ports_of(const ServerSettings& settings) {
  return {settings.turn.relay_port_min, settings.turn.relay_port_max};
}

std::string reason_of(std::error_code error) {
  if (error == std::errc::address_in_use) return "is in use";
  if (error == std::errc::address_not_available) return "is not an address of this machine";
  if (error == std::errc::permission_denied) return "needs the right to open ports below 1024";
  if (error == std::errc::address_family_not_supported)
    return "is of a family that this machine does not have";
  return "cannot be opened: " + error.message();
}

Checked check_listeners(const ServerSettings& settings) {
  const auto& listeners = settings.turn.listeners;
  if (listeners.empty()) return std::unexpected("there is no listener");
  for (auto at = listeners.begin(); at != listeners.end(); ++at) {
    if (at->ip.is_unspecified())
      return std::unexpected("listener " + at->to_string() +
                             " is a wildcard; name the addresses of this machine");
    if (at->port != 0 && std::find(listeners.begin(), at, *at) != at)
      return std::unexpected("listener " + at->to_string() + " is there twice");
    if (at->port == 0) continue;
    if (const auto claimed = claim_address(*at); !claimed)
      return std::unexpected(explain_listener(*at, claimed.error()));
  }
  return {};
}

Checked check_relay_addresses(const ServerSettings& settings) {
  if (settings.turn.relay_addresses.empty()) return std::unexpected("there is no relay address");
  for (const turn::RelayAddress& relay : settings.turn.relay_addresses)
    if (const auto claimed = claim_address({relay.bind, 0}); !claimed)
      return std::unexpected("relay address " + relay.bind.to_string() + " " + reason_of(claimed.error()));
  return {};
}

Checked check_relay_ports(const ServerSettings& settings) {
  const PortRange ports = relay_ports_of(settings);
  if (ports.first == 0 || ports.first > ports.last)
    return std::unexpected("relay ports " + to_text(ports) + " are no range of ports");
  for (const SocketAddress& listener : settings.turn.listeners) {
    const bool is_relay_address =
        std::any_of(settings.turn.relay_addresses.begin(), settings.turn.relay_addresses.end(),
                    [&](const turn::RelayAddress& relay) {
                      return relay.bind == listener.ip ||
                             (relay.bind.is_unspecified() && relay.bind.family() == listener.ip.family());
                    });
    if (is_relay_address && ports.contains(listener.port))
      return std::unexpected("listener " + listener.to_string() + " lies among the relay ports " +
                             to_text(ports));
  }
  return {};
}

}  // namespace

std::string explain_listener(const SocketAddress& listener, std::error_code error) {
  return "listener " + listener.to_string() + " " + reason_of(error);
}

Checked check_start(const ServerSettings& settings) {
  if (auto checked = check_relay_ports(settings); !checked) return checked;
  if (auto checked = check_relay_addresses(settings); !checked) return checked;
  return check_listeners(settings);
}

std::vector<std::string> find_warnings(const ServerSettings& settings, unsigned shards,
                                       std::uint64_t descriptors_max) {
  std::vector<std::string> warnings;
  const PortRange ports = relay_ports_of(settings);
  if (const auto ephemeral = ephemeral_ports(); ephemeral && ports.overlaps(*ephemeral))
    warnings.push_back("relay ports " + to_text(ports) + " overlap the ephemeral ports " +
                       to_text(*ephemeral) + " of this machine; some will be taken when they are wanted");
  const std::uint64_t own = shards * (settings.turn.listeners.size() + 2) + descriptors_for_others;
  const std::uint64_t wanted = settings.turn.limits.allocations_total + own;
  if (descriptors_max < wanted)
    warnings.push_back("this process may open " + std::to_string(descriptors_max) + " files, and " +
                       std::to_string(settings.turn.limits.allocations_total) + " allocations want " +
                       std::to_string(wanted));
  return warnings;
}

std::vector<SocketAddress> expand_wildcards(const std::vector<SocketAddress>& listeners) {
  std::vector<SocketAddress> expanded;
  const auto add = [&](const SocketAddress& address) {
    if (std::find(expanded.begin(), expanded.end(), address) == expanded.end()) expanded.push_back(address);
  };
  const auto addresses = machine_addresses();
  for (const SocketAddress& listener : listeners) {
    if (!listener.ip.is_unspecified())
      add(listener);
    else
      for (const IpAddress& ip : addresses)
        if (ip.family() == listener.ip.family()) add({ip, listener.port});
  }
  return expanded;
}

}  // namespace turnpike::relay
