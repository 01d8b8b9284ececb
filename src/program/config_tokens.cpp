#include "program/config_tokens.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/http_url.hpp"
#include "program/toml_text.hpp"

namespace turnpike::program {
namespace {

constexpr std::size_t text_bytes_max = 512;
constexpr std::string_view url_allowed = "an https URL, or an http URL of this machine";
constexpr std::string_view keys_allowed =
    "exactly one of jwks_uri, jwks_file and shared_secret (or shared_secret_file)";
constexpr std::array<std::pair<const char*, std::string service::IdentityRules::*>, 4> claim_keys{
    {{"impi_claim", &service::IdentityRules::impi_claim},
     {"impus_claim", &service::IdentityRules::impus_claim},
     {"wwsf_claim", &service::IdentityRules::wwsf_claim},
     {"pool_claim", &service::IdentityRules::pool_claim}}};

// What a table of [epcscf.tokens] is read with.
struct Context {
  std::filesystem::path folder;
  SecretReader& secrets;
};

bool read_url(TableReader& table, std::string_view key, std::string& to) {
  table.text(key, to, text_bytes_max);
  if (to.empty()) return false;
  const auto url = HttpUrl::parse(to);
  if (url && (url->is_secure || url->is_loopback())) return true;
  table.complain(key, line_of(table, key), fmt::format("found \"{}\", allowed: {}", to, url_allowed));
  return false;
}

void read_identity_rules(TableReader& table, service::IdentityRules& rules) {
  for (const auto& [key, member] : claim_keys) {
    table.text(key, rules.*member, text_bytes_max);
    if ((rules.*member).empty())
      table.complain(key, line_of(table, key), "found an empty text, allowed: the name of a claim");
  }
  table.text_list("impis", rules.impis, "a list of private identities, such as \"*@partner.example\"");
}

void read_algorithms(TableReader& table, service::SignedTokenIssuer& issuer, bool has_secret) {
  const std::string_view allowed = has_secret ? "\"HS256\"" : "a list of \"RS256\", \"PS256\" and \"ES256\"";
  if (has_secret) issuer.algorithms = {jose::Algorithm::hs256};
  const Node* list = table.find("algorithms");
  if (list == nullptr) return;
  jose::AlgorithmSet algorithms;
  for (const Node* node : table.texts("algorithms", allowed)) {
    const auto algorithm = jose::parse_algorithm(node->text);
    if (!algorithm || (*algorithm == jose::Algorithm::hs256) != has_secret) {
      table.refuse("algorithms", *node, allowed);
    } else {
      algorithms.insert(*algorithm);
    }
  }
  if (list->kind == Node::Kind::list && list->items.empty()) table.refuse("algorithms", *list, allowed);
  issuer.algorithms = algorithms;
}

void read_types(TableReader& table, service::SignedTokenIssuer& issuer) {
  table.text_list("types", issuer.types, "a list of types of tokens, such as \"at+jwt\" and \"JWT\"");
  for (std::string& type : issuer.types)
    for (char& character : type)
      if (character >= 'A' && character <= 'Z') character = static_cast<char>(character - 'A' + 'a');
}

// An issuer is named once, whoever checks its tokens.
void add_issuer(TableReader& table, const std::string& name, epcscf::BearerSettings& bearer) {
  epcscf::TokenIssuer issuer{.name = name};
  table.boolean("third_party", issuer.is_third_party);
  if (name.empty()) return;
  if (std::ranges::find(bearer.issuers, name, &epcscf::TokenIssuer::name) != bearer.issuers.end())
    return table.complain("issuer", line_of(table, "issuer"),
                          fmt::format("found \"{}\" again, allowed: each issuer once", name));
  bearer.issuers.push_back(std::move(issuer));
}

void read_issuer(TableReader table, const Context& context, TokensConfig& to) {
  service::SignedTokenIssuer issuer;
  table.needed_text("issuer", issuer.issuer, text_bytes_max, "the \"iss\" of the tokens, to the letter");
  table.needed_text("audience", issuer.audience, text_bytes_max, "what the tokens have in \"aud\" for us");
  add_issuer(table, issuer.issuer, to.bearer);
  const bool has_secret =
      table.find("shared_secret") != nullptr || table.find("shared_secret_file") != nullptr;
  const int sources = (table.find("jwks_uri") != nullptr ? 1 : 0) +
                      (table.find("jwks_file") != nullptr ? 1 : 0) + (has_secret ? 1 : 0);
  if (sources != 1)
    table.complain("", table.line(), fmt::format("found {} of them, allowed: {}", sources, keys_allowed));
  read_url(table, "jwks_uri", issuer.jwks_uri);
  table.file_name("jwks_file", issuer.jwks_file, context.folder);
  table.file_name("ca_file", issuer.ca_file, context.folder);
  if (has_secret) {
    const std::string allowed = fmt::format("at least {} bytes", jose::shared_secret_bytes_min);
    auto secret = context.secrets.read(table, "shared_secret", allowed);
    if (secret && secret->size() < jose::shared_secret_bytes_min)
      table.complain("shared_secret", line_of(table, "shared_secret"),
                     fmt::format("found {} bytes, allowed: {}", secret->size(), allowed));
    if (secret) issuer.shared_secret = std::move(*secret);
  }
  read_algorithms(table, issuer, has_secret);
  read_types(table, issuer);
  read_identity_rules(table, issuer.identity);
  to.checks.issuers.push_back(std::move(issuer));
  table.finish();
}

void read_introspection(TableReader table, const Context& context, TokensConfig& to) {
  if (!table.is_present()) return;
  service::IntrospectionSettings settings;
  if (table.find("endpoint") == nullptr) table.missing("endpoint", url_allowed);
  read_url(table, "endpoint", settings.endpoint);
  table.needed_text("client_id", settings.client_id, text_bytes_max, "our name at the WAF");
  if (auto secret = context.secrets.read(table, "client_secret", "our secret at the WAF"))
    settings.client_secret = std::move(*secret);
  table.file_name("ca_file", settings.ca_file, context.folder);
  table.needed_text("issuer", settings.issuer, text_bytes_max,
                    "the name of the WAF: the \"iss\" of its answers");
  table.text("audience", settings.audience, text_bytes_max);
  // It stands beside the issuers: the WAF of both may be the same.
  const auto known = std::ranges::find(to.bearer.issuers, settings.issuer, &epcscf::TokenIssuer::name);
  if (known == to.bearer.issuers.end()) {
    add_issuer(table, settings.issuer, to.bearer);
  } else {
    table.boolean("third_party", known->is_third_party);
  }
  read_identity_rules(table, settings.identity);
  auto deadline = static_cast<std::uint64_t>(settings.deadline.count());
  table.number("deadline_milliseconds", deadline, 100, 10'000);
  settings.deadline = std::chrono::milliseconds{deadline};
  table.seconds("cache_seconds", settings.cache, 0, 300);
  to.checks.introspection = std::move(settings);
  table.finish();
}

void read_wwsf(TableReader table, TokensConfig& to) {
  epcscf::Wwsf wwsf;
  table.needed_text("id", wwsf.name, text_bytes_max,
                    "the name of the WWSF, as tokens have it in their claim");
  if (!wwsf.name.empty() &&
      std::ranges::find(to.bearer.wwsfs, wwsf.name, &epcscf::Wwsf::name) != to.bearer.wwsfs.end())
    table.complain("id", line_of(table, "id"),
                   fmt::format("found \"{}\" again, allowed: each WWSF once", wwsf.name));
  std::vector<std::string> origins;
  table.text_list("origins", origins, "a list of origins, such as \"https://shop.example\"");
  to.wwsf_origins.insert_or_assign(wwsf.name, std::move(origins));
  constexpr std::string_view allowed = "a list of private identities, such as \"pool-*@ims.example\"";
  table.text_list("pool_impis", wwsf.pool, allowed);
  for (const std::string& pattern : wwsf.pool)
    if (const auto at = pattern.rfind('@');
        at == std::string::npos || at + 1 == pattern.size() || pattern.find('*', at) != std::string::npos)
      table.complain(
          "pool_impis", line_of(table, "pool_impis"),
          fmt::format("found \"{}\", allowed: {}, with stars before the \"@\" alone", pattern, allowed));
  to.bearer.wwsfs.push_back(std::move(wwsf));
  table.finish();
}

std::string format_identity(const service::IdentityRules& rules) {
  std::string text;
  for (const auto& [key, member] : claim_keys) text += fmt::format("{} = {}\n", key, quote(rules.*member));
  if (!rules.impis.empty()) text += fmt::format("impis = {}\n", quote_all(rules.impis));
  return text;
}

std::string format_algorithms(jose::AlgorithmSet algorithms) {
  std::vector<std::string> names;
  for (const auto algorithm :
       {jose::Algorithm::rs256, jose::Algorithm::ps256, jose::Algorithm::es256, jose::Algorithm::hs256})
    if (algorithms.contains(algorithm)) names.emplace_back(to_string(algorithm));
  return quote_all(names);
}

std::string format_source(const service::SignedTokenIssuer& issuer) {
  if (!issuer.jwks_uri.empty()) return fmt::format("jwks_uri = {}\n", quote(issuer.jwks_uri));
  if (!issuer.jwks_file.empty()) return fmt::format("jwks_file = {}\n", quote(issuer.jwks_file));
  return "shared_secret = \"(hidden)\"\n";
}

bool is_third_party(const epcscf::BearerSettings& bearer, const std::string& name) {
  const auto found = std::ranges::find(bearer.issuers, name, &epcscf::TokenIssuer::name);
  return found != bearer.issuers.end() && found->is_third_party;
}

}  // namespace

std::optional<TokensConfig> read_tokens(TableReader table, const std::filesystem::path& folder,
                                        SecretReader& secrets, std::vector<Problem>& problems) {
  if (!table.is_present()) return std::nullopt;
  TokensConfig tokens;
  const Context context{folder, secrets};
  const auto path = [&](const char* key, std::size_t at) {
    return fmt::format("{}[{}]", table.path_of(key), at);
  };
  if (table.find("authz_server") == nullptr)
    table.missing("authz_server", "the https URL of the WAF, which is told to those without a token");
  read_url(table, "authz_server", tokens.bearer.authorization_server);
  table.text("scope", tokens.bearer.scope, text_bytes_max);
  table.seconds("clock_skew_seconds", tokens.checks.clock_skew, 0, 300);
  const auto issuers = table.tables(
      "issuers", "a list of { issuer = \"https://...\", audience = \"...\", jwks_uri = \"...\" }");
  for (std::size_t at = 0; at < issuers.size(); ++at)
    read_issuer({issuers[at], path("issuers", at), problems}, context, tokens);
  read_introspection(table.sub_table("introspection"), context, tokens);
  const auto wwsfs = table.tables("wwsfs", "a list of { id = \"...\", origins = [...], pool_impis = [...] }");
  for (std::size_t at = 0; at < wwsfs.size(); ++at)
    read_wwsf({wwsfs[at], path("wwsfs", at), problems}, tokens);
  if (issuers.empty() && !tokens.checks.introspection && table.find("issuers") == nullptr)
    table.missing("issuers", "at least one of issuers and introspection");
  // The machine waits a little longer than the slowest answer.
  if (tokens.checks.introspection)
    tokens.bearer.patience = std::max<Duration>(
        tokens.bearer.patience, tokens.checks.introspection->deadline + std::chrono::seconds{1});
  table.finish();
  return tokens;
}

std::string format_tokens(std::string_view section, const service::TokenSettings& checks,
                          const epcscf::BearerSettings& bearer, const WwsfOrigins& origins) {
  std::string text = fmt::format("\n[{}]\nauthz_server = {}\n", section, quote(bearer.authorization_server));
  if (!bearer.scope.empty()) text += fmt::format("scope = {}\n", quote(bearer.scope));
  text += fmt::format("clock_skew_seconds = {}\n", checks.clock_skew.count());
  for (const auto& issuer : checks.issuers) {
    text += fmt::format("\n[[{}.issuers]]\nissuer = {}\naudience = {}\n", section, quote(issuer.issuer),
                        quote(issuer.audience));
    text += format_source(issuer);
    if (!issuer.ca_file.empty()) text += fmt::format("ca_file = {}\n", quote(issuer.ca_file));
    text +=
        fmt::format("algorithms = {}\ntypes = {}\nthird_party = {}\n", format_algorithms(issuer.algorithms),
                    quote_all(issuer.types), is_third_party(bearer, issuer.issuer));
    text += format_identity(issuer.identity);
  }
  if (const auto& asked = checks.introspection) {
    text += fmt::format(
        "\n[{}.introspection]\nendpoint = {}\nclient_id = {}\nclient_secret = "
        "\"(hidden)\"\nissuer = {}\n",
        section, quote(asked->endpoint), quote(asked->client_id), quote(asked->issuer));
    if (!asked->audience.empty()) text += fmt::format("audience = {}\n", quote(asked->audience));
    if (!asked->ca_file.empty()) text += fmt::format("ca_file = {}\n", quote(asked->ca_file));
    text += fmt::format("third_party = {}\ndeadline_milliseconds = {}\ncache_seconds = {}\n",
                        is_third_party(bearer, asked->issuer), asked->deadline.count(), asked->cache.count());
    text += format_identity(asked->identity);
  }
  for (const auto& wwsf : bearer.wwsfs)
    text += fmt::format("\n[[{}.wwsfs]]\nid = {}\norigins = {}\npool_impis = {}\n", section, quote(wwsf.name),
                        quote_all(origins.at(wwsf.name)), quote_all(wwsf.pool));
  return text;
}

std::string describe_tokens(const EpcscfConfig& epcscf) {
  if (!epcscf.tokens) return "";
  std::string text;
  for (const auto& issuer : epcscf.tokens->issuers)
    text += fmt::format("tokens       of {}, signed, for {}\n", issuer.issuer, issuer.audience);
  if (const auto& asked = epcscf.tokens->introspection)
    text += fmt::format("tokens       of {}, asked about at {}\n", asked->issuer, asked->endpoint);
  for (const auto& wwsf : epcscf.proxy.bearer.wwsfs) {
    const auto& origins = epcscf.wwsf_origins.at(wwsf.name);
    text += fmt::format(
        "WWSF         {}, {}{}\n", wwsf.name,
        origins.empty() ? "no pages of its own" : fmt::format("pages of {}", fmt::join(origins, ", ")),
        wwsf.pool.empty() ? "" : fmt::format(", lends {}", fmt::join(wwsf.pool, ", ")));
  }
  return text;
}

}  // namespace turnpike::program
