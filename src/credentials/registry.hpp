#pragma once
// Registry answers one question: claim + wall time -> grant, or a refusal with its reason
// (docs/architecture.md). All configured sources serve the realm at the same time. One registry per shard;
// not thread-safe; never blocks: whatever is slow was pushed in before.
//
// A claim with a token is for the token source alone. Any other is put to the sources in this order, until
// one grants it: static, pushed, computed, token (browser form). So a name that several sources know is good
// with the password of each. Where none grants, the first source that knows the name gives the reason; a
// source tells why a credential is not good any more only to who proved to hold it, else it says wrong_key.
//
// A refusal costs the same whatever its reason (RFC 8489 section 9.2.4 leaves the timing to us): Attempt
// counts each costly step, and what this claim did not cause is done on decoys, until the effort is that of
// the dearest refusal: per configured source one failed verification, per computed secret one.

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "credentials/attempt.hpp"
#include "credentials/computed_passwords.hpp"
#include "credentials/deny_list.hpp"
#include "credentials/grant.hpp"
#include "credentials/grant_cache.hpp"
#include "credentials/pushed_table.hpp"
#include "credentials/sources.hpp"
#include "credentials/static_users.hpp"
#include "credentials/token_keys.hpp"

namespace turnpike::credentials {

struct RegistrySettings {
  std::string realm{};
  std::optional<StaticSettings> static_users{};
  std::optional<ComputedSettings> computed{};
  std::optional<PushedSettings> pushed{};
  std::optional<TokenSettings> token{};
  std::size_t revocations_max = DenyList::entries_max;  // that have not ended
};

class Registry {
 public:
  explicit Registry(RegistrySettings settings);

  // The grant's key is the one under which `proof` held. Equal grants are shared where it can be told
  // cheaply.
  std::expected<GrantPtr, Refusal> authenticate(const Claim& claim, Proof proof, WallTime wall);

  // For requests that the grant of their allocation proves, without a new authentication: has it been taken
  // back since? By the deny-list; pushed: it left the table before its end, or has another key; static: so by
  // a reload; token: its issuer was withdrawn. Expiry is not asked: what it means to a running allocation is
  // for its owner to say.
  [[nodiscard]] bool is_revoked(const Grant& grant, WallTime wall) const;

  // What authenticate would say of this name today, were the password right: for `turnpike explain`.
  // Does not need the password; for the browser form opens the token. A kid alone is granted what its key
  // says, until the key's end.
  [[nodiscard]] std::expected<Grant, Refusal> explain(std::string_view username, WallTime wall) const;

  [[nodiscard]] const std::string& realm() const { return realm_; }
  [[nodiscard]] bool accepts_tokens() const { return token_.has_value(); }
  // RFC 7635: the value of THIRD-PARTY-AUTHORIZATION and the AAD; empty without a token source.
  [[nodiscard]] std::string_view server_name() const;
  // USERHASH can be resolved for every source of this realm: nonce bit 1 may be set (RFC 8489 section 9.2).
  // Static and pushed names and the kids of tokens can; a computed name, a kid derived from a master and the
  // browser form must be seen, and clients hide every name once the bit is set. So a realm with computed
  // passwords, a key that derives, or the browser form does not offer it.
  [[nodiscard]] bool offers_username_anonymity() const;

  PushedTable& pushed() { return pushed_; }
  [[nodiscard]] const PushedTable& pushed() const { return pushed_; }
  DenyList& deny_list() { return deny_list_; }
  [[nodiscard]] const DenyList& deny_list() const { return deny_list_; }

  // Takes new settings for static, computed and token; pushed credentials and the deny-list stay. A new realm
  // drops the pushed credentials: their keys are of the old one.
  void reconfigure(RegistrySettings settings);

  // What the last authenticate cost.
  [[nodiscard]] const Effort& last_effort() const { return last_effort_; }

 private:
  void configure(RegistrySettings settings);
  [[nodiscard]] Effort refusal_effort(const Claim& claim) const;
  std::expected<GrantPtr, Refusal> verify(Attempt& attempt);
  [[nodiscard]] GrantPtr find_cached(Attempt& attempt) const;
  [[nodiscard]] Verdict ask_sources(Attempt& attempt) const;
  [[nodiscard]] Verdict verify_pushed(Attempt& attempt) const;

  std::string realm_;
  std::optional<StaticUsers> static_users_;
  std::optional<ComputedPasswords> computed_;
  bool has_pushed_ = false;
  std::optional<TokenKeys> token_;
  PushedTable pushed_;
  DenyList deny_list_;
  GrantCache cache_;
  Effort last_effort_;
};

}  // namespace turnpike::credentials
