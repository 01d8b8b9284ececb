#include "client/turn_uri.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/address.hpp"

namespace turnpike::client {
namespace {

std::string to_lower(std::string_view text) {
  std::string lower{text};
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

using Problem = std::optional<std::string>;

Problem find_scheme_problem(std::string_view scheme, std::string_view whole) {
  if (scheme == "turn") return std::nullopt;
  if (scheme == "turns")
    return "turns: is TURN over TLS or DTLS, which this program does not speak yet: UDP only. Try turn: with "
           "the "
           "server's UDP port (3478 as a rule).";
  if (scheme == "stun" || scheme == "stuns")
    return fmt::format("{}: names a STUN server, which does not relay. A relay is named turn:HOST:PORT.",
                       scheme);
  return fmt::format("\"{}\" does not begin with turn: (for example turn:turn.example.org:3478).", whole);
}

Problem find_query_problem(std::string_view query) {
  const auto equals = query.find('=');
  if (query.substr(0, equals) != "transport" || equals == std::string_view::npos)
    return fmt::format("\"?{}\" is unknown: a turn: URI ends with ?transport=udp or with nothing.", query);
  const std::string transport = to_lower(query.substr(equals + 1));
  if (transport == "udp") return std::nullopt;
  if (transport == "tcp")
    return "transport=tcp is not spoken yet: UDP only. Most servers listen on UDP at the same port: try "
           "?transport=udp.";
  return fmt::format("transport={} is unknown: udp or tcp.", transport);
}

Problem find_host_problem(std::string_view host) {
  if (host.empty()) return "the URI names no host: turn:HOST:PORT.";
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!$&'()*+,;=";
  if (host.find(':') == std::string_view::npos && host.find_first_not_of(allowed) != std::string_view::npos)
    return fmt::format("\"{}\" is no host name.", host);
  return std::nullopt;
}

std::expected<TurnUri, std::string> parse_bracketed(std::string_view rest) {
  const auto bracket = rest.find(']');
  if (bracket == std::string_view::npos)
    return std::unexpected("the bracket of the IPv6 address is not closed.");
  const std::string_view literal = rest.substr(1, bracket - 1);
  const auto ip = IpAddress::parse(literal);
  if (!ip || ip->is_v4()) return std::unexpected(fmt::format("[{}] is no IPv6 address.", literal));
  TurnUri uri{.host = std::string{literal}};
  const std::string_view tail = rest.substr(bracket + 1);
  if (tail.empty()) return uri;
  const auto port = tail.starts_with(':') ? parse_port(tail.substr(1)) : std::nullopt;
  if (!port) return std::unexpected(fmt::format("\"{}\" is no port: 1 to 65535 after a colon.", tail));
  uri.port = *port;
  return uri;
}

std::expected<TurnUri, std::string> parse_authority(std::string_view rest) {
  if (rest.starts_with('[')) return parse_bracketed(rest);
  const auto colon = rest.find(':');
  if (colon != rest.rfind(':'))
    return std::unexpected(fmt::format("an IPv6 address stands in brackets: turn:[{}].", rest));
  TurnUri uri{.host = std::string{rest.substr(0, colon)}};
  if (const Problem problem = find_host_problem(uri.host)) return std::unexpected(*problem);
  if (colon == std::string_view::npos) return uri;
  const auto port = parse_port(rest.substr(colon + 1));
  if (!port)
    return std::unexpected(
        fmt::format("\"{}\" is no port: a number from 1 to 65535.", rest.substr(colon + 1)));
  uri.port = *port;
  return uri;
}

}  // namespace

std::string TurnUri::to_string() const {
  const bool is_ipv6_literal = host.find(':') != std::string::npos;
  return is_ipv6_literal ? fmt::format("turn:[{}]:{}", host, port) : fmt::format("turn:{}:{}", host, port);
}

std::expected<TurnUri, std::string> parse_turn_uri(std::string_view text) {
  const auto colon = text.find(':');
  const std::string scheme = to_lower(text.substr(0, colon));
  if (colon == std::string_view::npos)
    return std::unexpected(fmt::format("\"{}\" is no turn: URI. Write turn:HOST:PORT.", text));
  if (const Problem problem = find_scheme_problem(scheme, text)) return std::unexpected(*problem);

  std::string_view rest = text.substr(colon + 1);
  if (const auto question = rest.find('?'); question != std::string_view::npos) {
    if (const Problem problem = find_query_problem(rest.substr(question + 1)))
      return std::unexpected(*problem);
    rest = rest.substr(0, question);
  }
  if (rest.starts_with("//"))
    return std::unexpected(fmt::format("a turn: URI has no slashes: turn:{}.", rest.substr(2)));
  // RFC 7065 section 3.1: the URI carries no credential.
  if (rest.find('@') != std::string_view::npos)
    return std::unexpected("a turn: URI carries no user and no password: give them as options.");
  return parse_authority(rest);
}

}  // namespace turnpike::client
