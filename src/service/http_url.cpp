#include "service/http_url.hpp"

#include <algorithm>
#include <charconv>

#include "base/address.hpp"

namespace turnpike::service {
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

}  // namespace turnpike::service
