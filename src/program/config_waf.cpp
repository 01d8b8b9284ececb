// [waf], the authorization server.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "program/config_http.hpp"
#include "program/config_sections.hpp"
#include "program/config_waf_providers.hpp"
#include "program/toml_text.hpp"
#include "program/waf_settings.hpp"
#include "waf/account_rules.hpp"

namespace turnpike::program {
namespace {

constexpr std::uint64_t many = 10'000'000;
constexpr std::int64_t day = 86400;
constexpr std::size_t text_bytes_max = 512;
constexpr std::size_t secret_bytes_min = 32;
constexpr std::uint16_t waf_port = 8445;

struct Lifetime {
  const char* key;
  std::chrono::seconds waf::Lifetimes::* member;
  std::int64_t min, max;
};
constexpr std::array lifetimes{
    Lifetime{"code_seconds", &waf::Lifetimes::code, 1, 600},
    Lifetime{"access_token_seconds", &waf::Lifetimes::access_token, 60, day},
    Lifetime{"turn_token_seconds", &waf::Lifetimes::turn_token, 10, day},
    Lifetime{"refresh_token_seconds", &waf::Lifetimes::refresh_token, 60, 366 * day},
    Lifetime{"session_seconds", &waf::Lifetimes::session, 60, 31 * day},
    Lifetime{"form_seconds", &waf::Lifetimes::form, 60, day},
    Lifetime{"assertion_max_seconds", &waf::Lifetimes::assertion_max, 10, day},
    Lifetime{"dpop_proof_seconds", &waf::Lifetimes::dpop_proof, 1, 3600},
    Lifetime{"dpop_nonce_seconds", &waf::Lifetimes::dpop_nonce, 10, day},
    Lifetime{"metadata_seconds", &waf::Lifetimes::metadata, 1, day},
    Lifetime{"clock_skew_seconds", &waf::Lifetimes::clock_skew, 0, 600},
};

struct LockRule {
  const char* key;
  waf::AttemptRule waf::LockRules::* member;
};
constexpr std::array lock_rules{
    LockRule{"per_user_and_source", &waf::LockRules::per_user_and_source},
    LockRule{"per_user", &waf::LockRules::per_user},
    LockRule{"per_source", &waf::LockRules::per_source},
};

Secret derive(const Secret& secret, std::string_view purpose) {
  return Secret{crypto::hmac_sha256(secret.reveal(), as_bytes(purpose))};
}

void read_secret(TableReader& table, WafConfig& waf, SecretReader& secrets) {
  const std::string allowed =
      fmt::format("at least {} bytes; make some with `turnpike key generate`", secret_bytes_min);
  auto secret = secrets.read(table, "secret", allowed);
  if (secret && secret->size() < secret_bytes_min)
    table.complain("secret", line_of(table, "secret"),
                   fmt::format("found {} bytes, allowed: {}", secret->size(), allowed));
  if (secret) waf.secret = std::move(*secret);
}

bool has_keys(const Config& config) {
  return config.credentials.token && !config.credentials.token->keys.empty();
}

void read_turn_server(TableReader table, WafConfig& waf, const Config& config) {
  waf.turn_uris = config.uris;
  read_turn_uris(table, waf.turn_uris);
  table.text_list("resources", waf.turn_resources, "a list of URIs that mean the TURN server too");
  if (table.is_present() && !has_keys(config))
    table.complain(
        "", table.line(),
        "found without [credentials.token] keys, allowed: beside them, as tokens are made with them");
  table.finish();
}

void read_lifetimes(TableReader table, waf::Lifetimes& to) {
  for (const Lifetime& lifetime : lifetimes)
    table.seconds(lifetime.key, to.*lifetime.member, lifetime.min, lifetime.max);
  table.finish();
}

void read_keys(TableReader table, waf::KeyRules& rules) {
  table.choice<jose::Algorithm>("algorithm", rules.algorithm,
                                {{"ES256", jose::Algorithm::es256},
                                 {"RS256", jose::Algorithm::rs256},
                                 {"PS256", jose::Algorithm::ps256}});
  table.seconds("signs_for_seconds", rules.signs_for, 3600, 366 * day);
  table.seconds("published_before_seconds", rules.published_before, 60, 31 * day);
  table.finish();
}

void read_locks(TableReader table, waf::LockRules& to) {
  for (const LockRule& rule : lock_rules) {
    waf::AttemptRule& of_rule = to.*rule.member;
    TableReader entry = table.sub_table(rule.key);
    entry.number("failures", of_rule.failures_max, 1, 1'000'000);
    entry.seconds("memory_seconds", of_rule.memory, 1, 31 * day);
    entry.seconds("lock_seconds", of_rule.lock, 1, day);
    entry.seconds("lock_max_seconds", of_rule.lock_max, 1, 31 * day);
    if (of_rule.lock > of_rule.lock_max)
      entry.complain("lock_max_seconds", line_of(entry, "lock_max_seconds"),
                     fmt::format("found {}, allowed: at least lock_seconds, {}", of_rule.lock_max.count(),
                                 of_rule.lock.count()));
    entry.finish();
  }
  table.finish();
}

// OWASP's advice of 2023 begins at 2^17 with p = 1, or the same work in other shapes; ln=15,r=8,p=3 is one.
void read_passwords(TableReader table, PasswordCost& to) {
  constexpr std::uint64_t bytes_max = std::uint64_t{256} << 20;
  table.number("log2_n", to.log2_n, 10, 21);
  table.number("r", to.r, 1, 32);
  table.number("p", to.p, 1, 16);
  if (const std::uint64_t bytes = std::uint64_t{128} * to.r << to.log2_n; bytes > bytes_max)
    table.complain("log2_n", line_of(table, "log2_n"),
                   fmt::format("found {} MiB for each check (128 * r * 2^log2_n bytes), allowed: at most {}",
                               bytes >> 20, bytes_max >> 20));
  table.finish();
}

void read_waf_limits(TableReader table, WafConfig& waf) {
  service::WafNodeSettings& node = waf.node;
  table.number("connections_total", waf.connections_max, 1, many);
  table.number("connections_per_source", waf.connections_per_source_max, 1, many);
  table.number("requests_per_second_per_source", node.requests_per_second_per_source, 1, 1'000'000);
  table.number("logins_waiting", node.passwords_waiting_max, 1, 10'000);
  table.number("users_total", node.waf.limits.users_max, 1, many);
  table.number("sessions_per_user", node.waf.limits.sessions_per_user_max, 1, 10'000);
  table.number("authorizations_per_user", node.waf.limits.families_per_user_max, 1, 10'000);
  table.number("audit_entries", waf.ledger.audit_max, 1, 100'000'000);
  table.number("audit_entries_of_strangers", waf.ledger.audit_strangers_max, 1, 100'000'000);
  std::chrono::seconds days{waf.ledger.audit_for / day};
  table.seconds("audit_days", days, 0, 36'600);
  waf.ledger.audit_for = days * day;
  table.finish();
}

// scopes = { ims = "what the consent page says of it" }
void read_scopes(TableReader& table, waf::Settings& settings) {
  const Node* scopes = table.find("scopes");
  TableReader texts = table.sub_table("scopes");
  if (scopes == nullptr || scopes->kind != Node::Kind::table) return;
  settings.scopes.clear();
  for (const std::string& name : scopes->keys) {
    texts.text(name, settings.scopes[name], text_bytes_max);
    if (waf::parse_scope(name) != waf::Scope{name})
      texts.complain(name, texts.find(name)->line,
                     "found a name that is no scope, allowed: one without spaces");
  }
}

void read_machine(TableReader& table, waf::Settings& settings) {
  table.needed_text("issuer", settings.issuer, text_bytes_max,
                    "the https URL by which browsers reach it, without a / at its end");
  table.text("title", settings.title, text_bytes_max);
  waf::RegistrationTarget& registration = settings.registration;
  table.needed_text(
      "audience", registration.audience, text_bytes_max,
      "what registration tokens have in \"aud\": the audience of the eP-CSCF's [epcscf.tokens]");
  table.text_list("resources", registration.resources, "a list of URIs that mean the eP-CSCF too");
  table.text_list("origins", settings.cors_origins,
                  "a list of origins whose pages may ask for tokens, such as \"https://wic.example\"");
  table.boolean("dpop_requires_nonce", settings.dpop_requires_nonce);
  read_prefixes(table, "trusted_proxies", settings.trusted_proxies);
  read_locks(table.sub_table("locks"), settings.locks);
  read_passwords(table.sub_table("passwords"), settings.password_cost);
  table.boolean("password_login", settings.offers_passwords);
  read_scopes(table, settings);
  read_lifetimes(table.sub_table("lifetimes"), settings.lifetimes);
  read_keys(table.sub_table("keys"), settings.keys);
}

}  // namespace

waf::Settings make_waf_settings(const Config& config) {
  const WafConfig& from = *config.waf;
  waf::Settings settings = from.node.waf;
  settings.key = derive(from.secret, "turnpike waf");
  if (has_keys(config))
    settings.turn = {{.token = *config.credentials.token,
                      .realm = config.credentials.realm,
                      .uris = from.turn_uris,
                      .resources = from.turn_resources}};
  for (waf::TurnTarget target : from.turn_servers) {
    // Keys come and go; how tokens are made of them stands where it stands for all.
    if (config.credentials.token) target.token.policy = config.credentials.token->policy;
    settings.turn.push_back(std::move(target));
  }
  return settings;
}

service::WafNodeSettings make_waf_node_settings(const Config& config) {
  const WafConfig& from = *config.waf;
  service::WafNodeSettings settings = from.node;
  settings.waf = make_waf_settings(config);
  for (const HttpListener& listener : from.door.listeners) {
    service::HttpServerSettings http{.listen = listener.address,
                                     .connections_max = from.connections_max,
                                     .connections_per_source_max = from.connections_per_source_max,
                                     .proxies = from.node.waf.trusted_proxies};
    if (listener.is_secure) {
      http.certificate_file = from.door.certificate;
      http.key_file = from.door.key;
    }
    settings.listeners.push_back(std::move(http));
  }
  if (from.keys)
    settings.key_listener = {.listen = from.keys->listen,
                             .certificate_file = from.keys->certificate,
                             .key_file = from.keys->key,
                             .client_ca_file = from.keys->client_ca,
                             .connections_max = from.connections_max,
                             .connections_per_source_max = from.connections_per_source_max};
  return settings;
}

Secret make_waf_storage_key(const WafConfig& waf) { return derive(waf.secret, "turnpike waf storage"); }

void read_waf(TableReader table, Config& config, const std::filesystem::path& folder, SecretReader& secrets,
              std::vector<Problem>& problems) {
  if (!table.is_present()) return;
  WafConfig waf;
  read_http_listeners(table, waf.door, waf_port);
  read_http_files(table, waf.door, folder);
  table.file_name("database", waf.database, folder);
  if (table.find("database") == nullptr)
    table.missing(
        "database",
        "the file of clients, users and grants, which `turnpike client add` and `turnpike user add` fill");
  read_secret(table, waf, secrets);
  read_machine(table, waf.node.waf);
  read_waf_issuers(table, waf.node, folder, secrets, problems);
  read_turn_server(table.sub_table("turn"), waf, config);
  read_waf_turn_keys(table, waf, config, folder, problems);
  read_waf_limits(table.sub_table("limits"), waf);
  table.finish();
  const bool is_whole = !waf.node.waf.issuer.empty() && waf.secret.size() >= secret_bytes_min;
  config.waf = std::move(waf);
  if (!is_whole) return;
  for (const std::string& problem : waf::find_problems(make_waf_settings(config)))
    table.complain("", table.line(), problem);
}

namespace {

std::string format_machine(const waf::Settings& settings) {
  std::vector<std::string> proxies;
  proxies.reserve(settings.trusted_proxies.size());
  for (const IpPrefix& proxy : settings.trusted_proxies) proxies.push_back(proxy.to_string());
  std::string text = fmt::format(
      "issuer = {}\ntitle = {}\naudience = {}\nresources = {}\norigins = {}\ndpop_requires_nonce = {}\n"
      "trusted_proxies = {}\npassword_login = {}\n",
      quote(settings.issuer), quote(settings.title), quote(settings.registration.audience),
      quote_all(settings.registration.resources), quote_all(settings.cors_origins),
      settings.dpop_requires_nonce, quote_all(proxies), settings.offers_passwords);
  text += "\n[waf.scopes]\n";
  for (const auto& [name, words] : settings.scopes)
    text += fmt::format("{} = {}\n", quote(name), quote(words));
  text += "\n[waf.lifetimes]\n";
  for (const Lifetime& lifetime : lifetimes)
    text += fmt::format("{} = {}\n", lifetime.key, (settings.lifetimes.*lifetime.member).count());
  for (const LockRule& rule : lock_rules) {
    const waf::AttemptRule& of_rule = settings.locks.*rule.member;
    text += fmt::format(
        "\n[waf.locks.{}]\nfailures = {}\nmemory_seconds = {}\nlock_seconds = {}\nlock_max_seconds = {}\n",
        rule.key, of_rule.failures_max, of_rule.memory.count(), of_rule.lock.count(),
        of_rule.lock_max.count());
  }
  text += fmt::format("\n[waf.passwords]\nlog2_n = {}\nr = {}\np = {}\n", settings.password_cost.log2_n,
                      settings.password_cost.r, settings.password_cost.p);
  return text +
         fmt::format(
             "\n[waf.keys]\nalgorithm = \"{}\"\nsigns_for_seconds = {}\npublished_before_seconds = {}\n",
             jose::to_string(settings.keys.algorithm), settings.keys.signs_for.count(),
             settings.keys.published_before.count());
}

}  // namespace

std::string format_waf(const Config& config) {
  const WafConfig& waf = *config.waf;
  const service::WafNodeSettings& node = waf.node;
  std::string text = "\n[waf]\n" + format_http_door(waf.door);
  text += fmt::format("database = {}\nsecret = \"(hidden)\"\n", quote(waf.database));
  text += format_machine(node.waf);
  if (has_keys(config))
    text += fmt::format("\n[waf.turn]\nuris = {}\nresources = {}\n", quote_all(waf.turn_uris),
                        quote_all(waf.turn_resources));
  text += format_waf_turn_keys(waf);
  text += format_waf_issuers(node);
  return text +
         fmt::format(
             "\n[waf.limits]\nconnections_total = {}\nconnections_per_source = "
             "{}\nrequests_per_second_per_source = {}\n"
             "logins_waiting = {}\nusers_total = {}\nsessions_per_user = {}\nauthorizations_per_user = {}\n"
             "audit_entries = {}\naudit_entries_of_strangers = {}\naudit_days = {}\n",
             waf.connections_max, waf.connections_per_source_max, node.requests_per_second_per_source,
             node.passwords_waiting_max, node.waf.limits.users_max, node.waf.limits.sessions_per_user_max,
             node.waf.limits.families_per_user_max, waf.ledger.audit_max, waf.ledger.audit_strangers_max,
             waf.ledger.audit_for.count() / day);
}

std::string describe_waf(const Config& config) {
  const WafConfig& waf = *config.waf;
  std::vector<std::string> turn;
  if (has_keys(config)) turn.push_back(config.credentials.token->server_name);
  for (const waf::TurnTarget& target : waf.turn_servers) turn.push_back(target.token.server_name);
  if (turn.empty()) turn.emplace_back("none");
  std::string text = fmt::format("WAF          {}, issuer {}, accounts in {}\ntokens       for {}, TURN {}\n",
                                 fmt::join(listener_names(waf.door), ", "), waf.node.waf.issuer, waf.database,
                                 waf.node.waf.registration.audience, fmt::join(turn, ", "));
  if (waf.keys)
    text += fmt::format("TURN keys    https:{}, kids {}...\n", waf.keys->listen.to_string(),
                        waf.node.waf.turn_keys.kid_prefix);
  return text + describe_waf_issuers(waf.node);
}

}  // namespace turnpike::program
