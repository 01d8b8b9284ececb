#pragma once
// Other identity providers that log our users in (OpenID Connect Core, we are their relying party): how each
// one is configured, and what is known of it at the moment.

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/secret.hpp"
#include "jose/algorithm.hpp"
#include "jose/key_set.hpp"
#include "jose/limits.hpp"
#include "waf/accounts.hpp"

namespace turnpike::waf {

// A claim is named as it stands at the top ("email_verified"), or by a path ("/realm_access/roles").
using ClaimValue = std::variant<std::string, bool, std::int64_t>;
struct ClaimCondition {
  std::string claim{};
  std::vector<ClaimValue> values{};  // any one of them; in a text, "*" stands for any text
};

// Whose login makes which identity. The first rule decides whose conditions all hold and whose templates can
// be filled. "{preferred_username}@ims.example" is a template.
struct ClaimRule {
  std::vector<ClaimCondition> conditions{};
  std::string impi{};
  std::vector<std::string> impus{};  // one whose claim is absent is left out, but not all of them
  std::string wwsf{};
  bool is_pool = false;
};

struct Provider {
  std::string name{};    // in paths: "/federation/NAME"
  std::string title{};   // on the login page
  std::string issuer{};  // to the letter; its metadata stand below (OpenID Connect Discovery section 4)
  std::string client_id{};
  ClientMethod method =
      ClientMethod::client_secret_basic;  // private_key_jwt: by the key that signs our tokens
  Secret client_secret{};
  std::string scope = "openid profile email";
  jose::AlgorithmSet algorithms = jose::public_key_algorithms;  // of its tokens
  bool asks_userinfo = false;                                   // for claims that ID tokens do not have
  std::string token_audience{};      // of its tokens that are exchanged (RFC 8693); empty: none are
  std::vector<std::string> impis{};  // that it may name, with stars; empty: whatever the rules make
  std::vector<ClaimRule> rules{};
  std::chrono::seconds clock_skew{30};  // of its clock against ours, both ways
};

// What its discovery document says (OpenID Connect Discovery section 3).
struct ProviderMetadata {
  std::string authorization_endpoint{}, token_endpoint{}, userinfo_endpoint{}, jwks_uri{};
  bool names_issuer = false;  // RFC 9207 section 3: each authorization answer has "iss"
};
// A sentence where the document is none of this issuer, or says what cannot be used.
std::expected<ProviderMetadata, std::string> read_provider_metadata(std::string_view json,
                                                                    std::string_view issuer,
                                                                    const jose::Limits& limits);

// As the shell has fetched it last.
struct IssuerState {
  std::optional<ProviderMetadata> metadata{};
  std::optional<jose::KeySet> keys{};
};
using IssuerStates = std::map<std::string, IssuerState, std::less<>>;  // by issuer

// https, or http on this machine.
bool is_reachable_uri(std::string_view uri);

}  // namespace turnpike::waf
