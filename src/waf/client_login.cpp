#include "waf/client_login.hpp"

#include <algorithm>
#include <optional>

#include "base/percent.hpp"
#include "jose/json.hpp"
#include "waf/assertion.hpp"

namespace turnpike::waf {
namespace {

constexpr std::string_view jwt_bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

// What the request shows of its sender.
struct Shown {
  ClientMethod method = ClientMethod::none;
  std::string id{};
  Secret secret{};
};

Refusal refuse_client(std::string description) { return {Error::invalid_client, std::move(description)}; }

// RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
std::optional<Shown> read_basic(std::string_view authorization) {
  constexpr std::string_view scheme = "basic ";
  if (authorization.size() < scheme.size() ||
      !equal_ignoring_case(authorization.substr(0, scheme.size()), scheme))
    return std::nullopt;
  authorization.remove_prefix(scheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  const auto joined = from_base64(authorization);
  if (!joined) return std::nullopt;
  const std::string_view text = as_text(*joined);
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto id = decode_percent(text.substr(0, colon), true);
  const auto secret = decode_percent(text.substr(colon + 1), true);
  if (!id || id->empty() || !secret) return std::nullopt;
  return Shown{.method = ClientMethod::client_secret_basic,
               .id = std::move(*id),
               .secret = Secret::from_text(*secret)};
}

std::expected<Shown, Refusal> read_shown(const Visit& visit, const Form& form) {
  const auto authorization = visit.request.find("authorization");
  const int ways = (authorization ? 1 : 0) + (form.has("client_secret") ? 1 : 0) +
                   (form.has("client_assertion") || form.has("client_assertion_type") ? 1 : 0);
  if (ways > 1)
    return std::unexpected(
        Refusal{Error::invalid_request, "more than one way of client authentication is used"});
  Shown shown{.id = std::string{form.find("client_id")}};
  if (authorization) {
    auto basic = read_basic(*authorization);
    if (!basic) return std::unexpected(refuse_client("the Authorization field is no Basic one"));
    if (!shown.id.empty() && shown.id != basic->id)
      return std::unexpected(
          Refusal{Error::invalid_request, "client_id is not the one of the Authorization field"});
    return std::move(*basic);
  }
  if (form.has("client_secret")) {
    shown.method = ClientMethod::client_secret_post;
    shown.secret = Secret::from_text(form.find("client_secret"));
  } else if (ways == 1) {
    if (form.find("client_assertion_type") != jwt_bearer)
      return std::unexpected(refuse_client("client_assertion_type is not " + std::string{jwt_bearer}));
    shown.method = ClientMethod::private_key_jwt;
  }
  return shown;
}

bool has_secret(const Client& client, const Secret& secret, WallTime now) {
  const Digest digest = crypto::sha256(secret.reveal());
  bool is_known = false;
  for (const ClientSecret& candidate : client.secrets)
    is_known |= crypto::equal_in_constant_time(candidate.digest, digest) && now < candidate.ends_at;
  return is_known;
}

// RFC 7523 section 3: issuer and subject are the client.
std::expected<ClientPtr, Refusal> authenticate_by_key(Visit& visit, const Form& form, const Shown& shown,
                                                      std::string_view path) {
  auto token = jose::read_token(form.find("client_assertion"), visit.settings.limits.jose);
  if (!token) return std::unexpected(refuse_client("client_assertion is no signed token that is taken here"));
  const std::string id{token->claimed_issuer()};
  if (!shown.id.empty() && shown.id != id)
    return std::unexpected(refuse_client("client_id is not the iss of the assertion"));
  auto client = visit.ledger.find_client(id);
  if (!client || !client->is_enabled || client->method != ClientMethod::private_key_jwt)
    return std::unexpected(refuse_client("the client is not known, or not with this method"));
  const auto keys = jose::KeySet::parse(client->jwks, visit.settings.limits.jose);
  if (!keys) return std::unexpected(refuse_client("the client has no key that can be used"));
  const auto payload =
      accept_assertion(visit, std::move(*token), {.issuer = id, .keys = *keys, .path = path});
  if (!payload) return std::unexpected(refuse_client(payload.error()));
  const std::string* subject = jose::find_text(*payload, "sub");
  if (subject == nullptr || *subject != id)
    return std::unexpected(refuse_client("the sub of the assertion is not its iss"));
  return client;
}

std::expected<ClientPtr, Refusal> authenticate_by_secret(Visit& visit, const Shown& shown) {
  if (shown.id.empty()) return std::unexpected(refuse_client("there is no client_id"));
  auto client = visit.ledger.find_client(shown.id);
  // One answer for all, so that nobody learns how a client authenticates and what was wrong.
  const bool is_good = client && client->is_enabled && client->method == shown.method &&
                       (shown.method == ClientMethod::none || has_secret(*client, shown.secret, visit.now));
  if (is_good) return client;
  return std::unexpected(refuse_client("the client is not known, or not with this method and secret"));
}

}  // namespace

std::expected<ClientPtr, Refusal> authenticate_client(Visit& visit, const Form& form, std::string_view path) {
  const auto shown = read_shown(visit, form);
  if (!shown) return std::unexpected(shown.error());
  auto client = shown->method == ClientMethod::private_key_jwt
                    ? authenticate_by_key(visit, form, *shown, path)
                    : authenticate_by_secret(visit, *shown);
  // What strangers invent is not written down: it would drive out what they try with clients that there are.
  // So these take longer to refuse. That tells nothing new, as ids of clients are public: the authorization
  // endpoint says which are known, too.
  if (!client && visit.ledger.find_client(shown->id))
    visit.audit_refusal("client_refused", shown->id, "", client.error().description);
  return client;
}

}  // namespace turnpike::waf
