#pragma once
// Who may ask for tokens: clients (RFC 6749 section 2) and users, and what users have agreed to.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/time.hpp"

namespace turnpike::waf {

using Digest = crypto::Sha256;
Digest digest_of(std::string_view text);

// RFC 6749 section 3.3: scope-tokens, of which order and repetition mean nothing.
using Scope = std::set<std::string, std::less<>>;
std::optional<Scope> parse_scope(std::string_view text);  // nothing for characters that a scope has not
std::string to_string(const Scope& scope);
bool is_within(const Scope& inner, const Scope& outer);
Scope intersect(const Scope& one, const Scope& other);

// The IMS identities of a holder (TS 24.371, TS 33.203 annex X), as the eP-CSCF reads them from a token.
struct Identity {
  std::string impi{};                // "alice@ims.example"; empty: none, so that there is nothing to register
  std::vector<std::string> impus{};  // "sip:alice@ims.example"
  std::string wwsf{};                // which sends the WIC; may be empty
  bool is_pool_identity = false;     // lent from the pool of that WWSF
  bool operator==(const Identity&) const = default;
};
// Its private and public identities as two users cannot both have them, whatever the case of their letters.
// Of neither kind can a text be taken for one of the other.
std::vector<std::string> identity_keys(const Identity& identity);

enum class ClientMethod : std::uint8_t { none, client_secret_basic, client_secret_post, private_key_jwt };
std::string_view to_string(ClientMethod method);  // as RFC 7591 section 2 has them

enum class GrantType : std::uint8_t {
  authorization_code,
  refresh_token,
  client_credentials,
  token_exchange,
  jwt_bearer,
};
std::string_view to_string(GrantType type);  // the value of grant_type
std::optional<GrantType> parse_grant_type(std::string_view text);

class GrantTypes {
 public:
  constexpr GrantTypes() = default;
  constexpr GrantTypes(std::initializer_list<GrantType> types) {
    for (const GrantType type : types) insert(type);
  }
  constexpr void insert(GrantType type) { bits_ |= bit(type); }
  [[nodiscard]] constexpr bool contains(GrantType type) const { return (bits_ & bit(type)) != 0; }
  bool operator==(const GrantTypes&) const = default;

 private:
  static constexpr unsigned bit(GrantType type) { return 1U << static_cast<unsigned>(type); }
  unsigned bits_ = 0;
};

// Secrets are ours: random, of at least 128 bits, so that a plain digest of them keeps them.
struct ClientSecret {
  Digest digest{};
  WallTime ends_at = WallTime::max();  // of the older one while a newer one is introduced
  bool operator==(const ClientSecret&) const = default;
};

struct Client {
  std::string id{};
  std::string name{};  // shown to users
  ClientMethod method = ClientMethod::none;
  std::vector<ClientSecret> secrets{};  // of the two client_secret methods
  std::string jwks{};                   // a key set (RFC 7517), of private_key_jwt
  // To the letter; of a loopback one (http://127.0.0.1/..., http://[::1]/...) any port is taken.
  std::vector<std::string> redirect_uris{};
  GrantTypes grants{};
  Scope scopes{};                      // what it may ask for, and gets where it asks for nothing
  Scope audiences{};                   // of tokens that it may ask for; empty: all
  Scope introspects{};                 // audiences of the tokens that it may ask about (RFC 7662)
  std::string wwsf{};                  // named in the tokens of users who come by way of it
  std::optional<Identity> identity{};  // its own, for client_credentials
  bool needs_consent = true;           // the user is asked; false for the operator's own clients
  bool requires_dpop = false;
  bool exchanges_for_others = false;  // tokens that other clients were given (RFC 8693)
  bool is_enabled = true;
  bool operator==(const Client&) const = default;
};

struct User {
  std::string id{};        // "sub": opaque, never given to somebody else
  std::string name{};      // for the login page
  std::string password{};  // as hash_password() makes it; empty: only another identity provider logs them in
  Identity identity{};
  bool is_enabled = true;
  bool operator==(const User&) const = default;
};

struct Consent {
  std::string user{};
  std::string client{};
  Scope scope{};
  WallTime given_at{};
  bool operator==(const Consent&) const = default;
};

// A browser in which a user has logged in.
struct Session {
  Digest id{};  // of what its cookie holds
  std::string user{};
  WallTime began_at{};
  WallTime ends_at{};
  bool operator==(const Session&) const = default;
};

}  // namespace turnpike::waf
