#include "credentials/pushed_table.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "credentials/sources.hpp"

namespace turnpike::credentials {

std::string_view to_string(PushOutcome outcome) {
  constexpr std::array<std::string_view, 6> names{"done", "repeated", "gap", "full", "unknown", "invalid"};
  const auto index = static_cast<std::size_t>(outcome);
  return index < names.size() ? names[index] : "unknown";
}

PushedTable::PushedTable(std::string realm, std::size_t credentials_max)
    : realm_(std::move(realm)), credentials_max_(credentials_max) {}

PushOutcome PushedTable::put(PushedCredential credential, WallTime wall) {
  const PushOutcome outcome = store(std::move(credential), wall);
  if (outcome == PushOutcome::done) ++sequence_;
  return outcome;
}

PushOutcome PushedTable::extend(std::string_view username, WallTime expires_at) {
  if (!set_end(username, expires_at)) return PushOutcome::unknown;
  ++sequence_;
  return PushOutcome::done;
}

std::size_t PushedTable::revoke(const Revocation& revocation) {
  std::size_t count = 0;
  if (revocation.by == Revocation::By::username) count = remove_username(revocation.value);
  if (revocation.by == Revocation::By::subject) count = remove_subject(revocation.value);
  if (count > 0) ++sequence_;
  return count;
}

PushOutcome PushedTable::apply(const PushedChange& pushed, WallTime wall) {
  if (pushed.sequence <= sequence_) return PushOutcome::repeated;
  if (pushed.sequence - sequence_ > 1) return PushOutcome::gap;
  sequence_ = pushed.sequence;
  return std::visit([&](const auto& what) { return change(what, wall); }, pushed.what);
}

std::size_t PushedTable::resync(std::uint64_t sequence, std::vector<PushedCredential> all, WallTime wall) {
  clear();
  for (PushedCredential& credential : all) static_cast<void>(store(std::move(credential), wall));
  sequence_ = sequence;
  return size();
}

const PushedCredential* PushedTable::find(std::string_view username) const {
  const auto found = by_username_.find(username);
  return found == by_username_.end() ? nullptr : &found->second;
}

const PushedCredential* PushedTable::find(const Userhash& userhash) const {
  const auto found = by_userhash_.find(userhash);
  return found == by_userhash_.end() ? nullptr : found->second;
}

std::vector<PushedEntry> PushedTable::list(std::string_view subject) const {
  std::vector<PushedEntry> entries;
  const auto show = [&](const PushedCredential& shown) {
    entries.push_back({shown.username, shown.subject, shown.not_before, shown.expires_at, shown.policy});
  };
  if (subject.empty()) {
    for (const auto& [username, credential] : by_username_) show(credential);
    return entries;
  }
  for (auto at = by_subject_.lower_bound({subject, {}}); at != by_subject_.end() && at->first == subject;
       ++at)
    show(*find(at->second));
  return entries;
}

void PushedTable::drop_expired(WallTime wall) {
  while (!by_end_.empty() && by_end_.begin()->first <= wall) remove_username(by_end_.begin()->second);
}

void PushedTable::limit(std::size_t credentials_max) { credentials_max_ = credentials_max; }

std::size_t PushedTable::UserhashHash::operator()(const Userhash& userhash) const {
  return static_cast<std::size_t>(load_big<std::uint64_t>(userhash.data()));
}

bool PushedTable::is_valid(const PushedCredential& credential, WallTime wall) const {
  const auto has_size = [](const Key& key, std::size_t size) {
    return key.empty() || key.reveal().size() == size;
  };
  if (credential.username.empty() || credential.username.size() > username_bytes_max) return false;
  if (credential.key_md5.empty() && credential.key_sha256.empty()) return false;
  if (!has_size(credential.key_md5, 16) || !has_size(credential.key_sha256, 32)) return false;
  return credential.expires_at > wall;
}

PushOutcome PushedTable::store(PushedCredential credential, WallTime wall) {
  if (!is_valid(credential, wall)) return PushOutcome::invalid;
  if (credential.subject.empty()) credential.subject = credential.username;
  const auto known = by_username_.find(credential.username);
  if (known != by_username_.end()) {
    remove_from_indices(known->second);
    known->second = std::move(credential);
    add_to_indices(known->second);
    return PushOutcome::done;
  }
  drop_expired(wall - kept_after_expiry);
  if (size() >= credentials_max_) drop_expired(wall);
  if (size() >= credentials_max_) return PushOutcome::full;
  std::string username = credential.username;
  const auto [at, added] = by_username_.emplace(std::move(username), std::move(credential));
  add_to_indices(at->second);
  return PushOutcome::done;
}

bool PushedTable::set_end(std::string_view username, WallTime expires_at) {
  const auto found = by_username_.find(username);
  if (found == by_username_.end()) return false;
  PushedCredential& credential = found->second;
  by_end_.erase({credential.expires_at, credential.username});
  credential.expires_at = expires_at;
  by_end_.emplace(credential.expires_at, credential.username);
  return true;
}

std::size_t PushedTable::remove_username(std::string_view username) {
  const auto found = by_username_.find(username);
  if (found == by_username_.end()) return 0;
  remove_from_indices(found->second);
  by_username_.erase(found);
  return 1;
}

std::size_t PushedTable::remove_subject(std::string_view subject) {
  std::size_t count = 0;
  for (auto at = by_subject_.lower_bound({subject, {}}); at != by_subject_.end() && at->first == subject;
       at = by_subject_.lower_bound({subject, {}}))
    count += remove_username(at->second);
  return count;
}

void PushedTable::add_to_indices(const PushedCredential& credential) {
  by_userhash_.insert_or_assign(make_userhash(credential.username, realm_), &credential);
  by_subject_.emplace(credential.subject, credential.username);
  by_end_.emplace(credential.expires_at, credential.username);
}

void PushedTable::remove_from_indices(const PushedCredential& credential) {
  by_userhash_.erase(make_userhash(credential.username, realm_));
  by_subject_.erase({credential.subject, credential.username});
  by_end_.erase({credential.expires_at, credential.username});
}

void PushedTable::clear() {
  by_userhash_.clear();
  by_subject_.clear();
  by_end_.clear();
  by_username_.clear();
}

PushOutcome PushedTable::change(const PushedChange::Put& put, WallTime wall) {
  return store(put.credential, wall);
}

PushOutcome PushedTable::change(const PushedChange::Extend& extend, WallTime) {
  return set_end(extend.username, extend.expires_at) ? PushOutcome::done : PushOutcome::unknown;
}

// To revoke what is not there is done: the issuer asks for its absence.
PushOutcome PushedTable::change(const PushedChange::RevokeUsername& revoke, WallTime) {
  remove_username(revoke.username);
  return PushOutcome::done;
}

PushOutcome PushedTable::change(const PushedChange::RevokeSubject& revoke, WallTime) {
  remove_subject(revoke.subject);
  return PushOutcome::done;
}

}  // namespace turnpike::credentials
