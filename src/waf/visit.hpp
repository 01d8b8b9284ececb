#pragma once
// One request, and all that its answer may need or change.

#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "credentials/grant.hpp"
#include "waf/form.hpp"
#include "waf/key_ring.hpp"
#include "waf/ledger.hpp"
#include "waf/message.hpp"
#include "waf/provider.hpp"
#include "waf/refusal.hpp"
#include "waf/settings.hpp"

namespace turnpike::waf {

struct Visit {
  const Settings& settings;
  Ledger& ledger;
  const KeyRing& keys;
  const IssuerStates& issuers;  // what others are known by at the moment
  const Request& request;
  WallTime now;
  Random& random;
  bool may_fetch = false;    // what is missing of an issuer can be fetched first
  bool has_revoked = false;  // something: the ledger has what
  std::vector<AuditEntry> audited{};

  // These, which the ledger has ended, can be used no longer.
  void revoke(const std::vector<Issued>& ended);
  // Written with the rest of what the request has changed.
  void audit(std::string_view event, std::string_view client, std::string_view subject,
             std::string_view detail = {});
  // For what anybody can cause.
  void audit_refusal(std::string_view event, std::string_view client, std::string_view subject,
                     std::string_view detail = {});
};

// What the relays have to be told. Of a single token that has ended, they are told its hashes, as its subject
// may have others.
void add_revocations(const Settings& settings, const std::vector<Issued>& ended, bool was_single,
                     std::vector<credentials::Revocation>& to);

// RFC 6749 section 3.2: a POST with an application/x-www-form-urlencoded body.
std::expected<Form, Refusal> read_form(const Visit& visit);

// 32 random bytes in base64url: codes, secrets, session ids.
std::string make_random_text(Random& random);
// HMAC-SHA256 under a key of its own for each purpose.
Digest sign(const Settings& settings, std::string_view purpose, std::string_view text);

}  // namespace turnpike::waf
