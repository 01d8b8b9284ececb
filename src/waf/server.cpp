#include "waf/server.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "waf/endpoints.hpp"
#include "waf/metadata.hpp"
#include "waf/pages.hpp"
#include "waf/provider_login.hpp"
#include "waf/refusal.hpp"
#include "waf/token_endpoint.hpp"
#include "waf/token_status.hpp"

namespace turnpike::waf {
namespace {

enum class Access : std::uint8_t {
  own_origin,  // people, and servers: no script of another page reads it
  configured,  // scripts of the configured origins
  everybody,   // scripts of any page, as there is nothing secret
};

Response answer_public(const Settings& settings, std::string body) {
  return {
      .status = 200,
      .fields = {{"Content-Type", "application/json"},
                 {"Cache-Control", "public, max-age=" + std::to_string(settings.lifetimes.metadata.count())},
                 {"X-Content-Type-Options", "nosniff"}},
      .body = std::move(body)};
}

}  // namespace

struct Server::Route {
  std::string_view path;
  std::string_view method;
  Access access;
  Audience audience;
  Reply (*answer)(Visit& visit, const Server& server);
};

Server::Server(Settings settings, Ledger& ledger, const KeyRing& keys, const IssuerStates& issuers)
    : settings_(std::move(settings)),
      ledger_(ledger),
      keys_(keys),
      issuers_(issuers),
      metadata_(format_metadata(settings_)) {
  check(settings_.key.size() >= 32, "the WAF's key has at least 32 bytes");
}

const Server::Route* Server::find_route(std::string_view path) const {
  static constexpr auto metadata = [](Visit& visit, const Server& server) -> Reply {
    return answer_public(visit.settings, server.metadata_);
  };
  static const std::array routes{
      Route{endpoint::authorization, "GET", Access::own_origin, Audience::people,
            [](Visit& visit, const Server&) -> Reply { return answer_authorization(visit); }},
      Route{endpoint::login, "POST", Access::own_origin, Audience::people,
            [](Visit& visit, const Server&) -> Reply { return answer_login(visit); }},
      Route{endpoint::consent, "POST", Access::own_origin, Audience::people,
            [](Visit& visit, const Server&) -> Reply { return answer_consent(visit); }},
      Route{endpoint::federation, "GET", Access::own_origin, Audience::people,
            [](Visit& visit, const Server&) -> Reply { return answer_provider_callback(visit); }},
      Route{endpoint::token, "POST", Access::configured, Audience::programs,
            [](Visit& visit, const Server&) -> Reply { return answer_token_request(visit); }},
      Route{endpoint::revocation, "POST", Access::configured, Audience::programs,
            [](Visit& visit, const Server&) -> Reply { return answer_revocation(visit); }},
      Route{endpoint::introspection, "POST", Access::own_origin, Audience::programs,
            [](Visit& visit, const Server&) -> Reply { return answer_introspection(visit); }},
      Route{endpoint::jwks, "GET", Access::everybody, Audience::programs,
            [](Visit& visit, const Server&) -> Reply {
              return answer_public(visit.settings, visit.keys.format_jwks(visit.now));
            }},
      Route{endpoint::oauth_metadata, "GET", Access::everybody, Audience::programs, metadata},
      Route{endpoint::openid_metadata, "GET", Access::everybody, Audience::programs, metadata}};
  // RFC 8414 section 3.1: its path stands before that of the issuer; all others, that of OpenID included,
  // behind.
  const std::string_view base = endpoint::path_of(settings_.issuer);
  const auto is_at = [&](const Route& route) {
    if (route.path == endpoint::federation)
      return path.starts_with(base) && path.substr(base.size()).starts_with(route.path) &&
             !path.substr(base.size() + route.path.size()).contains('/');
    const bool is_before = route.path == endpoint::oauth_metadata;
    const std::string_view first = is_before ? route.path : base, second = is_before ? base : route.path;
    return path.size() == first.size() + second.size() && path.starts_with(first) && path.ends_with(second);
  };
  const auto found = std::ranges::find_if(routes, is_at);
  return found == routes.end() ? nullptr : &*found;
}

Outcome Server::on_request(const Request& request, WallTime now, Random& random) const {
  return decide(request, true, now, random);
}

Outcome Server::on_fetched(const Request& request, WallTime now, Random& random) const {
  return decide(request, false, now, random);
}

Outcome Server::decide(const Request& request, bool may_fetch, WallTime now, Random& random) const {
  const Route* route = find_route(request.path);
  if (route == nullptr) return {.reply = answer_plain(404, "There is nothing here.")};
  if (request.method == "OPTIONS" && route->access != Access::own_origin)
    return {.reply = answer_preflight(request, *route)};
  if (request.method != route->method)
    return {.reply = answer_plain(405, "This takes " + std::string{route->method} + " alone.",
                                  {{"Allow", std::string{route->method}}})};
  Outcome outcome = answer(request, route->audience, may_fetch, now, random,
                           [&](Visit& visit) { return route->answer(visit, *this); });
  if (auto* response = std::get_if<Response>(&outcome.reply)) add_cors(request, *route, *response);
  return outcome;
}

Response Server::refuse(const Request& request, unsigned status, const Refusal& refusal) const {
  const Route* route = find_route(request.path);
  if (route == nullptr) return answer_plain(status, refusal.description);
  if (route->audience == Audience::people)
    return make_error_page(settings_, "It was refused: " + refusal.description + '.', status);
  Response response = waf::answer(refusal);
  response.status = status;
  add_cors(request, *route, response);
  return response;
}

Outcome Server::on_password(const Request& request, const PasswordCheck& check, bool is_right, WallTime now,
                            Random& random) const {
  return answer(request, Audience::people, false, now, random,
                [&](Visit& visit) -> Reply { return answer_password(visit, check, is_right); });
}

Outcome Server::on_provider_answer(const Request& request, const ProviderCall& call,
                                   const ProviderAnswer& told, bool may_fetch, WallTime now,
                                   Random& random) const {
  return answer(request, Audience::people, may_fetch, now, random,
                [&](Visit& visit) -> Reply { return answer_provider_call(visit, call, told); });
}

// What a request changes is kept as a whole, with what the audit trail has of it, or not at all: then nothing
// was decided, and nothing that was made of it leaves.
Outcome Server::answer(const Request& request, Audience audience, bool may_fetch, WallTime now,
                       Random& random, FunctionRef<Reply(Visit&)> decide) const {
  Visit visit = make_visit(request, may_fetch, now, random);
  ledger_.begin();
  Outcome outcome{.reply = decide(visit)};
  if (!visit.audited.empty()) ledger_.append_audit(visit.audited);
  ledger_.commit();
  outcome.failure = ledger_.take_failure();
  if (!outcome.failure) {
    outcome.has_revoked = visit.has_revoked;
    return outcome;
  }
  Response response =
      audience == Audience::people
          ? make_error_page(settings_, "Nothing can be stored at the moment.", 503)
          : waf::answer({Error::temporarily_unavailable, "nothing can be stored at the moment"});
  response.fields.emplace_back("Retry-After", "5");
  outcome.reply = std::move(response);
  return outcome;
}

Visit Server::make_visit(const Request& request, bool may_fetch, WallTime now, Random& random) const {
  return {.settings = settings_,
          .ledger = ledger_,
          .keys = keys_,
          .issuers = issuers_,
          .request = request,
          .now = now,
          .random = random,
          .may_fetch = may_fetch};
}

bool Server::is_allowed_origin(std::string_view origin) const {
  return std::ranges::find(settings_.cors_origins, origin) != settings_.cors_origins.end();
}

void Server::add_cors(const Request& request, const Route& route, Response& response) const {
  if (route.access == Access::everybody) {
    response.fields.emplace_back("Access-Control-Allow-Origin", "*");
    return;
  }
  if (route.access == Access::own_origin) return;
  response.fields.emplace_back("Vary", "Origin");
  const auto origin = request.find("origin");
  if (!origin || !is_allowed_origin(*origin)) return;
  response.fields.emplace_back("Access-Control-Allow-Origin", std::string{*origin});
  response.fields.emplace_back("Access-Control-Expose-Headers", "DPoP-Nonce, WWW-Authenticate, Retry-After");
}

Response Server::answer_preflight(const Request& request, const Route& route) const {
  Response response{.status = 204};
  add_cors(request, route, response);
  if (!response.find("access-control-allow-origin")) return response;
  response.fields.emplace_back("Access-Control-Allow-Methods", std::string{route.method});
  response.fields.emplace_back("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP");
  response.fields.emplace_back("Access-Control-Max-Age", "600");
  return response;
}

}  // namespace turnpike::waf
