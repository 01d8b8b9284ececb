#include "program/config_waf_providers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "program/text_file.hpp"
#include "program/toml_text.hpp"

namespace turnpike::program {
namespace {

constexpr std::size_t text_bytes_max = 512;
constexpr std::string_view url_allowed = "an https URL, or an http URL of this machine";
constexpr std::string_view algorithms_allowed = "a list of \"RS256\", \"PS256\" and \"ES256\"";
constexpr std::string_view value_allowed = "a text, true, false, a whole number, or a list of them";

struct Context {
  std::filesystem::path folder;
  SecretReader& secrets;
  std::vector<Problem>& problems;
};

void read_url(TableReader& table, std::string_view key, std::string& to) {
  table.text(key, to, text_bytes_max);
  if (!to.empty() && !waf::is_reachable_uri(to))
    table.complain(key, line_of(table, key), fmt::format("found \"{}\", allowed: {}", to, url_allowed));
}

void read_algorithms(TableReader& table, jose::AlgorithmSet& to) {
  const Node* list = table.find("algorithms");
  if (list == nullptr) return;
  jose::AlgorithmSet algorithms;
  for (const Node* node : table.texts("algorithms", algorithms_allowed)) {
    const auto algorithm = jose::parse_algorithm(node->text);
    if (algorithm && jose::public_key_algorithms.contains(*algorithm)) {
      algorithms.insert(*algorithm);
    } else {
      table.refuse("algorithms", *node, algorithms_allowed);
    }
  }
  if (list->kind == Node::Kind::list && list->items.empty())
    table.refuse("algorithms", *list, algorithms_allowed);
  to = algorithms;
}

void read_deadline(TableReader& table, service::IssuerSource& source) {
  auto deadline = static_cast<std::uint64_t>(source.deadline.count());
  table.number("deadline_milliseconds", deadline, 100, 30'000);
  source.deadline = std::chrono::milliseconds{deadline};
}

// --- providers --------------------------------------------------------------------------------------------

std::optional<waf::ClaimValue> read_value(const Node& node) {
  switch (node.kind) {
    case Node::Kind::text:
      return node.text;
    case Node::Kind::boolean:
      return node.boolean;
    case Node::Kind::integer:
      return node.integer;
    case Node::Kind::real:
    case Node::Kind::moment:
    case Node::Kind::list:
    case Node::Kind::table:
      break;
  }
  return std::nullopt;
}

// require = { email_verified = true, "/realm_access/roles" = ["ims", "staff"] }
void read_conditions(TableReader& table, waf::ClaimRule& rule) {
  const Node* node = table.find("require");
  TableReader claims = table.sub_table("require");
  if (node == nullptr || node->kind != Node::Kind::table) return;
  for (std::size_t at = 0; at < node->keys.size(); ++at) {
    const Node& found = node->items[at];
    waf::ClaimCondition condition{.claim = node->keys[at]};
    bool is_refused = false;
    const auto add = [&](const Node& item) {
      if (auto value = read_value(item)) {
        condition.values.push_back(std::move(*value));
      } else {
        claims.refuse(node->keys[at], item, value_allowed);
        is_refused = true;
      }
    };
    if (found.kind == Node::Kind::list) {
      for (const Node& item : found.items) add(item);
    } else {
      add(found);
    }
    if (!is_refused) rule.conditions.push_back(std::move(condition));
  }
}

waf::ClaimRule read_rule(TableReader table) {
  waf::ClaimRule rule;
  read_conditions(table, rule);
  table.needed_text("impi", rule.impi, text_bytes_max,
                    "a template of the private identity, \"{preferred_username}@ims.example\"");
  table.text_list("impus", rule.impus, "a list of templates of public identities, \"tel:{phone_number}\"");
  if (rule.impus.empty() && !rule.impi.empty()) rule.impus = {"sip:" + rule.impi};
  table.text("wwsf", rule.wwsf, text_bytes_max);
  table.boolean("pool", rule.is_pool);
  table.finish();
  return rule;
}

void read_client(TableReader& table, waf::Provider& provider, const Context& context) {
  table.needed_text("client_id", provider.client_id, text_bytes_max, "our name there");
  table.choice<waf::ClientMethod>("method", provider.method,
                                  {{"client_secret_basic", waf::ClientMethod::client_secret_basic},
                                   {"client_secret_post", waf::ClientMethod::client_secret_post},
                                   {"private_key_jwt", waf::ClientMethod::private_key_jwt},
                                   {"none", waf::ClientMethod::none}});
  const bool has_secret = provider.method == waf::ClientMethod::client_secret_basic ||
                          provider.method == waf::ClientMethod::client_secret_post;
  const bool is_there = table.find("client_secret") != nullptr || table.find("client_secret_file") != nullptr;
  if (!has_secret && !is_there) return;
  if (auto secret = context.secrets.read(table, "client_secret", "our secret there"))
    provider.client_secret = std::move(*secret);
}

void read_provider(TableReader table, const Context& context, service::WafNodeSettings& node) {
  waf::Provider provider;
  service::IssuerSource source;
  table.needed_text("name", provider.name, text_bytes_max,
                    "1 to 32 of a-z, 0-9 and -: it ends the redirect URI that is registered there");
  provider.title = provider.name;
  table.text("title", provider.title, text_bytes_max);
  if (table.find("issuer") == nullptr) table.missing("issuer", url_allowed);
  read_url(table, "issuer", provider.issuer);
  read_client(table, provider, context);
  table.text("scope", provider.scope, text_bytes_max);
  read_algorithms(table, provider.algorithms);
  table.boolean("userinfo", provider.asks_userinfo);
  table.text("token_audience", provider.token_audience, text_bytes_max);
  table.text_list("impis", provider.impis,
                  "a list of private identities that it may name, \"*@ims.example\"");
  table.seconds("clock_skew_seconds", provider.clock_skew, 0, 300);
  table.file_name("ca_file", source.ca_file, context.folder);
  read_deadline(table, source);
  const auto rules =
      table.tables("rules", "a list of { require = { email_verified = true }, impi = \"{email}\" }");
  if (table.find("rules") == nullptr)
    table.missing("rules", "at least one [[waf.providers.rules]]: who may log in, and as whom");
  for (std::size_t at = 0; at < rules.size(); ++at)
    provider.rules.push_back(
        read_rule({rules[at], fmt::format("{}[{}]", table.path_of("rules"), at), context.problems}));
  table.finish();
  source.issuer = provider.issuer;
  // One that lacks its name or issuer was complained about, and is of no use to further checks.
  if (provider.name.empty() || provider.issuer.empty() || provider.client_id.empty() ||
      provider.rules.empty())
    return;
  node.issuers.push_back(std::move(source));
  node.waf.providers.push_back(std::move(provider));
}

// --- issuers of assertions --------------------------------------------------------------------------------

void read_key_file(TableReader& table, waf::AssertionIssuer& issuer, const Context& context) {
  std::string name;
  table.file_name("jwks_file", name, context.folder);
  if (name.empty()) return;
  const auto text = read_text_file(name);
  if (!text)
    return table.complain("jwks_file", line_of(table, "jwks_file"),
                          fmt::format("cannot read {}: {}", name, text.error()));
  auto keys = jose::KeySet::parse(*text, jose::Limits{});
  if (!keys)
    return table.complain("jwks_file", line_of(table, "jwks_file"), fmt::format("{} {}", name, keys.error()));
  issuer.keys = std::move(*keys);
}

void read_jwt_issuer(TableReader table, const Context& context, service::WafNodeSettings& node) {
  waf::AssertionIssuer issuer;
  service::IssuerSource source;
  table.needed_text("issuer", issuer.issuer, text_bytes_max, "the \"iss\" of its assertions, to the letter");
  const int sources =
      (table.find("jwks_uri") != nullptr ? 1 : 0) + (table.find("jwks_file") != nullptr ? 1 : 0);
  if (sources != 1)
    table.complain("", table.line(),
                   fmt::format("found {} of them, allowed: exactly one of jwks_uri and jwks_file", sources));
  read_url(table, "jwks_uri", source.jwks_uri);
  table.file_name("ca_file", source.ca_file, context.folder);
  read_deadline(table, source);
  read_key_file(table, issuer, context);
  read_algorithms(table, issuer.algorithms);
  table.text_list("impis", issuer.impis,
                  "a list of private identities that it may name, \"*@partner.example\"");
  table.text_list("impus", issuer.impus,
                  "a list of public identities that it may name, \"sip:*@partner.example\", \"tel:+4930*\"");
  if (issuer.impis.empty() && !issuer.impus.empty())
    table.complain("impus", line_of(table, "impus"),
                   "found without impis, allowed: beside the impis that it may name");
  table.text("wwsf", issuer.wwsf, text_bytes_max);
  table.boolean("pool", issuer.is_pool);
  table.finish();
  if (issuer.issuer.empty() || sources != 1) return;
  source.issuer = issuer.issuer;
  if (!source.jwks_uri.empty()) node.issuers.push_back(std::move(source));
  node.waf.assertion_issuers.push_back(std::move(issuer));
}

// --- printing ---------------------------------------------------------------------------------------------

std::string format_algorithms(jose::AlgorithmSet algorithms) {
  std::vector<std::string> names;
  for (const auto algorithm : {jose::Algorithm::rs256, jose::Algorithm::ps256, jose::Algorithm::es256})
    if (algorithms.contains(algorithm)) names.emplace_back(to_string(algorithm));
  return quote_all(names);
}

std::string format_value(const waf::ClaimValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return quote(*text);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  return std::to_string(std::get<std::int64_t>(value));
}

std::string format_rule(const waf::ClaimRule& rule) {
  std::string conditions;
  for (const waf::ClaimCondition& condition : rule.conditions) {
    std::string values;
    for (const waf::ClaimValue& value : condition.values)
      values += (values.empty() ? "" : ", ") + format_value(value);
    conditions += fmt::format("{}{} = {}", conditions.empty() ? "" : ", ", quote(condition.claim),
                              condition.values.size() == 1 ? values : '[' + values + ']');
  }
  std::string text = "\n[[waf.providers.rules]]\n";
  if (!conditions.empty()) text += fmt::format("require = {{ {} }}\n", conditions);
  text += fmt::format("impi = {}\nimpus = {}\npool = {}\n", quote(rule.impi), quote_all(rule.impus),
                      rule.is_pool);
  if (!rule.wwsf.empty()) text += fmt::format("wwsf = {}\n", quote(rule.wwsf));
  return text;
}

const service::IssuerSource* find_source(const service::WafNodeSettings& node, const std::string& issuer) {
  const auto found = std::ranges::find(node.issuers, issuer, &service::IssuerSource::issuer);
  return found == node.issuers.end() ? nullptr : &*found;
}

std::string format_source(const service::IssuerSource* source) {
  if (source == nullptr) return "";
  std::string text = fmt::format("deadline_milliseconds = {}\n", source->deadline.count());
  if (!source->jwks_uri.empty()) text += fmt::format("jwks_uri = {}\n", quote(source->jwks_uri));
  if (!source->ca_file.empty()) text += fmt::format("ca_file = {}\n", quote(source->ca_file));
  return text;
}

std::string format_provider(const service::WafNodeSettings& node, const waf::Provider& provider) {
  std::string text = fmt::format(
      "\n[[waf.providers]]\nname = {}\ntitle = {}\nissuer = {}\nclient_id = {}\nmethod = \"{}\"\nscope = {}\n"
      "algorithms = {}\nuserinfo = {}\nclock_skew_seconds = {}\n",
      quote(provider.name), quote(provider.title), quote(provider.issuer), quote(provider.client_id),
      waf::to_string(provider.method), quote(provider.scope), format_algorithms(provider.algorithms),
      provider.asks_userinfo, provider.clock_skew.count());
  if (!provider.client_secret.empty()) text += "client_secret = \"(hidden)\"\n";
  if (!provider.token_audience.empty())
    text += fmt::format("token_audience = {}\n", quote(provider.token_audience));
  if (!provider.impis.empty()) text += fmt::format("impis = {}\n", quote_all(provider.impis));
  text += format_source(find_source(node, provider.issuer));
  for (const waf::ClaimRule& rule : provider.rules) text += format_rule(rule);
  return text;
}

std::string format_jwt_issuer(const service::WafNodeSettings& node, const waf::AssertionIssuer& issuer) {
  std::string text = fmt::format("\n[[waf.jwt_issuers]]\nissuer = {}\nalgorithms = {}\npool = {}\n",
                                 quote(issuer.issuer), format_algorithms(issuer.algorithms), issuer.is_pool);
  if (!issuer.impis.empty()) text += fmt::format("impis = {}\n", quote_all(issuer.impis));
  if (!issuer.impus.empty()) text += fmt::format("impus = {}\n", quote_all(issuer.impus));
  if (!issuer.wwsf.empty()) text += fmt::format("wwsf = {}\n", quote(issuer.wwsf));
  const service::IssuerSource* source = find_source(node, issuer.issuer);
  return text + (source == nullptr ? std::string{"# jwks_file: read\n"} : format_source(source));
}

}  // namespace

void read_waf_issuers(TableReader& table, service::WafNodeSettings& node, const std::filesystem::path& folder,
                      SecretReader& secrets, std::vector<Problem>& problems) {
  const Context context{folder, secrets, problems};
  const auto path = [&](const char* key, std::size_t at) {
    return fmt::format("{}[{}]", table.path_of(key), at);
  };
  const auto providers =
      table.tables("providers", "a list of [[waf.providers]], each with name, issuer, client_id and rules");
  for (std::size_t at = 0; at < providers.size(); ++at)
    read_provider({providers[at], path("providers", at), problems}, context, node);
  const auto issuers = table.tables(
      "jwt_issuers", "a list of [[waf.jwt_issuers]], each with issuer and jwks_uri or jwks_file");
  for (std::size_t at = 0; at < issuers.size(); ++at)
    read_jwt_issuer({issuers[at], path("jwt_issuers", at), problems}, context, node);
}

std::string format_waf_issuers(const service::WafNodeSettings& node) {
  std::string text;
  for (const waf::Provider& provider : node.waf.providers) text += format_provider(node, provider);
  for (const waf::AssertionIssuer& issuer : node.waf.assertion_issuers)
    text += format_jwt_issuer(node, issuer);
  return text;
}

std::string describe_waf_issuers(const service::WafNodeSettings& node) {
  std::string text;
  for (const waf::Provider& provider : node.waf.providers)
    text += fmt::format("login        with {}, {}, redirect URI {}/federation/{}\n", provider.title,
                        provider.issuer, node.waf.issuer, provider.name);
  for (const waf::AssertionIssuer& issuer : node.waf.assertion_issuers)
    text += fmt::format("assertions   of {}\n", issuer.issuer);
  return text;
}

}  // namespace turnpike::program
