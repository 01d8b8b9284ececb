#include "provisioning/turn_uri.hpp"

#include <algorithm>

#include "base/address.hpp"
#include "sip/text.hpp"

namespace turnpike::provisioning {
namespace {

constexpr std::size_t uri_bytes_max = 512;

bool is_host_name(std::string_view host) {
  return !host.empty() && std::ranges::all_of(host, [](char character) {
    return sip::is_in(character, sip::char_host) && character != ':';
  });
}

// host [ ":" port ]
bool read_authority(std::string_view text, TurnUri& uri) {
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos) return false;
    uri.host = text.substr(1, bracket - 1);
    const auto ip = IpAddress::parse(uri.host);
    if (!ip || ip->is_v4()) return false;
    text.remove_prefix(bracket + 1);
  } else {
    uri.host = text.substr(0, text.find(':'));
    if (!is_host_name(uri.host)) return false;
    text.remove_prefix(uri.host.size());
  }
  if (text.empty()) return true;
  const auto port = text.front() == ':' ? sip::parse_number(text.substr(1), UINT16_MAX) : std::nullopt;
  if (!port || *port == 0) return false;
  uri.port = static_cast<std::uint16_t>(*port);
  return true;
}

}  // namespace

std::optional<std::string_view> find_transport(std::string_view name) {
  if (sip::equal_ignoring_case(name, "udp")) return "udp";
  if (sip::equal_ignoring_case(name, "tcp")) return "tcp";
  return std::nullopt;
}

std::optional<TurnUri> TurnUri::parse(std::string_view text) {
  if (text.size() > uri_bytes_max) return std::nullopt;
  sip::Scanner scanner{text};
  TurnUri uri;
  uri.is_secure = scanner.accept_word("turns:");
  if (!uri.is_secure && !scanner.accept_word("turn:")) return std::nullopt;
  uri.port = uri.is_secure ? 5349 : 3478;
  uri.transport = uri.is_secure ? "tcp" : "udp";

  std::string_view authority = scanner.rest();
  if (const auto question = authority.find('?'); question != std::string_view::npos) {
    sip::Scanner query{authority.substr(question + 1)};
    if (!query.accept_word("transport=")) return std::nullopt;
    const auto transport = find_transport(query.rest());
    if (!transport) return std::nullopt;
    uri.transport = *transport;
    authority = authority.substr(0, question);
  }
  if (!read_authority(authority, uri)) return std::nullopt;
  return uri;
}

}  // namespace turnpike::provisioning
