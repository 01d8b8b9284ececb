#include "waf/authorization.hpp"

#include <algorithm>

#include "waf/authorization_request.hpp"
#include "waf/browser.hpp"
#include "waf/endpoints.hpp"
#include "waf/lockout.hpp"
#include "waf/pages.hpp"
#include "waf/provider_login.hpp"

namespace turnpike::waf {
namespace {

constexpr std::string_view wrong = "The name or the password is wrong.";

Response refuse_foreign_form(const Visit& visit) {
  return make_error_page(visit.settings,
                         "The page was too old, or was not made by this server for this browser.", 403);
}

std::string authorization_uri(const Visit& visit, std::string_view query) {
  return visit.settings.issuer + std::string{endpoint::authorization} + '?' + std::string{query};
}

// Each of them leads to the same request again, with the provider named. RFC 6749 has each parameter once:
// what is said anew replaces what was said.
std::vector<ProviderLink> list_providers(const Visit& visit, std::string_view query) {
  const auto is_choice = [](std::string_view name, std::string_view) { return name == "identity_provider"; };
  const std::string uri = authorization_uri(visit, drop_parameters(query, is_choice));
  std::vector<ProviderLink> links;
  links.reserve(visit.settings.providers.size());
  for (const Provider& provider : visit.settings.providers)
    links.push_back({provider.title, uri + "&identity_provider=" + provider.name});
  return links;
}

bool has_choice(const Settings& settings) {
  return settings.offers_passwords || settings.providers.size() > 1;
}

Response show_login(Visit& visit, const AuthorizationRequest& request, std::string_view query,
                    std::string_view name = {}, std::string_view problem = {}, unsigned status = 200) {
  Fields cookies;
  const std::string browser = ensure_browser(visit, cookies);
  Response page = make_login_page({.settings = visit.settings,
                                   .client = *request.client,
                                   .redirect_uri = request.redirect_uri,
                                   .query = query,
                                   .mark = make_mark(visit, browser, "login", query)},
                                  list_providers(visit, query), name, problem, status);
  std::ranges::move(cookies, std::back_inserter(page.fields));
  return page;
}

// The name of a provider's user is a number, as a rule: the identity tells more.
std::string shown_name(const User& user) {
  return user.password.empty() && !user.identity.impi.empty() ? user.identity.impi : user.name;
}

Response show_consent(Visit& visit, const AuthorizationRequest& request, std::string_view query,
                      const Session& session) {
  Fields cookies;
  const std::string browser = ensure_browser(visit, cookies);
  const auto user = visit.ledger.find_user(session.user);
  Response page =
      make_consent_page({.settings = visit.settings,
                         .client = *request.client,
                         .redirect_uri = request.redirect_uri,
                         .query = query,
                         .mark = make_mark(visit, browser, "consent " + session.user, query)},
                        user ? shown_name(*user) : session.user, request.scope, other_user_uri(visit, query));
  std::ranges::move(cookies, std::back_inserter(page.fields));
  return page;
}

bool needs_consent(const Visit& visit, const AuthorizationRequest& request, const Session& session) {
  if (request.prompt == "consent") return true;
  if (!request.client->needs_consent) return false;
  const auto given = visit.ledger.find_consent(session.user, request.client->id);
  return !given || !is_within(request.scope, given->scope);
}

void give_consent(Visit& visit, const AuthorizationRequest& request, const Session& session) {
  Consent consent{
      .user = session.user, .client = request.client->id, .scope = request.scope, .given_at = visit.now};
  if (const auto earlier = visit.ledger.find_consent(consent.user, consent.client))
    consent.scope.insert(earlier->scope.begin(), earlier->scope.end());
  visit.ledger.put_consent(consent);
  visit.audit("consent_given", consent.client, consent.user, to_string(request.scope));
}

}  // namespace

std::string other_user_uri(const Visit& visit, std::string_view query) {
  const auto is_choice = [](std::string_view name, std::string_view) {
    return name == "prompt" || name == "identity_provider";
  };
  return authorization_uri(visit, drop_parameters(query, is_choice) + "&prompt=login");
}

Reply answer_authorization(Visit& visit) {
  const std::string& query = visit.request.query;
  const auto request = read_authorization_request(visit, query);
  if (!request) return request.error();
  const auto session = find_session(visit);
  const bool is_silent = request->prompt == "none";
  if (!session || request->prompt == "login") {
    if (is_silent)
      return redirect_with_error(visit, *request,
                                 {Error::login_required, "nobody is logged in in this browser"});
    if (request->provider != nullptr) return ask_provider(visit, *request->provider, *request, query);
    if (!has_choice(visit.settings))
      return ask_provider(visit, visit.settings.providers.front(), *request, query);
    return show_login(visit, *request, query);
  }
  if (needs_consent(visit, *request, *session)) {
    if (is_silent)
      return redirect_with_error(visit, *request,
                                 {Error::consent_required, "the user has not agreed to this yet"});
    return show_consent(visit, *request, query, *session);
  }
  return redirect_with_code(visit, *request, *session);
}

Reply answer_login(Visit& visit) {
  const auto form = read_form(visit);
  if (!form)
    return make_error_page(visit.settings, "The form is not valid: " + form.error().description + ".");
  const std::string query{form->find("request")};
  if (!is_own_form(visit, *form, "login", query)) return refuse_foreign_form(visit);
  const auto request = read_authorization_request(visit, query);
  if (!request) return request.error();
  if (!visit.settings.offers_passwords)
    return show_login_problem(visit, query, "There is no login with a password here.", 403);
  const std::string_view name = form->find("name"), password = form->find("password");
  const Limits& limits = visit.settings.limits;
  if (name.empty() || name.size() > limits.name_bytes_max || password.size() > limits.password_bytes_max)
    return show_login(visit, *request, query, {}, wrong, 403);
  if (const auto locked_until = find_lock(visit, name)) {
    Response page =
        show_login(visit, *request, query, name, "There were too many attempts. Wait a little.", 429);
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*locked_until - visit.now).count();
    page.fields.emplace_back("Retry-After", std::to_string(seconds));
    return page;
  }
  const auto user = visit.ledger.find_user_by_name(name);
  const bool is_there = user && user->is_enabled && !user->password.empty();
  return PasswordCheck{.password = Secret::from_text(password),
                       .stored = is_there ? user->password : make_decoy_hash(visit.settings.password_cost),
                       .user = is_there ? user->id : std::string{},
                       .name = std::string{name},
                       .query = query};
}

Response answer_password(Visit& visit, const PasswordCheck& check, bool is_right) {
  if (is_right && !check.user.empty()) {
    note_login(visit, check.name);
    Response response = begin_session(visit, check.user, check.query);
    remember_browser(visit, check.name, response.fields);
    return response;
  }
  const std::string locked = note_failed_login(visit, check.name);
  visit.audit_refusal("login_failed", "", check.user);
  if (!locked.empty()) visit.audit_refusal("locked_out", "", check.user, locked);
  const auto request = read_authorization_request(visit, check.query);
  if (!request) return request.error();
  return show_login(visit, *request, check.query, check.name, wrong, 403);
}

Response show_login_problem(Visit& visit, std::string_view query, std::string_view problem, unsigned status) {
  const auto request = read_authorization_request(visit, query);
  if (!request) return request.error();
  if (has_choice(visit.settings)) return show_login(visit, *request, query, {}, problem, status);
  return make_error_page(visit.settings, problem, status, authorization_uri(visit, query));
}

Response refuse_cancelled(Visit& visit, const AuthorizationRequest& request, std::string_view query,
                          std::string_view provider_title) {
  if (has_choice(visit.settings))
    return show_login(visit, request, query, {},
                      "You have not logged in at " + std::string{provider_title} + '.', 403);
  return redirect_with_error(visit, request, {Error::access_denied, "the user has not logged in"});
}

Response begin_session(Visit& visit, std::string_view user, std::string_view query) {
  const auto found = visit.ledger.find_user(user);
  if (!found || !found->is_enabled) return make_error_page(visit.settings, "You may not log in here.", 403);
  // A request that goes on after a login must not ask for that login again.
  const auto is_done = [](std::string_view name, std::string_view value) {
    return name == "prompt" && value == "login";
  };
  Response response = redirect_to(authorization_uri(visit, drop_parameters(query, is_done)));
  const Session session = open_session(visit, user, response);
  visit.audit("login", "", session.user);
  return response;
}

Response answer_consent(Visit& visit) {
  const auto form = read_form(visit);
  if (!form)
    return make_error_page(visit.settings, "The form is not valid: " + form.error().description + ".");
  const std::string query{form->find("request")};
  const auto session = find_session(visit);
  if (!session || !is_own_form(visit, *form, "consent " + session->user, query))
    return refuse_foreign_form(visit);
  const auto request = read_authorization_request(visit, query);
  if (!request) return request.error();
  if (form->find("decision") != "allow") {
    visit.audit("consent_denied", request->client->id, session->user);
    return redirect_with_error(visit, *request, {Error::access_denied, "the user has not agreed"});
  }
  give_consent(visit, *request, *session);
  return redirect_with_code(visit, *request, *session);
}

}  // namespace turnpike::waf
