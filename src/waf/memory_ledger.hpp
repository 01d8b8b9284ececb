#pragma once
// A ledger that ends with its process: for tests, and where nothing has to survive.

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "waf/attempts.hpp"
#include "waf/ledger.hpp"

namespace turnpike::waf {

struct MemoryLedgerLimits {
  std::size_t once_max = 100'000;      // of use_once
  std::size_t attempts_max = 100'000;  // keys whose failures are remembered; then the oldest is forgotten
  std::size_t audit_max = 10'000;      // then the oldest is forgotten
  std::size_t strangers_max = 1'000;   // the same for what strangers cause
};

class MemoryLedger : public Ledger {
 public:
  explicit MemoryLedger(MemoryLedgerLimits limits = {}) : limits_(limits) {}

  std::shared_ptr<const Client> find_client(std::string_view id) override;
  void put_client(const Client& client) override;
  std::vector<Client> clients() override;
  std::shared_ptr<const User> find_user(std::string_view id) override;
  std::shared_ptr<const User> find_user_by_name(std::string_view name) override;
  void put_user(const User& user) override;
  Admission admit_user(const User& user, std::size_t users_max) override;
  std::vector<User> users() override;
  std::vector<Issued> remove_client(std::string_view id, WallTime now) override;
  std::vector<Issued> remove_user(std::string_view id, WallTime now) override;

  std::optional<Consent> find_consent(std::string_view user, std::string_view client) override;
  void put_consent(const Consent& consent) override;
  std::vector<Issued> remove_consent(std::string_view user, std::string_view client, WallTime now) override;

  void open_session(const Session& session, std::size_t per_user_max) override;
  std::optional<Session> find_session(const Digest& id, WallTime now) override;
  void close_session(const Digest& id) override;

  void add_code(const Code& code) override;
  CodeRedemption redeem_code(const Digest& digest, std::string_view client, WallTime now) override;

  Opening open_family(const Family& family, const std::optional<Digest>& refresh,
                      std::span<const Issued> issued, std::size_t per_user_max, WallTime now) override;
  std::optional<Family> find_family(std::string_view id, WallTime now) override;
  Rotation rotate(std::string_view family, const Digest& old_refresh, const Digest& new_refresh,
                  std::span<const Issued> issued, WallTime now) override;
  std::vector<Issued> revoke_family(std::string_view id, WallTime until, WallTime now) override;

  bool note_issued(std::span<const Issued> issued, WallTime now) override;
  std::optional<Issued> find_issued(std::string_view id_or_twin, WallTime now) override;
  std::vector<Issued> revoke_issued(std::string_view id_or_twin, WallTime now) override;
  std::vector<Issued> revoke_user(std::string_view user, WallTime now) override;
  std::vector<Issued> revoke_client(std::string_view client, WallTime now) override;

  Revoked find_revoked(std::int64_t after, WallTime now) override;
  void note_told(std::int64_t position) override { told_ = std::max(told_, position); }
  [[nodiscard]] std::int64_t told() const { return told_; }

  bool use_once(std::string_view key, WallTime until, WallTime now) override;
  WallTime note_failure(std::string_view key, const AttemptRule& rule, WallTime now) override;
  std::optional<WallTime> find_lock(std::string_view key, WallTime now) override;
  void forget_failures(std::string_view key) override;

  std::vector<StoredKey> signing_keys() override;
  void put_signing_key(const StoredKey& key) override;
  void remove_signing_key(std::string_view kid) override;

  std::vector<StoredTurnKey> turn_keys() override;
  bool add_turn_key(const StoredTurnKey& key) override;
  void end_turn_key_use(std::string_view kid, WallTime until) override;
  bool withdraw_turn_key(std::string_view kid) override;
  void note_turn_keys_fetched(std::string_view server_name, WallTime at) override;
  void remove_turn_key(std::string_view kid) override;

  void append_audit(std::span<const AuditEntry> entries) override;
  std::vector<AuditEntry> last_audit_entries(std::size_t count) override;
  void forget_ended(WallTime now) override;

 private:
  struct CodeRecord {
    Code code;
    bool is_redeemed = false;
  };
  struct FamilyRecord {
    Family family;
    std::optional<Digest> refresh;
    bool is_revoked = false;
  };
  // What has ended in one call.
  std::vector<Issued> note_revoked(std::vector<Issued> revoked);
  std::vector<Issued> close_family(std::string_view id, WallTime until, WallTime now);
  std::vector<Issued> close_user(std::string_view user, WallTime now);
  template <typename Condition>
  std::vector<Issued> revoke_where(Condition condition, WallTime now);
  template <typename Condition>
  std::vector<Issued> close_families(Condition condition, WallTime now);
  [[nodiscard]] bool is_revoked(std::string_view family) const;
  void add_issued(std::span<const Issued> issued);

  MemoryLedgerLimits limits_;
  std::map<std::string, std::shared_ptr<const Client>, std::less<>> clients_;
  std::map<std::string, std::shared_ptr<const User>, std::less<>> users_;
  std::map<std::string, std::string, std::less<>> user_names_;  // name -> id
  std::map<std::pair<std::string, std::string>, Consent> consents_;
  std::map<Digest, Session> sessions_;
  std::map<Digest, CodeRecord> codes_;
  std::map<std::string, FamilyRecord, std::less<>> families_;
  std::map<std::string, Issued, std::less<>> issued_;
  std::map<std::string, std::string, std::less<>> twins_;  // twin -> id
  std::map<std::string, WallTime, std::less<>> once_;
  std::map<std::string, Attempts, std::less<>> attempts_;
  std::map<std::string, StoredKey, std::less<>> keys_;
  std::map<std::string, StoredTurnKey, std::less<>> turn_keys_;
  std::deque<AuditEntry> audit_;
  std::vector<RevokedBatch> revoked_;  // the position of each is its place, from 1 on
  std::int64_t told_ = 0;
};

}  // namespace turnpike::waf
