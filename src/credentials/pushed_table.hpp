#pragma once
// Credentials that an issuer (the eP-CSCF, an administrator) has put here before their users show them:
// approach 2 of TR 33.872. Holds HA1 keys, never passwords. Found by USERNAME and by USERHASH (RFC 8489
// section 14.4).
//
// An issuer numbers its changes 1, 2, 3, ... A repeated number is acknowledged again and changes nothing; a
// gap is answered with gap, and the issuer then sends everything (resync). A number is spent whatever becomes
// of its change. Local changes (put, extend, revoke) take the next number by themselves when they changed
// something; so a table has one writer, or its writers ask for sequence() first.
//
// What has expired stays for a while, so that its user is told apart from a stranger in the log.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "credentials/grant.hpp"

namespace turnpike::credentials {

struct PushedCredential {
  std::string username{};
  std::string subject{};  // opaque; empty: the username stands for it
  Key key_md5{};          // HA1 of RFC 8489 section 9.2.2 with MD5, 16 bytes; empty: not offered
  Key key_sha256{};       // with SHA-256, 32 bytes; empty: not offered
  WallTime not_before = WallTime::min();
  WallTime expires_at = WallTime::max();
  Policy policy{};
};

// What may be shown to an operator.
struct PushedEntry {
  std::string username;
  std::string subject;
  WallTime not_before{};
  WallTime expires_at{};
  Policy policy;
  bool operator==(const PushedEntry&) const = default;
};

enum class PushOutcome : std::uint8_t {
  done,
  repeated,  // this number was seen; nothing changed
  gap,       // a number is missing: send everything
  full,      // the table has credentials_max unexpired credentials
  unknown,   // extend: no such username
  invalid,   // no key, an empty username or one longer than 508 bytes, or an end that has passed
};
std::string_view to_string(PushOutcome outcome);

struct PushedChange {
  struct Put {
    PushedCredential credential;
  };
  struct Extend {
    std::string username;
    WallTime expires_at{};
  };
  struct RevokeUsername {
    std::string username;
  };
  struct RevokeSubject {
    std::string subject;
  };
  std::uint64_t sequence = 0;
  std::variant<Put, Extend, RevokeUsername, RevokeSubject> what;
};

class PushedTable {
 public:
  static constexpr std::chrono::hours kept_after_expiry{1};

  PushedTable(std::string realm, std::size_t credentials_max);
  PushedTable(PushedTable&&) = default;
  PushedTable& operator=(PushedTable&&) = default;

  // Idempotent by username: the newer credential replaces the older one.
  [[nodiscard]] PushOutcome put(PushedCredential credential, WallTime wall);
  [[nodiscard]] PushOutcome extend(std::string_view username, WallTime expires_at);
  std::size_t revoke(const Revocation& revocation);  // by username or subject; how many went

  [[nodiscard]] PushOutcome apply(const PushedChange& change, WallTime wall);
  // Replaces everything by `all`, as it was after change `sequence`. What is invalid or too much is left out;
  // returns how many were taken.
  std::size_t resync(std::uint64_t sequence, std::vector<PushedCredential> all, WallTime wall);
  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }

  [[nodiscard]] const PushedCredential* find(std::string_view username) const;
  [[nodiscard]] const PushedCredential* find(const Userhash& userhash) const;
  [[nodiscard]] std::vector<PushedEntry> list(
      std::string_view subject = {}) const;  // by username; empty: all
  [[nodiscard]] std::size_t size() const { return by_username_.size(); }
  void drop_expired(WallTime wall);
  void limit(std::size_t credentials_max);  // a new limit; keeps what is there

 private:
  struct UserhashHash {
    std::size_t operator()(const Userhash& userhash) const;
  };
  using Pair = std::pair<std::string_view, std::string_view>;

  [[nodiscard]] bool is_valid(const PushedCredential& credential, WallTime wall) const;
  PushOutcome store(PushedCredential credential, WallTime wall);
  bool set_end(std::string_view username, WallTime expires_at);
  std::size_t remove_username(std::string_view username);
  std::size_t remove_subject(std::string_view subject);
  void add_to_indices(const PushedCredential& credential);
  void remove_from_indices(const PushedCredential& credential);
  void clear();
  PushOutcome change(const PushedChange::Put& put, WallTime wall);
  PushOutcome change(const PushedChange::Extend& extend, WallTime wall);
  PushOutcome change(const PushedChange::RevokeUsername& revoke, WallTime wall);
  PushOutcome change(const PushedChange::RevokeSubject& revoke, WallTime wall);

  std::string realm_;
  std::size_t credentials_max_;
  std::uint64_t sequence_ = 0;
  std::map<std::string, PushedCredential, std::less<>> by_username_;
  // All that follow point into the nodes of by_username_, which do not move.
  std::unordered_map<Userhash, const PushedCredential*, UserhashHash> by_userhash_;
  std::set<Pair> by_subject_;                               // subject, username
  std::set<std::pair<WallTime, std::string_view>> by_end_;  // expires_at, username
};

}  // namespace turnpike::credentials
