#include "program/waf_client_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/random.hpp"
#include "program/account_command.hpp"
#include "program/text_file.hpp"
#include "waf/account_rules.hpp"

namespace turnpike::program {
namespace {

using waf::ClientMethod;
using waf::GrantType;
using Json = nlohmann::ordered_json;

constexpr std::array grant_names{std::pair{"authorization_code", GrantType::authorization_code},
                                 std::pair{"refresh_token", GrantType::refresh_token},
                                 std::pair{"client_credentials", GrantType::client_credentials},
                                 std::pair{"token_exchange", GrantType::token_exchange},
                                 std::pair{"jwt_bearer", GrantType::jwt_bearer}};
constexpr std::array methods{ClientMethod::none, ClientMethod::client_secret_basic,
                             ClientMethod::client_secret_post, ClientMethod::private_key_jwt};

bool has_secret(ClientMethod method) {
  return method == ClientMethod::client_secret_basic || method == ClientMethod::client_secret_post;
}

std::expected<waf::GrantTypes, std::string> read_grants(const ClientAddOptions& options) {
  if (options.grants.empty() && !options.redirect_uris.empty())
    return waf::GrantTypes{GrantType::authorization_code, GrantType::refresh_token,
                           GrantType::token_exchange};
  waf::GrantTypes grants;
  for (const std::string& text : options.grants) {
    const auto found = std::ranges::find_if(grant_names, [&](const auto& it) { return text == it.first; });
    if (found == grant_names.end())
      return std::unexpected(
          fmt::format("--grant: found \"{}\", allowed: authorization_code, refresh_token, "
                      "client_credentials, token_exchange, jwt_bearer",
                      text));
    grants.insert(found->second);
  }
  return grants;
}

std::vector<std::string> grants_of(const waf::Client& client) {
  std::vector<std::string> names;
  for (const auto& [name, type] : grant_names)
    if (client.grants.contains(type)) names.emplace_back(name);
  return names;
}

std::expected<waf::Client, std::string> make_client(const ClientAddOptions& options) {
  waf::Client client{.id = options.id,
                     .name = options.name.empty() ? options.id : options.name,
                     .redirect_uris = options.redirect_uris,
                     .audiences = {options.audiences.begin(), options.audiences.end()},
                     .introspects = {options.introspects.begin(), options.introspects.end()},
                     .wwsf = options.wwsf.value_or(""),
                     .needs_consent = !options.is_trusted,
                     .requires_dpop = options.requires_dpop,
                     .exchanges_for_others = options.exchanges_for_others};
  client.method = *std::ranges::find_if(
      methods, [&](ClientMethod method) { return waf::to_string(method) == options.method; });
  auto grants = read_grants(options);
  if (!grants) return std::unexpected(grants.error());
  client.grants = *grants;
  const auto scope = waf::parse_scope(options.scope);
  if (!scope) return std::unexpected("--scope: found characters that a scope has not, allowed: \"ims turn\"");
  client.scopes = *scope;
  if (options.jwks_file) {
    auto keys = read_text_file(*options.jwks_file);
    if (!keys) return std::unexpected(fmt::format("--jwks-file {}: {}", *options.jwks_file, keys.error()));
    client.jwks = std::move(*keys);
  }
  return client;
}

struct NewSecret {
  std::string text{};
  waf::ClientSecret kept{};
};
NewSecret make_secret() {
  SystemRandom random;
  NewSecret secret{.text = to_base64url(random.draw<32>())};
  secret.kept.digest = waf::digest_of(secret.text);
  return secret;
}

// Where the secret is found, in words; it is shown once.
std::expected<std::string, std::string> hand_over(const NewSecret& secret,
                                                  const std::optional<std::string>& file) {
  if (!file) return "client_secret: " + secret.text + "\n";
  const auto written = write_private_file(*file, secret.text + '\n');
  if (!written)
    return std::unexpected(written.error().is_there
                               ? *file + " is there already, and a secret is never overwritten"
                               : fmt::format("cannot write {}: {}", *file, written.error().reason));
  return "its secret is in " + *file + "\n";
}

Json to_json(const waf::Client& client) {
  return {{"client_id", client.id},
          {"client_name", client.name},
          {"token_endpoint_auth_method", waf::to_string(client.method)},
          {"secrets", client.secrets.size()},
          {"redirect_uris", client.redirect_uris},
          {"grants", grants_of(client)},
          {"scope", waf::to_string(client.scopes)},
          {"audiences", client.audiences},
          {"introspects", client.introspects},
          {"wwsf", client.wwsf},
          {"trusted", !client.needs_consent},
          {"requires_dpop", client.requires_dpop},
          {"exchanges_for_others", client.exchanges_for_others},
          {"enabled", client.is_enabled}};
}

void keep_client(WafAccounts& accounts, const waf::Client& client, const char* event, WallTime now) {
  waf::AuditEntry entry = make_command_entry(event, now);
  entry.client = client.id;
  accounts.record(entry, [&] {
    accounts.ledger->put_client(client);
    return true;
  });
}

}  // namespace

Answer add_client(WafAccounts& accounts, const ClientAddOptions& options, WallTime now) {
  auto client = make_client(options);
  if (!client) return refuse(client.error());
  if (accounts.ledger->find_client(client->id)) return say_no("there is a client " + client->id + " already");
  if (client->grants == waf::GrantTypes{} && client->introspects.empty())
    return refuse(
        "found nothing that this client may do, allowed: --redirect-uri, where users log in by it; --grant, "
        "such as client_credentials; or --introspects, for a server that only asks about tokens");
  std::optional<NewSecret> secret;
  if (has_secret(client->method)) {
    secret = make_secret();
    client->secrets = {secret->kept};
  }
  if (const auto problems = waf::find_problems(*client); !problems.empty())
    return refuse(fmt::format("{}", fmt::join(problems, "\n")));
  std::string text = "client " + client->id + " added\n";
  if (secret) {
    const auto told = hand_over(*secret, options.secret_to);
    if (!told) return refuse(told.error());
    text += *told;
  }
  keep_client(accounts, *client, "client_added", now);
  return accounts.conclude(std::move(text));
}

Answer list_clients(WafAccounts& accounts, bool as_json) {
  const std::vector<waf::Client> clients = accounts.ledger->clients();
  if (as_json) {
    Json all = Json::array();
    for (const waf::Client& client : clients) all.push_back(to_json(client));
    return accounts.conclude(all.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
  }
  std::string text;
  for (const waf::Client& client : clients)
    text += fmt::format("{:<20} {:<20} {:<12} {} {}{}\n", client.id, waf::to_string(client.method),
                        waf::to_string(client.scopes), fmt::join(grants_of(client), ","),
                        fmt::join(client.redirect_uris, " "), client.is_enabled ? "" : "  disabled");
  return accounts.conclude(text.empty() ? "no clients\n" : std::move(text));
}

Answer rotate_client(WafAccounts& accounts, const ClientRotateOptions& options, WallTime now) {
  const auto found = accounts.ledger->find_client(options.id);
  if (!found) return say_no("there is no client " + options.id);
  if (!has_secret(found->method))
    return refuse(fmt::format("{}: found the method {}, allowed: a client with a secret", options.id,
                              waf::to_string(found->method)));
  waf::Client client = *found;
  const WallTime ends_at = now + std::chrono::seconds{options.overlap_seconds};
  std::erase_if(client.secrets, [&](const waf::ClientSecret& secret) { return secret.ends_at <= now; });
  for (waf::ClientSecret& secret : client.secrets) secret.ends_at = std::min(secret.ends_at, ends_at);
  const NewSecret secret = make_secret();
  client.secrets.insert(client.secrets.begin(), secret.kept);
  const auto told = hand_over(secret, options.secret_to);
  if (!told) return refuse(told.error());
  keep_client(accounts, client, "client_rotated", now);
  return accounts.conclude(
      *told + fmt::format("the older one is good for {} s, and then refused\n", options.overlap_seconds));
}

Answer disable_client(WafAccounts& accounts, const std::string& id, WallTime now) {
  const auto found = accounts.ledger->find_client(id);
  if (!found) return say_no("there is no client " + id);
  if (!found->is_enabled) return say_no("the client " + id + " is disabled already");
  waf::Client client = *found;
  client.is_enabled = false;
  waf::AuditEntry entry = make_command_entry("client_disabled", now);
  entry.client = id;
  const auto ended = accounts.record(entry, [&] {
    accounts.ledger->put_client(client);
    return accounts.ledger->revoke_client(id, now);
  });
  return accounts.conclude_end("client " + id + " disabled, and all that it was given revoked\n", ended);
}

Answer enable_client(WafAccounts& accounts, const std::string& id, WallTime now) {
  const auto found = accounts.ledger->find_client(id);
  if (!found) return say_no("there is no client " + id);
  if (found->is_enabled) return say_no("the client " + id + " is enabled already");
  waf::Client client = *found;
  client.is_enabled = true;
  keep_client(accounts, client, "client_enabled", now);
  return accounts.conclude("client " + id + " enabled; its users log in again\n");
}

Answer remove_client(WafAccounts& accounts, const std::string& id, WallTime now) {
  if (!accounts.ledger->find_client(id)) return say_no("there is no client " + id);
  waf::AuditEntry entry = make_command_entry("client_removed", now);
  entry.client = id;
  const auto ended = accounts.record(entry, [&] { return accounts.ledger->remove_client(id, now); });
  return accounts.conclude_end("client " + id + " removed, with all that it was given\n", ended);
}

// --- the command line -------------------------------------------------------------------------------------
namespace {

constexpr const char* add_help =
    "Examples:\n"
    "  turnpike client add wic --config turnpike.toml --redirect-uri https://wic.example/done --trusted\n"
    "  turnpike client add epcscf --config turnpike.toml --method client_secret_basic --scope '' \\\n"
    "    --introspects epcscf.ims.example --secret-to var/introspection.secret\n"
    "A secret is made here, and shown once: the database has a digest of it.\n";

void describe_add(Command& command, ClientAddOptions& options) {
  command.required_text("ID", options.id, "its client_id")
      .text("--name", options.name, "what users are shown; the ID if unset")
      .choice("--method", options.method,
              {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
              "how it proves who it is")
      .texts("--redirect-uri", options.redirect_uris, "where codes may be sent, to the letter")
      .texts("--grant", options.grants,
             "authorization_code, refresh_token, client_credentials, token_exchange or jwt_bearer; with a "
             "redirect URI the first two and token_exchange if unset")
      .text("--scope", options.scope, "what it may ask for")
      .texts("--audience", options.audiences, "for whom its tokens may be; for all if unset")
      .texts("--introspects", options.introspects, "audiences of the tokens that it may ask about")
      .text("--wwsf", options.wwsf, "the WWSF that its users come by way of")
      .text("--jwks-file", options.jwks_file, "its key set, for private_key_jwt")
      .text("--secret-to", options.secret_to, "the file that its secret is written to; unset: it is printed")
      .flag("--trusted", options.is_trusted, "its users are not asked whether they agree")
      .flag("--requires-dpop", options.requires_dpop,
            "its tokens are bound to a key (DPoP); they are exchanged with a proof, and register nobody")
      .flag("--exchanges-for-others", options.exchanges_for_others,
            "it may exchange tokens that other clients were given")
      .explain(add_help);
}

void describe_rotate(Command& command, ClientRotateOptions& options) {
  command.required_text("ID", options.id, "its client_id")
      .number("--overlap", options.overlap_seconds, 0, 31'536'000, "seconds for which the older one is good")
      .text("--secret-to", options.secret_to, "the file that it is written to; unset: it is printed");
}

}  // namespace

void add_client_command(Command root) {
  Command client = root.add("client", "Keep the clients of the WAF").require_command();
  add_account_command<WafPlace, ClientAddOptions>(client, "add", "Register a client", true, describe_add,
                                                  [](WafAccounts& accounts, const ClientAddOptions& options) {
                                                    return add_client(accounts, options, read_clocks().wall);
                                                  });
  add_list_command<WafPlace>(client, "List the clients, without their secrets", list_clients);
  add_account_command<WafPlace, ClientRotateOptions>(
      client, "rotate", "Make a client's next secret", false, describe_rotate,
      [](WafAccounts& accounts, const ClientRotateOptions& options) {
        return rotate_client(accounts, options, read_clocks().wall);
      });
  add_named_command<WafPlace>(client, "disable",
                              "Take no requests of a client any more, and revoke what it was given", "ID",
                              "its client_id", [](WafAccounts& accounts, const std::string& id) {
                                return disable_client(accounts, id, read_clocks().wall);
                              });
  add_named_command<WafPlace>(client, "enable", "Take requests of a client again", "ID", "its client_id",
                              [](WafAccounts& accounts, const std::string& id) {
                                return enable_client(accounts, id, read_clocks().wall);
                              });
  add_named_command<WafPlace>(client, "remove", "Remove a client, and revoke what it was given", "ID",
                              "its client_id", [](WafAccounts& accounts, const std::string& id) {
                                return remove_client(accounts, id, read_clocks().wall);
                              });
}

}  // namespace turnpike::program
