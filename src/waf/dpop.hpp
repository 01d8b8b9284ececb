#pragma once
// Proof of possession of a key, which tokens are bound to (RFC 9449).

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "waf/refusal.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

// A nonce that needs no memory: when it was made, and a mark that it was made here.
std::string make_dpop_nonce(const Settings& settings, WallTime now);

struct DpopProof {
  std::string jkt{};  // RFC 9449 section 6: the key's thumbprint; empty: there was no proof
  std::string jti_key{};
  WallTime ends_at{};
};

// Nothing proved where the request has no DPoP field. The proof is not noted as used yet, so that a request
// that is refused for another reason leaves no trace.
std::expected<DpopProof, Refusal> read_dpop(const Visit& visit, std::string_view path);
// False for a replay (section 11.1).
bool use(Visit& visit, const DpopProof& proof);

}  // namespace turnpike::waf
