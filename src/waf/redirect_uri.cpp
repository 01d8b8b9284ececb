#include "waf/redirect_uri.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/percent.hpp"

namespace turnpike::waf {
namespace {

constexpr std::array<std::string_view, 2> loopbacks{"http://127.0.0.1", "http://[::1]"};

struct LoopbackUri {
  std::string_view origin;  // without its port
  std::string_view rest;    // from the path on
};

std::optional<LoopbackUri> parse_loopback(std::string_view uri) {
  for (const std::string_view origin : loopbacks) {
    if (!uri.starts_with(origin)) continue;
    std::string_view rest = uri.substr(origin.size());
    if (rest.starts_with(':')) {
      const std::string_view digits = rest.substr(1, rest.find_first_of("/?") - 1);
      unsigned port = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
      if (error != std::errc{} || end != digits.data() + digits.size() || port == 0 || port > 65535)
        return std::nullopt;
      rest.remove_prefix(1 + digits.size());
    }
    if (!rest.empty() && rest.front() != '/' && rest.front() != '?') return std::nullopt;
    return LoopbackUri{origin, rest};
  }
  return std::nullopt;
}

bool is_plain(std::string_view uri) {
  return std::ranges::all_of(uri, [](unsigned char c) {
    return c > 0x20 && c < 0x7f && !std::string_view{"\"<>\\^`{|}#"}.contains(static_cast<char>(c));
  });
}

}  // namespace

bool matches_redirect_uri(std::string_view registered, std::string_view asked) {
  if (registered == asked) return true;
  const auto ours = parse_loopback(registered), theirs = parse_loopback(asked);
  return ours && theirs && ours->origin == theirs->origin && ours->rest == theirs->rest;
}

std::optional<std::string> find_redirect_uri_problem(std::string_view uri) {
  if (uri.size() > 2000) return "is longer than 2000 bytes";
  if (!is_plain(uri)) return "has a fragment, or characters that a URI has not";
  if (uri.starts_with("https://")) {
    const std::string_view host = uri.substr(8, uri.find_first_of("/?", 8) - 8);
    if (host.empty() || host.contains('@') || host.contains('*')) return "has no host, or more than a host";
    return std::nullopt;
  }
  if (uri.starts_with("http:"))
    return parse_loopback(uri)
               ? std::nullopt
               : std::optional<std::string>{"is http, which is for 127.0.0.1 and [::1] alone"};
  const std::string_view scheme = uri.substr(0, uri.find(':'));
  if (scheme.size() == uri.size() || !scheme.contains('.'))
    return "is neither https nor of a scheme with a dot, such as com.example.app:/done";
  return std::nullopt;
}

std::string add_parameters(std::string_view uri,
                           std::span<const std::pair<std::string_view, std::string_view>> parameters) {
  const std::string added = format_parameters(parameters);
  if (added.empty()) return std::string{uri};
  return std::string{uri} + (uri.contains('?') ? '&' : '?') + added;
}

std::string format_parameters(std::span<const std::pair<std::string_view, std::string_view>> parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    if (!text.empty()) text += '&';
    text.append(name).append(1, '=').append(encode_percent(value));
  }
  return text;
}

}  // namespace turnpike::waf
