#pragma once
// Registry answers the one question of design section 3: claim + wall time -> grant, or a refusal with its
// reason. All configured sources serve the realm at the same time. One registry per shard; not thread-safe;
// never blocks: whatever is slow was pushed in before.
//
// A refusal costs the same whatever its reason: before refusing, every configured source has done the
// cryptographic work of one failed verification (RFC 8489 section 9.2.4 leaves the timing to us).

#include <expected>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "credentials/deny_list.hpp"
#include "credentials/grant.hpp"
#include "credentials/pushed_table.hpp"
#include "credentials/sources.hpp"

namespace turnpike::credentials {

struct RegistrySettings {
  std::string realm;
  std::optional<StaticSettings> static_users;
  std::optional<ComputedSettings> computed;
  std::optional<PushedSettings> pushed;
  std::optional<TokenSettings> token;
};

class Registry {
 public:
  explicit Registry(RegistrySettings settings);

  // The grant's key is the one under which `proof` held.
  std::expected<GrantPtr, Refusal> authenticate(const Claim& claim, Proof proof, WallTime wall);

  // What authenticate would say of this name today, were the password right: for `turnpike explain`.
  // Does not need the password; for the browser form opens the token.
  std::expected<Grant, Refusal> explain(std::string_view username, WallTime wall) const;

  const std::string& realm() const { return settings_.realm; }
  bool accepts_tokens() const { return settings_.token.has_value(); }
  // RFC 7635: the value of THIRD-PARTY-AUTHORIZATION and the AAD; empty without a token source.
  std::string_view server_name() const;
  // USERHASH can be resolved for every source of this realm: nonce bit 1 may be set.
  bool offers_username_anonymity() const;

  PushedTable& pushed() { return pushed_; }
  const PushedTable& pushed() const { return pushed_; }
  DenyList& deny_list() { return deny_list_; }
  const DenyList& deny_list() const { return deny_list_; }

  // Takes new settings for static, computed and token; pushed credentials and the deny-list stay.
  void reconfigure(RegistrySettings settings);

 private:
  RegistrySettings settings_;
  PushedTable pushed_;
  DenyList deny_list_;
};

}  // namespace turnpike::credentials
