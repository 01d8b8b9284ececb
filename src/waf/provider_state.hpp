#pragma once
// What has to be remembered while a user is at a provider travels with the user, sealed, as the state of our
// request there (RFC 6749 section 4.1.1): so nothing is kept for strangers, and a restart forgets no login.

#include <optional>
#include <string>
#include <string_view>

#include "waf/reply.hpp"
#include "waf/visit.hpp"

namespace turnpike::waf {

// Tied to this browser and this provider.
ProviderLogin begin_provider_login(Visit& visit, std::string_view provider, std::string_view browser,
                                   std::string_view query);
// Nothing for what was not made here for this browser and provider, or is older than a form may be.
std::optional<ProviderLogin> find_provider_login(const Visit& visit, std::string_view provider,
                                                 std::string_view browser, std::string_view state);

}  // namespace turnpike::waf
