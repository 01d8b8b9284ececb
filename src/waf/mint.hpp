#pragma once
// Makes the tokens: signed ones for the registration (RFC 9068), sealed ones for TURN (RFC 7635) in both wire
// forms.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "credentials/issue.hpp"
#include "waf/accounts.hpp"
#include "waf/grants.hpp"
#include "waf/targets.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

// One TURN credential, for native clients and for browsers.
struct TurnToken {
  // kid "." subject; the kid alone where the target names no subjects
  credentials::IssuedToken native{};
  credentials::IssuedPassword browser{};  // where the target takes that form; else its username is empty
  std::string id{};                       // hex of the SHA-256 of the native token, as relays know it
  std::string twin{};                     // the same of the browser form
};
// Nothing where no key of the target is valid for so long.
std::optional<TurnToken> mint_turn_token(const TurnTarget& target, std::string_view subject, WallTime now,
                                         std::chrono::seconds lifetime, Random& random);

// 16 characters of base32 that tell nothing of the user.
std::string make_turn_subject(const Settings& settings, std::string_view user, Random& random);

struct TokenOrder {
  Targets targets{};
  std::string client{};
  std::string subject{};  // "sub"
  Identity identity{};
  Scope scope{};
  std::string jkt{};                   // the registration token is bound to this key
  std::string family{};                // that the tokens belong to; empty: none
  std::string turn_subject{};          // of the token that is exchanged; empty: a new one
  WallTime authenticated_at{};         // of the user; the epoch: there was no login
  WallTime ends_at = WallTime::max();  // at the latest
};

struct Minted {
  std::vector<Issued> issued{};
  // The members of a successful answer (RFC 6749 section 5.1), as JSON without its closing brace, so that
  // what else the grant brings can follow. Contains secrets.
  std::string members{};
};

std::expected<Minted, Refusal> mint(const Visit& visit, TokenOrder order);

}  // namespace turnpike::waf
