#include "credentials/grant.hpp"

#include <cstring>

#include "base/check.hpp"

namespace turnpike::credentials {
namespace {

template <std::size_t size>
std::string_view name_of(const std::array<std::string_view, size>& names, std::size_t index) {
  return index < size ? names[index] : std::string_view{"unknown"};
}

bool is_kid_or_derived(std::string_view kid, std::string_view value) {
  if (!kid.starts_with(value)) return false;
  return kid.size() == value.size() || kid[value.size()] == '.';
}

}  // namespace

std::string_view to_string(Source source) {
  constexpr std::array<std::string_view, source_count> names{"static", "computed", "pushed", "token"};
  return name_of(names, static_cast<std::size_t>(source));
}

std::string_view to_string(Refusal refusal) {
  constexpr std::array<std::string_view, refusal_count> names{
      "unknown_user", "wrong_key",   "malformed_username", "expired",      "not_yet_valid",
      "revoked",      "unknown_key", "token_malformed",    "token_forged", "token_without_lifetime",
      "wrong_realm"};
  return name_of(names, static_cast<std::size_t>(refusal));
}

Userhash make_userhash(std::string_view username, std::string_view realm) {
  std::string text;
  text.reserve(username.size() + 1 + realm.size());
  text.append(username).append(1, ':').append(realm);
  return crypto::sha256(as_bytes(text));
}

Key::Key(Bytes bytes) : size_(static_cast<std::uint8_t>(bytes.size())) {
  check(bytes.size() <= size_max, "an integrity key has at most 64 bytes");
  if (!bytes.empty()) std::memcpy(bytes_.data(), bytes.data(), bytes.size());
}

Key::~Key() { wipe(bytes_); }

bool Key::operator==(const Key& other) const {
  return crypto::equal_in_constant_time(reveal(), other.reveal());
}

Key make_long_term_key(PasswordAlgorithm algorithm, std::string_view username, std::string_view realm,
                       std::string_view password) {
  ByteVector text;
  text.reserve(username.size() + realm.size() + password.size() + 2);
  text.insert(text.end(), username.begin(), username.end());
  text.push_back(':');
  text.insert(text.end(), realm.begin(), realm.end());
  text.push_back(':');
  text.insert(text.end(), password.begin(), password.end());
  const Key key = algorithm == PasswordAlgorithm::sha256 ? Key{crypto::sha256(text)} : Key{crypto::md5(text)};
  wipe(text);
  return key;
}

bool matches(const Revocation& revocation, const Grant& grant) {
  switch (revocation.by) {
    case Revocation::By::username:
      return revocation.value == grant.username;
    case Revocation::By::subject:
      return revocation.value == grant.subject;
    case Revocation::By::kid:
      return !revocation.value.empty() && is_kid_or_derived(grant.kid, revocation.value);
    case Revocation::By::token_hash:
      return grant.token_hash && revocation.value == to_hex(*grant.token_hash);
  }
  return false;
}

}  // namespace turnpike::credentials
