#include "base/http_url.hpp"

#include <algorithm>
#include <charconv>

#include "base/address.hpp"

namespace turnpike {
namespace {

constexpr std::size_t host_bytes_max = 253;  // RFC 1035 section 2.3.4
constexpr std::uint16_t https_port = 443, http_port = 80;

std::string lower(std::string_view text) {
  std::string lowered{text};
  for (char& character : lowered)
    if (character >= 'A' && character <= 'Z') character = static_cast<char>(character - 'A' + 'a');
  return lowered;
}

bool is_host_name(std::string_view host) {
  return std::ranges::all_of(host, [](char character) {
    return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') ||
           character == '-' || character == '.' || character == '_';
  });
}

// "host", "host:port", "[v6]" or "[v6]:port".
bool read_authority(std::string_view text, HttpUrl& url) {
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return false;
    const auto address = IpAddress::parse(text.substr(1, close - 1));
    if (!address || address->is_v4()) return false;
    url.host = address->to_string();
    port = text.substr(close + 1);
  } else {
    const auto colon = text.find(':');
    url.host = lower(text.substr(0, colon));
    if (!is_host_name(url.host)) return false;
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (url.host.empty() || url.host.size() > host_bytes_max) return false;
  if (port.empty()) return true;
  if (port.front() != ':') return false;
  const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), url.port);
  return error == std::errc{} && end == port.data() + port.size() && url.port != 0;
}

// RFC 3986 section 5.2.4.
std::string without_dots(std::string_view path) {
  std::string kept;
  while (!path.empty()) {
    const auto end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    if (segment == "/.." || segment == "/.") {
      if (segment == "/..") kept.resize(kept.rfind('/') == std::string::npos ? 0 : kept.rfind('/'));
      if (path.empty()) kept += '/';
    } else {
      kept += segment;
    }
  }
  return kept;
}

}  // namespace

std::optional<HttpUrl> HttpUrl::parse(std::string_view text) {
  const bool is_clean =
      std::ranges::all_of(text, [](unsigned char character) { return character > 0x20 && character < 0x7f; });
  if (!is_clean) return std::nullopt;
  HttpUrl url;
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  const std::string scheme = lower(text.substr(0, scheme_end));
  if (scheme == "http") {
    url.is_secure = false;
    url.port = http_port;
  } else if (scheme != "https") {
    return std::nullopt;
  }
  text.remove_prefix(scheme_end + 3);
  text = text.substr(0, text.find('#'));
  const auto authority_end = std::min(text.find_first_of("/?"), text.size());
  if (!read_authority(text.substr(0, authority_end), url)) return std::nullopt;
  const std::string_view target = text.substr(authority_end);
  url.target = target.starts_with('/') ? std::string{target} : "/" + std::string{target};
  return url;
}

std::optional<HttpUrl> HttpUrl::resolve(std::string_view reference) const {
  const std::string_view scheme = is_secure ? "https:" : "http:";
  const auto colon = reference.find(':');
  if (colon < reference.find_first_of("/?#")) return parse(reference);
  if (reference.starts_with("//")) return parse(std::string{scheme} + std::string{reference});
  reference = reference.substr(0, reference.find('#'));
  const std::string_view path = std::string_view{target}.substr(0, target.find('?'));
  std::string next;
  if (reference.empty()) {
    next = target;
  } else if (reference.starts_with('?')) {
    next = std::string{path} + std::string{reference};
  } else {
    const auto query = std::min(reference.find('?'), reference.size());
    std::string whole{reference.starts_with('/') ? "" : path.substr(0, path.rfind('/') + 1)};
    whole += reference.substr(0, query);
    next = without_dots(whole) + std::string{reference.substr(query)};
  }
  return parse(std::string{scheme} + "//" + authority() + next);
}

bool HttpUrl::is_loopback() const {
  if (host == "localhost") return true;
  const auto address = IpAddress::parse(host);
  if (!address) return false;
  const IpAddress canonical = address->canonical();
  if (canonical.is_v4()) return canonical.bytes()[0] == 127;
  return canonical == *IpAddress::parse("::1");
}

std::string HttpUrl::authority() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  std::string text = is_v6 ? "[" + host + "]" : host;
  if (port != (is_secure ? https_port : http_port)) text += ":" + std::to_string(port);
  return text;
}

std::string HttpUrl::origin() const {
  return (is_secure ? "https://" : "http://") + host + ":" + std::to_string(port);
}

std::string HttpUrl::to_string() const { return (is_secure ? "https://" : "http://") + authority() + target; }

}  // namespace turnpike
