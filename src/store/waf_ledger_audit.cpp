// The part of WafLedger that tells afterwards: the audit trail, and what relays have to be told of.

#include <algorithm>

#include "store/waf_ledger.hpp"
#include "store/waf_rows.hpp"

namespace turnpike::store {

void WafLedger::append_audit(std::span<const waf::AuditEntry> entries) {
  write([&](Work& work) {
    for (const waf::AuditEntry& entry : entries) {
      work.run("INSERT INTO audit VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", entry.at, entry.event, entry.client,
               entry.subject, entry.remote, entry.detail, entry.is_by_stranger);
      const std::int64_t max = entry.is_by_stranger ? limits_.audit_strangers_max : limits_.audit_max;
      const std::int64_t rows =
          work.number("SELECT rows FROM counter WHERE name = 'audit ' || ?", entry.is_by_stranger);
      if (rows > max)
        work.run(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE is_by_stranger = ? ORDER BY id LIMIT "
            "?)",
            entry.is_by_stranger, std::min<std::int64_t>(rows - max, limits_.forget_max));
    }
    return true;
  });
}

std::vector<waf::AuditEntry> WafLedger::last_audit_entries(std::size_t count) {
  return find_audit_entries({.count = count});
}

std::vector<waf::AuditEntry> WafLedger::find_audit_entries(const AuditQuery& query) {
  return read([&](Work& work) {
    return work.list(
        "SELECT * FROM audit WHERE (?1 = '' OR event = ?1) AND (?2 = '' OR client = ?2)"
        " AND (?3 = '' OR subject = ?3) AND (?4 = '' OR remote = ?4) AND at >= ?5 AND at < ?6"
        " ORDER BY id DESC LIMIT ?7",
        read_audit_entry, query.event, query.client, query.subject, query.remote,
        query.since.value_or(WallTime::min()), query.until.value_or(WallTime::max()), query.count);
  });
}

// --- for relays -------------------------------------------------------------------------------------------

waf::Revoked WafLedger::find_revoked(std::int64_t after, WallTime now) {
  struct Row {
    std::int64_t place = 0;
    waf::Issued token{};
    bool was_single = false;
  };
  const auto rows = read([&](Work& work) {
    return work.list(
        "SELECT * FROM revoked WHERE place > ? AND ends_at > ? ORDER BY place",
        [](const Statement& row) { return Row{row.number(0), read_revoked(row), row.number(6) != 0}; }, after,
        now - waf::relay_tolerance);
  });
  waf::Revoked found{.position = rows.empty() ? after : rows.back().place};
  waf::RevokedBatch together;
  for (const Row& row : rows) {
    if (row.was_single)
      found.batches.push_back({.tokens = {row.token}, .was_single = true});
    else
      together.tokens.push_back(row.token);
  }
  if (!together.tokens.empty()) found.batches.push_back(std::move(together));
  return found;
}

void WafLedger::note_told(std::int64_t position) {
  write_row("UPDATE told SET place = max(place, ?)", position);
}

bool WafLedger::is_all_told() {
  return read([](Work& work) {
    return work.number(
               "SELECT count(*) FROM revoked WHERE kind = 'turn' AND place > (SELECT place FROM told)") == 0;
  });
}

}  // namespace turnpike::store
