#pragma once
// WafLedger is what the WAF remembers, in a SQLite file that survives it (docs/waf.md, "Storage"). Each call
// is one transaction, on the disk before it returns, unless begin() and commit() join them. Several ledgers,
// of several processes too, may have one file open; each is used by one thread at a time.

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/secret.hpp"
#include "store/database.hpp"
#include "store/sealer.hpp"
#include "store/work.hpp"
#include "waf/ledger.hpp"

namespace turnpike::store {

struct WafLedgerLimits {
  StoreLimits file{};
  std::uint32_t once_max = 1'000'000;    // keys of use_once; further ones are refused
  std::uint32_t attempts_max = 100'000;  // keys whose failures are remembered; then the oldest is forgotten
  // Of the audit trail; then the oldest entry is forgotten. What strangers cause is counted apart.
  std::uint32_t audit_max = 1'000'000;
  std::uint32_t audit_strangers_max = 100'000;
  std::chrono::seconds audit_for{};  // entries that are older are forgotten; 0: none
  std::uint32_t forget_max = 500;    // rows of a table that one forget_ended drops
};

// What an operator wants to know of a file.
struct WafContents {
  std::size_t clients = 0, users = 0, consents = 0, authorizations = 0, signing_keys = 0, audit_entries = 0;
  std::optional<WallTime> last_entry_at{};  // of the audit trail
};

// Empty and unset members say nothing.
struct AuditQuery {
  std::size_t count = 100;
  std::string event{}, client{}, subject{}, remote{};
  std::optional<WallTime> since{}, until{};
};

class WafLedger final : public waf::Ledger {
 public:
  // The key has 32 bytes and encrypts the keys that sign; a new file takes it for its own. The error is a
  // sentence that names the file.
  static std::expected<std::unique_ptr<WafLedger>, std::string> open(const std::string& file,
                                                                     const Secret& key,
                                                                     const WafLedgerLimits& limits = {});

  // A copy as of now, while others read and write; it opens with the same key. There must be no file yet.
  std::expected<void, std::string> backup_to(const std::string& file);
  // Puts a copy in the place of `file`, where nothing may be: whole, verified and readable with this key, or
  // not at all. `entry` is added to its audit trail. The copy is left as it is.
  static std::expected<WafContents, std::string> restore(const std::string& copy, const std::string& file,
                                                         const Secret& key, const waf::AuditEntry& entry);
  // Reads everything, and says what is wrong with it.
  std::expected<void, std::string> verify();
  WafContents contents(WallTime now);

  // Encrypts what is encrypted with another key, and goes on with that; also where another ledger has done so
  // before. How many signing keys were encrypted anew.
  std::expected<std::size_t, std::string> change_key(const Secret& key);
  // For a file whose key is lost: the signing keys and those of TURN servers go with it, and the next key
  // that opens it is its own.
  static std::expected<void, std::string> forget_keys(const std::string& file);

  void begin() override;
  void commit() override;
  std::optional<std::string> take_failure() override { return std::exchange(failure_, std::nullopt); }

  std::shared_ptr<const waf::Client> find_client(std::string_view id) override;
  void put_client(const waf::Client& client) override;
  std::vector<waf::Client> clients() override;
  std::shared_ptr<const waf::User> find_user(std::string_view id) override;
  std::shared_ptr<const waf::User> find_user_by_name(std::string_view name) override;
  void put_user(const waf::User& user) override;
  waf::Admission admit_user(const waf::User& user, std::size_t users_max) override;
  std::vector<waf::User> users() override;
  std::vector<waf::Issued> remove_client(std::string_view id, WallTime now) override;
  std::vector<waf::Issued> remove_user(std::string_view id, WallTime now) override;

  std::optional<waf::Consent> find_consent(std::string_view user, std::string_view client) override;
  void put_consent(const waf::Consent& consent) override;
  std::vector<waf::Issued> remove_consent(std::string_view user, std::string_view client,
                                          WallTime now) override;

  void open_session(const waf::Session& session, std::size_t per_user_max) override;
  std::optional<waf::Session> find_session(const waf::Digest& id, WallTime now) override;
  void close_session(const waf::Digest& id) override;

  void add_code(const waf::Code& code) override;
  waf::CodeRedemption redeem_code(const waf::Digest& digest, std::string_view client, WallTime now) override;

  waf::Opening open_family(const waf::Family& family, const std::optional<waf::Digest>& refresh,
                           std::span<const waf::Issued> issued, std::size_t per_user_max,
                           WallTime now) override;
  std::optional<waf::Family> find_family(std::string_view id, WallTime now) override;
  waf::Rotation rotate(std::string_view family, const waf::Digest& old_refresh,
                       const waf::Digest& new_refresh, std::span<const waf::Issued> issued,
                       WallTime now) override;
  std::vector<waf::Issued> revoke_family(std::string_view id, WallTime until, WallTime now) override;

  bool note_issued(std::span<const waf::Issued> issued, WallTime now) override;
  std::optional<waf::Issued> find_issued(std::string_view id_or_twin, WallTime now) override;
  std::vector<waf::Issued> revoke_issued(std::string_view id_or_twin, WallTime now) override;
  std::vector<waf::Issued> revoke_user(std::string_view user, WallTime now) override;
  std::vector<waf::Issued> revoke_client(std::string_view client, WallTime now) override;

  waf::Revoked find_revoked(std::int64_t after, WallTime now) override;
  void note_told(std::int64_t position) override;
  // Whether relays have been told of all that was revoked until now.
  bool is_all_told();
  bool has_changed_elsewhere() override;

  bool use_once(std::string_view key, WallTime until, WallTime now) override;
  WallTime note_failure(std::string_view key, const waf::AttemptRule& rule, WallTime now) override;
  std::optional<WallTime> find_lock(std::string_view key, WallTime now) override;
  void forget_failures(std::string_view key) override;

  std::vector<waf::StoredKey> signing_keys() override;
  void put_signing_key(const waf::StoredKey& key) override;
  void remove_signing_key(std::string_view kid) override;

  std::vector<waf::StoredTurnKey> turn_keys() override;
  bool add_turn_key(const waf::StoredTurnKey& key) override;
  void end_turn_key_use(std::string_view kid, WallTime until) override;
  bool withdraw_turn_key(std::string_view kid) override;
  void note_turn_keys_fetched(std::string_view server_name, WallTime at) override;
  void remove_turn_key(std::string_view kid) override;

  void append_audit(std::span<const waf::AuditEntry> entries) override;
  std::vector<waf::AuditEntry> last_audit_entries(std::size_t count) override;
  std::vector<waf::AuditEntry> find_audit_entries(const AuditQuery& query);  // the newest first

  // At most `forget_max` rows of each table; what is left has ended all the same.
  void forget_ended(WallTime now) override;

 private:
  WafLedger(std::string file, const WafLedgerLimits& limits, Database database, Sealer sealer)
      : file_(std::move(file)), limits_(limits), database_(std::move(database)), sealer_(std::move(sealer)) {}
  std::expected<void, std::string> check_key();
  static StoreError other_key_error();
  std::vector<waf::StoredKey> read_signing_keys(Work& work) const;
  std::vector<waf::StoredTurnKey> read_turn_keys(Work& work) const;
  void seal_turn_keys(Work& work, Sealer& next) const;
  void fail(const StoreError& error);

  [[nodiscard]] bool has_own_key(Work& work) const;
  bool open_transaction();
  void drop_transaction(const StoreError& error);
  bool close_transaction();

  // What `action` returns, once all of it is on the disk (joined calls: will be with them); or nothing of it
  // is, and the result means nothing.
  template <typename Action>
  auto write(Action action) {
    std::invoke_result_t<Action, Work&> result{};
    if (!open_transaction()) return result;
    Work work{database_, statements_};
    auto made = action(work);
    if (work.error())
      drop_transaction(*work.error());
    else if (close_transaction())
      result = std::move(made);
    return result;
  }
  template <typename Action>
  auto read(Action action) {
    std::invoke_result_t<Action, Work&> result{};
    Work work{database_, statements_};
    auto found = action(work);
    if (work.error())
      fail(*work.error());
    else
      result = std::move(found);
    return result;
  }
  template <typename... Values>
  void write_row(std::string_view sql, const Values&... values) {
    write([&](Work& work) {
      work.run(sql, values...);
      return true;
    });
  }

  std::string file_;
  WafLedgerLimits limits_;
  Database database_;
  Statements statements_;  // end before the database
  Sealer sealer_;
  std::optional<Transaction> transaction_{};  // ends before the database, too
  int joined_ = 0;                            // pairs of begin() and commit() that are open
  bool has_failed_ = false;                   // one of the joined calls
  std::int64_t data_version_ = -1;
  std::optional<std::string> failure_{};
};

}  // namespace turnpike::store
