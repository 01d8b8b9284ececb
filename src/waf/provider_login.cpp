#include "waf/provider_login.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/percent.hpp"
#include "jose/claims.hpp"
#include "jose/json.hpp"
#include "waf/authorization.hpp"
#include "waf/browser.hpp"
#include "waf/endpoints.hpp"
#include "waf/federated_user.hpp"
#include "waf/pages.hpp"
#include "waf/provider_state.hpp"
#include "waf/redirect_uri.hpp"

namespace turnpike::waf {
namespace {

using nlohmann::json;
using Parameters = std::vector<std::pair<std::string_view, std::string_view>>;

constexpr std::chrono::seconds assertion_lives{60};

std::string redirect_uri_of(const Settings& settings, const Provider& provider) {
  return settings.issuer + std::string{endpoint::federation} + provider.name;
}

const ProviderMetadata* find_metadata(const Visit& visit, const Provider& provider) {
  const auto found = visit.issuers.find(provider.issuer);
  return found == visit.issuers.end() || !found->second.metadata ? nullptr : &*found->second.metadata;
}

Response refuse_unreachable(Visit& visit, const Provider& provider, std::string_view query) {
  return show_login_problem(visit, query, provider.title + " cannot be reached at the moment.", 503);
}

Response refuse_answer(Visit& visit, const Provider& provider, std::string_view query, std::string_view why) {
  visit.audit_refusal("federation_failed", "", "", provider.name + ": " + std::string{why});
  return show_login_problem(visit, query, provider.title + " has not confirmed who you are.", 502);
}

// RFC 9207 section 2.4: the answer of another server than the one that was asked says so (mix-up).
bool is_of_issuer(const Form& form, const Provider& provider, const ProviderMetadata& metadata) {
  return form.has("iss") ? form.find("iss") == provider.issuer : !metadata.names_issuer;
}

// RFC 7523 section 2.2. The issuer is the only audience, so that no other server can use it.
std::optional<std::string> make_client_assertion(Visit& visit, const Provider& provider) {
  const jose::SigningKey* signer = visit.keys.find_signer(visit.now);
  if (signer == nullptr) return std::nullopt;
  const auto now = unix_seconds(visit.now);
  const json claims{{"iss", provider.client_id},
                    {"sub", provider.client_id},
                    {"aud", provider.issuer},
                    {"jti", make_random_text(visit.random)},
                    {"iat", now},
                    {"exp", now + assertion_lives.count()}};
  return signer->sign("JWT", claims.dump());
}

// RFC 6749 section 4.1.3, with the client authentication that the provider knows.
std::optional<ProviderCall> redeem(Visit& visit, const Provider& provider, const ProviderMetadata& metadata,
                                   ProviderLogin login, std::string_view code) {
  const std::string redirect_uri = redirect_uri_of(visit.settings, provider);
  Parameters parameters{{"grant_type", "authorization_code"},
                        {"code", code},
                        {"redirect_uri", redirect_uri},
                        {"code_verifier", login.verifier}};
  ProviderCall call{
      .method = "POST",
      .url = metadata.token_endpoint,
      .fields = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}}};
  std::optional<std::string> assertion;
  const std::string_view secret = provider.client_secret.reveal_text();
  if (provider.method == ClientMethod::client_secret_basic) {
    call.fields.emplace_back("Authorization", encode_basic_authorization(provider.client_id, secret));
  } else {
    parameters.emplace_back("client_id", provider.client_id);
  }
  if (provider.method == ClientMethod::client_secret_post) parameters.emplace_back("client_secret", secret);
  if (provider.method == ClientMethod::private_key_jwt) {
    assertion = make_client_assertion(visit, provider);
    if (!assertion) return std::nullopt;
    parameters.emplace_back("client_assertion_type",
                            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    parameters.emplace_back("client_assertion", *assertion);
  }
  call.body = format_parameters(parameters);
  call.login = std::move(login);
  return call;
}

std::optional<json> read_object(const Visit& visit, std::string_view text) {
  const jose::Limits& limits = visit.settings.limits.jose;
  auto document = jose::parse_json(text, {.bytes_max = limits.key_set_bytes_max,
                                          .depth_max = limits.json_depth_max,
                                          .values_max = limits.json_values_max});
  return document && document->is_object() ? std::move(document) : std::nullopt;
}

// OpenID Connect Core sections 2 and 3.1.3.7: for us alone, as who else may show it could act for the user.
bool is_for_client(const json& claims, const std::string& client) {
  const auto audience = claims.find("aud");
  if (audience == claims.end()) return false;
  const bool is_ours =
      audience->is_array() ? audience->size() == 1 && audience->front() == client : *audience == client;
  const auto authorized = claims.find("azp");
  return is_ours && (authorized == claims.end() || *authorized == client);
}

std::optional<WallTime> read_seconds(const json& claims, std::string_view name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!(seconds >= 0 && seconds < 9e9)) return std::nullopt;
  return from_unix_seconds(static_cast<std::uint64_t>(seconds));
}

std::string_view explain(NotAdmitted reason) {
  switch (reason) {
    case NotAdmitted::taken:
      return "Your account there stands for somebody who has another login here. Ask the operator of this "
             "service.";
    case NotAdmitted::full:
      return "There is no room for more users here. Ask the operator of this service.";
    case NotAdmitted::disabled:
      return "You may not log in here. Ask the operator of this service.";
    case NotAdmitted::no_rule:
    case NotAdmitted::no_subject:
    case NotAdmitted::changed:  // never of a login
      break;
  }
  return "Your account there may not use this service. Ask its operator, or log in with another account.";
}

Reply end_login(Visit& visit, const Provider& provider, const ProviderLogin& login, const json& claims) {
  const std::string key = "federation " + to_base64url(digest_of(login.state));
  if (!visit.ledger.use_once(key, login.began_at + visit.settings.lifetimes.form, visit.now))
    return refuse_answer(visit, provider, login.query, "this login has been used before");
  const auto user = admit_federated_user(visit, provider, claims, Occasion::login);
  if (!user)
    return make_error_page(
        visit.settings, "You are logged in at " + provider.title + ". " + std::string{explain(user.error())},
        403, other_user_uri(visit, login.query));
  visit.audit("federated_login", "", user->id, provider.name);
  return begin_session(visit, user->id, login.query);
}

Reply take_tokens(Visit& visit, const Provider& provider, const ProviderCall& call,
                  const ProviderAnswer& answer) {
  const ProviderLogin& login = call.login;
  const auto tokens = read_object(visit, answer.body);
  if (answer.status != 200 || !tokens)
    return refuse_answer(visit, provider, login.query,
                         fmt::format("the token endpoint answered {}", answer.status));
  const std::string* id_token = jose::find_text(*tokens, "id_token");
  if (id_token == nullptr) return refuse_answer(visit, provider, login.query, "there is no ID token");
  auto claims = read_id_token(visit, provider, login, *id_token);
  // A key may have been replaced under the same name, or without one.
  const bool may_be_newer =
      !claims && (claims.error() == jose::Refusal::unknown_key || claims.error() == jose::Refusal::signature);
  if (may_be_newer && visit.may_fetch) return FetchNeeded{.issuer = provider.issuer, .keys = true};
  if (!claims)
    return refuse_answer(visit, provider, login.query,
                         "the ID token is refused: " + std::string{jose::to_string(claims.error())});
  if (!provider.asks_userinfo) return end_login(visit, provider, login, *claims);
  const ProviderMetadata* metadata = find_metadata(visit, provider);
  const std::string* access_token = jose::find_text(*tokens, "access_token");
  if (metadata == nullptr || metadata->userinfo_endpoint.empty() || access_token == nullptr)
    return refuse_answer(visit, provider, login.query, "there is no userinfo endpoint, or no token for it");
  ProviderCall next{.method = "GET",
                    .url = metadata->userinfo_endpoint,
                    .fields = {{"Authorization", "Bearer " + *access_token}, {"Accept", "application/json"}},
                    .login = login};
  next.login.claims = std::move(*claims);
  return next;
}

// OpenID Connect Core section 5.3.2: of the same user, or it is not used. What the ID token says is signed.
Reply take_userinfo(Visit& visit, const Provider& provider, const ProviderLogin& login,
                    const ProviderAnswer& answer) {
  const auto told = read_object(visit, answer.body);
  if (answer.status != 200 || !told)
    return refuse_answer(visit, provider, login.query,
                         fmt::format("the userinfo endpoint answered {}", answer.status));
  const std::string* subject = jose::find_text(*told, "sub");
  const std::string* known = jose::find_text(login.claims, "sub");
  if (subject == nullptr || known == nullptr || *subject != *known)
    return refuse_answer(visit, provider, login.query, "the userinfo are of another user");
  json claims = *told;
  claims.update(login.claims);
  return end_login(visit, provider, login, claims);
}

}  // namespace

Reply ask_provider(Visit& visit, const Provider& provider, const AuthorizationRequest& request,
                   std::string_view query) {
  if (query.size() > visit.settings.limits.provider_query_bytes_max)
    return redirect_with_error(
        visit, request,
        {Error::invalid_request, "the request is too long to be carried through another login"});
  const ProviderMetadata* metadata = find_metadata(visit, provider);
  if (metadata == nullptr && visit.may_fetch) return FetchNeeded{.issuer = provider.issuer};
  if (metadata == nullptr) return refuse_unreachable(visit, provider, query);
  Fields cookies;
  const std::string browser = ensure_browser(visit, cookies);
  const ProviderLogin login = begin_provider_login(visit, provider.name, browser, query);
  const std::string redirect_uri = redirect_uri_of(visit.settings, provider);
  const std::string challenge = to_base64url(digest_of(login.verifier));
  const Parameters parameters{{"response_type", "code"},
                              {"client_id", provider.client_id},
                              {"redirect_uri", redirect_uri},
                              {"scope", provider.scope},
                              {"state", login.state},
                              {"nonce", login.nonce},
                              {"code_challenge", challenge},
                              {"code_challenge_method", "S256"},
                              {"prompt", request.prompt == "login" ? "login" : ""},
                              {"login_hint", request.login_hint}};
  Response response = redirect_to(add_parameters(metadata->authorization_endpoint, parameters));
  std::ranges::move(cookies, std::back_inserter(response.fields));
  return response;
}

Reply answer_provider_callback(Visit& visit) {
  const std::string_view path = visit.request.path;
  const Provider* provider = find_provider(visit.settings, path.substr(path.rfind('/') + 1));
  if (provider == nullptr) return answer_plain(404, "There is nothing here.");
  const auto form = Form::parse(visit.request.query, visit.settings.limits.form);
  const auto browser = find_browser(visit);
  auto login = form && browser ? find_provider_login(visit, provider->name, *browser, form->find("state"))
                               : std::nullopt;
  if (!login)
    return make_error_page(visit.settings, "This login was begun in another browser, or too long ago.", 403);
  const ProviderMetadata* metadata = find_metadata(visit, *provider);
  if (metadata == nullptr && visit.may_fetch) return FetchNeeded{.issuer = provider->issuer};
  if (metadata == nullptr) return refuse_unreachable(visit, *provider, login->query);
  if (!is_of_issuer(*form, *provider, *metadata))
    return refuse_answer(visit, *provider, login->query, "the answer is of another issuer");
  const auto request = read_authorization_request(visit, login->query);
  if (!request) return request.error();
  if (form->has("error")) {
    // What it says is a stranger's text: nobody is shown it.
    if (form->find("error") == "access_denied")
      return refuse_cancelled(visit, *request, login->query, provider->title);
    return refuse_answer(visit, *provider, login->query, "it answered with an error");
  }
  if (!form->has("code")) return refuse_answer(visit, *provider, login->query, "there is no code");
  const std::string query = login->query;
  auto call = redeem(visit, *provider, *metadata, std::move(*login), form->find("code"));
  if (!call) return refuse_unreachable(visit, *provider, query);  // no key of ours signs
  return std::move(*call);
}

Reply answer_provider_call(Visit& visit, const ProviderCall& call, const ProviderAnswer& answer) {
  const Provider* provider = find_provider(visit.settings, call.login.provider);
  if (provider == nullptr) return make_error_page(visit.settings, "This login is no longer offered.", 403);
  if (answer.status == 0) return refuse_unreachable(visit, *provider, call.login.query);
  if (call.login.claims.is_null()) return take_tokens(visit, *provider, call, answer);
  return take_userinfo(visit, *provider, call.login, answer);
}

std::expected<json, jose::Refusal> read_id_token(const Visit& visit, const Provider& provider,
                                                 const ProviderLogin& login, std::string_view text) {
  auto read = jose::read_token(text, visit.settings.limits.jose);
  if (!read) return std::unexpected(read.error());
  const auto state = visit.issuers.find(provider.issuer);
  if (state == visit.issuers.end() || !state->second.keys) return std::unexpected(jose::Refusal::unknown_key);
  auto token = jose::verify(std::move(*read), *state->second.keys, provider.algorithms);
  if (!token) return std::unexpected(token.error());
  // No other token of the provider passes for one: an access token says its type (RFC 9068).
  if (token->type != "jwt") return std::unexpected(jose::Refusal::type);
  const json& claims = token->payload;
  const std::string* issuer = jose::find_text(claims, "iss");
  if (issuer == nullptr || *issuer != provider.issuer) return std::unexpected(jose::Refusal::issuer);
  if (!is_for_client(claims, provider.client_id)) return std::unexpected(jose::Refusal::audience);
  const auto validity = jose::read_validity(claims, provider.clock_skew, visit.now);
  if (!validity) return std::unexpected(validity.error());
  // Made for this login, and not before it began.
  const auto issued_at = read_seconds(claims, "iat");
  const std::string* nonce = jose::find_text(claims, "nonce");
  if (!issued_at || nonce == nullptr) return std::unexpected(jose::Refusal::missing_claim);
  if (*issued_at + provider.clock_skew < login.began_at) return std::unexpected(jose::Refusal::expired);
  if (!crypto::equal_in_constant_time(as_bytes(*nonce), as_bytes(login.nonce)))
    return std::unexpected(jose::Refusal::nonce);
  return std::move(token->payload);
}

}  // namespace turnpike::waf
