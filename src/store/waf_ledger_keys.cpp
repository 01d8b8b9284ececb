// The part of WafLedger that is encrypted, and its copies.

#include "store/waf_ledger.hpp"
#include "store/waf_rows.hpp"

namespace turnpike::store {
namespace {

constexpr std::string_view key_check = "key check";
constexpr std::string_view key_check_text = "turnpike waf ledger";
constexpr std::string_view find_key_check = "SELECT value FROM setting WHERE name = ?";

std::string name_of(std::string_view kid) { return "signing key " + std::string{kid}; }

StoreError unreadable(const std::string& kid) {
  return {StoreFault::broken, "the signing key " + kid + " does not open: it was changed, or is another's"};
}

ByteVector copy_bytes(const Statement& row) { return {row.bytes(0).begin(), row.bytes(0).end()}; }

}  // namespace

StoreError WafLedger::other_key_error() {
  return {StoreFault::broken, "it was written with another key than the one that is configured"};
}

std::expected<void, std::string> WafLedger::check_key() {
  write([&](Work& work) {
    if (work.find(find_key_check, copy_bytes, key_check)) {
      if (!has_own_key(work)) work.fail(other_key_error());
    } else {
      work.run("INSERT INTO setting (name, value) VALUES (?, ?)", key_check,
               sealer_.seal(key_check, as_bytes(key_check_text)));
    }
    return true;
  });
  if (failure_) return std::unexpected(*take_failure());
  signing_keys();
  turn_keys();
  if (failure_) return std::unexpected(*take_failure());
  return {};
}

// Whether the file is still encrypted with the key that this ledger has: another one may have changed it.
bool WafLedger::has_own_key(Work& work) const {
  const auto box = work.find(find_key_check, copy_bytes, key_check);
  return box && sealer_.open(key_check, *box);
}

std::expected<std::size_t, std::string> WafLedger::change_key(const Secret& key) {
  auto next = Sealer::make(key);
  if (!next) return std::unexpected(file_ + ": " + next.error());
  const std::size_t count = write([&](Work& work) -> std::size_t {
    const auto box = work.find(find_key_check, copy_bytes, key_check);
    if (box && next->open(key_check, *box)) return 0;
    if (!has_own_key(work)) {
      work.fail(other_key_error());
      return 0;
    }
    seal_turn_keys(work, *next);
    const std::vector<waf::StoredKey> keys = read_signing_keys(work);
    for (const waf::StoredKey& it : keys)
      work.run("UPDATE signing_key SET jwk = ? WHERE kid = ?", next->seal(name_of(it.kid), it.jwk.reveal()),
               it.kid);
    work.run("UPDATE setting SET value = ? WHERE name = ?", next->seal(key_check, as_bytes(key_check_text)),
             key_check);
    return keys.size();
  });
  if (failure_) return std::unexpected(*take_failure());
  sealer_ = *std::move(next);
  return count;
}

std::expected<void, std::string> WafLedger::forget_keys(const std::string& file) {
  auto database = Database::open(file, waf_schema());
  if (!database) return std::unexpected(database.error().describe(file));
  auto transaction = Transaction::begin(*database);
  if (!transaction) return std::unexpected(transaction.error().describe(file));
  const auto done = database->execute("DELETE FROM signing_key; DELETE FROM turn_key; DELETE FROM setting");
  if (!done) return std::unexpected(done.error().describe(file));
  if (auto committed = transaction->commit(); !committed)
    return std::unexpected(committed.error().describe(file));
  return {};
}

// --- signing keys -----------------------------------------------------------------------------------------

std::vector<waf::StoredKey> WafLedger::signing_keys() {
  return read([&](Work& work) { return read_signing_keys(work); });
}

std::vector<waf::StoredKey> WafLedger::read_signing_keys(Work& work) const {
  std::optional<StoreError> error;
  auto keys = work.list("SELECT * FROM signing_key ORDER BY signs_from, kid", [&](const Statement& row) {
    waf::StoredKey key{.kid = std::string{row.text(0)},
                       .published_at = row.time(2),
                       .signs_from = row.time(3),
                       .signs_until = row.time(4),
                       .published_until = row.time(5)};
    auto jwk = sealer_.open(name_of(key.kid), row.bytes(1));
    if (jwk)
      key.jwk = *std::move(jwk);
    else
      error = unreadable(key.kid);
    return key;
  });
  if (error) work.fail(*std::move(error));
  return keys;
}

void WafLedger::put_signing_key(const waf::StoredKey& key) {
  write([&](Work& work) {
    if (!has_own_key(work)) work.fail(other_key_error());
    work.run("INSERT OR REPLACE INTO signing_key VALUES (?, ?, ?, ?, ?, ?)", key.kid,
             sealer_.seal(name_of(key.kid), key.jwk.reveal()), key.published_at, key.signs_from,
             key.signs_until, key.published_until);
    return true;
  });
}

void WafLedger::remove_signing_key(std::string_view kid) {
  write_row("DELETE FROM signing_key WHERE kid = ?", kid);
}

// --- copies -----------------------------------------------------------------------------------------------

std::expected<void, std::string> WafLedger::backup_to(const std::string& file) {
  if (auto made = database_.backup_to(file); !made)
    return std::unexpected("a backup of " + made.error().describe(file_));
  return {};
}

std::expected<void, std::string> WafLedger::verify() {
  if (auto verified = database_.verify(); !verified) return std::unexpected(verified.error().describe(file_));
  return {};
}

std::expected<WafContents, std::string> WafLedger::restore(const std::string& copy, const std::string& file,
                                                           const Secret& key, const waf::AuditEntry& entry) {
  std::string refusal;
  WafContents contents;
  const auto examine = [&](const std::string& draft) -> Stored<void> {
    auto ledger = open(draft, key);
    if (ledger) {
      contents = (*ledger)->contents(entry.at);
      (*ledger)->append_audit({&entry, 1});
      if (auto failure = (*ledger)->take_failure()) ledger = std::unexpected(*std::move(failure));
    }
    if (ledger) return {};
    refusal = ledger.error();
    // The draft has the name of nothing that the operator knows.
    if (refusal.starts_with(draft)) refusal.replace(0, draft.size(), copy);
    return std::unexpected(StoreError{StoreFault::broken, refusal});
  };
  if (auto restored = Database::restore(copy, file, examine); !restored)
    return std::unexpected(refusal.empty() ? restored.error().describe(copy) : refusal);
  return contents;
}

WafContents WafLedger::contents(WallTime now) {
  return read([&](Work& work) {
    const auto count = [&](std::string_view sql, const auto&... values) {
      return static_cast<std::size_t>(work.number(sql, values...));
    };
    return WafContents{
        .clients = count("SELECT count(*) FROM client"),
        .users = count("SELECT count(*) FROM user"),
        .consents = count("SELECT count(*) FROM consent"),
        .authorizations = count("SELECT count(*) FROM family WHERE is_revoked = 0 AND ends_at > ?", now),
        .signing_keys = count("SELECT count(*) FROM signing_key"),
        .audit_entries = count("SELECT count(*) FROM audit"),
        .last_entry_at = work.find("SELECT at FROM audit ORDER BY id DESC LIMIT 1",
                                   [](const Statement& row) { return row.time(0); })};
  });
}

}  // namespace turnpike::store
