#include "waf/key_ring.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace turnpike::waf {
namespace {

void audit(Ledger& ledger, std::string_view event, const std::string& kid, WallTime now) {
  const AuditEntry entry{.at = now, .event = std::string{event}, .detail = kid};
  ledger.append_audit({&entry, 1});
}

}  // namespace

std::expected<KeyRing, std::string> KeyRing::open(Ledger& ledger) {
  KeyRing ring;
  for (const StoredKey& stored : ledger.signing_keys()) {
    auto key = jose::SigningKey::parse(stored.jwk);
    if (!key) return std::unexpected("the signing key " + stored.kid + ": " + key.error());
    ring.entries_.push_back({.key = std::move(*key),
                             .published_at = stored.published_at,
                             .signs_from = stored.signs_from,
                             .signs_until = stored.signs_until,
                             .published_until = stored.published_until});
  }
  if (auto failure = ledger.take_failure()) return std::unexpected(*std::move(failure));
  ring.collect_verifiers();
  return ring;
}

bool KeyRing::rotate(Ledger& ledger, const KeyRules& rules, std::chrono::seconds tokens_live, WallTime now) {
  bool has_changed = false;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (now < entry->published_until) {
      ++entry;
      continue;
    }
    ledger.remove_signing_key(entry->key.kid());
    audit(ledger, "signing_key_ended", entry->key.kid(), now);
    entry = entries_.erase(entry);
    has_changed = true;
  }
  if (find_signer(now) == nullptr) {
    // Nobody has seen this key yet: verifiers that meet an unknown kid fetch the set again.
    add(ledger, rules, tokens_live, now, now);
    has_changed = true;
  }
  while (entries_.back().signs_until - rules.published_before <= now) {
    add(ledger, rules, tokens_live, now,
        std::max(entries_.back().signs_until - rules.published_before / 8, now));
    has_changed = true;
  }
  if (has_changed) collect_verifiers();
  return has_changed;
}

bool KeyRing::replace(Ledger& ledger, const KeyRules& rules, std::chrono::seconds tokens_live,
                      std::string_view kid, WallTime now) {
  const auto found = std::ranges::find_if(entries_, [&](const Entry& it) { return it.key.kid() == kid; });
  if (found == entries_.end()) return false;
  ledger.remove_signing_key(kid);
  audit(ledger, "signing_key_replaced", found->key.kid(), now);
  entries_.erase(found);
  if (!rotate(ledger, rules, tokens_live, now)) collect_verifiers();
  return true;
}

std::optional<std::string> KeyRing::add_successor(Ledger& ledger, const KeyRules& rules,
                                                  std::chrono::seconds tokens_live, WallTime now) {
  rotate(ledger, rules, tokens_live, now);
  if (entries_.back().signs_from > now) return std::nullopt;
  // As rotate() has it: it begins to sign when most of the time for which it has to be published is over.
  add(ledger, rules, tokens_live, now, now + rules.published_before - rules.published_before / 8);
  collect_verifiers();
  return entries_.back().key.kid();
}

bool KeyRing::has_same_keys(const KeyRing& other) const {
  return std::ranges::equal(
      entries_, other.entries_, {}, [](const Entry& it) { return it.key.kid(); },
      [](const Entry& it) { return it.key.kid(); });
}

// The newest one: its predecessor still signs for a little while, so that clocks need not agree.
const jose::SigningKey* KeyRing::find_signer(WallTime now) const {
  const Entry* signer = nullptr;
  for (const Entry& entry : entries_)
    if (entry.signs_from <= now && now < entry.signs_until) signer = &entry;
  return signer == nullptr ? nullptr : &signer->key;
}

std::string KeyRing::format_jwks(WallTime now) const {
  std::string text = R"({"keys":[)";
  for (const Entry& entry : entries_) {
    if (now < entry.published_at || now >= entry.published_until) continue;
    if (!text.ends_with('[')) text += ',';
    text += entry.key.public_jwk();
  }
  return text + "]}";
}

void KeyRing::add(Ledger& ledger, const KeyRules& rules, std::chrono::seconds tokens_live,
                  WallTime published_at, WallTime signs_from) {
  Entry entry{.key = jose::SigningKey::generate(rules.algorithm),
              .published_at = published_at,
              .signs_from = signs_from,
              .signs_until = signs_from + rules.signs_for,
              .published_until = signs_from + rules.signs_for + tokens_live};
  ledger.put_signing_key({.kid = entry.key.kid(),
                          .jwk = entry.key.private_jwk(),
                          .published_at = entry.published_at,
                          .signs_from = entry.signs_from,
                          .signs_until = entry.signs_until,
                          .published_until = entry.published_until});
  audit(ledger, "signing_key_added", entry.key.kid(), published_at);
  const auto next = std::ranges::upper_bound(entries_, entry.signs_from, {}, &Entry::signs_from);
  entries_.insert(next, std::move(entry));
}

void KeyRing::collect_verifiers() {
  if (entries_.empty()) {
    verifiers_ = {};
    return;
  }
  std::string text = R"({"keys":[)";
  for (const Entry& entry : entries_) {
    if (!text.ends_with('[')) text += ',';
    text += entry.key.public_jwk();
  }
  auto keys = jose::KeySet::parse(text + "]}", jose::Limits{});
  check(keys.has_value(), "our own keys can be read");
  verifiers_ = std::move(*keys);
}

}  // namespace turnpike::waf
