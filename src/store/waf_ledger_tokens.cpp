// The part of WafLedger that decides races: codes, families, and what was issued.

#include <algorithm>
#include <iterator>

#include "store/waf_ledger.hpp"
#include "store/waf_rows.hpp"

namespace turnpike::store {
namespace {

using Ended = std::vector<waf::Issued>;

void append(Ended& all, Ended more) { std::ranges::move(more, std::back_inserter(all)); }

// Deletes what the condition (of literals) means, and tells what of it was still valid.
template <typename... Values>
Ended take(Work& work, WallTime now, std::string_view sql, const Values&... values) {
  Ended taken = work.list(sql, read_issued, values...);
  std::erase_if(taken, [&](const waf::Issued& it) { return now >= it.ends_at; });
  return taken;
}

// What has ended in one call, with its place among what relays and an eP-CSCF have to be told of.
Ended note_ended(Work& work, Ended ended) {
  for (const waf::Issued& token : ended)
    work.run("INSERT INTO revoked VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", token.id, token.twin, token.audience,
             token.turn_subject, token.ends_at, ended.size() == 1, name_of(token.kind));
  return ended;
}

std::optional<FamilyRow> find_live_family(Work& work, std::string_view id, WallTime now) {
  return work.find("SELECT * FROM family WHERE id = ? AND is_revoked = 0 AND ends_at > ?", read_family, id,
                   now);
}

bool is_revoked(Work& work, std::string_view family) {
  return work.number("SELECT is_revoked FROM family WHERE id = ?", family) != 0;
}

Ended revoke(Work& work, std::string_view family, WallTime until, WallTime now) {
  work.run(
      "INSERT INTO family VALUES (?, '', '', '', '', '', 0, ?, NULL, 1) ON CONFLICT (id) DO UPDATE SET"
      " is_revoked = 1, refresh = NULL, ends_at = max(ends_at, excluded.ends_at)",
      family, until);
  return take(work, now, "DELETE FROM issued WHERE family = ? RETURNING *", family);
}

// Each that comes takes away two that have ended: their number follows the rate at which they are issued,
// however seldom anybody asks to forget.
void add_issued(Work& work, std::span<const waf::Issued> issued, WallTime now) {
  work.run("DELETE FROM issued WHERE rowid IN (SELECT rowid FROM issued WHERE ends_at <= ? LIMIT ?)", now,
           2 * issued.size());
  for (const waf::Issued& token : issued)
    work.run("INSERT OR REPLACE INTO issued VALUES (?, NULLIF(?, ''), ?, NULLIF(?, ''), ?, ?, ?, ?, ?, ?, ?)",
             token.id, token.twin, name_of(token.kind), token.family, token.client, token.subject,
             token.audience, pack(token.scope), token.turn_subject, token.issued_at, token.ends_at);
}

std::optional<waf::Issued> find_token(Work& work, std::string_view id_or_twin, WallTime now) {
  return work.find("SELECT * FROM issued WHERE (twin = ?1 OR id = ?1) AND ends_at > ?2", read_issued,
                   id_or_twin, now);
}

Ended revoke_all_of_user(Work& work, std::string_view user, WallTime now) {
  work.run("DELETE FROM session WHERE user = ?", user);
  work.run("DELETE FROM code WHERE user = ?", user);
  Ended ended = take(work, now,
                     "DELETE FROM issued WHERE subject = ?1 OR"
                     " family IN (SELECT id FROM family WHERE user = ?1 AND is_revoked = 0) RETURNING *",
                     user);
  work.run("UPDATE family SET is_revoked = 1, refresh = NULL WHERE user = ? AND is_revoked = 0", user);
  return ended;
}

Ended revoke_all_of_client(Work& work, std::string_view client, WallTime now) {
  work.run("DELETE FROM code WHERE client = ?", client);
  Ended ended = take(work, now,
                     "DELETE FROM issued WHERE client = ?1 OR"
                     " family IN (SELECT id FROM family WHERE client = ?1 AND is_revoked = 0) RETURNING *",
                     client);
  work.run("UPDATE family SET is_revoked = 1, refresh = NULL WHERE client = ? AND is_revoked = 0", client);
  return ended;
}

}  // namespace

std::vector<waf::Issued> WafLedger::remove_client(std::string_view id, WallTime now) {
  return write([&](Work& work) {
    work.run("DELETE FROM client WHERE id = ?", id);
    work.run("DELETE FROM consent WHERE client = ?", id);
    return note_ended(work, revoke_all_of_client(work, id, now));
  });
}

std::vector<waf::Issued> WafLedger::remove_user(std::string_view id, WallTime now) {
  return write([&](Work& work) {
    work.run("DELETE FROM user WHERE id = ?", id);
    work.run("DELETE FROM user_identity WHERE user = ?", id);
    work.run("DELETE FROM consent WHERE user = ?", id);
    return note_ended(work, revoke_all_of_user(work, id, now));
  });
}

std::vector<waf::Issued> WafLedger::revoke_user(std::string_view user, WallTime now) {
  return write([&](Work& work) { return note_ended(work, revoke_all_of_user(work, user, now)); });
}

std::vector<waf::Issued> WafLedger::revoke_client(std::string_view client, WallTime now) {
  return write([&](Work& work) { return note_ended(work, revoke_all_of_client(work, client, now)); });
}

std::vector<waf::Issued> WafLedger::remove_consent(std::string_view user, std::string_view client,
                                                   WallTime now) {
  return write([&](Work& work) {
    work.run("DELETE FROM consent WHERE user = ? AND client = ?", user, client);
    work.run("DELETE FROM code WHERE user = ? AND client = ?", user, client);
    Ended ended =
        take(work, now,
             "DELETE FROM issued WHERE (subject = ?1 AND client = ?2) OR family IN"
             " (SELECT id FROM family WHERE user = ?1 AND client = ?2 AND is_revoked = 0) RETURNING *",
             user, client);
    work.run(
        "UPDATE family SET is_revoked = 1, refresh = NULL WHERE user = ? AND client = ? AND is_revoked = 0",
        user, client);
    return note_ended(work, std::move(ended));
  });
}

// --- codes ------------------------------------------------------------------------------------------------

void WafLedger::add_code(const waf::Code& code) {
  write_row("INSERT OR REPLACE INTO code VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)", code.digest,
            code.family.id, code.family.client, code.family.user, pack(code.family.scope),
            pack(code.family.audiences), code.family.jkt, code.family.authenticated_at, code.family.ends_at,
            code.redirect_uri, code.challenge, code.ends_at, code.remembered_until, code.ends_at);
}

waf::CodeRedemption WafLedger::redeem_code(const waf::Digest& digest, std::string_view client, WallTime now) {
  using Outcome = waf::CodeRedemption::Outcome;
  return write([&](Work& work) -> waf::CodeRedemption {
    const auto found =
        work.find("SELECT * FROM code WHERE digest = ? AND client = ?", read_code, digest, client);
    if (!found) return {};
    const waf::Code& code = found->code;
    if (found->is_redeemed) {
      if (now >= code.remembered_until) return {};
      return {.outcome = Outcome::replayed,
              .code = code,
              .revoked = note_ended(work, revoke(work, code.family.id, code.remembered_until, now))};
    }
    if (now >= code.ends_at) return {};
    work.run("UPDATE code SET is_redeemed = 1, forget_at = remembered_until WHERE digest = ?", digest);
    return {.outcome = Outcome::redeemed, .code = code};
  });
}

// --- families ---------------------------------------------------------------------------------------------

waf::Opening WafLedger::open_family(const waf::Family& family, const std::optional<waf::Digest>& refresh,
                                    std::span<const waf::Issued> issued, std::size_t per_user_max,
                                    WallTime now) {
  return write([&](Work& work) -> waf::Opening {
    if (is_revoked(work, family.id)) return {};
    waf::Opening opening{.is_open = true};
    const auto oldest = work.list(
        "SELECT * FROM family WHERE user = ? AND is_revoked = 0 AND ends_at > ? AND id <> ?"
        " ORDER BY authenticated_at DESC, id DESC LIMIT -1 OFFSET ?",
        read_family, family.user, now, family.id, std::max<std::size_t>(per_user_max, 1) - 1);
    for (const FamilyRow& old : oldest)
      append(opening.revoked, revoke(work, old.family.id, old.family.ends_at, now));
    opening.revoked = note_ended(work, std::move(opening.revoked));
    work.run("INSERT OR REPLACE INTO family VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", family.id, family.client,
             family.user, pack(family.scope), pack(family.audiences), family.jkt, family.authenticated_at,
             family.ends_at, refresh ? Bytes{*refresh} : Bytes{});
    add_issued(work, issued, now);
    return opening;
  });
}

std::optional<waf::Family> WafLedger::find_family(std::string_view id, WallTime now) {
  const auto found = read([&](Work& work) { return find_live_family(work, id, now); });
  return found ? std::optional{found->family} : std::nullopt;
}

waf::Rotation WafLedger::rotate(std::string_view family, const waf::Digest& old_refresh,
                                const waf::Digest& new_refresh, std::span<const waf::Issued> issued,
                                WallTime now) {
  using Outcome = waf::Rotation::Outcome;
  return write([&](Work& work) -> waf::Rotation {
    const auto found = find_live_family(work, family, now);
    if (!found) return {};
    if (found->refresh != as_text(old_refresh))
      return {.outcome = Outcome::replayed,
              .revoked = note_ended(work, revoke(work, family, found->family.ends_at, now))};
    work.run("UPDATE family SET refresh = ? WHERE id = ?", new_refresh, family);
    add_issued(work, issued, now);
    return {.outcome = Outcome::rotated};
  });
}

std::vector<waf::Issued> WafLedger::revoke_family(std::string_view id, WallTime until, WallTime now) {
  return write([&](Work& work) { return note_ended(work, revoke(work, id, until, now)); });
}

// --- tokens -----------------------------------------------------------------------------------------------

bool WafLedger::note_issued(std::span<const waf::Issued> issued, WallTime now) {
  return write([&](Work& work) {
    if (std::ranges::any_of(issued, [&](const waf::Issued& it) { return is_revoked(work, it.family); }))
      return false;
    add_issued(work, issued, now);
    return true;
  });
}

std::optional<waf::Issued> WafLedger::find_issued(std::string_view id_or_twin, WallTime now) {
  return read([&](Work& work) { return find_token(work, id_or_twin, now); });
}

std::vector<waf::Issued> WafLedger::revoke_issued(std::string_view id_or_twin, WallTime now) {
  return write([&](Work& work) -> Ended {
    const auto token = find_token(work, id_or_twin, now);
    if (!token) return {};
    Ended ended = take(work, now, "DELETE FROM issued WHERE id = ? RETURNING *", token->id);
    if (token->kind == waf::IssuedKind::registration)
      append(ended, take(work, now, "DELETE FROM issued WHERE turn_subject = ? AND kind = 'turn' RETURNING *",
                         token->turn_subject));
    return note_ended(work, std::move(ended));
  });
}

}  // namespace turnpike::store
