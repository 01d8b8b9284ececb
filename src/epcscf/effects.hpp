#pragma once
// What the eP-CSCF wants done, in the order in which it wants it, and the words of what it is told.

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
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
  WallTime expires_at{};
};
enum class TokenRefusal : std::uint8_t {
  malformed,
  invalid,  // signature, issuer, audience, algorithm; or the WAF says that it is not active
  expired,
  not_yet_valid,
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

}  // namespace turnpike::epcscf
