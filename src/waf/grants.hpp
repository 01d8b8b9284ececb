#pragma once
// What has been authorized and issued. All tokens that come of one authorization by a user are a family:
// refresh tokens that follow one another, and the access tokens that were got with them.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "waf/accounts.hpp"

namespace turnpike::waf {

struct Family {
  std::string id{};  // random; the first half of each of its refresh tokens
  std::string client{};
  std::string user{};
  Scope scope{};
  Scope audiences{};  // the only ones that its tokens may be for (RFC 8707); empty: no limit
  std::string jkt{};  // RFC 9449: the key that its refresh tokens are bound to; empty: not bound
  WallTime authenticated_at{};
  WallTime ends_at{};  // of the last refresh token, whatever happens
  bool operator==(const Family&) const = default;
};

struct Code {
  Digest digest{};
  Family family{};             // as it will be
  std::string redirect_uri{};  // as the request had it; empty where it had none
  std::string challenge{};     // PKCE, S256
  WallTime ends_at{};
  // How long a second redemption is noticed.
  WallTime remembered_until{};
  bool operator==(const Code&) const = default;
};

enum class IssuedKind : std::uint8_t { registration, turn };

// An access token that was given out.
struct Issued {
  std::string id{};    // registration: its jti; TURN: hex of the SHA-256 of the token in the form of RFC 7635
  std::string twin{};  // TURN: the same of the browser form
  IssuedKind kind{};
  std::string family{};  // empty: of none
  std::string client{};
  std::string subject{};  // whose it is: a user, or the client
  std::string audience{};
  Scope scope{};
  std::string turn_subject{};  // what relays count and revoke by
  WallTime issued_at{};
  WallTime ends_at{};
  bool operator==(const Issued&) const = default;
};

struct AuditEntry {
  WallTime at{};
  std::string event{};  // "login", "code_replayed", ...; docs/waf.md has them all
  std::string client{};
  std::string subject{};
  std::string remote{};
  std::string detail{};
  // Strangers can cause as many as they like: such entries drive out their own kind alone.
  bool is_by_stranger = false;
  bool operator==(const AuditEntry&) const = default;
};

}  // namespace turnpike::waf
