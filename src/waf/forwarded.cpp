#include "waf/forwarded.hpp"

#include <algorithm>
#include <optional>

namespace turnpike::waf {
namespace {

constexpr std::size_t hops_max = 16;  // more proxies than that stand in no row

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t";
  const auto first = text.find_first_not_of(blank);
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(blank) - first + 1);
}

// "192.0.2.1", "192.0.2.1:49152", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:49152".
std::optional<IpAddress> parse_hop(std::string_view text) {
  if (const auto plain = IpAddress::parse(text)) return plain->canonical();
  if (const auto with_port = SocketAddress::parse(text)) return with_port->ip.canonical();
  if (!text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  const auto bracketed = IpAddress::parse(text.substr(1, text.size() - 2));
  return bracketed ? std::optional{bracketed->canonical()} : std::nullopt;
}

}  // namespace

IpAddress find_client_address(const Fields& fields, const IpAddress& peer,
                              const std::vector<IpPrefix>& trusted_proxies) {
  const auto is_trusted = [&](const IpAddress& address) {
    return std::ranges::any_of(trusted_proxies,
                               [&](const IpPrefix& prefix) { return prefix.contains(address); });
  };
  IpAddress client = peer.canonical();
  std::size_t hops = 0;
  for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
    if (!equal_ignoring_case(field->first, "x-forwarded-for")) continue;
    std::string_view rest = field->second;
    while (true) {
      if (!is_trusted(client) || ++hops > hops_max) return client;
      const auto comma = rest.rfind(',');
      const auto hop = parse_hop(trim(comma == std::string_view::npos ? rest : rest.substr(comma + 1)));
      if (!hop) return client;
      client = *hop;
      if (comma == std::string_view::npos) break;
      rest = rest.substr(0, comma);
    }
  }
  return client;
}

}  // namespace turnpike::waf
