#pragma once
// The authorization endpoint and its forms: who is logged in, what he agrees to, and the code (RFC 6749
// section 4.1). A password is checked outside, as that takes long: the front door hands the question to a
// worker and comes back with the answer.

#include <string>
#include <string_view>

#include "waf/authorization_request.hpp"
#include "waf/reply.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

Reply answer_authorization(Visit& visit);
Reply answer_login(Visit& visit);
// `visit` has the request that led to the check.
Response answer_password(Visit& visit, const PasswordCheck& check, bool is_right);
Response answer_consent(Visit& visit);

// For who was logged in otherwise, by another identity provider: opens a session in this browser and goes on
// with the authorization request. Refused with a page where the user is none, or is disabled.
Response begin_session(Visit& visit, std::string_view user, std::string_view query);

// Where a login at a provider has failed: the login page, to try again or otherwise; or a page that says what
// is wrong, where there is no other way to log in.
Response show_login_problem(Visit& visit, std::string_view query, std::string_view problem, unsigned status);
// The same, where the user has not wanted to: without another way it is the client that is told.
Response refuse_cancelled(Visit& visit, const AuthorizationRequest& request, std::string_view query,
                          std::string_view provider_title);
// The same authorization request, for somebody else.
std::string other_user_uri(const Visit& visit, std::string_view query);

}  // namespace turnpike::waf
