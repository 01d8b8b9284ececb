#pragma once
// What an answer has to know of its request.

#include <cstdint>
#include <expected>
#include <optional>

#include "credentials/grant.hpp"
#include "stun/message.hpp"
#include "turn/types.hpp"

namespace turnpike::turn {

// Which integrity attribute proves a message (RFC 8489 sections 14.5 and 14.6).
enum class Integrity : std::uint8_t { none, sha1, sha256 };

struct Exchange {
  ClientPath from;
  stun::Method method{};
  stun::TransactionId id{};
  bool has_fingerprint = false;
  Integrity integrity = Integrity::none;
  credentials::GrantPtr grant{};  // none: nobody has proved anything, and nobody is told much
};

// A request that is refused.
struct Rejection {
  stun::ErrorCode code{};
  std::optional<credentials::Refusal> reason{};  // why 401, where a credential was shown
  stun::Message::Unknown unknown{};              // what a 420 names
};
inline std::unexpected<Rejection> reject(stun::ErrorCode code) { return std::unexpected(Rejection{code}); }
using Outcome = std::expected<void, Rejection>;

}  // namespace turnpike::turn
