#pragma once
// The port behind which the WAF keeps what must outlive a request, and a process. Calls are synchronous and
// each one is atomic: what two requests race for is decided inside of one call. When a call has returned,
// what it wrote survives a crash. ledger_contract.hpp holds every implementation to this.
//
// A time after which something is no longer valid is handed in as `now`; what has ended behaves as if it had
// never been.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/token.hpp"
#include "waf/accounts.hpp"
#include "waf/grants.hpp"

namespace turnpike::waf {

struct CodeRedemption {
  enum class Outcome : std::uint8_t { redeemed, unknown, replayed };
  Outcome outcome = Outcome::unknown;
  std::optional<Code> code{};     // redeemed, replayed
  std::vector<Issued> revoked{};  // replayed: what ended with it
};

struct Opening {
  bool is_open = false;           // false: the family is revoked already, and nothing was written
  std::vector<Issued> revoked{};  // of the user's oldest families, where he had too many
};

struct Rotation {
  enum class Outcome : std::uint8_t { rotated, unknown, replayed };
  Outcome outcome = Outcome::unknown;
  std::vector<Issued> revoked{};  // replayed: what ended with it
};

// A relay may take a token for some seconds longer than it says.
inline constexpr std::chrono::seconds relay_tolerance =
    credentials::token_clock_skew + std::chrono::seconds{1};

// Tokens that ended together, in one call.
struct RevokedBatch {
  std::vector<Issued> tokens{};
  bool was_single = false;  // one token ended and nothing else: its subject may have others
};
struct Revoked {
  std::int64_t position = 0;
  std::vector<RevokedBatch> batches{};
};

enum class Admission : std::uint8_t { failed, admitted, taken, full };

// When an account or an address is locked out.
struct AttemptRule {
  std::uint32_t failures_max = 5;    // that many in a row lock
  std::chrono::seconds memory{900};  // after so long without one, failures are forgotten
  std::chrono::seconds lock{30};     // for the first time; twice as long for each further failure
  std::chrono::seconds lock_max{900};
};

struct StoredKey {
  std::string kid{};
  Secret jwk{};             // private; kept encrypted where it is kept on disk
  WallTime published_at{};  // from then on in the JWKS
  WallTime signs_from{};
  WallTime signs_until{};
  WallTime published_until{};
};

// A key that a TURN server fetches (RFC 7635 section 4.1.1) and with which its tokens are sealed.
struct StoredTurnKey {
  std::string kid{};
  std::string server_name{};
  Secret key{};  // kept encrypted where it is kept on disk; of a withdrawn one nothing is left
  credentials::TokenAlgorithm algorithm = credentials::TokenAlgorithm::a256gcm;
  WallTime published_at{};
  WallTime used_from{};
  WallTime used_until{};
  WallTime accepted_until{};  // by the TURN server: what was made with it has ended
  WallTime fetched_at{};      // last; the epoch: nobody has fetched it yet
  bool is_withdrawn = false;  // nothing that was made with it is accepted any more
};

class Ledger {
 public:
  virtual ~Ledger() = default;

  // What is written from begin() to commit() is written together, or not at all where one of the calls fails
  // or the process ends; of pairs within a pair, the outermost counts. Calls beside such a pair are written
  // each for itself.
  virtual void begin() {}
  virtual void commit() {}

  // What could not be read or written since this was asked last, in words for the operator. The result of
  // such a call is empty or false and means nothing, and nothing of it, and of what was to be written with
  // it, was written: the request that asked is answered with 503, and may be tried again.
  virtual std::optional<std::string> take_failure() { return std::nullopt; }

  // Accounts. `put` adds or replaces; `remove` is false where there was none. Removing an account also
  // revokes what was issued to it, and tells what that was.
  virtual std::shared_ptr<const Client> find_client(std::string_view id) = 0;
  virtual void put_client(const Client& client) = 0;
  virtual std::vector<Client> clients() = 0;
  virtual std::shared_ptr<const User> find_user(std::string_view id) = 0;
  virtual std::shared_ptr<const User> find_user_by_name(std::string_view name) = 0;
  virtual void put_user(const User& user) = 0;  // names are unique: another user's name is taken from them
  // Adds or replaces, unless the name or an identity is another user's, as identity_keys() tells. A new one
  // is also refused where there are `users_max` already. Then nothing is written.
  virtual Admission admit_user(const User& user, std::size_t users_max) = 0;
  virtual std::vector<User> users() = 0;
  virtual std::vector<Issued> remove_client(std::string_view id, WallTime now) = 0;
  virtual std::vector<Issued> remove_user(std::string_view id, WallTime now) = 0;

  virtual std::optional<Consent> find_consent(std::string_view user, std::string_view client) = 0;
  virtual void put_consent(const Consent& consent) = 0;
  // And what this client was given by this user.
  virtual std::vector<Issued> remove_consent(std::string_view user, std::string_view client,
                                             WallTime now) = 0;

  // Of more than `per_user_max` the oldest one is closed.
  virtual void open_session(const Session& session, std::size_t per_user_max) = 0;
  virtual std::optional<Session> find_session(const Digest& id, WallTime now) = 0;
  virtual void close_session(const Digest& id) = 0;

  // Codes are redeemed once, by the client that they were made for; for others they are unknown. The second
  // redemption revokes the family of the first, also one that has not been opened yet.
  virtual void add_code(const Code& code) = 0;
  virtual CodeRedemption redeem_code(const Digest& digest, std::string_view client, WallTime now) = 0;

  // Without a refresh digest it has no refresh token. `issued` may be empty. Of more than `per_user_max` live
  // ones those are revoked whose users authenticated first.
  virtual Opening open_family(const Family& family, const std::optional<Digest>& refresh,
                              std::span<const Issued> issued, std::size_t per_user_max, WallTime now) = 0;
  virtual std::optional<Family> find_family(std::string_view id, WallTime now) = 0;
  // The digest that is the family's last one is replaced, and the tokens are noted. Any other one is a replay
  // and revokes the family: of parallel calls with one digest, exactly one rotates.
  virtual Rotation rotate(std::string_view family, const Digest& old_refresh, const Digest& new_refresh,
                          std::span<const Issued> issued, WallTime now) = 0;
  // What was valid and is no longer. To be revoked until a time when all that belongs to it has ended.
  virtual std::vector<Issued> revoke_family(std::string_view id, WallTime until, WallTime now) = 0;

  // Tokens beside a rotation. False where their family is revoked, and then nothing is written.
  virtual bool note_issued(std::span<const Issued> issued, WallTime now) = 0;
  virtual std::optional<Issued> find_issued(std::string_view id_or_twin, WallTime now) = 0;
  // The token itself, and the TURN tokens of its turn_subject.
  virtual std::vector<Issued> revoke_issued(std::string_view id_or_twin, WallTime now) = 0;
  virtual std::vector<Issued> revoke_user(std::string_view user, WallTime now) = 0;
  virtual std::vector<Issued> revoke_client(std::string_view client, WallTime now) = 0;

  // Tokens that were revoked, by whomever, and that relays or an eP-CSCF would still take; all that have come
  // after that position. They are kept until they end, so that who was away is told as well.
  virtual Revoked find_revoked(std::int64_t after, WallTime now) = 0;
  // All relays have been told of those up to this position.
  virtual void note_told(std::int64_t position) = 0;

  // Whether another ledger has written to the same place since this was asked last.
  virtual bool has_changed_elsewhere() { return false; }

  // True the first time, until `until`; then false. Also false where there is no room for more.
  virtual bool use_once(std::string_view key, WallTime until, WallTime now) = 0;

  // Until when the key is locked after this failure; a time that is over: it is not.
  virtual WallTime note_failure(std::string_view key, const AttemptRule& rule, WallTime now) = 0;
  virtual std::optional<WallTime> find_lock(std::string_view key, WallTime now) = 0;
  virtual void forget_failures(std::string_view key) = 0;

  virtual std::vector<StoredKey> signing_keys() = 0;  // in the order in which they begin to sign
  virtual void put_signing_key(const StoredKey& key) = 0;
  virtual void remove_signing_key(std::string_view kid) = 0;

  // In the order in which they begin to be used, those of all TURN servers.
  virtual std::vector<StoredTurnKey> turn_keys() = 0;
  // False where the kid is taken: a key is never replaced.
  virtual bool add_turn_key(const StoredTurnKey& key) = 0;
  virtual void end_turn_key_use(std::string_view kid, WallTime until) = 0;  // earlier than it was
  // False where there is no such key, or it was withdrawn before.
  virtual bool withdraw_turn_key(std::string_view kid) = 0;
  // All keys of this TURN server that are not withdrawn.
  virtual void note_turn_keys_fetched(std::string_view server_name, WallTime at) = 0;
  virtual void remove_turn_key(std::string_view kid) = 0;

  virtual void append_audit(std::span<const AuditEntry> entries) = 0;
  virtual std::vector<AuditEntry> last_audit_entries(std::size_t count) = 0;  // the newest first

  // Drops what has ended; the shell calls it every now and then.
  virtual void forget_ended(WallTime now) = 0;
};

}  // namespace turnpike::waf
