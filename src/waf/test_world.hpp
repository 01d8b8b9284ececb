#pragma once
// For tests: a WAF with clients and users, a browser in front of it, and what a client makes itself.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/password.hpp"
#include "base/percent.hpp"
#include "jose/signing_key.hpp"
#include "jose/test_tokens.hpp"
#include "waf/memory_ledger.hpp"
#include "waf/server.hpp"

namespace turnpike::waf {

using nlohmann::json;
using Parameters = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::string_view issuer = "https://waf.ims.example";
inline constexpr std::string_view epcscf = "epcscf.ims.example";
inline constexpr std::string_view turn_name = "turn.ims.example";
inline const std::string verifier(43, 'v');

inline std::string format_form(const Parameters& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters)
    text += (text.empty() ? "" : "&") + encode_percent(name) + '=' + encode_percent(value);
  return text;
}
// Replaces a parameter, or adds it; an empty value drops it.
inline Parameters with(Parameters parameters, std::string_view name, std::string_view value) {
  std::erase_if(parameters, [&](const auto& it) { return it.first == name; });
  if (!value.empty()) parameters.emplace_back(name, value);
  return parameters;
}
inline std::string find_parameter(std::string_view uri, std::string_view name) {
  const auto form = Form::parse(uri.substr(std::min(uri.size(), uri.find('?') + 1)), FormLimits{});
  return form ? std::string{form->find(name)} : std::string{};
}

inline Settings make_settings() {
  Settings settings{.issuer = std::string{issuer}};
  settings.registration = {.audience = std::string{epcscf}, .resources = {"https://epcscf.ims.example/"}};
  ByteVector key(32);
  SeededRandom{5}.fill(key);
  TurnTarget turn{.realm = "ims.example", .uris = {"turn:turn.ims.example:3478?transport=udp"}};
  turn.token = {.server_name = std::string{turn_name}, .keys = {{.kid = "k1", .key = Secret{key}}}};
  settings.turn = {turn};
  turn.token.server_name = "turn2.ims.example";
  settings.turn.push_back(turn);
  settings.cors_origins = {"https://wic.example"};
  settings.key = Secret{key};
  settings.password_cost = {.log2_n = 4, .r = 1, .p = 1};
  return settings;
}

inline const std::string web_secret = "a secret of the web client, long enough";

inline void add_accounts(Ledger& ledger, const Settings& settings, Random& random) {
  const GrantTypes of_users{GrantType::authorization_code, GrantType::refresh_token,
                            GrantType::token_exchange};
  const Client wic{.id = "wic",
                   .name = "Web <phone>",
                   .redirect_uris = {"https://wic.example/done", "http://127.0.0.1/done"},
                   .grants = of_users,
                   .scopes = {"ims", "turn"},
                   .wwsf = "shop",
                   .needs_consent = false};
  ledger.put_client(wic);
  Client other = wic;
  other.id = "other";
  other.redirect_uris = {"https://other.example/done?tenant=1"};
  other.needs_consent = true;
  ledger.put_client(other);
  ledger.put_client(
      {.id = "web",
       .method = ClientMethod::client_secret_basic,
       .secrets = {{.digest = digest_of(web_secret)}},
       .redirect_uris = {"https://web.example/done"},
       .grants = {GrantType::authorization_code, GrantType::refresh_token, GrantType::client_credentials,
                  GrantType::jwt_bearer, GrantType::token_exchange},
       .scopes = {"ims", "turn"},
       .needs_consent = false,
       .exchanges_for_others = true});
  ledger.put_client({.id = "epcscf",
                     .method = ClientMethod::client_secret_post,
                     .secrets = {{.digest = digest_of(web_secret)}},
                     .introspects = {std::string{epcscf}, std::string{turn_name}}});
  const std::string password = hash_password(Secret::from_text("wonderland"), settings.password_cost, random);
  ledger.put_user(
      {.id = "u-alice",
       .name = "alice",
       .password = password,
       .identity = {.impi = "alice@ims.example", .impus = {"sip:alice@ims.example", "tel:+15550100"}}});
  ledger.put_user(
      {.id = "u-bob", .name = "bob", .password = password, .identity = {.impi = "bob@ims.example"}});
  ledger.put_user({.id = "u-carol", .name = "carol", .password = password});
}

struct World {
  explicit World(const std::function<void(Settings&)>& change = {},
                 std::unique_ptr<MemoryLedger> with_ledger = std::make_unique<MemoryLedger>())
      : own_ledger(std::move(with_ledger)) {
    Settings settings = make_settings();
    if (change) change(settings);
    add_accounts(ledger, settings, random);
    ring.rotate(ledger, settings.keys, settings.lifetimes.access_token, now);
    server.emplace(std::move(settings), ledger, ring, issuers);
  }

  Response send(const Request& request) {
    Outcome outcome = server->on_request(request, now, random);
    if (const auto* check = std::get_if<PasswordCheck>(&outcome.reply)) {
      ++password_checks;
      outcome =
          server->on_password(request, *check, matches_password(check->password, check->stored), now, random);
    }
    if (const auto* needed = std::get_if<FetchNeeded>(&outcome.reply)) {
      if (on_fetch) on_fetch(*needed);
      outcome = server->on_fetched(request, now, random);
    }
    while (const auto* made = std::get_if<ProviderCall>(&outcome.reply)) {
      const ProviderCall call = *made;
      const ProviderAnswer answer = on_call ? on_call(call) : ProviderAnswer{};
      outcome = server->on_provider_answer(request, call, answer, true, now, random);
      if (const auto* needed = std::get_if<FetchNeeded>(&outcome.reply)) {
        if (on_fetch) on_fetch(*needed);
        outcome = server->on_provider_answer(request, call, answer, false, now, random);
      }
    }
    revocations.clear();
    const Revoked revoked = ledger.find_revoked(told, now);
    told = revoked.position;
    if (outcome.has_revoked)
      for (const RevokedBatch& batch : revoked.batches)
        add_revocations(server->settings(), batch.tokens, batch.was_single, revocations);
    return std::get<Response>(outcome.reply);
  }
  Response post(std::string_view path, const Parameters& parameters, Fields fields = {}) {
    fields.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    return send({.method = "POST",
                 .path = std::string{path},
                 .fields = std::move(fields),
                 .body = format_form(parameters),
                 .remote = remote});
  }
  json post_for_json(std::string_view path, const Parameters& parameters, Fields fields = {}) {
    last = post(path, parameters, std::move(fields));
    const json answer = json::parse(last.body, nullptr, false);
    return answer.is_object() ? answer : json::object();
  }
  json token(const Parameters& parameters, Fields fields = {}) {
    return post_for_json("/token", parameters, std::move(fields));
  }
  std::string error(const Parameters& parameters, Fields fields = {}) {
    const json answer = token(parameters, std::move(fields));
    return answer.contains("error") ? answer.at("error").get<std::string>() : "none";
  }

  // What the user of a client that is given a code has got.
  std::string make_code(std::string_view client = "wic", const Parameters& more = {});
  Parameters code_request(const std::string& code, std::string_view client = "wic") {
    return {{"grant_type", "authorization_code"},
            {"code", code},
            {"client_id", std::string{client}},
            {"code_verifier", verifier}};
  }
  json login(std::string_view client = "wic", const Parameters& more = {}) {
    return token(code_request(make_code(client, more), client));
  }
  Parameters refresh_request(const json& tokens) {
    return {
        {"grant_type", "refresh_token"}, {"refresh_token", tokens.at("refresh_token")}, {"client_id", "wic"}};
  }
  Parameters exchange_request(const json& tokens) {
    return {{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
            {"subject_token", tokens.at("access_token")},
            {"subject_token_type", "urn:ietf:params:oauth:token-type:access_token"},
            {"client_id", "wic"}};
  }
  json introspect(const std::string& text) {
    return post_for_json("/introspect",
                         {{"token", text}, {"client_id", "epcscf"}, {"client_secret", web_secret}});
  }
  bool is_active(const std::string& text) { return introspect(text).value("active", false); }
  std::vector<std::string> audited() {
    std::vector<std::string> events;
    for (const AuditEntry& entry : ledger.last_audit_entries(100)) events.push_back(entry.event);
    return events;
  }
  bool has_audited(std::string_view event) {
    const auto events = audited();
    return std::ranges::find(events, event) != events.end();
  }

  std::unique_ptr<MemoryLedger> own_ledger;
  MemoryLedger& ledger = *own_ledger;
  SeededRandom random{7};
  WallTime now{std::chrono::seconds{1'800'000'000}};
  KeyRing ring = *KeyRing::open(ledger);
  IssuerStates issuers{};
  std::function<void(const FetchNeeded&)> on_fetch{};            // changes `issuers`
  std::function<ProviderAnswer(const ProviderCall&)> on_call{};  // null: nobody answers
  std::optional<Server> server;
  IpAddress remote = IpAddress::v4({192, 0, 2, 1});
  Response last{};
  std::vector<credentials::Revocation> revocations{};  // of the last request, for the relays
  std::int64_t told = 0;
  int password_checks = 0;
};

inline Parameters authorization_parameters(std::string_view client = "wic") {
  const std::string redirect = client == "wic"     ? "https://wic.example/done"
                               : client == "other" ? "https://other.example/done?tenant=1"
                                                   : "https://web.example/done";
  return {{"response_type", "code"},
          {"client_id", std::string{client}},
          {"redirect_uri", redirect},
          {"state", "s&1"},
          {"code_challenge", to_base64url(digest_of(verifier))},
          {"code_challenge_method", "S256"}};
}

// Keeps cookies, reads forms, and follows redirects to the WAF itself.
struct Browser {
  World& world;
  std::map<std::string, std::string> cookies{};
  Response page{};

  [[nodiscard]] Fields fields() const {
    std::string text;
    for (const auto& [name, value] : cookies)
      text.append(text.empty() ? "" : "; ").append(name).append(1, '=').append(value);
    return text.empty() ? Fields{} : Fields{{"Cookie", text}};
  }
  const Response& take(Response response) {
    page = std::move(response);
    for (const auto& [name, value] : page.fields) {
      if (name != "Set-Cookie") continue;
      const auto equals = value.find('=');
      cookies[value.substr(0, equals)] = value.substr(equals + 1, value.find(';') - equals - 1);
    }
    const std::string location = this->location();
    if (location.starts_with(std::string{issuer} + "/authorize?"))
      return get(std::string_view{location}.substr(location.find('?') + 1));
    return page;
  }
  const Response& get(std::string_view query) {
    return take(world.send(
        {.path = "/authorize", .query = std::string{query}, .fields = fields(), .remote = world.remote}));
  }
  const Response& get(const Parameters& parameters) { return get(format_form(parameters)); }
  const Response& post(std::string_view path, const Parameters& parameters, const Fields& more = {}) {
    Fields all = fields();
    all.insert(all.end(), more.begin(), more.end());
    return take(world.post(path, parameters, std::move(all)));
  }
  // The value of a hidden field of the page, unescaped.
  [[nodiscard]] std::string hidden(const std::string& name) const {
    const std::string start = "name=\"" + name + "\" value=\"";
    const auto at = page.body.find(start);
    if (at == std::string::npos) return {};
    std::string value =
        page.body.substr(at + start.size(), page.body.find('"', at + start.size()) - at - start.size());
    for (std::size_t amp = 0; (amp = value.find("&amp;", amp)) != std::string::npos; ++amp)
      value.erase(amp + 1, 4);
    return value;
  }
  [[nodiscard]] Parameters form() const { return {{"request", hidden("request")}, {"mark", hidden("mark")}}; }
  const Response& log_in(std::string_view name, std::string_view password = "wonderland",
                         const Fields& more = {}) {
    Parameters filled = form();
    filled.emplace_back("name", name);
    filled.emplace_back("password", password);
    return post("/login", filled, more);
  }
  const Response& decide(std::string_view decision, const Fields& more = {}) {
    Parameters filled = form();
    filled.emplace_back("decision", decision);
    return post("/consent", filled, more);
  }
  [[nodiscard]] std::string location() const { return std::string{page.find("location").value_or("")}; }
  [[nodiscard]] std::string answer(std::string_view name) const { return find_parameter(location(), name); }
  [[nodiscard]] bool shows(std::string_view text) const { return page.body.contains(text); }
};

inline std::string World::make_code(std::string_view client, const Parameters& more) {
  Browser browser{*this};
  Parameters parameters = authorization_parameters(client);
  for (const auto& [name, value] : more) parameters = with(std::move(parameters), name, value);
  browser.get(parameters);
  browser.log_in("alice");
  if (browser.page.status == 200) browser.decide("allow");
  return browser.answer("code");
}

// A client's key, with which it signs proofs and assertions.
struct ClientKey {
  jose::TestKey key = jose::TestKey::ec();

  [[nodiscard]] std::string key_set() const { return jose::key_set_of({key.jwk("c1")}); }
  [[nodiscard]] std::string jkt() const { return *jose::find_thumbprint(key.jwk("").dump()); }
  [[nodiscard]] std::string prove(const json& claims, const json& header = json::object()) const {
    json jwk = key.jwk("");
    json complete{{"typ", "dpop+jwt"}, {"alg", "ES256"}, {"jwk", std::move(jwk)}};
    complete.update(header);
    return key.sign(complete, claims.dump());
  }
  [[nodiscard]] std::string assert_that(const json& claims, const json& header = json::object()) const {
    json complete{{"alg", "ES256"}, {"kid", "c1"}};
    complete.update(header);
    return key.sign(complete, claims.dump());
  }
};

}  // namespace turnpike::waf
