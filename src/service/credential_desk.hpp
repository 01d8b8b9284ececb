#pragma once
// The relay's end of the interface to issuers (docs/credential-interface.md), without sockets: a request of
// one whose certificate was verified comes in, its answer comes out.

#include <string>
#include <string_view>
#include <vector>

#include "credentials/change.hpp"
#include "service/credential_json.hpp"
#include "service/http_server.hpp"
#include "service/issuer_ledger.hpp"

namespace turnpike::service {

// What a relay lets its issuers do. Called on the loop of the server; may wait for the relay's shards, which
// answer in the same turn.
class CredentialStore {
 public:
  virtual ~CredentialStore() = default;
  // In this order; one result for each. A revocation ends running allocations.
  virtual std::vector<credentials::ChangeResult> apply(const std::vector<credentials::Change>& changes) = 0;
  virtual std::vector<credentials::PushedEntry> list(const std::string& subject) = 0;  // empty: all
  virtual RelayHealth health() = 0;                                                    // without a position
};

struct CredentialDeskSettings {
  // DNS or URI names, or common names; empty: whoever the authority vouches for.
  std::vector<std::string> allowed_names{};
  std::size_t changes_max = 10'000;   // of one batch
  std::size_t state_max = 1'000'000;  // credentials of one full state
};

class CredentialDesk {
 public:
  CredentialDesk(CredentialStore& store, CredentialDeskSettings settings)
      : store_(store), settings_(std::move(settings)) {}

  HttpResponse answer(const ServedRequest& request, WallTime wall);

 private:
  [[nodiscard]] std::optional<std::string> find_issuer(const HttpPeer& peer) const;
  HttpResponse answer_all(const ServedRequest& request, const std::string& issuer, WallTime wall);
  HttpResponse answer_one(const ServedRequest& request, const std::string& issuer,
                          const std::string& username, WallTime wall);
  HttpResponse answer_delete(const ServedRequest& request, const std::string& issuer, WallTime wall);
  HttpResponse answer_batch(const ServedRequest& request, const std::string& issuer, WallTime wall);
  HttpResponse answer_state(const ServedRequest& request, const std::string& issuer, WallTime wall);
  HttpResponse answer_health(const std::string& issuer);
  HttpResponse change_one(const ServedRequest& request, const std::string& issuer, credentials::Change change,
                          WallTime wall);
  // Nothing: a gap.
  std::optional<BatchAnswer> take(const std::string& issuer, const ChangeBatch& batch, WallTime wall);
  std::vector<credentials::ChangeResult> apply(const std::string& issuer,
                                               const std::vector<credentials::Change>& changes,
                                               WallTime wall);
  [[nodiscard]] HttpResponse make_gap_answer(const std::string& issuer) const;

  CredentialStore& store_;
  CredentialDeskSettings settings_;
  IssuerLedger ledger_;
};

}  // namespace turnpike::service
