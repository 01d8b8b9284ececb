#pragma once
// What the eP-CSCF wants done, in the order in which it wants it, and the words of what it is told.

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"
#include "credentials/pushed_table.hpp"
#include "sip/hop.hpp"

namespace turnpike::epcscf {

// A WebSocket connection of a WIC (W2). The shell numbers them from 1 and uses no number twice.
enum class FlowId : std::uint64_t {};
enum class PushId : std::uint64_t {};
enum class CheckId : std::uint64_t {};

struct ClientInfo {
  SocketAddress remote{};
  bool is_secure = false;  // TLS: without it no credentials are handed out
  std::string origin{};    // of the WebSocket handshake; empty where there was none
};

// What a token that was accepted says of its holder (TS 24.371; the claims are the operator's).
struct TokenIdentity {
  std::string impi{};
  std::vector<std::string> impus{};  // "sip:..." or "tel:..."
  std::string wwsf{};                // empty: none is named
  bool is_pool_identity = false;     // scenario 3
  std::string issuer{};              // the WAF
  std::string token_id{};            // its jti; empty: it has none, and cannot be revoked here
  WallTime expires_at{};
};
// A token that its issuer takes no longer, though it has not ended (RFC 7009).
struct RevokedToken {
  std::string issuer{};
  std::string token_id{};
  WallTime until{};  // when it would have ended
};
enum class TokenRefusal : std::uint8_t {
  malformed,
  invalid,  // signature, issuer, audience, algorithm; or the WAF says that it is not active
  expired,
  not_yet_valid,
  bound,        // to a key of which there is no proof
  unavailable,  // it could not be checked in time: 503, not 401
};
using TokenAnswer = std::expected<TokenIdentity, TokenRefusal>;

struct SendToClient {
  FlowId flow{};
  std::string bytes;
};
struct CloseClient {
  FlowId flow{};
  std::string reason;
};
struct SendToCore {
  sip::Hop to;
  std::string bytes;
};
// To every relay that the credential's URIs name; answered by on_push_done when one has acknowledged it.
struct PushCredential {
  PushId id{};
  credentials::PushedCredential credential;
};
struct RevokeCredentials {
  credentials::Revocation revocation;
};
// Answered by on_token_checked.
struct CheckToken {
  CheckId id{};
  std::string token;
};

// --- reports: for the log, metrics and the administrator; no secrets, users by opaque subjects ------------

// Why a registration, or a request for one, was refused.
enum class RegistrationRefusal : std::uint8_t {
  malformed,
  wrong_domain,
  core_refused,       // 4xx to 6xx of the core, 401 with a challenge apart
  login_failed,       // 401 or 403 of the core to the answer to its challenge
  too_many_failures,  // of logins, from the same source: 503
  core_silent,        // 504
  core_unreachable,   // 503
  tokens_not_taken,
  token_malformed,
  token_invalid,
  token_expired,
  token_bound,
  token_unchecked,    // nobody could tell in time: 503
  identity_mismatch,  // the token is for others: 403
  issuer_untrusted,
  wwsf_untrusted,
  outside_pool,
  limit,
};
inline constexpr std::size_t registration_refusal_count = 18;
std::string_view to_string(RegistrationRefusal refusal);

enum class EndTrigger : std::uint8_t {
  deregistered,  // by the WIC
  expired,
  token_expired,
  network,      // the core's registration event
  flow_failed,  // and the grace has passed
  operator_asked,
  reassigned,     // a pool identity went to another WIC
  token_revoked,  // the one that it rests on
};
inline constexpr std::size_t end_trigger_count = 8;
std::string_view to_string(EndTrigger trigger);

enum class Unprovisioned : std::uint8_t {
  not_secure,       // no TLS
  third_party,      // From is not To
  unauthenticated,  // the core asked for no proof
  malformed,        // the wish is not understood
  unknown_realm,
  unknown_transport,
  no_relay,
  no_source,
  not_acknowledged,  // no relay in time, and no source stands in
  too_many_pushes,
  too_many_new,  // registrations of this user: each of them may have to be revoked
};
inline constexpr std::size_t unprovisioned_count = 11;
std::string_view to_string(Unprovisioned reason);

enum class BadMessage : std::uint8_t {
  malformed,
  two_messages,      // in one frame
  not_registered,    // a request that is no REGISTER, without a registration on its connection
  forged_route,      // a token of ours that is not of ours
  dead_flow,         // 430
  forged_trust,      // a WIC sent what only the core may say; taken out
  untrusted_source,  // a message of the core's side from elsewhere
  stray_response,
  limit,
  bad_reginfo,
};
inline constexpr std::size_t bad_message_count = 10;
std::string_view to_string(BadMessage what);

struct Registered {
  FlowId flow{};
  SocketAddress client{};  // of whom it was; port 0: gone meanwhile
  std::string subject;
  std::chrono::seconds expires_in{};
  bool is_refresh = false;
  bool has_moved = false;  // from another connection
};
struct RegistrationRefused {
  FlowId flow{};
  SocketAddress client{};  // of whom it was; port 0: gone meanwhile
  RegistrationRefusal reason{};
  std::uint16_t status_code = 0;  // what the WIC was told
};
struct Deregistered {
  std::string subject;
  EndTrigger trigger{};
};
struct Provisioned {
  std::string subject;
  credentials::Source source{};
  bool is_fallback = false;
  std::chrono::seconds ttl{};
};
struct NotProvisioned {
  std::string subject;
  Unprovisioned reason{};
};
struct CallStarted {
  FlowId flow{};
  std::string subject;
  bool is_originating = false;
};
struct CallEnded {
  FlowId flow{};
  std::string subject;
  bool is_abandoned = false;  // the WIC vanished, and we hung up for it
};
struct MessageRefused {
  FlowId flow{};           // 0: from the core
  SocketAddress client{};  // or who is not the core; of the core itself: none
  BadMessage what{};
  std::uint16_t status_code = 0;  // 0: silence
};
using Report = std::variant<Registered, RegistrationRefused, Deregistered, Provisioned, NotProvisioned,
                            CallStarted, CallEnded, MessageRefused>;

using Effect = std::variant<SendToClient, CloseClient, SendToCore, PushCredential, RevokeCredentials,
                            CheckToken, Report>;

}  // namespace turnpike::epcscf
