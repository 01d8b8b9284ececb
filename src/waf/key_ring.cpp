#include "waf/key_ring.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace turnpike::waf {

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

void KeyRing::replace(Ledger& ledger, const KeyRules& rules, std::chrono::seconds tokens_live,
                      std::string_view kid, WallTime now) {
  const auto found = std::ranges::find_if(entries_, [&](const Entry& it) { return it.key.kid() == kid; });
  if (found != entries_.end()) {
    ledger.remove_signing_key(kid);
    entries_.erase(found);
  }
  if (!rotate(ledger, rules, tokens_live, now)) collect_verifiers();
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
