#pragma once
// Who calls the token, introspection and revocation endpoints (RFC 6749 section 2.3, RFC 7523 section 2.2).

#include <expected>
#include <memory>
#include <string_view>

#include "waf/accounts.hpp"
#include "waf/form.hpp"
#include "waf/refusal.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

using ClientPtr = std::shared_ptr<const Client>;

// The client, by exactly the method that it is registered with. `path` is the endpoint's: an assertion may be
// addressed to it.
std::expected<ClientPtr, Refusal> authenticate_client(Visit& visit, const Form& form, std::string_view path);

}  // namespace turnpike::waf
