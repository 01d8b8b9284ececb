#include "program/waf_user_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/random.hpp"
#include "program/account_command.hpp"
#include "program/text_file.hpp"
#include "waf/account_rules.hpp"

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;

std::expected<std::string, std::string> make_hash(const std::string& file, const PasswordCost& cost) {
  auto password = read_password_file(file);
  if (!password) return std::unexpected(password.error());
  if (password->empty())
    return std::unexpected(fmt::format("--password-file {}: found nothing, allowed: a password", file));
  SystemRandom random;
  std::string hash = hash_password(Secret::from_text(*password), cost, random);
  wipe({reinterpret_cast<Byte*>(password->data()), password->size()});
  return hash;
}

Json to_json(const waf::User& user) {
  return {{"sub", user.id},
          {"name", user.name},
          {"password", !user.password.empty()},
          {"impi", user.identity.impi},
          {"impus", user.identity.impus},
          {"wwsf", user.identity.wwsf},
          {"pool", user.identity.is_pool_identity},
          {"enabled", user.is_enabled}};
}

const PasswordCost& cost_of(const WafAccounts& accounts) {
  return accounts.config.waf->node.waf.password_cost;
}

waf::AuditEntry make_entry(const char* event, const waf::User& user, WallTime now) {
  waf::AuditEntry entry = make_command_entry(event, now);
  entry.subject = user.id;
  entry.detail += ", name " + user.name;
  return entry;
}

// Changes the account, and takes everything back that it was given.
std::vector<waf::Issued> cut_off(WafAccounts& accounts, const char* event, const waf::User& user,
                                 WallTime now) {
  return accounts.record(make_entry(event, user, now), [&] {
    accounts.ledger->put_user(user);
    return accounts.ledger->revoke_user(user.id, now);
  });
}

// By name, by the "sub" of tokens, or by an identity: the name of a provider's user is long, and its identity
// is what an operator knows.
std::expected<waf::User, std::string> find_user(WafAccounts& accounts, const std::string& text) {
  if (const auto named = accounts.ledger->find_user_by_name(text)) return *named;
  if (const auto known = accounts.ledger->find_user(text)) return *known;
  const auto wanted = waf::identity_keys({.impi = text, .impus = {text}});
  std::vector<waf::User> found;
  for (waf::User& user : accounts.ledger->users()) {
    const auto keys = waf::identity_keys(user.identity);
    if (std::ranges::find_first_of(keys, wanted) != keys.end()) found.push_back(std::move(user));
  }
  if (found.empty()) return std::unexpected("there is no user " + text);
  if (found.size() > 1)
    return std::unexpected(
        fmt::format("{} users share the identity {}; give a name, or an id", found.size(), text));
  return std::move(found.front());
}

// Users may share an identity, as those of a pool do; but for others it is a slip more often than not.
std::string warn_of_sharing(WafAccounts& accounts, const waf::User& user) {
  if (user.identity.is_pool_identity) return {};
  const auto wanted = waf::identity_keys(user.identity);
  std::string text;
  for (const waf::User& other : accounts.ledger->users()) {
    const auto keys = waf::identity_keys(other.identity);
    if (other.id != user.id && !other.identity.is_pool_identity &&
        std::ranges::find_first_of(keys, wanted) != keys.end())
      text += fmt::format("warning: {} has one of these identities too, and both register with it\n",
                          other.name.empty() ? other.id : other.name);
  }
  return text;
}

}  // namespace

Answer add_user(WafAccounts& accounts, const UserAddOptions& options, WallTime now) {
  SystemRandom random;
  waf::User user{.id = options.id ? *options.id : to_base64url(random.draw<16>()),
                 .name = options.name,
                 .identity = {.impi = options.impi.value_or(""),
                              .impus = options.impus,
                              .wwsf = options.wwsf.value_or(""),
                              .is_pool_identity = options.is_pool_identity}};
  if (options.impi && user.identity.impus.empty()) user.identity.impus = {"sip:" + *options.impi};
  if (accounts.ledger->find_user_by_name(user.name))
    return say_no("there is a user " + user.name + " already");
  if (accounts.ledger->find_user(user.id))
    return say_no("there is a user with the id " + user.id + " already");
  if (options.password_file) {
    auto hash = make_hash(*options.password_file, cost_of(accounts));
    if (!hash) return refuse(hash.error());
    user.password = std::move(*hash);
  }
  if (const auto problems = waf::find_problems(user); !problems.empty())
    return refuse(fmt::format("{}", fmt::join(problems, "\n")));
  accounts.record(make_entry("user_added", user, now), [&] {
    accounts.ledger->put_user(user);
    return true;
  });
  return accounts.conclude("user " + user.name + " added\n" + warn_of_sharing(accounts, user));
}

Answer list_users(WafAccounts& accounts, bool as_json) {
  const std::vector<waf::User> users = accounts.ledger->users();
  if (as_json) {
    Json all = Json::array();
    for (const waf::User& user : users) all.push_back(to_json(user));
    return accounts.conclude(all.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
  }
  std::string text;
  for (const waf::User& user : users)
    text += fmt::format("{:<20} {:<24} {:<32} {}{}{}\n", user.name, user.id,
                        user.identity.impi.empty() ? "-" : user.identity.impi,
                        fmt::join(user.identity.impus, " "), user.password.empty() ? "  no password" : "",
                        user.is_enabled ? "" : "  disabled");
  return accounts.conclude(text.empty() ? "no users\n" : std::move(text));
}

Answer remove_user(WafAccounts& accounts, const std::string& name, WallTime now) {
  const auto user = find_user(accounts, name);
  if (!user) return say_no(user.error());
  const auto ended = accounts.record(make_entry("user_removed", *user, now),
                                     [&] { return accounts.ledger->remove_user(user->id, now); });
  std::string text = "user " + user->name + " removed, and all that was given to it revoked\n";
  if (user->password.empty())
    text += "another identity provider may log it in again; to prevent that, disable it instead\n";
  return accounts.conclude_end(std::move(text), ended);
}

// Whoever knew the old one is logged out of everything.
Answer change_password(WafAccounts& accounts, const UserPasswordOptions& options, WallTime now) {
  const auto found = find_user(accounts, options.name);
  if (!found) return say_no(found.error());
  auto hash = make_hash(options.password_file, cost_of(accounts));
  if (!hash) return refuse(hash.error());
  waf::User user = *found;
  user.password = std::move(*hash);
  const auto ended = cut_off(accounts, "password_changed", user, now);
  return accounts.conclude_end(
      "the password of " + user.name + " was changed, and all that was given to it revoked\n", ended);
}

Answer disable_user(WafAccounts& accounts, const std::string& name, WallTime now) {
  const auto found = find_user(accounts, name);
  if (!found) return say_no(found.error());
  if (!found->is_enabled) return say_no("the user " + found->name + " is disabled already");
  waf::User user = *found;
  user.is_enabled = false;
  const auto ended = cut_off(accounts, "user_disabled", user, now);
  return accounts.conclude_end("user " + user.name + " disabled, and all that was given to it revoked\n",
                               ended);
}

Answer enable_user(WafAccounts& accounts, const std::string& name, WallTime now) {
  const auto found = find_user(accounts, name);
  if (!found) return say_no(found.error());
  if (found->is_enabled) return say_no("the user " + found->name + " is enabled already");
  waf::User user = *found;
  user.is_enabled = true;
  accounts.record(make_entry("user_enabled", user, now), [&] {
    accounts.ledger->put_user(user);
    return true;
  });
  return accounts.conclude("user " + user.name + " enabled; logging in again gives new tokens\n");
}

Answer withdraw_consent(WafAccounts& accounts, const WithdrawConsentOptions& options, WallTime now) {
  const auto user = find_user(accounts, options.name);
  if (!user) return say_no(user.error());
  if (!accounts.ledger->find_client(options.client)) return say_no("there is no client " + options.client);
  const bool had_consent = accounts.ledger->find_consent(user->id, options.client).has_value();
  waf::AuditEntry entry = make_entry("consent_withdrawn", *user, now);
  entry.client = options.client;
  const auto ended =
      accounts.record(entry, [&] { return accounts.ledger->remove_consent(user->id, options.client, now); });
  return accounts.conclude_end(
      fmt::format("{}; what {} was given by {} is revoked\n",
                  had_consent ? "the consent was withdrawn" : "there was no consent to withdraw",
                  options.client, user->name),
      ended);
}

// --- the command line -------------------------------------------------------------------------------------
namespace {

constexpr const char* add_help =
    "Examples:\n"
    "  printf %s wonderland | turnpike user add alice --password-file - --impi alice@ims.example \\\n"
    "    --config turnpike.toml\n";
constexpr const char* name_help = "its name, its id, or an identity";

void describe_add(Command& command, UserAddOptions& options) {
  command.required_text("NAME", options.name, "what is typed at the login page")
      .text("--password-file", options.password_file,
            "one line, - for standard input; unset: only another identity provider logs the user in")
      .text("--id", options.id, "the \"sub\" of tokens; random if unset")
      .text("--impi", options.impi, "the private identity; without one there is nothing to register")
      .texts("--impu", options.impus, "a public identity, the default first; unset: sip: and the private one")
      .text("--wwsf", options.wwsf, "the WWSF that the identity belongs to")
      .flag("--pool", options.is_pool_identity, "the identity is lent from the pool of that WWSF")
      .explain(add_help);
}

void describe_password(Command& command, UserPasswordOptions& options) {
  command.required_text("NAME", options.name, name_help)
      .required_text("--password-file", options.password_file, "one line, - for standard input");
}

void describe_withdraw(Command& command, WithdrawConsentOptions& options) {
  command.required_text("NAME", options.name, name_help)
      .required_text("--client", options.client, "the client_id of the application");
}

// Actions are given the time.
template <typename Options>
auto now_of_day(Answer (*action)(WafAccounts&, const Options&, WallTime)) {
  return [action](WafAccounts& accounts, const Options& options) {
    return action(accounts, options, read_clocks().wall);
  };
}

}  // namespace

void add_user_command(Command root) {
  Command user = root.add("user", "Keep the users of the WAF").require_command();
  add_account_command<WafPlace, UserAddOptions>(user, "add", "Add a user", true, describe_add,
                                                now_of_day(add_user));
  add_list_command<WafPlace>(user, "List the users, without their passwords", list_users);
  add_named_command<WafPlace>(user, "remove", "Remove a user, and revoke what was given to it", "NAME",
                              name_help, now_of_day(remove_user));
  add_account_command<WafPlace, UserPasswordOptions>(
      user, "password", "Change a user's password, and revoke what was given to it", false, describe_password,
      now_of_day(change_password));
  add_named_command<WafPlace>(user, "disable", "Let a user log in no more, and revoke what was given to it",
                              "NAME", name_help, now_of_day(disable_user));
  add_named_command<WafPlace>(user, "enable", "Let a user log in again", "NAME", name_help,
                              now_of_day(enable_user));
  add_account_command<WafPlace, WithdrawConsentOptions>(
      user, "withdraw-consent", "Ask a user again about a client, and revoke what the user has given to it",
      false, describe_withdraw, now_of_day(withdraw_consent));
}

}  // namespace turnpike::program
