#pragma once
// The pages that people see: plain HTML without scripts, which works with the keyboard and a screen reader.

#include <string_view>
#include <vector>

#include "waf/accounts.hpp"
#include "waf/message.hpp"
#include "waf/settings.hpp"

namespace turnpike::waf {

// What a page needs to know of its request.
struct PageContext {
  const Settings& settings;
  const Client& client;
  std::string_view redirect_uri{};  // a form's answer may lead there
  std::string_view query{};         // the authorization request, to go on with
  std::string_view mark{};          // that the form was made here, for this browser
};

struct ProviderLink {
  std::string title{};
  std::string uri{};
};
// With the form for a password, where there is such a login, and a link to each provider.
Response make_login_page(const PageContext& page, const std::vector<ProviderLink>& providers,
                         std::string_view name, std::string_view problem = {}, unsigned status = 200);
Response make_consent_page(const PageContext& page, std::string_view user_name, const Scope& scope,
                           std::string_view other_user_uri);
// With a link to try again, where there is one; else the way back is the application's.
Response make_error_page(const Settings& settings, std::string_view problem, unsigned status = 400,
                         std::string_view retry_uri = {});

}  // namespace turnpike::waf
