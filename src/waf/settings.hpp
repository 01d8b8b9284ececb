#pragma once
// What a WAF is configured with, and every limit. docs/waf.md lists the defaults.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/password.hpp"
#include "base/secret.hpp"
#include "credentials/sources.hpp"
#include "jose/algorithm.hpp"
#include "jose/key_set.hpp"
#include "jose/limits.hpp"
#include "waf/form.hpp"
#include "waf/ledger.hpp"
#include "waf/provider.hpp"

namespace turnpike::waf {

// For whom registration tokens are: the eP-CSCF.
struct RegistrationTarget {
  std::string audience{};                // "aud"
  std::vector<std::string> resources{};  // absolute URIs that mean it too (RFC 8707)
  std::string scope = "ims";             // without it there is no such token
};

// A TURN server, or a fleet that shares a name and keys (RFC 7635).
//
// A key that derives gives each token a kid of its own, so that a relay can count and revoke by subject.
// coturn knows plain kids alone: for it, say derives = false and mac_key = coturn16.
struct TurnTarget {
  credentials::TokenSettings token{};    // its server_name is the audience, as is "turn:" and that name
  std::string realm{};                   // told to clients
  std::vector<std::string> uris{};       // RFC 7065, for iceServers
  std::vector<std::string> resources{};  // absolute URIs that mean it too
  std::string scope = "turn";
  // It fetches its keys (TurnKeyRing), who make its tokens; `token` has none then.
  bool fetches_keys = false;
  std::vector<std::string> certificate_names{};  // of those who may fetch them
  credentials::TokenAlgorithm algorithm = credentials::TokenAlgorithm::a256gcm;  // of its next key

  [[nodiscard]] bool names_subjects() const;  // a key derives
};

// The succession of the keys that TURN servers fetch.
struct TurnKeyRules {
  // All kids begin with it, so that a TURN server can tell the keys of one WAF from those of another one.
  std::string kid_prefix{};
  std::chrono::seconds used_for{std::chrono::hours{24 * 7}};
  // A key is published so long before it is used, and its predecessor is accepted for so much longer: where
  // no TURN server has fetched the new one yet, the old one is used on.
  std::chrono::seconds published_before{std::chrono::hours{24}};
  std::chrono::seconds refresh_after{300};  // when TURN servers are to come again
};

// Who may vouch for users with signed assertions (RFC 7523): another domain's identity provider, or a WWSF
// with a pool of identities.
struct AssertionIssuer {
  std::string issuer{};
  jose::KeySet keys{};  // empty: they are fetched
  jose::AlgorithmSet algorithms = jose::public_key_algorithms;
  // Private identities that it may name in the claim "impi"; "*" stands for any text. Empty: it names users
  // of ours in "sub".
  std::vector<std::string> impis{};
  // Public ones that it may name in the claim "impus", as whole URIs. Empty: the SIP URIs of `impis`.
  std::vector<std::string> impus{};
  std::string wwsf{};
  bool is_pool = false;
};

struct Lifetimes {
  std::chrono::seconds code{60};
  std::chrono::seconds code_memory{86400};  // how long a second redemption is noticed
  std::chrono::seconds access_token{3600};
  std::chrono::seconds turn_token{600};
  std::chrono::seconds refresh_token{std::chrono::hours{24 * 30}};  // of a family, not renewed by rotation
  std::chrono::seconds session{std::chrono::hours{8}};              // of a browser that has logged in
  std::chrono::seconds form{1800};          // of a login or consent page, until it is sent
  std::chrono::seconds assertion_max{600};  // RFC 7523: from iat, or from now, to exp
  std::chrono::seconds dpop_proof{60};      // RFC 9449 section 11.1: from iat, both ways
  std::chrono::seconds dpop_nonce{300};
  std::chrono::seconds metadata{300};  // for which JWKS and metadata may be cached
  std::chrono::seconds clock_skew{30};
};

struct Limits {
  FormLimits form{};
  std::size_t query_bytes_max = 8192;  // of an authorization request
  std::size_t state_bytes_max = 1024;
  // Of an authorization request that a provider's login is for: it travels there and back.
  std::size_t provider_query_bytes_max = 2048;
  std::size_t scope_tokens_max = 16;
  std::size_t targets_max = 4;  // resource and audience together
  std::size_t password_bytes_max = 1024;
  std::size_t name_bytes_max = 255;
  std::size_t sessions_per_user_max = 20;  // browsers; then the oldest one is logged out
  std::size_t users_max = 1'000'000;       // then providers bring no new ones
  std::size_t families_per_user_max = 50;  // authorizations; then the oldest one is revoked
  jose::Limits jose{};
};

struct KeyRules {
  jose::Algorithm algorithm = jose::Algorithm::es256;
  std::chrono::seconds signs_for{std::chrono::hours{24 * 30}};
  // A key is published so long before it signs; longer than JWKS are cached.
  std::chrono::seconds published_before{std::chrono::hours{24}};
};

struct LockRules {
  AttemptRule per_user_and_source{};
  AttemptRule per_user{.failures_max = 50,
                       .memory = std::chrono::hours{1},
                       .lock = std::chrono::seconds{60},
                       .lock_max = std::chrono::seconds{300}};
  AttemptRule per_source{.failures_max = 30,
                         .memory = std::chrono::hours{1},
                         .lock = std::chrono::seconds{60},
                         .lock_max = std::chrono::hours{1}};
};

struct Settings {
  std::string issuer{};  // https://waf.ims.example, without a "/" at its end; http for loopback alone
  std::string title = "turnpike";  // of the pages
  RegistrationTarget registration{};
  std::vector<TurnTarget> turn{};  // the first one is meant where none is named
  std::map<std::string, std::string, std::less<>> scopes{
      // scope -> what the consent page says of it
      {"ims", "register your phone number and make calls"},
      {"turn", "use the relays that calls need behind a firewall"}};
  std::vector<AssertionIssuer> assertion_issuers{};
  std::vector<Provider> providers{};        // in the order of the login page
  bool offers_passwords = true;             // false: providers alone log users in
  std::vector<std::string> cors_origins{};  // of pages that may call the token endpoint
  std::vector<IpPrefix> trusted_proxies{};  // whose X-Forwarded-For is believed
  // At least 32 random bytes. What is derived from it: nonces of DPoP, marks of forms, opaque TURN subjects.
  Secret key{};
  bool dpop_requires_nonce = true;
  PasswordCost password_cost{};
  KeyRules keys{};
  TurnKeyRules turn_keys{};
  LockRules locks{};
  Lifetimes lifetimes{};
  Limits limits{};
};

}  // namespace turnpike::waf
