#include "credentials/issue.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/crypto.hpp"
#include "credentials/computed_passwords.hpp"
#include "credentials/token.hpp"
#include "credentials/token_keys.hpp"

namespace turnpike::credentials {
namespace {

constexpr std::size_t mac_key_size = 20;  // RFC 7635: a key for HMAC-SHA-1
constexpr std::size_t nonce_size = 12;

std::string to_base32(Bytes bytes) {
  constexpr std::string_view digits = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const Byte byte : bytes) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 5; count -= 5) text.push_back(digits[(bits >> (count - 5)) & 31]);
  }
  return text;
}

Secret to_secret_text(std::string text) {
  Secret secret = Secret::from_text(text);
  wipe({reinterpret_cast<Byte*>(text.data()), text.size()});
  return secret;
}

bool covers(const TokenKey& key, WallTime wall, std::chrono::seconds lifetime) {
  return key.not_before <= wall && wall < key.not_after && key.not_after - wall >= lifetime;
}

struct Sealed {
  std::string kid;
  ByteVector token;
  Secret mac_key;
  TokenAlgorithm algorithm{};
};

std::optional<Sealed> seal_token(const TokenSettings& settings, std::string_view suffix,
                                 std::optional<TokenPolicy> policy, WallTime wall,
                                 std::chrono::seconds lifetime, Random& random) {
  if (lifetime.count() < 1 || lifetime.count() > std::numeric_limits<std::uint32_t>::max())
    return std::nullopt;
  const auto key = std::ranges::find_if(settings.keys, [&](const TokenKey& candidate) {
    return covers(candidate, wall, lifetime) && (suffix.empty() || candidate.derives);
  });
  if (key == settings.keys.end()) return std::nullopt;

  Sealed sealed{.kid = key->kid, .token = {}, .mac_key = {}, .algorithm = key->algorithm};
  if (!suffix.empty()) sealed.kid.append(1, '.').append(suffix);
  if (sealed.kid.size() > username_bytes_max) return std::nullopt;
  auto mac_key = random.draw<mac_key_size>();
  sealed.mac_key = Secret{mac_key};
  wipe(mac_key);

  const Secret derived = suffix.empty()
                             ? Secret{}
                             : derive_token_key(key->key, key->algorithm, settings.server_name, sealed.kid);
  const TokenSeal seal{.key = suffix.empty() ? key->key.reveal() : derived.reveal(),
                       .algorithm = key->algorithm,
                       .server_name = settings.server_name};
  const TokenContent content{.mac_key = sealed.mac_key,
                             .timestamp = to_token_timestamp(wall),
                             .lifetime = static_cast<std::uint32_t>(lifetime.count()),
                             .policy = std::move(policy)};
  sealed.token = encode_token(content, random.draw<nonce_size>(), seal);
  return sealed;
}

}  // namespace

std::string make_opaque_id(const Secret& key, std::string_view user_id, std::string_view salt) {
  std::string message{user_id};
  message.append(1, '|').append(salt);
  const crypto::Sha256 digest = crypto::hmac_sha256(key.reveal(), as_bytes(message));
  return to_base32(Bytes{digest}.first(10));
}

IssuedPassword issue_computed(const ComputedSettings& settings, std::string_view opaque_id,
                              WallTime expires_at) {
  check(!settings.secrets.empty(), "computed credentials need a secret");
  const ComputedSecret& secret = settings.secrets.front();
  const auto seconds = std::max<std::int64_t>(0, unix_seconds(expires_at));
  IssuedPassword issued;
  issued.username = std::to_string(seconds);
  if (!opaque_id.empty()) {
    issued.username.append(1, ':');
    if (!secret.id.empty()) issued.username.append(secret.id).append(1, '.');
    issued.username.append(opaque_id);
  }
  issued.password = make_computed_password(secret.secret, settings.digest, issued.username);
  issued.expires_at = from_unix_seconds(static_cast<std::uint64_t>(seconds));
  return issued;
}

IssuedPushed issue_pushed(std::string_view realm, std::string_view subject, WallTime expires_at,
                          const Policy& policy, Random& random) {
  auto password = random.draw<20>();
  IssuedPushed issued;
  issued.shown.username = to_base64url(random.draw<12>());
  // On a command line it would be an option.
  if (issued.shown.username.front() == '-') issued.shown.username.front() = '0';
  issued.shown.password = to_secret_text(to_base64url(password));
  issued.shown.expires_at = expires_at;
  issued.stored = make_pushed_credential(issued.shown.username, issued.shown.password.reveal_text(), realm,
                                         subject, expires_at, policy);
  wipe(password);
  return issued;
}

PushedCredential make_pushed_credential(std::string_view username, std::string_view password,
                                        std::string_view realm, std::string_view subject, WallTime expires_at,
                                        const Policy& policy) {
  return {.username = std::string{username},
          .subject = std::string{subject},
          .key_md5 = make_long_term_key(PasswordAlgorithm::md5, username, realm, password),
          .key_sha256 = make_long_term_key(PasswordAlgorithm::sha256, username, realm, password),
          .expires_at = expires_at,
          .policy = policy};
}

std::optional<IssuedToken> issue_token(const TokenSettings& settings, std::string_view kid_suffix,
                                       WallTime wall, std::chrono::seconds lifetime, Random& random) {
  if (kid_suffix.find('.') != std::string_view::npos) return std::nullopt;
  auto sealed = seal_token(settings, kid_suffix, std::nullopt, wall, lifetime, random);
  if (!sealed) return std::nullopt;
  return IssuedToken{.kid = std::move(sealed->kid),
                     .access_token = std::move(sealed->token),
                     .mac_key = std::move(sealed->mac_key),
                     .algorithm = sealed->algorithm,
                     .expires_at = wall + lifetime};
}

std::optional<IssuedPassword> issue_browser_token(const TokenSettings& settings, const TokenPolicy& policy,
                                                  WallTime wall, std::chrono::seconds lifetime,
                                                  Random& random) {
  if (policy.subject.size() > 255 || policy.policy.allowed_peers.size() > 255) return std::nullopt;
  const auto sealed = seal_token(settings, {}, policy, wall, lifetime, random);
  if (!sealed) return std::nullopt;
  IssuedPassword issued;
  issued.username = sealed->kid + '.' + to_base64url(sealed->token);
  if (issued.username.size() > username_bytes_max) return std::nullopt;
  issued.password = make_browser_password(sealed->mac_key);
  issued.expires_at = wall + lifetime;
  return issued;
}

}  // namespace turnpike::credentials
