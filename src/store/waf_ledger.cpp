#include "store/waf_ledger.hpp"

#include <algorithm>

#include "store/waf_rows.hpp"
#include "waf/attempts.hpp"

namespace turnpike::store {
namespace {

void write_user(Work& work, const waf::User& user) {
  work.run("INSERT OR REPLACE INTO user VALUES (?, NULLIF(?, ''), ?, ?, ?, ?, ?, ?)", user.id, user.name,
           user.password, user.identity.impi, pack(user.identity.impus), user.identity.wwsf,
           user.identity.is_pool_identity, user.is_enabled);
  work.run("DELETE FROM user_identity WHERE user = ?", user.id);
  for (const std::string& key : waf::identity_keys(user.identity))
    work.run("INSERT INTO user_identity VALUES (?, ?)", key, user.id);
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
  if (!database) return std::unexpected(database.error().describe(file));
  std::unique_ptr<WafLedger> ledger{
      new WafLedger{file, limits, *std::move(database), *std::move(sealer)}};  // its constructor is private
  if (auto checked = ledger->check_key(); !checked) return std::unexpected(std::move(checked.error()));
  return ledger;
}

void WafLedger::fail(const StoreError& error) {
  if (!failure_) failure_ = error.describe(file_);
}

// --- transactions -----------------------------------------------------------------------------------------

void WafLedger::begin() {
  if (joined_++ == 0) has_failed_ = false;
}

void WafLedger::commit() {
  if (--joined_ == 0 && transaction_) close_transaction();
}

// The first of joined calls that writes takes the lock: those that only read wait for nobody.
bool WafLedger::open_transaction() {
  if (joined_ > 0 && has_failed_) return false;
  if (transaction_) return true;
  auto begun = Transaction::begin(database_);
  if (!begun) {
    drop_transaction(begun.error());
    return false;
  }
  transaction_.emplace(*std::move(begun));
  return true;
}

void WafLedger::drop_transaction(const StoreError& error) {
  fail(error);
  has_failed_ = true;
  transaction_.reset();
}

bool WafLedger::close_transaction() {
  if (joined_ > 0) return true;
  const auto committed = transaction_->commit();
  if (!committed) fail(committed.error());
  transaction_.reset();
  return committed.has_value();
}

bool WafLedger::has_changed_elsewhere() {
  const std::int64_t version = read([](Work& work) { return work.number("PRAGMA data_version"); });
  return std::exchange(data_version_, version) != version;
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
    write_user(work, user);
    return true;
  });
}

waf::Admission WafLedger::admit_user(const waf::User& user, std::size_t users_max) {
  return write([&](Work& work) {
    if (work.number("SELECT count(*) FROM user WHERE name = ? AND id <> ?", user.name, user.id) > 0)
      return waf::Admission::taken;
    for (const std::string& key : waf::identity_keys(user.identity))
      if (work.number("SELECT count(*) FROM user_identity WHERE key = ? AND user <> ?", key, user.id) > 0)
        return waf::Admission::taken;
    const bool is_new = work.number("SELECT count(*) FROM user WHERE id = ?", user.id) == 0;
    if (is_new && static_cast<std::size_t>(work.number("SELECT count(*) FROM user")) >= users_max)
      return waf::Admission::full;
    write_user(work, user);
    return waf::Admission::admitted;
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
  write_row("DELETE FROM revoked WHERE place IN (SELECT place FROM revoked WHERE ends_at <= ? LIMIT ?)",
            now - waf::relay_tolerance, limits_.forget_max);
  if (limits_.audit_for > std::chrono::seconds{})
    write_row("DELETE FROM audit WHERE at < ? AND id IN (SELECT id FROM audit ORDER BY id LIMIT ?)",
              now - limits_.audit_for, limits_.forget_max);
}

}  // namespace turnpike::store
