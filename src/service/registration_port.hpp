#pragma once
// RegistrationPort is what a WAF knows of the eP-CSCF beside it: who has to hear of registration tokens that
// were revoked.

#include "epcscf/effects.hpp"

namespace turnpike::service {

class RegistrationPort {
 public:
  virtual ~RegistrationPort() = default;
  // From any thread; does not block. Idempotent. What rests on the token ends, its credentials and their
  // allocations with it, and nobody registers with it any more.
  virtual void revoke(epcscf::RevokedToken token) = 0;
};

}  // namespace turnpike::service
