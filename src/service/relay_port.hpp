#pragma once
// The port through which credentials reach the relays that know them, and through which they are taken back:
// in process, or over HTTPS to a fleet (docs/credential-interface.md).

#include <functional>

#include "credentials/grant.hpp"
#include "credentials/pushed_table.hpp"

namespace turnpike::service {

class RelayPort {
 public:
  // Called exactly once, later, from the loop that called; not at all when the port goes away before.
  using Completion = std::move_only_function<void(bool is_done)>;

  virtual ~RelayPort() = default;
  // Neither call blocks. Idempotent by username. Done: at least one relay whose URIs are handed out has it.
  virtual void put(const credentials::PushedCredential& credential, Completion on_done) = 0;
  // Ends running allocations too. Done: every relay that lives has obeyed; the others will before they are
  // offered again.
  virtual void revoke(const credentials::Revocation& revocation, Completion on_done) = 0;
};

}  // namespace turnpike::service
