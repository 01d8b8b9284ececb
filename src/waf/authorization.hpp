#pragma once
// The authorization endpoint and its forms: who is logged in, what he agrees to, and the code (RFC 6749
// section 4.1). A password is checked outside, as that takes long: the front door hands the question to a
// worker and comes back with the answer.

#include <string>
#include <variant>

#include "base/secret.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

struct PasswordCheck {
  Secret password{};
  std::string stored{};  // for matches_password()
  // What is needed to go on; for answer_password() alone.
  std::string user{};   // empty: there is none of this name, and the check is for the sake of its time
  std::string name{};   // as it was typed
  std::string query{};  // the authorization request
};
using Reply = std::variant<Response, PasswordCheck>;

Response answer_authorization(Visit& visit);
Reply answer_login(Visit& visit);
// `visit` has the request that led to the check.
Response answer_password(Visit& visit, const PasswordCheck& check, bool is_right);
Response answer_consent(Visit& visit);

// For who was logged in otherwise, by another identity provider: opens a session in this browser and goes on
// with the authorization request. Refused with a page where the user is none, or is disabled.
Response begin_session(Visit& visit, std::string_view user, std::string_view query);

}  // namespace turnpike::waf
