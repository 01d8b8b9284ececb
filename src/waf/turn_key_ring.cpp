#include "waf/turn_key_ring.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <utility>

namespace turnpike::waf {
namespace {

constexpr std::size_t prefix_bytes_max = 16;
// A TURN server takes a token for some seconds longer than it says, and its clock may be ours or not quite.
constexpr std::chrono::seconds tolerance = credentials::token_clock_skew + std::chrono::seconds{1};

// "w1-20261127-3fa2c81e": when it was made, and what makes it one of its kind.
std::string make_kid(std::string_view prefix, WallTime now, Random& random) {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(now)};
  return fmt::format("{}{:04}{:02}{:02}-{}", prefix, static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                     to_hex(random.draw<4>()));
}

Secret make_key(credentials::TokenAlgorithm algorithm, Random& random) {
  auto bytes = random.draw<32>();
  Secret key{Bytes{bytes}.first(credentials::key_size(algorithm))};
  wipe(bytes);
  return key;
}

const TurnTarget* find_target(const Settings& settings, std::string_view server_name) {
  const auto found = std::ranges::find_if(settings.turn, [&](const TurnTarget& it) {
    return it.fetches_keys && it.token.server_name == server_name;
  });
  return found == settings.turn.end() ? nullptr : &*found;
}

bool is_used(const StoredTurnKey& key, WallTime now) {
  return !key.is_withdrawn && key.used_from <= now && now < key.used_until;
}

// May seal tokens, were it the only one. One whose use would end before it begins was overtaken by another
// one.
bool is_good(const StoredTurnKey& key, WallTime now) {
  return !key.is_withdrawn && now < key.accepted_until && key.used_from < key.used_until;
}

void audit(Ledger& ledger, std::string_view event, const std::string& kid, WallTime now) {
  const AuditEntry entry{.at = now, .event = std::string{event}, .detail = kid};
  ledger.append_audit({&entry, 1});
}

bool was_fetched(const StoredTurnKey& key) { return key.fetched_at != WallTime{}; }

credentials::TokenKey to_token_key(const StoredTurnKey& key) {
  return {.kid = key.kid,
          .key = key.key,
          .algorithm = key.algorithm,
          .not_before = key.used_from,
          .not_after = key.accepted_until};
}

}  // namespace

std::optional<std::string> find_kid_prefix_problem(std::string_view prefix) {
  const auto is_plain = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  };
  if (!prefix.empty() && prefix.size() <= prefix_bytes_max && std::ranges::all_of(prefix, is_plain))
    return std::nullopt;
  return fmt::format(
      "found {} bytes, allowed: 1 to {} letters, digits, \"-\" and \"_\", with which no other kid begins",
      prefix.size(), prefix_bytes_max);
}

std::expected<TurnKeyRing, std::string> TurnKeyRing::open(Ledger& ledger) {
  TurnKeyRing ring;
  ring.keys_ = ledger.turn_keys();
  if (auto failure = ledger.take_failure()) return std::unexpected(*std::move(failure));
  return ring;
}

std::expected<bool, std::string> TurnKeyRing::rotate(Ledger& ledger, const Settings& settings, WallTime now,
                                                     Random& random) {
  const auto is_same = [](const StoredTurnKey& a, const StoredTurnKey& b) {
    return a.kid == b.kid && a.used_until == b.used_until && a.is_withdrawn == b.is_withdrawn &&
           was_fetched(a) == was_fetched(b);
  };
  std::vector<StoredTurnKey> stored = ledger.turn_keys();
  if (auto failure = ledger.take_failure()) return std::unexpected(*std::move(failure));
  bool has_changed = !std::ranges::equal(stored, keys_, is_same);
  const std::vector<StoredTurnKey> before = std::exchange(keys_, std::move(stored));
  ledger.begin();
  for (const StoredTurnKey& key : keys_) {
    if (key.accepted_until > now) continue;
    ledger.remove_turn_key(key.kid);
    audit(ledger, "turn_key_ended", key.kid, now);
  }
  has_changed =
      std::erase_if(keys_, [&](const StoredTurnKey& key) { return key.accepted_until <= now; }) != 0 ||
      has_changed;
  for (const TurnTarget& target : settings.turn)
    if (target.fetches_keys) has_changed = keep(ledger, settings, target, now, random) || has_changed;
  ledger.commit();
  if (auto failure = ledger.take_failure()) {
    keys_ = before;  // as nothing was stored
    return std::unexpected(*std::move(failure));
  }
  return has_changed;
}

bool TurnKeyRing::keep(Ledger& ledger, const Settings& settings, const TurnTarget& target, WallTime now,
                       Random& random) {
  const std::string& name = target.token.server_name;
  const auto begin = [&](WallTime used_from) {
    const StoredTurnKey* added = add(ledger, settings, target, now, used_from, random);
    if (added != nullptr) audit(ledger, "turn_key_begun", added->kid, now);
    return added != nullptr;
  };
  bool has_changed = false;
  const auto all = keys_of(name);
  if (std::ranges::none_of(all, [&](const StoredTurnKey* key) { return is_used(*key, now); }))
    has_changed = begin(now);
  for (;;) {
    WallTime ends_at = WallTime::min();
    for (const StoredTurnKey* key : keys_of(name))
      if (!key->is_withdrawn) ends_at = std::max(ends_at, key->used_until);
    if (ends_at == WallTime::min() || now < ends_at - settings.turn_keys.published_before) return has_changed;
    if (!begin(std::max(ends_at, now))) return has_changed;
    has_changed = true;
  }
}

std::expected<std::string, std::string> TurnKeyRing::begin_next(Ledger& ledger, const Settings& settings,
                                                                std::string_view server_name, bool at_once,
                                                                WallTime now, Random& random) {
  const TurnTarget* target = find_target(settings, server_name);
  if (target == nullptr)
    return std::unexpected(fmt::format("no [[waf.turn_servers]] has the server_name \"{}\"", server_name));
  const WallTime used_from = at_once ? now : now + settings.turn_keys.published_before;
  const StoredTurnKey* added = add(ledger, settings, *target, now, used_from, random);
  if (added == nullptr)
    return std::unexpected(fmt::format("{} has {} keys already, which is as many as it may have at a time",
                                       server_name, turn_keys_per_server_max));
  std::string kid = added->kid;
  for (StoredTurnKey& key : keys_) {
    if (key.server_name != server_name || key.kid == kid || key.used_until <= used_from) continue;
    key.used_until = used_from;
    ledger.end_turn_key_use(key.kid, used_from);
  }
  if (auto failure = ledger.take_failure()) return std::unexpected(*std::move(failure));
  return kid;
}

bool TurnKeyRing::note_fetched(Ledger& ledger, std::string_view server_name, WallTime now) {
  ledger.note_turn_keys_fetched(server_name, now);
  bool is_first = false;
  for (StoredTurnKey& key : keys_) {
    if (key.server_name != server_name || key.is_withdrawn) continue;
    is_first = is_first || !was_fetched(key);
    key.fetched_at = now;
  }
  return is_first;
}

const StoredTurnKey* TurnKeyRing::add(Ledger& ledger, const Settings& settings, const TurnTarget& target,
                                      WallTime now, WallTime used_from, Random& random) {
  const TurnKeyRules& rules = settings.turn_keys;
  const std::string& name = target.token.server_name;
  const auto is_live = [](const StoredTurnKey* key) { return !key->is_withdrawn; };
  if (std::ranges::count_if(keys_of(name), is_live) >= static_cast<std::ptrdiff_t>(turn_keys_per_server_max))
    return nullptr;
  const WallTime used_until = used_from + rules.used_for;
  StoredTurnKey key{
      .kid = make_kid(rules.kid_prefix, now, random),
      .server_name = name,
      .key = make_key(target.algorithm, random),
      .algorithm = target.algorithm,
      .published_at = now,
      .used_from = used_from,
      .used_until = used_until,
      .accepted_until = used_until + rules.published_before + settings.lifetimes.turn_token + tolerance};
  if (!ledger.add_turn_key(key)) return nullptr;
  // As the ledger sorts them.
  const auto order = [](const StoredTurnKey& it) {
    return std::pair{it.used_from, std::string_view{it.kid}};
  };
  const auto next = std::ranges::upper_bound(keys_, order(key), {}, order);
  return &*keys_.insert(next, std::move(key));
}

// The newest one that a TURN server has fetched, as long as it is accepted; else the newest one.
void TurnKeyRing::hand_out(Settings& settings, WallTime now) const {
  for (TurnTarget& target : settings.turn) {
    if (!target.fetches_keys) continue;
    target.token.keys.clear();
    for (const bool fetched : {true, false})
      for (const StoredTurnKey* key : keys_of(target.token.server_name))
        if (is_good(*key, now) && was_fetched(*key) == fetched)
          target.token.keys.push_back(to_token_key(*key));
  }
}

std::vector<const StoredTurnKey*> TurnKeyRing::keys_of(std::string_view server_name) const {
  std::vector<const StoredTurnKey*> found;
  for (const StoredTurnKey& key : keys_ | std::views::reverse)
    if (key.server_name == server_name) found.push_back(&key);
  return found;
}

std::vector<std::string> TurnKeyRing::find_unfetched(const Settings& settings, WallTime now) const {
  std::vector<std::string> names;
  for (const TurnTarget& target : settings.turn) {
    if (!target.fetches_keys) continue;
    const auto all = keys_of(target.token.server_name);
    const auto due = std::ranges::find_if(
        all, [&](const StoredTurnKey* key) { return !key->is_withdrawn && key->used_from <= now; });
    if (due != all.end() && !was_fetched(**due)) names.push_back(target.token.server_name);
  }
  return names;
}

}  // namespace turnpike::waf
