#include "client/oauth.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/crypto.hpp"
#include "base/http_url.hpp"
#include "base/percent.hpp"
#include "credentials/token.hpp"
#include "provisioning/credential_life.hpp"

namespace turnpike::client {
namespace {

using Json = nlohmann::json;
using std::chrono::seconds;

constexpr std::int64_t life_max = 366LL * 24 * 3600;
constexpr std::string_view well_known = "/.well-known/oauth-authorization-server";

Json parse_object(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json::object();
}

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<seconds> seconds_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  const auto value = found->get<std::int64_t>();
  return value > 0 && value <= life_max ? std::optional{seconds{value}} : std::nullopt;
}

// What strangers wrote, for a terminal and of a size that it bears.
std::string to_words(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text.substr(0, 300);
}

bool is_endpoint(const std::string& text) {
  const auto url = HttpUrl::parse(text);
  return url && (url->is_secure || url->is_loopback());
}

std::optional<std::string> find_parameter(std::string_view url, std::string_view name) {
  const auto question = url.find('?');
  if (question == std::string_view::npos) return std::nullopt;
  std::string_view rest = url.substr(question + 1);
  rest = rest.substr(0, rest.find('#'));
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name)
      return decode_percent(pair.substr(std::min(equals + 1, pair.size())), true);
  }
  return std::nullopt;
}

// RFC 7635 appendix B, with the URIs of the servers beside it.
std::expected<provisioning::Entry, std::string> read_turn(const Json& json, WallTime now) {
  provisioning::Entry entry{.form = provisioning::Form::oauth,
                            .realm = text_of(json, "realm"),
                            .username = text_of(json, "kid"),
                            .password = Secret::from_text(text_of(json, "key")),
                            .algorithm = text_of(json, "alg"),
                            .server_name = text_of(json, "server_name")};
  const auto life = seconds_of(json, "expires_in");
  auto token = from_base64(text_of(json, "access_token"));
  const auto key = from_base64(entry.password.reveal_text());
  if (entry.username.empty() || !token || token->empty() || !key || key->empty() || !life)
    return std::unexpected("the TURN token lacks its kid, key, access_token or expires_in");
  if (token->size() > credentials::token_bytes_max)
    return std::unexpected(
        fmt::format("the TURN token has {} bytes, allowed: {}", token->size(), credentials::token_bytes_max));
  entry.access_token = std::move(*token);
  entry.ttl = *life;
  entry.expires_at = std::chrono::floor<seconds>(now + *life);
  const auto servers = json.find("iceServers");
  if (servers != json.end() && servers->is_array())
    for (const Json& server : *servers)
      if (server.is_object() && server.contains("urls") && server["urls"].is_array())
        for (const Json& url : server["urls"])
          if (url.is_string()) entry.uris.push_back(url.get<std::string>());
  return entry;
}

OAuthRefusal read_refusal(unsigned status, const Json& json) {
  OAuthRefusal refusal{.error = to_words(text_of(json, "error")),
                       .description = to_words(text_of(json, "error_description"))};
  if (refusal.error.empty()) {
    refusal.error = fmt::format("status {}", status);
    refusal.description = "without an OAuth error";
  }
  return refusal;
}

}  // namespace

std::string OAuthRefusal::to_string() const {
  return description.empty() ? error : fmt::format("{}: {}", error, description);
}

// --- metadata ---------------------------------------------------------------------------------------------

std::string make_metadata_url(std::string_view issuer) {
  const auto host = issuer.find("://");
  const auto path =
      host == std::string_view::npos ? issuer.size() : std::min(issuer.find('/', host + 3), issuer.size());
  return fmt::format("{}{}{}", issuer.substr(0, path), well_known, issuer.substr(path));
}

std::expected<OAuthServer, std::string> parse_metadata(std::string_view text, std::string_view issuer) {
  const Json json = parse_object(text);
  OAuthServer server{.issuer = text_of(json, "issuer"),
                     .authorization_endpoint = text_of(json, "authorization_endpoint"),
                     .token_endpoint = text_of(json, "token_endpoint"),
                     .revocation_endpoint = text_of(json, "revocation_endpoint")};
  // RFC 8414 section 3.3: else another server speaks for this one.
  if (server.issuer != issuer)
    return std::unexpected(server.issuer.empty()
                               ? std::string{"what it answers is no authorization server's metadata"}
                               : fmt::format("it calls itself {}", to_words(server.issuer)));
  for (const auto& [name, endpoint] : {std::pair{"authorization_endpoint", &server.authorization_endpoint},
                                       std::pair{"token_endpoint", &server.token_endpoint}})
    if (!is_endpoint(*endpoint)) return std::unexpected(fmt::format("its metadata names no {}", name));
  if (!is_endpoint(server.revocation_endpoint)) server.revocation_endpoint.clear();
  // RFC 9700 section 2.1.1: without PKCE a code that leaks is good for whoever has it.
  const auto methods = json.find("code_challenge_methods_supported");
  if (methods == json.end() || !methods->is_array() ||
      std::ranges::find(*methods, Json("S256")) == methods->end())
    return std::unexpected("its metadata says nothing of PKCE with S256");
  return server;
}

// --- codes ------------------------------------------------------------------------------------------------

AuthorizationRequest make_authorization_request(const OAuthServer& server, std::string_view client_id,
                                                std::string_view redirect_uri, std::string_view scope,
                                                Random& random) {
  AuthorizationRequest request{.redirect_uri = std::string{redirect_uri},
                               .state = to_base64url(random.draw<16>()),
                               .verifier = Secret::from_text(to_base64url(random.draw<32>()))};
  const std::string challenge = to_base64url(crypto::sha256(request.verifier.reveal()));
  request.url = server.authorization_endpoint;
  request.url += request.url.find('?') == std::string::npos ? '?' : '&';
  FormFields fields{{"response_type", "code"},
                    {"client_id", std::string{client_id}},
                    {"redirect_uri", request.redirect_uri},
                    {"state", request.state},
                    {"code_challenge", challenge},
                    {"code_challenge_method", "S256"}};
  if (!scope.empty()) fields.emplace_back("scope", scope);
  request.url += encode_form(fields);
  return request;
}

bool is_redirect(std::string_view url, const AuthorizationRequest& request) {
  const std::string_view expected = request.redirect_uri;
  if (!url.starts_with(expected)) return false;
  const std::string_view rest = url.substr(expected.size());
  const char separator = expected.find('?') == std::string_view::npos ? '?' : '&';
  return rest.starts_with(separator) && find_parameter(url, "state") == request.state;
}

std::expected<Secret, OAuthRefusal> read_redirect(std::string_view url, const AuthorizationRequest& request,
                                                  const OAuthServer& server) {
  if (!is_redirect(url, request))
    return std::unexpected(OAuthRefusal{"state", "the redirect is not of this login"});
  const auto issuer = find_parameter(url, "iss");
  if (issuer && *issuer != server.issuer)
    return std::unexpected(OAuthRefusal{"iss", fmt::format("{} has answered instead", to_words(*issuer))});
  if (auto error = find_parameter(url, "error"))
    return std::unexpected(
        OAuthRefusal{to_words(*error), to_words(find_parameter(url, "error_description").value_or(""))});
  auto code = find_parameter(url, "code");
  if (!code || code->empty()) return std::unexpected(OAuthRefusal{"code", "the redirect brings none"});
  return Secret::from_text(*code);
}

std::string encode_form(const FormFields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    if (!text.empty()) text += '&';
    text.append(encode_percent(name)).append(1, '=').append(encode_percent(value));
  }
  return text;
}

// --- tokens -----------------------------------------------------------------------------------------------

std::expected<OAuthTokens, OAuthRefusal> parse_token_answer(unsigned status, std::string_view body,
                                                            WallTime now) {
  const Json json = parse_object(body);
  if (status != 200) return std::unexpected(read_refusal(status, json));
  OAuthTokens tokens{.refresh_token = Secret::from_text(text_of(json, "refresh_token"))};
  const bool is_turn_alone = text_of(json, "token_type") == "pop";
  const auto beside = json.find("turn");
  const Json* turn = is_turn_alone ? &json : nullptr;
  if (!is_turn_alone && beside != json.end() && beside->is_object()) turn = &*beside;
  if (!is_turn_alone) {
    tokens.registration = Secret::from_text(text_of(json, "access_token"));
    const auto life = seconds_of(json, "expires_in");
    if (tokens.registration.empty() || !life)
      return std::unexpected(OAuthRefusal{"malformed", "the answer lacks access_token or expires_in"});
    if (text_of(json, "token_type") == "DPoP")
      return std::unexpected(OAuthRefusal{"DPoP", "the token is bound to a key that this client has not"});
    tokens.registration_life = *life;
    tokens.refresh_after = provisioning::find_refresh(*life);
  }
  if (turn == nullptr) return tokens;
  auto entry = read_turn(*turn, now);
  if (!entry) return std::unexpected(OAuthRefusal{"malformed", entry.error()});
  const seconds own = seconds_of(*turn, "refresh_after").value_or(provisioning::find_refresh(entry->ttl));
  tokens.refresh_after = is_turn_alone ? own : std::min(tokens.refresh_after, own);
  tokens.turn = std::move(*entry);
  return tokens;
}

std::optional<TokenHolder> find_token_holder(const Secret& token) {
  const std::string_view text = token.reveal_text();
  const auto first = text.find('.');
  const auto second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto payload = from_base64url(text.substr(first + 1, second - first - 1));
  if (!payload) return std::nullopt;
  const Json claims = Json::parse(as_text(*payload), nullptr, false);
  if (!claims.is_object()) return std::nullopt;
  TokenHolder holder;
  if (const auto pool = claims.find("pool"); pool != claims.end() && pool->is_boolean())
    holder.is_pool_identity = pool->get<bool>();
  const auto found = claims.find("impus");
  if (found == claims.end()) return holder;
  const Json& impus = found->is_array() && !found->empty() ? found->front() : *found;
  if (impus.is_string()) holder.identity = impus.get<std::string>();
  return holder;
}

}  // namespace turnpike::client
