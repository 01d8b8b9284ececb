#include "waf/accounts.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace turnpike::waf {
namespace {

constexpr std::array<std::pair<GrantType, std::string_view>, 5> grant_names{
    {{GrantType::authorization_code, "authorization_code"},
     {GrantType::refresh_token, "refresh_token"},
     {GrantType::client_credentials, "client_credentials"},
     {GrantType::token_exchange, "urn:ietf:params:oauth:grant-type:token-exchange"},
     {GrantType::jwt_bearer, "urn:ietf:params:oauth:grant-type:jwt-bearer"}}};

bool is_scope_character(unsigned char character) {
  return character > 0x20 && character < 0x7f && character != '"' && character != '\\';
}

}  // namespace

Digest digest_of(std::string_view text) { return crypto::sha256(as_bytes(text)); }

std::optional<Scope> parse_scope(std::string_view text) {
  Scope scope;
  while (!text.empty()) {
    const std::string_view token = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), token.size() + 1));
    if (token.empty()) continue;
    if (!std::ranges::all_of(token, is_scope_character)) return std::nullopt;
    scope.emplace(token);
  }
  return scope;
}

std::string to_string(const Scope& scope) {
  std::string text;
  for (const std::string& token : scope) {
    if (!text.empty()) text += ' ';
    text += token;
  }
  return text;
}

bool is_within(const Scope& inner, const Scope& outer) { return std::ranges::includes(outer, inner); }

Scope intersect(const Scope& one, const Scope& other) {
  Scope both;
  std::ranges::set_intersection(one, other, std::inserter(both, both.end()));
  return both;
}

std::vector<std::string> identity_keys(const Identity& identity) {
  std::vector<std::string> keys;
  const auto add = [&](std::string_view kind, std::string_view text) {
    std::string key{kind};
    for (const char c : text) key += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (std::ranges::find(keys, key) == keys.end()) keys.push_back(std::move(key));
  };
  if (!identity.impi.empty()) add("private ", identity.impi);
  for (const std::string& impu : identity.impus) add("public ", impu);
  return keys;
}

std::string_view to_string(ClientMethod method) {
  switch (method) {
    case ClientMethod::none:
      return "none";
    case ClientMethod::client_secret_basic:
      return "client_secret_basic";
    case ClientMethod::client_secret_post:
      return "client_secret_post";
    case ClientMethod::private_key_jwt:
      return "private_key_jwt";
  }
  return "";
}

std::string_view to_string(GrantType type) {
  for (const auto& [value, name] : grant_names)
    if (value == type) return name;
  return "";
}

std::optional<GrantType> parse_grant_type(std::string_view text) {
  for (const auto& [value, name] : grant_names)
    if (name == text) return value;
  return std::nullopt;
}

}  // namespace turnpike::waf
