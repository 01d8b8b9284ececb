#pragma once
// For tests: another identity provider, as the machine meets it. It keeps what the last browser was sent
// with, and answers calls as it is told.

#include <string>
#include <utility>
#include <vector>

#include "waf/federated_user.hpp"
#include "waf/test_world.hpp"

namespace turnpike::waf {

inline constexpr std::string_view corp = "https://idp.example/realm";

// alice there becomes guest-alice here.
inline Provider make_provider(std::string name = "corp", std::string issuer_name = std::string{corp}) {
  Provider provider{.name = std::move(name), .issuer = std::move(issuer_name)};
  provider.title = "Corp <1>";
  provider.client_id = "waf at:corp";
  provider.client_secret = Secret::from_text("s&cret");
  provider.rules = {{.conditions = {{.claim = "email_verified", .values = {true}}},
                     .impi = "guest-{preferred_username}@ims.example",
                     .impus = {"sip:guest-{preferred_username}@ims.example", "tel:{phone_number}"}}};
  return provider;
}

struct TestProvider {
  explicit TestProvider(World& in, Provider as = make_provider()) : world(in), provider(std::move(as)) {
    world.on_fetch = [this](const FetchNeeded& needed) {
      needs.push_back(needed);
      if (is_up) publish();
    };
    world.on_call = [this](const ProviderCall& call) {
      calls.push_back(call);
      if (!is_up) return ProviderAnswer{};
      if (call.method == "GET") return ProviderAnswer{200, userinfo.dump()};
      return ProviderAnswer{token_status, json{{"access_token", "at"}, {"id_token", id_token()}}.dump()};
    };
  }

  void publish() {
    IssuerState& state = world.issuers[provider.issuer];
    state.metadata = *read_provider_metadata(metadata().dump(), provider.issuer, {});
    state.keys = *jose::KeySet::parse(jose::key_set_of({key.jwk(kid)}), {});
  }
  [[nodiscard]] json metadata() const {
    return {{"issuer", provider.issuer},
            {"authorization_endpoint", provider.issuer + "/auth?tenant=1"},
            {"token_endpoint", provider.issuer + "/token"},
            {"userinfo_endpoint", provider.issuer + "/me"},
            {"jwks_uri", provider.issuer + "/jwks"},
            {"authorization_response_iss_parameter_supported", names_issuer}};
  }
  [[nodiscard]] json claims() const {
    const auto now = unix_seconds(world.now);
    json all{{"iss", provider.issuer},
             {"sub", "a-1"},
             {"aud", provider.client_id},
             {"iat", now},
             {"exp", now + 300},
             {"nonce", nonce},
             {"preferred_username", "alice"},
             {"email_verified", true}};
    all.update(more);
    for (const std::string& name : dropped) all.erase(name);
    return all;
  }
  [[nodiscard]] std::string id_token() const {
    json complete{{"alg", "ES256"}, {"kid", kid}};
    complete.update(header);
    return raw_token.empty() ? key.sign(complete, claims().dump()) : raw_token;
  }
  // What the browser that was sent here is sent back with.
  [[nodiscard]] Parameters answer(const Browser& browser, const Parameters& parameters = {{"code", "c 1"}}) {
    nonce = browser.answer("nonce");
    Parameters all = parameters;
    all.emplace_back("state", browser.answer("state"));
    all.emplace_back("iss", provider.issuer);
    return all;
  }
  const Response& come_back(Browser& browser, const Parameters& parameters) {
    return browser.take(world.send({.path = "/federation/" + provider.name,
                                    .query = format_form(parameters),
                                    .fields = browser.fields(),
                                    .remote = world.remote}));
  }
  // From the authorization request of a client to what comes of it.
  const Response& log_in(Browser& browser, const Parameters& request = authorization_parameters()) {
    browser.get(with(request, "identity_provider", provider.name));
    if (!browser.location().starts_with(provider.issuer)) return browser.page;
    return come_back(browser, answer(browser));
  }
  [[nodiscard]] std::shared_ptr<const User> find_user(std::string_view subject = "a-1") const {
    return world.ledger.find_user(make_federated_id(provider.issuer, subject));
  }

  World& world;
  Provider provider;
  jose::TestKey key = jose::TestKey::ec();
  std::string kid = "p1", nonce{}, raw_token{};
  bool is_up = true, names_issuer = true;
  unsigned token_status = 200;
  json more = json::object(), header = json::object(), userinfo = json::object();
  std::vector<std::string> dropped{};
  std::vector<FetchNeeded> needs{};
  std::vector<ProviderCall> calls{};
};

}  // namespace turnpike::waf
