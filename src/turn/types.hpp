#pragma once
// The nouns of RFC 8656 that cross the engine's boundary.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"
#include "stun/attribute.hpp"
#include "stun/message.hpp"

namespace turnpike::turn {

// One server transport address on which clients are heard: a 5-tuple is a ClientPath.
using ListenerId = std::uint16_t;

struct ClientPath {  // RFC 8656 section 3: the 5-tuple, server side folded into the listener
  ListenerId listener = 0;
  SocketAddress client;
  bool operator==(const ClientPath&) const = default;
};

// A slot that the engine names and the shell fills with a socket. Slots are small and reused; effects are
// drained in order, so a closed slot is closed before it is opened again.
using RelayPortId = std::uint32_t;

// A relay address: bound here, shown to clients as `advertised` (the same unless a NAT stands between).
struct RelayAddress {
  IpAddress bind;
  IpAddress advertised;
};

// --- answers of the hot path: nothing is queued, nothing is copied --------------------------------------

struct Forward {  // client -> peer
  RelayPortId port = 0;
  SocketAddress peer;
  Bytes payload;
  bool dont_fragment = false;
};

struct Deliver {  // peer -> client: prefix, payload and `padding` zero bytes make one datagram
  ClientPath to;
  std::array<Byte, 52> prefix{};
  std::uint8_t prefix_size = 0;
  std::uint8_t padding = 0;
  Bytes payload;
};

// --- effects: what the shell shall do next, in order ----------------------------------------------------

struct SendToClient {
  ClientPath to;
  ByteVector bytes;
};
struct OpenPort {  // answer with on_port_opened in the same turn
  RelayPortId port = 0;
  SocketAddress bind;
};
struct ClosePort {
  RelayPortId port = 0;
};

enum class EndReason : std::uint8_t {
  expired,
  refreshed_to_zero,
  revoked,
  credential_expired,
  port_lost,
  shutdown
};
std::string_view to_string(EndReason reason);

struct AllocationCreated {
  ClientPath path;
  credentials::GrantPtr grant;
  SocketAddress relayed;  // as advertised
  Duration lifetime{};
};
struct AllocationEnded {
  ClientPath path;
  credentials::GrantPtr grant;
  EndReason reason{};
  std::uint64_t bytes_from_client = 0, bytes_to_client = 0;
  std::uint64_t packets_from_client = 0, packets_to_client = 0;
};
struct Refused {  // an answer with an error code
  ClientPath path;
  stun::Method method{};
  stun::ErrorCode code{};
  std::optional<credentials::Refusal> credential;  // why 401, where a credential was shown
};
using Report = std::variant<AllocationCreated, AllocationEnded, Refused>;

using Effect = std::variant<SendToClient, OpenPort, ClosePort, Report>;

}  // namespace turnpike::turn
