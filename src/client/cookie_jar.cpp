#include "client/cookie_jar.hpp"

#include <algorithm>

namespace turnpike::client {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_word(std::string_view text, std::string_view lowered) {
  return std::ranges::equal(text, lowered, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

// The part before and the part after; the second is empty where there is no separator.
std::pair<std::string_view, std::string_view> cut(std::string_view text, char separator) {
  const auto at = std::min(text.find(separator), text.size());
  return {text.substr(0, at), text.substr(std::min(at + 1, text.size()))};
}

std::string_view path_of(const HttpUrl& url) { return cut(url.target, '?').first; }

// RFC 6265 section 5.1.4.
bool matches_path(std::string_view path, std::string_view of_cookie) {
  if (!path.starts_with(of_cookie)) return false;
  return path.size() == of_cookie.size() || of_cookie.ends_with('/') || path[of_cookie.size()] == '/';
}

}  // namespace

void CookieJar::take(const HttpUrl& from, std::string_view set_cookie) {
  auto [pair, attributes] = cut(set_cookie, ';');
  const auto [name, value] = cut(pair, '=');
  if (pair.find('=') == std::string_view::npos || trimmed(name).empty()) return;
  Cookie cookie{.host = from.host, .name = std::string{trimmed(name)}, .value = std::string{trimmed(value)}};
  const std::string_view own = path_of(from);
  cookie.path = own.substr(0, std::max<std::size_t>(own.rfind('/'), 1));
  bool is_over = false;
  while (!attributes.empty()) {
    const auto [attribute, rest] = cut(attributes, ';');
    attributes = rest;
    const auto [key, text] = cut(attribute, '=');
    if (is_word(trimmed(key), "secure")) cookie.is_secure = true;
    if (is_word(trimmed(key), "path") && trimmed(text).starts_with('/')) cookie.path = trimmed(text);
    // How a cookie is taken back. Other ends lie beyond this login.
    if (is_word(trimmed(key), "max-age")) is_over = trimmed(text) == "0" || trimmed(text).starts_with('-');
  }
  if (cookie.name.size() + cookie.value.size() > limits_.cookie_bytes_max) return;
  // A cookie that says it is for TLS alone is not taken from elsewhere.
  if (cookie.is_secure && !from.is_secure) return;
  std::erase_if(cookies_, [&](const Cookie& old) {
    return old.host == cookie.host && old.name == cookie.name && old.path == cookie.path;
  });
  if (!is_over && cookies_.size() < limits_.cookies_max) cookies_.push_back(std::move(cookie));
}

std::string CookieJar::find(const HttpUrl& to) const {
  std::string text;
  for (const Cookie& cookie : cookies_) {
    if (cookie.host != to.host || (cookie.is_secure && !to.is_secure)) continue;
    if (!matches_path(path_of(to), cookie.path)) continue;
    if (!text.empty()) text += "; ";
    text.append(cookie.name).append(1, '=').append(cookie.value);
  }
  return text;
}

}  // namespace turnpike::client
