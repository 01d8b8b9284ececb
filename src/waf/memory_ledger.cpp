#include "waf/memory_ledger.hpp"

#include <algorithm>
#include <iterator>

namespace turnpike::waf {
namespace {

void append(std::vector<Issued>& all, std::vector<Issued> more) {
  std::ranges::move(more, std::back_inserter(all));
}

template <typename Map>
typename Map::mapped_type find_or_null(const Map& map, std::string_view key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second;
}

}  // namespace

std::shared_ptr<const Client> MemoryLedger::find_client(std::string_view id) {
  return find_or_null(clients_, id);
}

void MemoryLedger::put_client(const Client& client) {
  clients_.insert_or_assign(client.id, std::make_shared<const Client>(client));
}

std::vector<Client> MemoryLedger::clients() {
  std::vector<Client> all;
  all.reserve(clients_.size());
  for (const auto& [id, client] : clients_) all.push_back(*client);
  return all;
}

std::shared_ptr<const User> MemoryLedger::find_user(std::string_view id) { return find_or_null(users_, id); }

std::shared_ptr<const User> MemoryLedger::find_user_by_name(std::string_view name) {
  const auto found = user_names_.find(name);
  return found == user_names_.end() ? nullptr : find_user(found->second);
}

void MemoryLedger::put_user(const User& user) {
  if (const auto old = find_user(user.id)) user_names_.erase(old->name);
  if (const auto other = find_user_by_name(user.name)) {
    User nameless = *other;
    nameless.name.clear();
    users_.insert_or_assign(other->id, std::make_shared<const User>(std::move(nameless)));
  }
  users_.insert_or_assign(user.id, std::make_shared<const User>(user));
  if (!user.name.empty()) user_names_.insert_or_assign(user.name, user.id);
}

Admission MemoryLedger::admit_user(const User& user, std::size_t users_max) {
  const auto namesake = find_user_by_name(user.name);
  if (namesake && namesake->id != user.id) return Admission::taken;
  const auto keys = identity_keys(user.identity);
  const bool is_taken = std::ranges::any_of(users_, [&](const auto& entry) {
    return entry.first != user.id &&
           std::ranges::any_of(identity_keys(entry.second->identity),
                               [&](const auto& key) { return std::ranges::find(keys, key) != keys.end(); });
  });
  if (is_taken) return Admission::taken;
  if (!find_user(user.id) && users_.size() >= users_max) return Admission::full;
  put_user(user);
  return Admission::admitted;
}

std::vector<User> MemoryLedger::users() {
  std::vector<User> all;
  all.reserve(users_.size());
  for (const auto& [id, user] : users_) all.push_back(*user);
  return all;
}

std::vector<Issued> MemoryLedger::remove_client(std::string_view id, WallTime now) {
  if (const auto found = clients_.find(id); found != clients_.end()) clients_.erase(found);
  std::erase_if(consents_, [&](const auto& it) { return it.first.second == id; });
  return revoke_client(id, now);
}

std::vector<Issued> MemoryLedger::remove_user(std::string_view id, WallTime now) {
  if (const auto found = users_.find(id); found != users_.end()) {
    user_names_.erase(found->second->name);
    users_.erase(found);
  }
  std::erase_if(consents_, [&](const auto& it) { return it.first.first == id; });
  return note_revoked(close_user(id, now));
}

std::optional<Consent> MemoryLedger::find_consent(std::string_view user, std::string_view client) {
  const auto found = consents_.find({std::string{user}, std::string{client}});
  return found == consents_.end() ? std::nullopt : std::optional{found->second};
}

void MemoryLedger::put_consent(const Consent& consent) {
  consents_.insert_or_assign({consent.user, consent.client}, consent);
}

std::vector<Issued> MemoryLedger::remove_consent(std::string_view user, std::string_view client,
                                                 WallTime now) {
  const auto is_theirs = [&](const Family& it) { return it.user == user && it.client == client; };
  consents_.erase({std::string{user}, std::string{client}});
  std::erase_if(codes_, [&](const auto& it) { return is_theirs(it.second.code.family); });
  auto revoked = close_families(is_theirs, now);
  append(revoked,
         revoke_where([&](const Issued& it) { return it.subject == user && it.client == client; }, now));
  return note_revoked(std::move(revoked));
}

void MemoryLedger::open_session(const Session& session, std::size_t per_user_max) {
  std::vector<Session> others;
  for (const auto& [id, other] : sessions_)
    if (other.user == session.user && id != session.id) others.push_back(other);
  std::ranges::sort(others, {}, &Session::began_at);
  for (std::size_t i = 0; i + per_user_max <= others.size(); ++i) sessions_.erase(others[i].id);
  sessions_.insert_or_assign(session.id, session);
}

std::optional<Session> MemoryLedger::find_session(const Digest& id, WallTime now) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() || now >= found->second.ends_at ? std::nullopt
                                                                  : std::optional{found->second};
}

void MemoryLedger::close_session(const Digest& id) { sessions_.erase(id); }

void MemoryLedger::add_code(const Code& code) {
  codes_.insert_or_assign(code.digest, CodeRecord{.code = code});
}

CodeRedemption MemoryLedger::redeem_code(const Digest& digest, std::string_view client, WallTime now) {
  const auto found = codes_.find(digest);
  if (found == codes_.end() || found->second.code.family.client != client) return {};
  CodeRecord& record = found->second;
  if (record.is_redeemed) {
    if (now >= record.code.remembered_until) return {};
    return {.outcome = CodeRedemption::Outcome::replayed,
            .code = record.code,
            .revoked = note_revoked(close_family(record.code.family.id, record.code.remembered_until, now))};
  }
  if (now >= record.code.ends_at) return {};
  record.is_redeemed = true;
  return {.outcome = CodeRedemption::Outcome::redeemed, .code = record.code};
}

Opening MemoryLedger::open_family(const Family& family, const std::optional<Digest>& refresh,
                                  std::span<const Issued> issued, std::size_t per_user_max, WallTime now) {
  if (is_revoked(family.id)) return {};
  std::vector<Family> others;
  for (const auto& [id, record] : families_)
    if (record.family.user == family.user && !record.is_revoked && now < record.family.ends_at &&
        id != family.id)
      others.push_back(record.family);
  std::ranges::sort(others, {}, &Family::authenticated_at);
  Opening opening{.is_open = true};
  for (std::size_t i = 0; i + per_user_max <= others.size(); ++i)
    append(opening.revoked, close_family(others[i].id, others[i].ends_at, now));
  opening.revoked = note_revoked(std::move(opening.revoked));
  families_.insert_or_assign(family.id, FamilyRecord{.family = family, .refresh = refresh});
  add_issued(issued);
  return opening;
}

std::optional<Family> MemoryLedger::find_family(std::string_view id, WallTime now) {
  const auto found = families_.find(id);
  if (found == families_.end() || found->second.is_revoked || now >= found->second.family.ends_at)
    return std::nullopt;
  return found->second.family;
}

Rotation MemoryLedger::rotate(std::string_view family, const Digest& old_refresh, const Digest& new_refresh,
                              std::span<const Issued> issued, WallTime now) {
  const auto found = families_.find(family);
  if (found == families_.end() || found->second.is_revoked || now >= found->second.family.ends_at) return {};
  if (found->second.refresh != old_refresh)
    return {.outcome = Rotation::Outcome::replayed,
            .revoked = note_revoked(close_family(family, found->second.family.ends_at, now))};
  found->second.refresh = new_refresh;
  add_issued(issued);
  return {.outcome = Rotation::Outcome::rotated};
}

std::vector<Issued> MemoryLedger::revoke_family(std::string_view id, WallTime until, WallTime now) {
  return note_revoked(close_family(id, until, now));
}

std::vector<Issued> MemoryLedger::close_family(std::string_view id, WallTime until, WallTime now) {
  FamilyRecord& record = families_[std::string{id}];
  record.is_revoked = true;
  record.refresh.reset();
  record.family.id = id;
  record.family.ends_at = std::max(record.family.ends_at, until);
  return revoke_where([&](const Issued& it) { return it.family == id; }, now);
}

bool MemoryLedger::note_issued(std::span<const Issued> issued, WallTime) {
  if (std::ranges::any_of(issued, [&](const Issued& it) { return is_revoked(it.family); })) return false;
  add_issued(issued);
  return true;
}

std::optional<Issued> MemoryLedger::find_issued(std::string_view id_or_twin, WallTime now) {
  const auto twin = twins_.find(id_or_twin);
  const auto found = issued_.find(twin == twins_.end() ? id_or_twin : std::string_view{twin->second});
  if (found == issued_.end() || now >= found->second.ends_at) return std::nullopt;
  return found->second;
}

std::vector<Issued> MemoryLedger::revoke_issued(std::string_view id_or_twin, WallTime now) {
  const auto token = find_issued(id_or_twin, now);
  if (!token) return {};
  return note_revoked(revoke_where(
      [&](const Issued& it) {
        return it.id == token->id || (token->kind == IssuedKind::registration &&
                                      it.kind == IssuedKind::turn && it.turn_subject == token->turn_subject);
      },
      now));
}

std::vector<Issued> MemoryLedger::revoke_user(std::string_view user, WallTime now) {
  return note_revoked(close_user(user, now));
}

std::vector<Issued> MemoryLedger::revoke_client(std::string_view client, WallTime now) {
  std::erase_if(codes_, [&](const auto& it) { return it.second.code.family.client == client; });
  auto revoked = close_families([&](const Family& it) { return it.client == client; }, now);
  append(revoked, revoke_where([&](const Issued& it) { return it.client == client; }, now));
  return note_revoked(std::move(revoked));
}

std::vector<Issued> MemoryLedger::close_user(std::string_view user, WallTime now) {
  std::erase_if(sessions_, [&](const auto& it) { return it.second.user == user; });
  std::erase_if(codes_, [&](const auto& it) { return it.second.code.family.user == user; });
  auto revoked = close_families([&](const Family& it) { return it.user == user; }, now);
  append(revoked, revoke_where([&](const Issued& it) { return it.subject == user; }, now));
  return revoked;
}

std::vector<Issued> MemoryLedger::note_revoked(std::vector<Issued> revoked) {
  if (!revoked.empty()) revoked_.push_back({.tokens = revoked, .was_single = revoked.size() == 1});
  return revoked;
}

Revoked MemoryLedger::find_revoked(std::int64_t after, WallTime now) {
  Revoked found{.position = static_cast<std::int64_t>(revoked_.size())};
  for (auto at = static_cast<std::size_t>(after); at < revoked_.size(); ++at) {
    RevokedBatch batch = revoked_[at];
    std::erase_if(batch.tokens, [&](const Issued& it) { return now >= it.ends_at + relay_tolerance; });
    if (!batch.tokens.empty()) found.batches.push_back(std::move(batch));
  }
  return found;
}

bool MemoryLedger::use_once(std::string_view key, WallTime until, WallTime now) {
  const auto found = once_.find(key);
  if (found != once_.end()) {
    if (now < found->second) return false;
    found->second = until;
    return true;
  }
  if (once_.size() >= limits_.once_max)
    std::erase_if(once_, [&](const auto& it) { return now >= it.second; });
  if (once_.size() >= limits_.once_max) return false;
  once_.emplace(key, until);
  return true;
}

WallTime MemoryLedger::note_failure(std::string_view key, const AttemptRule& rule, WallTime now) {
  auto found = attempts_.find(key);
  if (found == attempts_.end()) {
    if (attempts_.size() >= limits_.attempts_max)
      attempts_.erase(
          std::ranges::min_element(attempts_, {}, [](const auto& it) { return it.second.last_at; }));
    found = attempts_.emplace(std::string{key}, Attempts{}).first;
  }
  return add_failure(found->second, rule, now);
}

std::optional<WallTime> MemoryLedger::find_lock(std::string_view key, WallTime now) {
  const auto found = attempts_.find(key);
  if (found == attempts_.end() || now >= found->second.locked_until) return std::nullopt;
  return found->second.locked_until;
}

void MemoryLedger::forget_failures(std::string_view key) {
  if (const auto found = attempts_.find(key); found != attempts_.end()) attempts_.erase(found);
}

std::vector<StoredKey> MemoryLedger::signing_keys() {
  std::vector<StoredKey> all;
  all.reserve(keys_.size());
  for (const auto& [kid, key] : keys_) all.push_back(key);
  std::ranges::stable_sort(all, {}, &StoredKey::signs_from);
  return all;
}

void MemoryLedger::put_signing_key(const StoredKey& key) { keys_.insert_or_assign(key.kid, key); }

void MemoryLedger::remove_signing_key(std::string_view kid) {
  if (const auto found = keys_.find(kid); found != keys_.end()) keys_.erase(found);
}

std::vector<StoredTurnKey> MemoryLedger::turn_keys() {
  std::vector<StoredTurnKey> all;
  all.reserve(turn_keys_.size());
  for (const auto& [kid, key] : turn_keys_) all.push_back(key);
  std::ranges::stable_sort(all, {}, &StoredTurnKey::used_from);
  return all;
}

bool MemoryLedger::add_turn_key(const StoredTurnKey& key) { return turn_keys_.emplace(key.kid, key).second; }

void MemoryLedger::end_turn_key_use(std::string_view kid, WallTime until) {
  if (const auto found = turn_keys_.find(kid); found != turn_keys_.end())
    found->second.used_until = std::min(found->second.used_until, until);
}

bool MemoryLedger::withdraw_turn_key(std::string_view kid) {
  const auto found = turn_keys_.find(kid);
  if (found == turn_keys_.end() || found->second.is_withdrawn) return false;
  found->second.is_withdrawn = true;
  found->second.key = {};
  return true;
}

void MemoryLedger::note_turn_keys_fetched(std::string_view server_name, WallTime at) {
  for (auto& [kid, key] : turn_keys_)
    if (key.server_name == server_name && !key.is_withdrawn) key.fetched_at = at;
}

void MemoryLedger::remove_turn_key(std::string_view kid) {
  if (const auto found = turn_keys_.find(kid); found != turn_keys_.end()) turn_keys_.erase(found);
}

void MemoryLedger::append_audit(std::span<const AuditEntry> entries) {
  for (const AuditEntry& entry : entries) {
    audit_.push_back(entry);
    const auto is_alike = [&](const AuditEntry& it) { return it.is_by_stranger == entry.is_by_stranger; };
    const std::size_t max = entry.is_by_stranger ? limits_.strangers_max : limits_.audit_max;
    if (static_cast<std::size_t>(std::ranges::count_if(audit_, is_alike)) > max)
      audit_.erase(std::ranges::find_if(audit_, is_alike));
  }
}

std::vector<AuditEntry> MemoryLedger::last_audit_entries(std::size_t count) {
  const auto end = audit_.rbegin() + static_cast<std::ptrdiff_t>(std::min(count, audit_.size()));
  return {audit_.rbegin(), end};
}

void MemoryLedger::forget_ended(WallTime now) {
  std::erase_if(sessions_, [&](const auto& it) { return now >= it.second.ends_at; });
  std::erase_if(codes_, [&](const auto& it) {
    const CodeRecord& record = it.second;
    return now >= (record.is_redeemed ? record.code.remembered_until : record.code.ends_at);
  });
  std::erase_if(families_, [&](const auto& it) { return now >= it.second.family.ends_at; });
  std::erase_if(issued_, [&](const auto& it) { return now >= it.second.ends_at; });
  std::erase_if(twins_, [&](const auto& it) { return !issued_.contains(it.second); });
  std::erase_if(once_, [&](const auto& it) { return now >= it.second; });
  std::erase_if(attempts_, [&](const auto& it) { return now >= it.second.forgotten_at; });
  for (RevokedBatch& batch : revoked_)  // whose places are positions, and stay
    std::erase_if(batch.tokens, [&](const Issued& it) { return now >= it.ends_at + relay_tolerance; });
}

template <typename Condition>
std::vector<Issued> MemoryLedger::revoke_where(Condition condition, WallTime now) {
  std::vector<Issued> revoked;
  std::erase_if(issued_, [&](const auto& it) {
    if (!condition(it.second)) return false;
    if (now < it.second.ends_at) revoked.push_back(it.second);
    twins_.erase(it.second.twin);
    return true;
  });
  return revoked;
}

template <typename Condition>
std::vector<Issued> MemoryLedger::close_families(Condition condition, WallTime now) {
  std::vector<Issued> revoked;
  for (const auto& [id, record] : families_)
    if (!record.is_revoked && condition(record.family))
      append(revoked, close_family(id, record.family.ends_at, now));
  return revoked;
}

bool MemoryLedger::is_revoked(std::string_view family) const {
  const auto found = families_.find(family);
  return found != families_.end() && found->second.is_revoked;
}

void MemoryLedger::add_issued(std::span<const Issued> issued) {
  for (const Issued& token : issued) {
    issued_.insert_or_assign(token.id, token);
    if (!token.twin.empty()) twins_.insert_or_assign(token.twin, token.id);
  }
}

}  // namespace turnpike::waf
