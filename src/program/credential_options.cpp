#include "program/credential_options.hpp"

#include <fmt/format.h>

#include <utility>

namespace turnpike::program {
namespace {

constexpr std::size_t username_bytes_max = 508;  // RFC 8489 section 14.3
constexpr std::size_t token_bytes_max = 1400;    // what fits into a datagram
constexpr std::size_t mac_key_bytes_max = 64;

using Credential = std::optional<turn::ClientCredential>;

std::expected<ByteVector, std::string> read_base64(std::string_view option, const std::string& text,
                                                   std::size_t size_max) {
  auto bytes = from_base64(text);
  if (!bytes) bytes = from_base64url(text);
  if (!bytes)
    return std::unexpected(fmt::format("{}: found {} characters that are not base64", option, text.size()));
  if (bytes->empty() || bytes->size() > size_max)
    return std::unexpected(
        fmt::format("{}: found {} bytes, allowed: base64 of 1 to {} bytes", option, bytes->size(), size_max));
  return std::move(*bytes);
}

std::expected<std::string, std::string> read_name(std::string_view option, const std::string& name) {
  if (!name.empty() && name.size() <= username_bytes_max) return name;
  return std::unexpected(
      fmt::format("{}: found {} bytes, allowed: 1 to {}", option, name.size(), username_bytes_max));
}

std::expected<Credential, std::string> read_password(const CredentialOptions& options) {
  if (!options.username || !options.password)
    return std::unexpected("--username and --password belong together");
  const auto username = read_name("--username", *options.username);
  if (!username) return std::unexpected(username.error());
  return turn::PasswordCredential{*username, Secret::from_text(*options.password)};
}

std::expected<Credential, std::string> read_token(const CredentialOptions& options) {
  if (!options.kid || !options.token || !options.mac_key)
    return std::unexpected("--kid, --token and --mac-key belong together");
  const auto kid = read_name("--kid", *options.kid);
  if (!kid) return std::unexpected(kid.error());
  auto token = read_base64("--token", *options.token, token_bytes_max);
  if (!token) return std::unexpected(token.error());
  auto mac_key = read_base64("--mac-key", *options.mac_key, mac_key_bytes_max);
  if (!mac_key) return std::unexpected(mac_key.error());
  turn::TokenCredential credential{*kid, std::move(*token), Secret{*mac_key}, options.coturn16};
  wipe(*mac_key);
  return credential;
}

}  // namespace

void add_credential_options(Command& command, CredentialOptions& options) {
  command.group("Credential: a name and a password, or an RFC 7635 token")
      .text("--user,--username", options.username, "the username")
      .text("--password", options.password, "its password")
      .text("--kid", options.kid, "the token's key id, shown as USERNAME")
      .text("--token", options.token, "the access token, in base64")
      .text("--mac-key", options.mac_key, "the key that came with the token, in base64")
      .flag("--coturn16", options.coturn16, "use the first 16 bytes of the mac key alone, as coturn does")
      .group("Options");
}

std::expected<Credential, std::string> read_credential(const CredentialOptions& options) {
  const bool has_password = options.username || options.password;
  const bool has_token = options.kid || options.token || options.mac_key;
  if (has_password && has_token) return std::unexpected("found a password and a token, allowed: one of them");
  if (has_password) return read_password(options);
  if (has_token) return read_token(options);
  return std::nullopt;
}

}  // namespace turnpike::program
