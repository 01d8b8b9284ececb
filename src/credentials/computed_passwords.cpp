#include "credentials/computed_passwords.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "base/bytes.hpp"
#include "base/crypto.hpp"

namespace turnpike::credentials {
namespace {

constexpr std::uint64_t seconds_max = std::numeric_limits<std::uint64_t>::max();

bool is_digit(char character) { return character >= '0' && character <= '9'; }

std::uint64_t parse_clamped(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char digit : digits) {
    const auto unit = static_cast<std::uint64_t>(digit - '0');
    if (value > (seconds_max - unit) / 10) return seconds_max;
    value = value * 10 + unit;
  }
  return value;
}

// The opaque id: without the key id, when a secret has that id.
std::string_view remove_key_id(std::string_view id, std::string_view key_id) {
  if (key_id.empty() || !id.starts_with(key_id)) return id;
  if (id.size() <= key_id.size() || id[key_id.size()] != '.') return id;
  return id.substr(key_id.size() + 1);
}

}  // namespace

std::optional<ComputedName> parse_computed_name(std::string_view username) {
  const std::size_t colon = username.find(':');
  const std::string_view expiry = username.substr(0, colon);
  if (expiry.empty() || !std::ranges::all_of(expiry, is_digit)) return std::nullopt;
  const std::uint64_t seconds = parse_clamped(expiry);
  return ComputedName{
      .refused_from = from_unix_seconds(seconds == seconds_max ? seconds : seconds + 1),
      .id = colon == std::string_view::npos ? std::string_view{} : username.substr(colon + 1)};
}

Secret make_computed_password(const Secret& secret, ComputedDigest digest, std::string_view username) {
  std::string text = digest == ComputedDigest::sha256
                         ? to_base64(crypto::hmac_sha256(secret.reveal(), as_bytes(username)))
                         : to_base64(crypto::hmac_sha1(secret.reveal(), as_bytes(username)));
  Secret password = Secret::from_text(text);
  wipe({reinterpret_cast<Byte*>(text.data()), text.size()});
  return password;
}

Verdict ComputedPasswords::verify(Attempt& attempt) const {
  const std::string_view username = attempt.claim().username;
  if (attempt.claim().userhash != nullptr || settings_.secrets.empty())
    return std::unexpected(Refusal::unknown_user);
  const std::optional<ComputedName> name = parse_computed_name(username);
  if (!name)
    return std::unexpected(username.find(':') == std::string_view::npos ? Refusal::unknown_user
                                                                        : Refusal::malformed_username);

  const std::size_t named = find_named_secret(name->id);
  Verdict verdict = try_secret(attempt, *name, named);
  for (std::size_t i = 0; i < settings_.secrets.size(); ++i) {
    if (verdict || verdict.error() != Refusal::wrong_key) return verdict;
    if (i != named) verdict = try_secret(attempt, *name, i);
  }
  return verdict;
}

Effort ComputedPasswords::effort() const {
  const auto count = static_cast<unsigned>(settings_.secrets.size());
  return {.proofs = count, .password_macs = count, .long_term_keys = count};
}

// The secret whose id the username names; the first one otherwise.
std::size_t ComputedPasswords::find_named_secret(std::string_view id) const {
  const auto found = std::ranges::find_if(settings_.secrets, [id](const ComputedSecret& secret) {
    return !secret.id.empty() && remove_key_id(id, secret.id).size() < id.size();
  });
  return found == settings_.secrets.end() ? 0 : static_cast<std::size_t>(found - settings_.secrets.begin());
}

Verdict ComputedPasswords::try_secret(Attempt& attempt, const ComputedName& name, std::size_t index) const {
  const std::string_view username = attempt.claim().username;
  const Secret password =
      attempt.make_computed_password(settings_.secrets[index].secret, settings_.digest, username);
  Key key = attempt.make_long_term_key(username, password.reveal_text());
  if (!attempt.proves(key.reveal())) return std::unexpected(Refusal::wrong_key);
  if (attempt.wall() >= name.refused_from) return std::unexpected(Refusal::expired);

  const std::string_view named = settings_.secrets[find_named_secret(name.id)].id;
  const std::string_view subject = remove_key_id(name.id, named);
  return Grant{.source = Source::computed,
               .username = std::string{username},
               .subject = std::string{subject.empty() ? username : subject},
               .kid = settings_.secrets[index].id,
               .userhash = make_userhash(username, attempt.claim().realm),
               .key = key,
               .algorithm = attempt.claim().algorithm,
               .policy = settings_.policy,
               .expires_at = name.refused_from};
}

}  // namespace turnpike::credentials
