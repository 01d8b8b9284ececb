#pragma once
// Which tokens the eP-CSCF takes, and how it checks them.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.hpp"
#include "jose/algorithm.hpp"
#include "jose/limits.hpp"
#include "service/issuer_keys.hpp"
#include "service/token_rules.hpp"

namespace turnpike::service {

// A WAF whose tokens are signed JWTs, checked here. Exactly one of jwks_file, jwks_uri and shared_secret is
// set.
struct SignedTokenIssuer {
  std::string issuer{};    // "iss", to the letter
  std::string audience{};  // ours: has to be in "aud"
  std::string jwks_file{};
  std::string jwks_uri{};  // https, or http to loopback
  std::string ca_file{};   // PEM: who vouches for jwks_uri; empty: the system's authorities
  Secret shared_secret{};  // HS256 alone
  jose::AlgorithmSet algorithms = jose::public_key_algorithms;
  std::vector<std::string> types{"at+jwt"};  // in lower case; "jwt" also where a token has none
  IdentityRules identity{};
};

// A WAF that is asked about each token (W5, RFC 7662).
struct IntrospectionSettings {
  std::string endpoint{};  // https, or http to loopback
  std::string client_id{};
  Secret client_secret{};
  std::string ca_file{};
  std::string issuer{};    // the name of the WAF; has to be "iss" where the answer has one
  std::string audience{};  // has to be in "aud"; empty: not looked at
  IdentityRules identity{};
  std::chrono::milliseconds deadline{2000};
  // How long a good answer is believed; zero: not at all. No answer is believed longer than its token lives.
  std::chrono::seconds cache{10};
};

struct TokenLimits {
  jose::Limits jose{};
  std::size_t waiting_max = 1000;          // tokens that wait for the keys of one issuer
  std::size_t cache_entries_max = 10'000;  // of introspection
  std::size_t answer_bytes_max = std::size_t{64} * 1024;
  std::chrono::milliseconds keys_deadline{5000};
};

struct TokenSettings {
  std::vector<SignedTokenIssuer> issuers{};
  std::optional<IntrospectionSettings> introspection{};  // of tokens that no issuer above has made
  std::chrono::seconds clock_skew{30};
  IssuerKeysSettings keys{};
  TokenLimits limits{};
};

}  // namespace turnpike::service
