#pragma once
// Logs a user in at the pages of an authorization server, as a browser without a screen: it follows
// redirects, keeps cookies, fills the form that asks for a password, and agrees where it is asked whether the
// client may have what it wants, for whoever gives his password to this client has meant that. The password
// goes to the server that the login began at, and nowhere else.

#include <expected>
#include <string>

#include "base/function_ref.hpp"
#include "base/secret.hpp"
#include "client/http_exchange.hpp"
#include "client/oauth.hpp"

namespace turnpike::client {

struct WebLogin {
  std::string name{};
  Secret password{};
};

using Fetch = FunctionRef<std::expected<HttpReply, HttpFailure>(const HttpAsk& ask)>;

// The URL of the redirect that ends the login, whether it brings a code or an error.
std::expected<std::string, HttpFailure> log_in_at_pages(const AuthorizationRequest& request,
                                                        const WebLogin& login, Fetch fetch);

}  // namespace turnpike::client
