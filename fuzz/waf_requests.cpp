// Requests of strangers to the WAF, one after the other: each is answered, no answer can be split by what was
// asked, nothing is redirected to where nobody is registered, and no token is given to who has shown nothing.
// A line is "METHOD PATH?QUERY", then fields "name: value", then after an empty line a body up to a line
// "---".

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/password.hpp"
#include "target.hpp"
#include "waf/memory_ledger.hpp"
#include "waf/server.hpp"

namespace turnpike::waf {
namespace {

constexpr WallTime start{std::chrono::seconds{1'893'456'000}};

std::string_view take_until(std::string_view& text, std::string_view end) {
  const auto at = text.find(end);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + end.size());
  return taken;
}

Request read_request(std::string_view text) {
  Request request;
  std::string_view head = take_until(text, "\n\n");
  std::string_view line = take_until(head, "\n");
  request.method = take_until(line, " ");
  request.path = take_until(line, "?");
  request.query = line;
  while (!head.empty()) {
    std::string_view field = take_until(head, "\n");
    const std::string_view name = take_until(field, ": ");
    request.fields.emplace_back(name, field);
  }
  request.fields.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.body = text;
  return request;
}

struct World {
  World() {
    ledger.put_client(
        {.id = "wic",
         .redirect_uris = {"https://wic.example/done"},
         .grants = {GrantType::authorization_code, GrantType::refresh_token, GrantType::token_exchange},
         .scopes = {"ims", "turn"}});
    ledger.put_client({.id = "web",
                       .method = ClientMethod::client_secret_basic,
                       .secrets = {{.digest = digest_of("what nobody knows, and no input can find")}},
                       .grants = {GrantType::client_credentials, GrantType::jwt_bearer},
                       .scopes = {"turn"}});
    ledger.put_user({.id = "u", .name = "alice", .password = make_decoy_hash({.log2_n = 1, .r = 1, .p = 1})});
  }
  static Settings make_settings() {
    Settings settings{.issuer = "https://waf.example", .registration = {.audience = "epcscf"}};
    settings.turn.push_back({.token = {.server_name = "turn.example",
                                       .keys = {{.kid = "k1", .key = Secret{ByteVector(32, 7)}}}}});
    settings.cors_origins = {"https://wic.example"};
    settings.key = Secret{ByteVector(32, 9)};
    Provider provider{.name = "idp", .title = "idp", .issuer = "https://idp.example", .client_id = "waf"};
    provider.client_secret = Secret::from_text("secret");
    provider.token_audience = "waf";
    provider.rules = {{.impi = "{sub}@ims.example", .impus = {"sip:{sub}@ims.example"}}};
    settings.providers = {std::move(provider)};
    return settings;
  }

  MemoryLedger ledger;
  SeededRandom random{1};
  IssuerStates issuers{{"https://idp.example",
                        {.metadata = ProviderMetadata{.authorization_endpoint = "https://idp.example/auth",
                                                      .token_endpoint = "https://idp.example/token",
                                                      .jwks_uri = "https://idp.example/jwks"}}}};
};

// Made once: it takes long, and nothing changes it.
const KeyRing& ring() {
  static MemoryLedger ledger;
  static const KeyRing ring = [] {
    KeyRing made = *KeyRing::open(ledger);
    made.rotate(ledger, {}, std::chrono::hours{1}, start);
    return made;
  }();
  return ring;
}

void check_response(const Response& response) {
  check(response.status >= 200 && response.status < 600, "an answer has a status");
  for (const auto& [name, value] : response.fields)
    check(std::ranges::none_of(name + value, [](unsigned char c) { return c < 0x20 || c == 0x7f; }),
          "a field is split");
  if (const auto location = response.find("location"))
    check(location->starts_with("https://wic.example/done?") ||
              location->starts_with("https://waf.example/authorize?") ||
              location->starts_with("https://idp.example/auth?response_type=code&"),
          "a redirect goes to a stranger");
  check(!response.body.contains("<script"), "a page has a script");
  check(!response.body.contains("\"access_token\""), "a token is given to a stranger");
  check(!response.body.contains("\"active\":true"), "a stranger is told of a token");
}

}  // namespace
}  // namespace turnpike::waf

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike::waf;
  World world;
  const Server server{World::make_settings(), world.ledger, ring(), world.issuers};
  std::string_view text = turnpike::as_text({data, size});
  for (int i = 0; i < 8 && !text.empty(); ++i) {
    const Request request = read_request(take_until(text, "\n---\n"));
    const turnpike::WallTime now = start + std::chrono::seconds{i};
    Outcome outcome = server.on_request(request, now, world.random);
    if (std::holds_alternative<FetchNeeded>(outcome.reply))
      outcome = server.on_fetched(request, now, world.random);
    // What a provider says is a stranger's word, too.
    if (const auto* call = std::get_if<ProviderCall>(&outcome.reply))
      outcome = server.on_provider_answer(request, ProviderCall{*call}, {.status = 200, .body = request.body},
                                          false, now, world.random);
    turnpike::check(!outcome.has_revoked, "a stranger revokes");
    if (const auto* asked = std::get_if<PasswordCheck>(&outcome.reply)) {
      check_response(std::get<Response>(server.on_password(request, *asked, false, now, world.random).reply));
    } else {
      check_response(std::get<Response>(outcome.reply));
    }
  }
  return 0;
}
