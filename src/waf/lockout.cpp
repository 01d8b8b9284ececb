#include "waf/lockout.hpp"

#include <algorithm>

#include "base/source_key.hpp"
#include "waf/browser.hpp"

namespace turnpike::waf {
namespace {

struct Keys {
  std::string per_user_and_source, per_user, per_source;
};

// Names are hashed, so that a key has a size, and what people type by mistake is not kept.
Keys make_keys(const Visit& visit, std::string_view name) {
  const std::string who = to_hex(Bytes{digest_of(name)}.first(16));
  const std::string where = source_key(visit.request.remote).to_string();
  return {"login " + who + ' ' + where, "login " + who, "login from " + where};
}

}  // namespace

std::optional<WallTime> find_lock(const Visit& visit, std::string_view name) {
  const Keys keys = make_keys(visit, name);
  std::optional<WallTime> locked_until;
  const auto look_at = [&](const std::string& key) {
    if (const auto until = visit.ledger.find_lock(key, visit.now))
      locked_until = std::max(locked_until.value_or(*until), *until);
  };
  look_at(keys.per_user_and_source);
  look_at(keys.per_source);
  if (!is_known_browser(visit, name)) look_at(keys.per_user);
  return locked_until;
}

std::string note_failed_login(Visit& visit, std::string_view name) {
  const Keys keys = make_keys(visit, name);
  const LockRules& rules = visit.settings.locks;
  std::string locked;
  const auto note = [&](const std::string& key, const AttemptRule& rule, std::string_view what) {
    const WallTime until = visit.ledger.note_failure(key, rule, visit.now);
    if (until <= visit.now) return;
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(until - visit.now).count();
    locked.append(locked.empty() ? "" : ", ").append(what);
    locked.append(" for ").append(std::to_string(seconds)).append(" s");
  };
  note(keys.per_user_and_source, rules.per_user_and_source, "the name from this source");
  note(keys.per_user, rules.per_user, "the name from everywhere");
  note(keys.per_source, rules.per_source, "this source");
  return locked;
}

// The count of the source stays: a password that is known would buy more guesses of others.
void note_login(Visit& visit, std::string_view name) {
  const Keys keys = make_keys(visit, name);
  visit.ledger.forget_failures(keys.per_user_and_source);
  visit.ledger.forget_failures(keys.per_user);
}

}  // namespace turnpike::waf
