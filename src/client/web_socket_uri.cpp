#include <fmt/format.h>

#include <charconv>

#include "base/address.hpp"
#include "base/http_url.hpp"
#include "client/web_socket.hpp"

namespace turnpike::client {
namespace {

constexpr std::string_view example = "for example wss://127.0.0.1:8443";

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<bool> take_scheme(std::string_view& text) {
  for (const auto& [scheme, is_secure] : {std::pair{"wss://", true}, std::pair{"ws://", false}}) {
    const std::string_view prefix{scheme};
    if (!text.starts_with(prefix)) continue;
    text.remove_prefix(prefix.size());
    return is_secure;
  }
  return std::nullopt;
}

}  // namespace

std::string WebSocketUri::to_string() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}{}", is_secure ? "wss" : "ws", is_ipv6 ? "[" : "", host,
                     is_ipv6 ? "]" : "", port, path == "/" ? "" : path);
}

bool WebSocketUri::is_private() const {
  if (is_secure) return true;
  HttpUrl url;
  url.host = host;
  return url.is_loopback();
}

std::expected<WebSocketUri, std::string> parse_login_uri(std::string_view text, bool allows_cleartext) {
  auto uri = parse_web_socket_uri(text);
  if (uri && !allows_cleartext && !uri->is_private())
    return std::unexpected(fmt::format(
        "\"{}\" would be told the login in clear: use wss://; ws:// is for this machine alone, or for "
        "--allow-cleartext",
        text));
  return uri;
}

std::expected<WebSocketUri, std::string> parse_web_socket_uri(std::string_view text) {
  const std::string whole{text};
  const auto is_secure = take_scheme(text);
  if (!is_secure)
    return std::unexpected(fmt::format("\"{}\" does not begin with wss:// or ws://, {}", whole, example));
  WebSocketUri uri{.is_secure = *is_secure, .port = static_cast<std::uint16_t>(*is_secure ? 443 : 80)};
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    uri.path = text.substr(slash);
    text = text.substr(0, slash);
  }
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    const auto ip = IpAddress::parse(text.substr(1, end == std::string_view::npos ? end : end - 1));
    if (end == std::string_view::npos || !ip || ip->is_v4())
      return std::unexpected(fmt::format("\"{}\" has no IPv6 address in its brackets", whole));
    uri.host = text.substr(1, end - 1);
    text = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    uri.host = text.substr(0, colon);
    text = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:";
  if (uri.host.empty() || uri.host.find_first_not_of(allowed) != std::string::npos)
    return std::unexpected(fmt::format("\"{}\" names no host, {}", whole, example));
  if (text.empty()) return uri;
  const auto port = text.starts_with(':') ? parse_port(text.substr(1)) : std::nullopt;
  if (!port) return std::unexpected(fmt::format("\"{}\" has no port from 1 to 65535 after its host", whole));
  uri.port = *port;
  return uri;
}

}  // namespace turnpike::client
