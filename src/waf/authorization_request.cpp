#include "waf/authorization_request.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "waf/federated_user.hpp"
#include "waf/pages.hpp"
#include "waf/redirect_uri.hpp"
#include "waf/targets.hpp"

namespace turnpike::waf {
namespace {

Refusal invalid(std::string description) { return {Error::invalid_request, std::move(description)}; }

// RFC 7636 section 4.2: what base64url makes of 32 bytes.
bool is_challenge(std::string_view text) {
  const auto bytes = from_base64url(text);
  return bytes && bytes->size() == sizeof(Digest);
}

// Who asks, and where the answer goes: what is wrong with them is told to the user alone.
// RFC 6749 section 4.1.2.1: they are judged first and apart, as what is wrong with the rest is for the
// client.
std::optional<std::string> read_addressee(const Visit& visit, std::string_view query,
                                          AuthorizationRequest& request) {
  const auto id = Form::read_one(query, "client_id");
  request.client = id ? visit.ledger.find_client(*id) : nullptr;
  if (!request.client || !request.client->is_enabled) return "The application is not known here.";
  const auto& registered = request.client->redirect_uris;
  const auto asked = Form::read_one(query, "redirect_uri");
  if (asked && asked->empty() && registered.size() == 1) {
    request.redirect_uri = registered.front();
    return std::nullopt;
  }
  const bool is_known = asked && std::ranges::any_of(registered, [&](const std::string& uri) {
                          return matches_redirect_uri(uri, *asked);
                        });
  if (!is_known) return "The application wants the answer at an address that is not registered for it.";
  request.redirect_uri = *asked;
  return std::nullopt;
}

std::optional<Refusal> check_kind(const Client& client, const Form& form) {
  if (form.has("request")) return Refusal{Error::request_not_supported, "request objects are not taken"};
  if (form.has("request_uri")) return Refusal{Error::request_uri_not_supported, "request_uri is not taken"};
  if (!form.has("response_type")) return invalid("there is no response_type");
  if (form.find("response_type") != "code")
    return Refusal{Error::unsupported_response_type, "the response_type is code"};
  if (!client.grants.contains(GrantType::authorization_code))
    return Refusal{Error::unauthorized_client, "the client may not use the authorization code grant"};
  if (form.has("response_mode") && form.find("response_mode") != "query")
    return invalid("the response_mode is query");
  return std::nullopt;
}

std::optional<Refusal> read_challenge(const Form& form, AuthorizationRequest& request) {
  if (!form.has("code_challenge")) return invalid("there is no code_challenge");
  if (form.find("code_challenge_method") != "S256") return invalid("the code_challenge_method is S256");
  if (!is_challenge(form.find("code_challenge")))
    return invalid("the code_challenge is not 43 characters of base64url");
  request.challenge = form.find("code_challenge");
  if (form.has("dpop_jkt") && !is_challenge(form.find("dpop_jkt")))
    return invalid("dpop_jkt is not 43 characters of base64url");
  request.jkt = form.find("dpop_jkt");
  return std::nullopt;
}

std::optional<Refusal> read_wishes(const Visit& visit, const Form& form, AuthorizationRequest& request) {
  auto scope = read_scope(visit.settings, form, request.client->scopes);
  if (!scope) return scope.error();
  request.scope = std::move(*scope);
  auto audiences = read_audiences(visit.settings, *request.client, form);
  if (!audiences) return audiences.error();
  request.audiences = std::move(*audiences);
  request.prompt = form.find("prompt");
  constexpr std::array<std::string_view, 4> prompts{"", "none", "login", "consent"};
  if (std::ranges::find(prompts, request.prompt) == prompts.end())
    return invalid("prompt is none, login or consent");
  if (form.find("login_hint").size() > visit.settings.limits.name_bytes_max)
    return invalid("the login_hint is too long");
  request.login_hint = form.find("login_hint");
  if (form.has("identity_provider")) {
    request.provider = find_provider(visit.settings, form.find("identity_provider"));
    if (request.provider == nullptr) return invalid("the identity_provider is not known");
  }
  return std::nullopt;
}

std::string answer_uri(const Visit& visit, const AuthorizationRequest& request,
                       std::vector<std::pair<std::string_view, std::string_view>> parameters) {
  parameters.emplace_back("state", request.state);
  parameters.emplace_back("iss", visit.settings.issuer);
  return add_parameters(request.redirect_uri, parameters);
}

}  // namespace

std::expected<AuthorizationRequest, Response> read_authorization_request(const Visit& visit,
                                                                         std::string_view query) {
  const Limits& limits = visit.settings.limits;
  AuthorizationRequest request;
  if (const auto problem = read_addressee(visit, query, request))
    return std::unexpected(make_error_page(visit.settings, *problem));
  const auto refuse = [&](const Refusal& refusal) {
    return std::unexpected(redirect_with_error(visit, request, refusal));
  };
  if (auto state = Form::read_one(query, "state"); state && state->size() <= limits.state_bytes_max)
    request.state = std::move(*state);
  const auto form =
      Form::parse(query, {.bytes_max = limits.query_bytes_max, .parameters_max = limits.form.parameters_max});
  if (!form) return refuse(invalid(std::string{to_string(form.error())}));
  if (form->find("state").size() > limits.state_bytes_max) return refuse(invalid("the state is too long"));
  if (const auto refusal = check_kind(*request.client, *form)) return refuse(*refusal);
  if (const auto refusal = read_challenge(*form, request)) return refuse(*refusal);
  if (const auto refusal = read_wishes(visit, *form, request)) return refuse(*refusal);
  return request;
}

Response redirect_to(std::string uri) {
  return {
      .status = 303,
      .fields = {
          {"Location", std::move(uri)}, {"Cache-Control", "no-store"}, {"Referrer-Policy", "no-referrer"}}};
}

Response redirect_with_error(const Visit& visit, const AuthorizationRequest& request,
                             const Refusal& refusal) {
  return redirect_to(answer_uri(
      visit, request, {{"error", to_string(refusal.error)}, {"error_description", refusal.description}}));
}

Response redirect_with_code(Visit& visit, const AuthorizationRequest& request, const Session& session) {
  const Lifetimes& lifetimes = visit.settings.lifetimes;
  const std::string code = make_random_text(visit.random);
  visit.ledger.add_code({.digest = digest_of(code),
                         .family = {.id = to_base64url(visit.random.draw<16>()),
                                    .client = request.client->id,
                                    .user = session.user,
                                    .scope = request.scope,
                                    .audiences = request.audiences,
                                    .jkt = request.jkt,
                                    .authenticated_at = session.began_at,
                                    .ends_at = visit.now + lifetimes.refresh_token},
                         .redirect_uri = request.redirect_uri,
                         .challenge = request.challenge,
                         .ends_at = visit.now + lifetimes.code,
                         .remembered_until = visit.now + lifetimes.code_memory});
  visit.audit("authorized", request.client->id, session.user);
  return redirect_to(answer_uri(visit, request, {{"code", code}}));
}

}  // namespace turnpike::waf
