#include "turn/client_authenticator.hpp"

#include <algorithm>
#include <utility>

#include "credentials/nonce.hpp"

namespace turnpike::turn {
namespace {

using stun::AttributeType;
using stun::PasswordAlgorithmValue;

constexpr std::size_t text_bytes_max = 763;  // REALM, NONCE and SOFTWARE: 128 characters of UTF-8

bool offers(const stun::PasswordAlgorithmList& list, PasswordAlgorithmValue wanted) {
  const auto end = list.algorithms.begin() + static_cast<std::ptrdiff_t>(list.count);
  return std::find(list.algorithms.begin(), end, std::to_underlying(wanted)) != end;
}

std::string_view name_of(const ClientCredential& credential) {
  if (const auto* password = std::get_if<PasswordCredential>(&credential)) return password->username;
  return std::get<TokenCredential>(credential).kid;
}

}  // namespace

ClientAuthenticator::ClientAuthenticator(ClientCredential credential, bool password_algorithms,
                                         bool username_anonymity)
    : credential_(std::move(credential)),
      password_algorithms_(password_algorithms),
      username_anonymity_(username_anonymity) {}

void ClientAuthenticator::change_credential(ClientCredential credential) {
  credential_ = std::move(credential);
  ++generation_;
  if (!server_.nonce.empty()) derive_key();
}

std::expected<void, ClientFailure::Kind> ClientAuthenticator::adopt_challenge(
    const stun::Message& challenge) {
  const auto realm = challenge.text(AttributeType::realm, text_bytes_max);
  const auto nonce = challenge.text(AttributeType::nonce, text_bytes_max);
  if (!nonce || nonce->empty() || realm.is_malformed())
    return std::unexpected(ClientFailure::Kind::malformed_answer);
  if (realm.is_absent() && server_.realm.empty())
    return std::unexpected(ClientFailure::Kind::malformed_answer);

  const auto features = credentials::features_of_nonce(*nonce);
  const auto algorithms = challenge.password_algorithms();
  // RFC 8489 section 9.2.5: a nonce that promises algorithms which are not there was tampered with.
  if (password_algorithms_ && features.password_algorithms && !algorithms)
    return std::unexpected(ClientFailure::Kind::bid_down);

  const bool is_new_realm = realm && server_.realm != *realm;
  if (is_new_realm && !server_.realm.empty()) ++generation_;
  if (is_new_realm) server_.realm = *realm;
  server_.nonce = *nonce;
  server_.algorithms = algorithms ? *algorithms : stun::PasswordAlgorithmList{};
  algorithms_in_use_ = password_algorithms_ && features.password_algorithms &&
                       (offers(server_.algorithms, PasswordAlgorithmValue::sha256) ||
                        offers(server_.algorithms, PasswordAlgorithmValue::md5));
  // A list without any algorithm that we know leaves no way to compute a key.
  if (password_algorithms_ && features.password_algorithms && !algorithms_in_use_)
    return std::unexpected(ClientFailure::Kind::refused);
  userhash_in_use_ = username_anonymity_ && features.username_anonymity;
  derive_key();
  return {};
}

void ClientAuthenticator::describe_server(const stun::Message& answer) {
  if (const auto software = answer.text(AttributeType::software, text_bytes_max)) {
    // Old servers count the padding into the length.
    const std::string_view text = software->substr(0, software->find('\0'));
    if (server_.software != text) server_.software = text;
  }
  const auto name = answer.text(AttributeType::third_party_authorization, text_bytes_max);
  if (name && server_.token_server_name != *name) server_.token_server_name = *name;
}

ClientProtection ClientAuthenticator::protect(stun::Writer& writer, bool with_token) const {
  if (key_.empty()) return {};
  add_identity(writer, with_token);
  if (!sha256_only_) writer.add_integrity(key_.reveal());
  if (algorithms_in_use_) writer.add_integrity_sha256(key_.reveal());
  return {key_, generation_, sha256_only_};
}

bool ClientAuthenticator::is_authentic(const stun::Message& answer,
                                       const ClientProtection& protection) const {
  if (!protection.is_used()) return true;
  if (protection.sha256_only || answer.has(AttributeType::message_integrity_sha256))
    return answer.verify_integrity_sha256(protection.key.reveal());
  if (answer.has(AttributeType::message_integrity)) return answer.verify_integrity(protection.key.reveal());
  return false;
}

void ClientAuthenticator::learn_from(const stun::Message& authentic_answer) {
  if (algorithms_in_use_ && authentic_answer.has(AttributeType::message_integrity_sha256))
    sha256_only_ = true;
}

std::size_t ClientAuthenticator::size_hint() const {
  constexpr std::size_t headers_and_integrity = 256;
  const auto* token = std::get_if<TokenCredential>(&credential_);
  return headers_and_integrity + name_of(credential_).size() + server_.realm.size() + server_.nonce.size() +
         (token ? token->access_token.size() : 0);
}

void ClientAuthenticator::derive_key() {
  sha256_only_ = sha256_only_ && algorithms_in_use_;
  const bool sha256 = algorithms_in_use_ && offers(server_.algorithms, PasswordAlgorithmValue::sha256);
  algorithm_ = sha256 ? credentials::PasswordAlgorithm::sha256 : credentials::PasswordAlgorithm::md5;
  if (userhash_in_use_) userhash_ = credentials::make_userhash(name_of(credential_), server_.realm);
  if (const auto* password = std::get_if<PasswordCredential>(&credential_)) {
    key_ = credentials::make_long_term_key(algorithm_, password->username, server_.realm,
                                           password->password.reveal_text());
    return;
  }
  // RFC 7635 section 5: the mac_key is the HMAC key as it is. coturn takes its first 16 bytes alone.
  const auto& token = std::get<TokenCredential>(credential_);
  const Bytes mac_key = token.mac_key.reveal();
  key_ = credentials::Key{token.coturn16 && mac_key.size() > 16 ? mac_key.first(16) : mac_key};
}

void ClientAuthenticator::add_identity(stun::Writer& writer, bool with_token) const {
  const auto* token = std::get_if<TokenCredential>(&credential_);
  if (token && with_token) writer.add(AttributeType::access_token, token->access_token);
  if (userhash_in_use_)
    writer.add(AttributeType::userhash, userhash_);
  else
    writer.add_text(AttributeType::username, name_of(credential_));
  writer.add_text(AttributeType::realm, server_.realm);
  writer.add_text(AttributeType::nonce, server_.nonce);
  if (!algorithms_in_use_) return;
  // RFC 8489 section 9.2.3: the list goes back unchanged, so that the server sees whether it was altered.
  writer.add_password_algorithms(server_.algorithms);
  writer.add_password_algorithm(algorithm_ == credentials::PasswordAlgorithm::sha256
                                    ? PasswordAlgorithmValue::sha256
                                    : PasswordAlgorithmValue::md5);
}

}  // namespace turnpike::turn
