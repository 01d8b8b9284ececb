#include "store/waf_ledger.hpp"

#include <algorithm>

#include "store/waf_rows.hpp"
#include "waf/attempts.hpp"

namespace turnpike::store {
namespace {

constexpr std::string_view key_check = "key check";
constexpr std::string_view key_check_text = "turnpike waf ledger";

std::string name_of(std::string_view kid) { return "signing key " + std::string{kid}; }

std::string describe(const std::string& file, const StoreError& error) {
  std::string text = file + ": " + error.text;
  if (error.fault == StoreFault::busy) text += " by another process; try again";
  return text;
}

StoreError unreadable(const std::string& kid) {
  return {StoreFault::broken, "the signing key " + kid + " does not open: it was changed, or is another's"};
}

waf::Attempts read_attempts(const Statement& row) {
  return {.failures = static_cast<std::uint32_t>(row.number(1)),
          .last_at = row.time(2),
          .forgotten_at = row.time(3),
          .locked_until = row.time(4)};
}

}  // namespace

// --- opening ----------------------------------------------------------------------------------------------

std::expected<std::unique_ptr<WafLedger>, std::string> WafLedger::open(const std::string& file,
                                                                       const Secret& key,
                                                                       const WafLedgerLimits& limits) {
  auto sealer = Sealer::make(key);
  if (!sealer) return std::unexpected(file + ": " + sealer.error());
  auto database = Database::open(file, waf_schema(), limits.file);
  if (!database) return std::unexpected(describe(file, database.error()));
  std::unique_ptr<WafLedger> ledger{
      new WafLedger{file, limits, *std::move(database), *std::move(sealer)}};  // its constructor is private
  if (auto checked = ledger->check_key(); !checked) return std::unexpected(std::move(checked.error()));
  return ledger;
}

std::expected<void, std::string> WafLedger::check_key() {
  const bool is_right = write([&](Work& work) {
    const auto opens = work.find(
        "SELECT value FROM setting WHERE name = ?",
        [&](const Statement& row) { return sealer_.open(key_check, row.bytes(0)).has_value(); }, key_check);
    if (opens) return *opens;
    work.run("INSERT INTO setting (name, value) VALUES (?, ?)", key_check,
             sealer_.seal(key_check, as_bytes(key_check_text)));
    return true;
  });
  if (failure_) return std::unexpected(*take_failure());
  if (!is_right)
    return std::unexpected(file_ + ": it was written with another key than the one that is configured");
  signing_keys();
  if (failure_) return std::unexpected(*take_failure());
  return {};
}

std::expected<void, std::string> WafLedger::backup_to(const std::string& file) {
  if (auto made = database_.backup_to(file); !made)
    return std::unexpected("a backup of " + describe(file_, made.error()));
  return {};
}

void WafLedger::fail(const StoreError& error) {
  if (!failure_) failure_ = describe(file_, error);
}

// --- accounts ---------------------------------------------------------------------------------------------

std::shared_ptr<const waf::Client> WafLedger::find_client(std::string_view id) {
  const auto found =
      read([&](Work& work) { return work.find("SELECT * FROM client WHERE id = ?", read_client, id); });
  return found ? std::make_shared<const waf::Client>(*found) : nullptr;
}

void WafLedger::put_client(const waf::Client& client) {
  const waf::Identity identity = client.identity.value_or(waf::Identity{});
  write_row(
      "INSERT OR REPLACE INTO client VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      client.id, client.name, waf::to_string(client.method), pack_secrets(client.secrets), client.jwks,
      pack(client.redirect_uris), pack_grants(client.grants), pack(client.scopes), pack(client.audiences),
      pack(client.introspects), client.wwsf, client.identity.has_value(), identity.impi, pack(identity.impus),
      identity.wwsf, identity.is_pool_identity, client.needs_consent, client.requires_dpop,
      client.exchanges_for_others, client.is_enabled);
}

std::vector<waf::Client> WafLedger::clients() {
  return read([](Work& work) { return work.list("SELECT * FROM client ORDER BY id", read_client); });
}

std::shared_ptr<const waf::User> WafLedger::find_user(std::string_view id) {
  const auto found =
      read([&](Work& work) { return work.find("SELECT * FROM user WHERE id = ?", read_user, id); });
  return found ? std::make_shared<const waf::User>(*found) : nullptr;
}

std::shared_ptr<const waf::User> WafLedger::find_user_by_name(std::string_view name) {
  const auto found =
      read([&](Work& work) { return work.find("SELECT * FROM user WHERE name = ?", read_user, name); });
  return found ? std::make_shared<const waf::User>(*found) : nullptr;
}

void WafLedger::put_user(const waf::User& user) {
  write([&](Work& work) {
    work.run("UPDATE user SET name = NULL WHERE name = ? AND id <> ?", user.name, user.id);
    work.run("INSERT OR REPLACE INTO user VALUES (?, NULLIF(?, ''), ?, ?, ?, ?, ?, ?)", user.id, user.name,
             user.password, user.identity.impi, pack(user.identity.impus), user.identity.wwsf,
             user.identity.is_pool_identity, user.is_enabled);
    return true;
  });
}

std::vector<waf::User> WafLedger::users() {
  return read([](Work& work) { return work.list("SELECT * FROM user ORDER BY id", read_user); });
}

std::optional<waf::Consent> WafLedger::find_consent(std::string_view user, std::string_view client) {
  return read([&](Work& work) {
    return work.find("SELECT * FROM consent WHERE user = ? AND client = ?", read_consent, user, client);
  });
}

void WafLedger::put_consent(const waf::Consent& consent) {
  write_row("INSERT OR REPLACE INTO consent VALUES (?, ?, ?, ?)", consent.user, consent.client,
            pack(consent.scope), consent.given_at);
}

void WafLedger::remove_consent(std::string_view user, std::string_view client) {
  write_row("DELETE FROM consent WHERE user = ? AND client = ?", user, client);
}

// --- sessions ---------------------------------------------------------------------------------------------

void WafLedger::open_session(const waf::Session& session, std::size_t per_user_max) {
  write([&](Work& work) {
    work.run(
        "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE user = ? AND id <> ?"
        " ORDER BY began_at DESC, id DESC LIMIT -1 OFFSET ?)",
        session.user, session.id, std::max<std::size_t>(per_user_max, 1) - 1);
    work.run("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)", session.id, session.user, session.began_at,
             session.ends_at);
    return true;
  });
}

std::optional<waf::Session> WafLedger::find_session(const waf::Digest& id, WallTime now) {
  return read([&](Work& work) {
    return work.find("SELECT * FROM session WHERE id = ? AND ends_at > ?", read_session, id, now);
  });
}

void WafLedger::close_session(const waf::Digest& id) { write_row("DELETE FROM session WHERE id = ?", id); }

// --- replays and lock-outs --------------------------------------------------------------------------------

bool WafLedger::use_once(std::string_view key, WallTime until, WallTime now) {
  return write([&](Work& work) {
    const auto used = work.find(
        "SELECT until FROM once WHERE key = ?", [](const Statement& row) { return row.time(0); }, key);
    if (used && now < *used) return false;
    if (!used) {
      // Each that comes takes away two that have ended, so that there is room, if there can be any.
      work.run("DELETE FROM once WHERE key IN (SELECT key FROM once WHERE until <= ? LIMIT 2)", now);
      if (work.number("SELECT rows FROM counter WHERE name = 'once'") >= limits_.once_max) return false;
    }
    work.run("INSERT INTO once VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET until = excluded.until", key,
             until);
    return true;
  });
}

WallTime WafLedger::note_failure(std::string_view key, const waf::AttemptRule& rule, WallTime now) {
  return write([&](Work& work) {
    const auto known = work.find("SELECT * FROM attempts WHERE key = ?", read_attempts, key);
    if (!known && work.number("SELECT rows FROM counter WHERE name = 'attempts'") >= limits_.attempts_max)
      work.run("DELETE FROM attempts WHERE key IN (SELECT key FROM attempts ORDER BY last_at LIMIT 1)");
    waf::Attempts attempts = known.value_or(waf::Attempts{});
    const WallTime locked_until = add_failure(attempts, rule, now);
    work.run(
        "INSERT INTO attempts VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
        " failures = excluded.failures, last_at = excluded.last_at,"
        " forgotten_at = excluded.forgotten_at, locked_until = excluded.locked_until",
        key, attempts.failures, attempts.last_at, attempts.forgotten_at, locked_until);
    return locked_until;
  });
}

std::optional<WallTime> WafLedger::find_lock(std::string_view key, WallTime now) {
  return read([&](Work& work) {
    return work.find(
        "SELECT locked_until FROM attempts WHERE key = ? AND locked_until > ?",
        [](const Statement& row) { return row.time(0); }, key, now);
  });
}

void WafLedger::forget_failures(std::string_view key) {
  write_row("DELETE FROM attempts WHERE key = ?", key);
}

// --- keys and the audit trail -----------------------------------------------------------------------------

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
  write_row("INSERT OR REPLACE INTO signing_key VALUES (?, ?, ?, ?, ?, ?)", key.kid,
            sealer_.seal(name_of(key.kid), key.jwk.reveal()), key.published_at, key.signs_from,
            key.signs_until, key.published_until);
}

void WafLedger::remove_signing_key(std::string_view kid) {
  write_row("DELETE FROM signing_key WHERE kid = ?", kid);
}

void WafLedger::append_audit(const waf::AuditEntry& entry) {
  write([&](Work& work) {
    work.run("INSERT INTO audit VALUES (NULL, ?, ?, ?, ?, ?, ?)", entry.at, entry.event, entry.client,
             entry.subject, entry.remote, entry.detail);
    work.run("DELETE FROM audit WHERE id <= last_insert_rowid() - ?", limits_.audit_max);
    return true;
  });
}

std::vector<waf::AuditEntry> WafLedger::last_audit_entries(std::size_t count) {
  return read([&](Work& work) {
    return work.list("SELECT * FROM audit ORDER BY id DESC LIMIT ?", read_audit_entry,
                     std::min<std::size_t>(count, limits_.audit_max));
  });
}

// One table after another, so that no writer waits for long.
void WafLedger::forget_ended(WallTime now) {
  for (const std::string_view sql :
       {"DELETE FROM session WHERE id IN (SELECT id FROM session WHERE ends_at <= ? LIMIT ?)",
        "DELETE FROM code WHERE digest IN (SELECT digest FROM code WHERE forget_at <= ? LIMIT ?)",
        "DELETE FROM family WHERE id IN (SELECT id FROM family WHERE ends_at <= ? LIMIT ?)",
        "DELETE FROM issued WHERE rowid IN (SELECT rowid FROM issued WHERE ends_at <= ? LIMIT ?)",
        "DELETE FROM once WHERE key IN (SELECT key FROM once WHERE until <= ? LIMIT ?)",
        "DELETE FROM attempts WHERE key IN (SELECT key FROM attempts WHERE forgotten_at <= ? LIMIT ?)"})
    write_row(sql, now, limits_.forget_max);
}

}  // namespace turnpike::store
