#include "program/wic_logins.hpp"

#include <fmt/format.h>

#include <iostream>
#include <utility>

#include "ims/aka.hpp"
#include "program/text_file.hpp"

namespace turnpike::program {
namespace {

using client::Scenario;
using Done = std::expected<void, std::string>;

// One line of standard input.
std::string read_line() {
  std::string line;
  std::getline(std::cin, line);
  return line;
}

std::expected<std::string, std::string> read_secret_file(const std::string& option, const std::string& file) {
  auto text = read_text_file(file);
  if (!text) return std::unexpected(fmt::format("{}: found \"{}\": {}", option, file, text.error()));
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (text->empty()) return std::unexpected(fmt::format("{}: found nothing in \"{}\"", option, file));
  return *std::move(text);
}

// "-" is the first line of standard input, where no other process sees it.
std::expected<Secret, std::string> read_secret(const std::string& name,
                                               const std::optional<std::string>& value,
                                               const std::optional<std::string>& file) {
  if (value && file)
    return std::unexpected(fmt::format("found {0} and {0}-file, allowed: one of them", name));
  if (!file) return Secret::from_text(*value == "-" ? read_line() : *value);
  const auto text = read_secret_file(name + "-file", *file);
  if (!text) return std::unexpected(text.error());
  return Secret::from_text(*text);
}

std::expected<Secret, std::string> read_block(const std::string& name, const std::string& text) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() != 16)
    return std::unexpected(fmt::format("{}: found {} characters, allowed: 32 hex digits", name, text.size()));
  Secret secret{*bytes};
  wipe(*bytes);
  return secret;
}

std::expected<client::WicLogin, std::string> read_card(const WicOptions& options) {
  if (!options.aka_k || !options.aka_opc || !options.user)
    return std::unexpected("--user, --aka-k and --aka-opc belong together");
  const auto k = read_block("--aka-k", *options.aka_k);
  if (!k) return std::unexpected(k.error());
  const auto opc = read_block("--aka-opc", *options.aka_opc);
  if (!opc) return std::unexpected(opc.error());
  return client::AkaLogin{.username = *options.user, .card = {.k = *k, .opc = *opc, .sqn = options.aka_sqn}};
}

bool has_password(const WicOptions& options) { return options.password || options.password_file; }
bool has_token(const WicOptions& options) { return options.token || options.token_file; }
bool has_card(const WicOptions& options) { return options.aka_k || options.aka_opc; }

std::expected<Scenario, std::string> read_scenario(const WicOptions& options) {
  if (has_password(options) + has_token(options) + has_card(options) > 1)
    return std::unexpected("found more than one login, allowed: a password, a token or a card");
  const bool is_ims = has_password(options) || has_card(options);
  const bool is_web = has_token(options) || options.waf;
  if (!options.scenario) {
    if (!is_ims && !is_web)
      return std::unexpected(
          "a login is missing: --user and --password, or --waf, or --token, or --aka-k and --aka-opc");
    return is_ims ? Scenario::ims : Scenario::web;
  }
  const auto scenario = static_cast<Scenario>(*options.scenario);
  if (scenario == Scenario::ims && has_token(options))
    return std::unexpected("--scenario 1 registers with a password or a card; a token is for 2 and 3");
  if (scenario == Scenario::ims && !is_ims)
    return std::unexpected("--scenario 1 needs --user and --password, or --aka-k and --aka-opc");
  if (scenario != Scenario::ims && is_ims)
    return std::unexpected(
        fmt::format("--scenario {} registers with a token, not with a password or a card of the core; "
                    "the login at the WAF is --waf-user and --waf-password",
                    *options.scenario));
  if (scenario != Scenario::ims && !is_web)
    return std::unexpected(
        fmt::format("--scenario {} needs --waf, where to log in, or --token-file", *options.scenario));
  return scenario;
}

std::expected<client::WicLogin, std::string> read_login(const WicOptions& options) {
  if (has_card(options)) return read_card(options);
  if (has_token(options)) {
    auto token = read_secret("--token", options.token, options.token_file);
    if (!token) return std::unexpected(token.error());
    return client::BearerLogin{*std::move(token), options.bare_token ? client::BearerSpelling::bare
                                                                     : client::BearerSpelling::access_token};
  }
  if (!options.user) return std::unexpected("--user is missing beside the password");
  auto password = read_secret("--password", options.password, options.password_file);
  if (!password) return std::unexpected(password.error());
  return client::DigestLogin{*options.user, *std::move(password)};
}

// --- the WAF ----------------------------------------------------------------------------------------------

Done read_waf_user(const WicOptions& options, client::WafSettings& waf) {
  const bool has_waf_password = options.waf_password || options.waf_password_file;
  if (options.waf_as_client) {
    if (options.waf_user || has_waf_password)
      return std::unexpected("found --waf-as-client and a user, allowed: one of them");
    if (waf.client_secret.empty()) return std::unexpected("--waf-as-client needs --waf-client-secret-file");
    waf.way = client::WafLoginWay::client_credentials;
    return {};
  }
  if (options.waf_user.has_value() != has_waf_password)
    return std::unexpected(
        "--waf-user and --waf-password (or --waf-password-file) belong together; without both, a "
        "browser logs in");
  if (!has_waf_password) return {};
  auto password = read_secret("--waf-password", options.waf_password, options.waf_password_file);
  if (!password) return std::unexpected(password.error());
  waf.way = client::WafLoginWay::form;
  waf.login = {.name = *options.waf_user, .password = *std::move(password)};
  return {};
}

std::expected<client::WafSettings, std::string> read_waf(const WicOptions& options) {
  const auto issuer = HttpUrl::parse(*options.waf);
  if (!issuer || (!issuer->is_secure && !issuer->is_loopback()) || options.waf->ends_with('/'))
    return std::unexpected(
        fmt::format("--waf: found \"{}\", allowed: an issuer such as https://waf.ims.example, without "
                    "a / at its end; http for this machine alone",
                    *options.waf));
  client::WafSettings waf{
      .issuer = *options.waf,
      .client_id = options.waf_client,
      .redirect_uri = options.waf_redirect,
      .http = {.trust = {.ca_file = options.ca.value_or(""), .is_insecure = options.insecure},
               .timeout = std::chrono::milliseconds{options.timeout_ms}}};
  if (options.waf_client_secret_file) {
    auto secret = read_secret_file("--waf-client-secret-file", *options.waf_client_secret_file);
    if (!secret) return std::unexpected(secret.error());
    waf.client_secret = Secret::from_text(*secret);
  }
  if (const auto done = read_waf_user(options, waf); !done) return std::unexpected(done.error());
  return waf;
}

Done refuse_lonely_waf_options(const WicOptions& options) {
  const bool is_lonely = options.waf_user || options.waf_password || options.waf_password_file ||
                         options.waf_client_secret_file || options.waf_as_client || options.open_browser;
  if (is_lonely)
    return std::unexpected("found options of a login at a WAF without --waf, which says where that is");
  return {};
}

// --- the TURN credential ----------------------------------------------------------------------------------

// Whose token it is follows from who is there: the WAF's, whose login brings it along, else the eP-CSCF's.
Done read_source(const WicOptions& options, client::WicSettings& to) {
  const bool is_browser_form = options.form == "browser";
  if (options.source == "computed") to.source = credentials::Source::computed;
  if (options.source == "pushed") to.source = credentials::Source::pushed;
  if (options.source == "token") to.source = credentials::Source::token;
  const bool is_token = to.source == credentials::Source::token;
  if (is_browser_form && !is_token) return std::unexpected("--form browser is of a token: --source token");
  if (to.waf && to.scenario == Scenario::ims && options.source && !is_token)
    return std::unexpected(
        fmt::format("--scenario 1 takes nothing but a TURN token from the WAF: --source {} needs no --waf",
                    *options.source));
  // Beside a registration with the core's password a WAF is asked for nothing else.
  to.takes_turn_of_waf = to.waf && (is_token || (to.scenario == Scenario::ims && !options.source));
  if (to.takes_turn_of_waf && is_browser_form)
    return std::unexpected("--form browser: allowed where the eP-CSCF issues the token, without --waf");
  to.prefers_tokens = is_token && !is_browser_form;
  return {};
}

void ask_for_source(client::WicSettings& to) {
  client::WicAgentSettings& agent = to.agent;
  if (to.takes_turn_of_waf) agent.credentials = client::CredentialsAsk::none;
  if (!to.source || to.takes_turn_of_waf) return;
  if (to.prefers_tokens)
    agent.wanted.form = provisioning::Form::oauth;  // which comes beside a password of any source
  else
    agent.wanted.source = to.source;
}

// Of a token that tells it; the WAF's is not there yet.
std::expected<std::string, std::string> read_identity(const WicOptions& options,
                                                      const client::WicLogin& login) {
  if (!options.user && !options.identity) {
    const auto* bearer = std::get_if<client::BearerLogin>(&login);
    const auto holder = bearer == nullptr ? std::nullopt : client::find_token_holder(bearer->token);
    if (holder && !client::find_identity_problem(holder->identity)) return holder->identity;
    return std::unexpected("--identity is missing: whom to register, such as sip:alice@ims.example");
  }
  std::string identity = options.identity.value_or("sip:" + options.user.value_or(""));
  if (const auto problem = client::find_identity_problem(identity))
    return std::unexpected(fmt::format("{}: {}", options.identity ? "--identity" : "--user", *problem));
  return identity;
}

}  // namespace

std::expected<void, std::string> read_logins(const WicOptions& options, client::WicSettings& to) {
  const auto scenario = read_scenario(options);
  if (!scenario) return std::unexpected(scenario.error());
  to.scenario = *scenario;
  if (has_token(options) && options.waf)
    return std::unexpected("found --token and --waf, allowed: one of them");
  if (!options.waf)
    if (const auto done = refuse_lonely_waf_options(options); !done) return done;
  if (options.waf) {
    auto waf = read_waf(options);
    if (!waf) return std::unexpected(waf.error());
    to.waf = *std::move(waf);
  }
  if (const auto done = read_source(options, to); !done) return done;
  to.registers_with_waf = to.waf && to.scenario != Scenario::ims;
  if (to.waf) to.waf->scope = to.registers_with_waf ? (to.takes_turn_of_waf ? "ims turn" : "ims") : "turn";
  ask_for_source(to);
  if (to.registers_with_waf) {
    to.agent.identity = options.identity.value_or("");
    to.agent.login = client::BearerLogin{
        {}, options.bare_token ? client::BearerSpelling::bare : client::BearerSpelling::access_token};
    if (options.user)
      return std::unexpected("--user is of a password or a card; the user at the WAF is --waf-user");
    const auto problem = options.identity ? client::find_identity_problem(*options.identity) : std::nullopt;
    if (problem) return std::unexpected(fmt::format("--identity: {}", *problem));
    return {};
  }
  auto login = read_login(options);
  if (!login) return std::unexpected(login.error());
  auto identity = read_identity(options, *login);
  if (!identity) return std::unexpected(identity.error());
  to.agent.identity = *std::move(identity);
  if (const auto* bearer = std::get_if<client::BearerLogin>(&*login))
    if (auto problem = client::find_scenario_problem(to.scenario, bearer->token); problem && options.scenario)
      return std::unexpected(*std::move(problem));
  to.agent.login = *std::move(login);
  return {};
}

}  // namespace turnpike::program
