#include "turn/authenticator.hpp"

#include <algorithm>

namespace turnpike::turn {
namespace {

using credentials::PasswordAlgorithm;
using stun::AttributeType;
using stun::ErrorCode;
using stun::Method;
using stun::PasswordAlgorithmValue;

constexpr std::size_t username_bytes_max = 508;  // RFC 8489 section 14.3
constexpr std::size_t realm_bytes_max = 763;     // section 14.9: fewer than 128 characters
constexpr std::size_t nonce_bytes_max = 763;     // section 14.10

constexpr stun::PasswordAlgorithmList offered_algorithms{
    {static_cast<std::uint16_t>(PasswordAlgorithmValue::sha256),
     static_cast<std::uint16_t>(PasswordAlgorithmValue::md5)},
    2};

bool is_proved(const stun::Message& request, Bytes key) {
  return integrity_of(request) == Integrity::sha256 ? request.verify_integrity_sha256(key)
                                                    : request.verify_integrity(key);
}

// A retransmission may come after its nonce has become stale and is still answered the same.
bool is_repeated(const stun::Message& request, const Allocation* existing) {
  if (existing == nullptr) return false;
  const auto id = request.transaction_id();
  return (request.method() == Method::allocate && existing->allocate.is_for(id)) ||
         (request.method() == Method::refresh && existing->refresh.is_for(id));
}

}  // namespace

struct Authenticator::Identity {
  std::string_view username;  // empty: the userhash stands for it
  std::optional<credentials::Userhash> userhash{};
  std::string_view realm;
  std::string_view nonce;
  Bytes token{};
  PasswordAlgorithm algorithm = PasswordAlgorithm::md5;
};

Integrity integrity_of(const stun::Message& message) {
  if (message.has(AttributeType::message_integrity_sha256)) return Integrity::sha256;
  return message.has(AttributeType::message_integrity) ? Integrity::sha1 : Integrity::none;
}

std::expected<Authentication, Rejection> Authenticator::authenticate(const stun::Message& request,
                                                                     const ClientPath& from,
                                                                     const Allocation* existing, Now now) {
  if (integrity_of(request) == Integrity::none) return reject(ErrorCode::unauthenticated);
  // RFC 7635 section 4: a server that takes no tokens does not know the attribute.
  if (request.has(AttributeType::access_token) && !accepts_tokens())
    return reject(ErrorCode::unknown_attribute);
  const auto identity = read_identity(request);
  if (!identity) return std::unexpected(identity.error());
  const bool is_fresh =
      nonces_->verify(identity->nonce, from.client, now.wall) == credentials::NonceVerdict::valid;
  if (!is_fresh && !is_repeated(request, existing)) return reject(ErrorCode::stale_nonce);

  if (existing != nullptr && is_owner(*identity, request, *existing))
    return continue_own(*identity, request, *existing, now);
  return ask_registry(*identity, request, now);
}

std::expected<Authentication, Rejection> Authenticator::continue_own(const Identity& identity,
                                                                     const stun::Message& request,
                                                                     const Allocation& allocation, Now now) {
  const credentials::Grant& grant = *allocation.grant;
  if (registry_->is_revoked(grant, now.wall))
    return std::unexpected(Rejection{ErrorCode::unauthenticated, credentials::Refusal::revoked});
  // Its issuer may have extended it since.
  if (request.method() == Method::refresh && grant.source == credentials::Source::pushed)
    if (auto renewed = ask_registry(identity, request, now)) return renewed;
  return Authentication{allocation.grant};
}

std::expected<Authentication, Rejection> Authenticator::ask_registry(const Identity& identity,
                                                                     const stun::Message& request, Now now) {
  const credentials::Claim claim{.realm = identity.realm,
                                 .username = identity.username,
                                 .userhash = identity.userhash ? &*identity.userhash : nullptr,
                                 .token = identity.token,
                                 .algorithm = identity.algorithm};
  auto granted = registry_->authenticate(claim, [&](Bytes key) { return is_proved(request, key); }, now.wall);
  if (!granted) return std::unexpected(Rejection{ErrorCode::unauthenticated, granted.error()});
  return Authentication{std::move(*granted), !identity.token.empty()};
}

// RFC 8489 section 9.2.4: who shows integrity must say who he is and which nonce he was given.
std::expected<Authenticator::Identity, Rejection> Authenticator::read_identity(
    const stun::Message& request) const {
  Identity identity;
  const auto username = request.text(AttributeType::username, username_bytes_max);
  const auto userhash = request.userhash();
  const auto realm = request.text(AttributeType::realm, realm_bytes_max);
  const auto nonce = request.text(AttributeType::nonce, nonce_bytes_max);
  if (username.is_malformed() || userhash.is_malformed() || !realm || !nonce)
    return reject(ErrorCode::bad_request);
  if (username && !username->empty())
    identity.username = *username;
  else if (userhash)
    identity.userhash = *userhash;
  else
    return reject(ErrorCode::bad_request);
  identity.realm = *realm;
  identity.nonce = *nonce;
  // RFC 7635 section 9: only Allocate and Refresh carry tokens; elsewhere one is known and not expected.
  if (request.method() == Method::allocate || request.method() == Method::refresh) {
    identity.token = request.find(AttributeType::access_token).value_or(Bytes{});
    if (request.has(AttributeType::access_token) && identity.token.empty())
      return reject(ErrorCode::bad_request);
  }
  const auto algorithm = choose_algorithm(request, identity.nonce);
  if (!algorithm) return std::unexpected(algorithm.error());
  identity.algorithm = *algorithm;
  return identity;
}

// RFC 8489 section 9.2.4: the client repeats our offer, so that nobody between us has made it smaller.
std::expected<PasswordAlgorithm, Rejection> Authenticator::choose_algorithm(const stun::Message& request,
                                                                            std::string_view nonce) const {
  if (!nonces_->features().password_algorithms || !credentials::features_of_nonce(nonce).password_algorithms)
    return PasswordAlgorithm::md5;
  const auto list = request.password_algorithms();
  const auto chosen = request.password_algorithm();
  if (list.is_absent() && chosen.is_absent()) return PasswordAlgorithm::md5;
  if (!list || !chosen || !(*list == offered_algorithms)) return reject(ErrorCode::bad_request);
  if (*chosen == PasswordAlgorithmValue::sha256) return PasswordAlgorithm::sha256;
  if (*chosen == PasswordAlgorithmValue::md5) return PasswordAlgorithm::md5;
  return reject(ErrorCode::bad_request);
}

// Does the allocation's own key prove the request? A new token is somebody else's affair, even with its name.
bool Authenticator::is_owner(const Identity& identity, const stun::Message& request,
                             const Allocation& allocation) const {
  const credentials::Grant& grant = *allocation.grant;
  if (!identity.token.empty() || identity.realm != registry_->realm()) return false;
  const bool is_named =
      identity.userhash ? *identity.userhash == grant.userhash : identity.username == grant.username;
  // The mac_key of a token is the key whatever the algorithm says.
  const bool is_same_key =
      grant.source == credentials::Source::token || grant.algorithm == identity.algorithm;
  return is_named && is_same_key && is_proved(request, grant.key.reveal());
}

void Authenticator::add_challenge(stun::Writer& writer, const SocketAddress& client, WallTime wall) const {
  writer.add_text(AttributeType::realm, registry_->realm());
  writer.add_text(AttributeType::nonce, nonces_->mint(client, wall).text());
  if (nonces_->features().password_algorithms) writer.add_password_algorithms(offered_algorithms);
  if (accepts_tokens()) writer.add_text(AttributeType::third_party_authorization, registry_->server_name());
}

}  // namespace turnpike::turn
