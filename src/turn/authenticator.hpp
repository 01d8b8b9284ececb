#pragma once
// The long-term mechanism of RFC 8489 section 9.2.4 on the server's side, in the order of its checks, and the
// tokens of RFC 7635. A request on an allocation is held against the allocation's own key first, which costs
// one HMAC and nothing else, and lets an allocation go on whose credential is not accepted for new ones any
// more; how long, the ExpiryMode decides.

#include <expected>
#include <optional>

#include "base/time.hpp"
#include "credentials/nonce.hpp"
#include "credentials/registry.hpp"
#include "stun/message.hpp"
#include "turn/allocation.hpp"
#include "turn/exchange.hpp"

namespace turnpike::turn {

struct Authentication {
  credentials::GrantPtr grant;
  bool is_by_token = false;  // RFC 7635: the request carried an ACCESS-TOKEN
};

Integrity integrity_of(const stun::Message& message);

class Authenticator {
 public:
  Authenticator(credentials::Registry& registry, const credentials::NonceMint& nonces)
      : registry_(&registry), nonces_(&nonces) {}

  // `existing`: the allocation of the request's 5-tuple, if there is one.
  std::expected<Authentication, Rejection> authenticate(const stun::Message& request, const ClientPath& from,
                                                        const Allocation* existing, Now now);
  // What a 401 or 438 has to carry: REALM, NONCE, PASSWORD-ALGORITHMS, THIRD-PARTY-AUTHORIZATION.
  void add_challenge(stun::Writer& writer, const SocketAddress& client, WallTime wall) const;
  [[nodiscard]] bool accepts_tokens() const { return registry_->accepts_tokens(); }

 private:
  struct Identity;
  std::expected<Authentication, Rejection> continue_own(const Identity& identity,
                                                        const stun::Message& request,
                                                        const Allocation& allocation, Now now);
  std::expected<Authentication, Rejection> ask_registry(const Identity& identity,
                                                        const stun::Message& request, Now now);
  [[nodiscard]] std::expected<Identity, Rejection> read_identity(const stun::Message& request) const;
  [[nodiscard]] std::expected<credentials::PasswordAlgorithm, Rejection> choose_algorithm(
      const stun::Message& request, std::string_view nonce) const;
  [[nodiscard]] bool is_owner(const Identity& identity, const stun::Message& request,
                              const Allocation& allocation) const;

  credentials::Registry* registry_;
  const credentials::NonceMint* nonces_;
};

}  // namespace turnpike::turn
