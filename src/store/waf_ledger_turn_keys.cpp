// The part of WafLedger that keeps the keys which TURN servers fetch.

#include "store/waf_ledger.hpp"

namespace turnpike::store {
namespace {

// The box of a key opens in its own row alone.
std::string name_of(const waf::StoredTurnKey& key) { return "turn key " + key.kid + ' ' + key.server_name; }

waf::StoredTurnKey read_turn_key(const Statement& row) {
  return {.kid = std::string{row.text(0)},
          .server_name = std::string{row.text(1)},
          .published_at = row.time(4),
          .used_from = row.time(5),
          .used_until = row.time(6),
          .accepted_until = row.time(7),
          .fetched_at = row.time(8),
          .is_withdrawn = row.number(9) != 0};
}

}  // namespace

std::vector<waf::StoredTurnKey> WafLedger::turn_keys() {
  return read([&](Work& work) { return read_turn_keys(work); });
}

std::vector<waf::StoredTurnKey> WafLedger::read_turn_keys(Work& work) const {
  std::optional<StoreError> error;
  auto keys = work.list("SELECT * FROM turn_key ORDER BY used_from, kid", [&](const Statement& row) {
    waf::StoredTurnKey key = read_turn_key(row);
    if (key.is_withdrawn) return key;
    auto opened = sealer_.open(name_of(key), row.bytes(2));
    const auto algorithm = credentials::parse_token_algorithm(row.text(3));
    if (!opened || !algorithm) {
      error = {StoreFault::broken,
               "the TURN key " + key.kid + " does not open: it was changed, or is another's"};
      return key;
    }
    key.key = *std::move(opened);
    key.algorithm = *algorithm;
    return key;
  });
  if (error) work.fail(*std::move(error));
  return keys;
}

void WafLedger::seal_turn_keys(Work& work, Sealer& next) const {
  for (const waf::StoredTurnKey& key : read_turn_keys(work))
    if (!key.is_withdrawn)
      work.run("UPDATE turn_key SET key = ? WHERE kid = ?", next.seal(name_of(key), key.key.reveal()),
               key.kid);
}

bool WafLedger::add_turn_key(const waf::StoredTurnKey& key) {
  return write([&](Work& work) {
    if (!has_own_key(work)) work.fail(other_key_error());
    if (work.number("SELECT count(*) FROM turn_key WHERE kid = ?", key.kid) != 0) return false;
    work.run("INSERT INTO turn_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", key.kid, key.server_name,
             sealer_.seal(name_of(key), key.key.reveal()), credentials::to_string(key.algorithm),
             key.published_at, key.used_from, key.used_until, key.accepted_until, key.fetched_at);
    return true;
  });
}

void WafLedger::end_turn_key_use(std::string_view kid, WallTime until) {
  write_row("UPDATE turn_key SET used_until = min(used_until, ?) WHERE kid = ?", until, kid);
}

bool WafLedger::withdraw_turn_key(std::string_view kid) {
  return write([&](Work& work) {
    if (work.number("SELECT count(*) FROM turn_key WHERE kid = ? AND is_withdrawn = 0", kid) == 0)
      return false;
    work.run("UPDATE turn_key SET is_withdrawn = 1, key = NULL WHERE kid = ?", kid);
    return true;
  });
}

void WafLedger::note_turn_keys_fetched(std::string_view server_name, WallTime at) {
  write_row("UPDATE turn_key SET fetched_at = ? WHERE server_name = ? AND is_withdrawn = 0", at, server_name);
}

void WafLedger::remove_turn_key(std::string_view kid) {
  write_row("DELETE FROM turn_key WHERE kid = ?", kid);
}

}  // namespace turnpike::store
