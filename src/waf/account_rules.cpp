#include "waf/account_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "waf/claim_rules.hpp"
#include "waf/endpoints.hpp"
#include "waf/provider.hpp"
#include "waf/redirect_uri.hpp"

namespace turnpike::waf {
namespace {

constexpr std::size_t name_bytes_max = 255;
constexpr std::size_t redirect_uris_max = 32, uri_bytes_max = 2048;
constexpr std::size_t names_max = 64;  // of a list: scopes, audiences, identities
constexpr std::size_t jwks_bytes_max = 65536;

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text,
                             [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

bool is_text(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

template <typename Names>
void find_list_problems(const Names& names, std::string_view what, std::vector<std::string>& problems) {
  if (names.size() > names_max)
    problems.push_back(fmt::format("found {} {}, allowed: at most {}", names.size(), what, names_max));
  if (std::ranges::any_of(names, [](const std::string& name) {
        return name.empty() || name.size() > name_bytes_max || !is_text(name);
      }))
    problems.push_back(fmt::format("{} have 1 to 255 bytes each, without control characters", what));
}

void find_identity_problems(const Identity& identity, std::vector<std::string>& problems) {
  for (const std::string& text : {identity.impi, identity.wwsf})
    if (text.size() > name_bytes_max || !is_text(text))
      problems.emplace_back(
          "the private identity and the WWSF have at most 255 bytes, without control characters");
  find_list_problems(identity.impus, "public identities", problems);
}

std::vector<std::string> find_credential_problems(const Client& client) {
  const bool has_secret =
      client.method == ClientMethod::client_secret_basic || client.method == ClientMethod::client_secret_post;
  std::vector<std::string> problems;
  if (has_secret && client.secrets.empty())
    problems.push_back(fmt::format("the method {} needs a secret", to_string(client.method)));
  if (!has_secret && !client.secrets.empty())
    problems.push_back(fmt::format("the method {} has no secret", to_string(client.method)));
  if (client.jwks.size() > jwks_bytes_max)
    problems.push_back(
        fmt::format("the key set: found {} bytes, allowed: at most {}", client.jwks.size(), jwks_bytes_max));
  else if (client.method == ClientMethod::private_key_jwt) {
    const auto keys = jose::KeySet::parse(client.jwks, jose::Limits{});
    if (!keys) problems.push_back("the key set " + keys.error());
  } else if (!client.jwks.empty()) {
    problems.push_back(fmt::format("the method {} has no keys", to_string(client.method)));
  }
  if (client.method == ClientMethod::none) {
    if (client.grants.contains(GrantType::client_credentials))
      problems.emplace_back("the grant client_credentials needs a secret or a key");
    if (!client.introspects.empty()) problems.emplace_back("introspection needs a secret or a key");
    if (client.exchanges_for_others)
      problems.emplace_back("to exchange others' tokens needs a secret or a key");
  }
  return problems;
}

bool is_issuer(std::string_view issuer) {
  return is_reachable_uri(issuer) && !issuer.ends_with('/') && !issuer.contains('?');
}

void find_turn_problems(const TurnTarget& target, std::vector<std::string>& problems) {
  const std::string& name = target.token.server_name;
  if (name.empty() || !is_plain(name))
    problems.emplace_back("a TURN target needs a server name, without spaces");
  if (target.token.keys.empty() && !target.fetches_keys)
    problems.push_back(fmt::format("the TURN target {} has no key", name));
  for (const credentials::TokenKey& key : target.token.keys)
    if (const auto problem = credentials::find_problem(key))
      problems.push_back(fmt::format("a key of the TURN target {}: {}", name, *problem));
}

void find_rule_problems(const Provider& provider, std::vector<std::string>& problems) {
  const auto complain = [&](std::string_view what) {
    problems.push_back(fmt::format("the provider {}: {}", provider.name, what));
  };
  if (provider.rules.empty()) complain("without a rule nobody may log in");
  for (const ClaimRule& rule : provider.rules) {
    if (const auto problem = find_template_problem(rule.impi)) complain("the impi of a rule " + *problem);
    if (rule.impus.empty()) complain("a rule has no impus");
    for (const std::string& impu : rule.impus)
      if (const auto problem = find_template_problem(impu)) complain("an impu of a rule " + *problem);
    // What a claim alone says could be anybody's.
    if (!names_domain(rule.impi) && provider.impis.empty())
      complain("the impi of a rule has no @ of its own: impis has to say which ones the provider may name");
    for (const ClaimCondition& condition : rule.conditions)
      if (condition.claim.empty() || condition.claim == "/" || condition.values.empty())
        complain("a condition names a claim and a value");
  }
}

void find_provider_problems(const Settings& settings, std::vector<std::string>& problems) {
  std::set<std::string, std::less<>> names, issuers{settings.issuer};
  const auto is_name = [](std::string_view text) {
    return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
  };
  for (const Provider& provider : settings.providers) {
    const auto complain = [&](std::string_view what) {
      problems.push_back(fmt::format("the provider {}: {}", provider.name, what));
    };
    if (!is_name(provider.name)) complain("its name has 1 to 32 of a-z, 0-9 and -");
    if (!names.insert(provider.name).second) complain("the name occurs twice");
    if (!is_reachable_uri(provider.issuer)) complain("its issuer is an https URL, or http to loopback");
    if (!issuers.insert(provider.issuer).second) complain("the issuer occurs twice");
    if (provider.client_id.empty()) complain("it has no client_id");
    const bool has_secret = provider.method == ClientMethod::client_secret_basic ||
                            provider.method == ClientMethod::client_secret_post;
    if (has_secret == provider.client_secret.empty())
      complain(fmt::format("the method {} {}", to_string(provider.method),
                           has_secret ? "needs a client_secret" : "has no client_secret"));
    const auto scope = parse_scope(provider.scope);
    if (!scope || !scope->contains("openid")) complain("its scope has openid");
    find_rule_problems(provider, problems);
  }
  for (const AssertionIssuer& issuer : settings.assertion_issuers)
    if (!issuers.insert(issuer.issuer).second)
      problems.push_back(fmt::format("the issuer {} occurs twice", issuer.issuer));
  if (!settings.offers_passwords && settings.providers.empty())
    problems.emplace_back("without passwords and providers nobody can log in");
}

}  // namespace

std::vector<std::string> find_problems(const Client& client) {
  std::vector<std::string> problems = find_credential_problems(client);
  if (client.id.empty() || client.id.size() > name_bytes_max || !is_plain(client.id))
    problems.emplace_back("the id has 1 to 255 printable characters, without spaces");
  if (client.name.size() > name_bytes_max || !is_text(client.name))
    problems.emplace_back("the name has at most 255 bytes, without control characters");
  if (client.redirect_uris.size() > redirect_uris_max)
    problems.push_back(fmt::format("found {} redirect URIs, allowed: at most {}", client.redirect_uris.size(),
                                   redirect_uris_max));
  find_list_problems(client.scopes, "scopes", problems);
  find_list_problems(client.audiences, "audiences", problems);
  find_list_problems(client.introspects, "audiences for introspection", problems);
  find_identity_problems(client.identity.value_or(Identity{.wwsf = client.wwsf}), problems);
  for (const std::string& uri : client.redirect_uris)
    if (uri.size() > uri_bytes_max)
      problems.push_back(
          fmt::format("a redirect URI: found {} bytes, allowed: at most {}", uri.size(), uri_bytes_max));
    else if (const auto problem = find_redirect_uri_problem(uri))
      problems.push_back("the redirect URI " + *problem);
  const bool uses_codes = client.grants.contains(GrantType::authorization_code);
  if (uses_codes && client.redirect_uris.empty())
    problems.emplace_back("the grant authorization_code needs a redirect URI");
  if (!uses_codes && client.grants.contains(GrantType::refresh_token))
    problems.emplace_back("the grant refresh_token needs authorization_code");
  const auto scope = parse_scope(to_string(client.scopes));
  if (scope != client.scopes)
    problems.emplace_back("a scope has printable characters, without spaces, quotes and backslashes");
  return problems;
}

std::vector<std::string> find_problems(const User& user) {
  std::vector<std::string> problems;
  if (user.id.empty() || user.id.size() > name_bytes_max || !is_plain(user.id))
    problems.emplace_back("the id has 1 to 255 printable characters, without spaces");
  if (user.name.empty() || user.name.size() > name_bytes_max || !is_text(user.name))
    problems.emplace_back("the name has 1 to 255 bytes, without control characters");
  find_identity_problems(user.identity, problems);
  if (user.identity.impi.empty() != user.identity.impus.empty())
    problems.emplace_back("a private identity goes with public ones, and they with it");
  return problems;
}

std::vector<std::string> find_problems(const Settings& settings) {
  std::vector<std::string> problems;
  if (!is_issuer(settings.issuer))
    problems.emplace_back("the issuer is an https URL without a / at its end, or http to loopback");
  if (settings.key.size() < 32) problems.emplace_back("the key has less than 32 bytes");
  if (settings.keys.algorithm == jose::Algorithm::hs256)
    problems.emplace_back("access tokens are signed with RS256, PS256 or ES256");
  if (settings.keys.published_before >= settings.keys.signs_for)
    problems.emplace_back("a key is published for longer before it signs than it signs");
  std::set<std::string> names{settings.registration.audience};
  for (const TurnTarget& target : settings.turn) {
    find_turn_problems(target, problems);
    if (!names.insert(target.token.server_name).second)
      problems.push_back(fmt::format("the audience {} occurs twice", target.token.server_name));
  }
  find_provider_problems(settings, problems);
  return problems;
}

}  // namespace turnpike::waf
