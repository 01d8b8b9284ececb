#include "program/waf_user_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/random.hpp"
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

}  // namespace

Answer add_user(WafAccounts& accounts, const UserAddOptions& options, const PasswordCost& cost) {
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
    auto hash = make_hash(*options.password_file, cost);
    if (!hash) return refuse(hash.error());
    user.password = std::move(*hash);
  }
  if (const auto problems = waf::find_problems(user); !problems.empty())
    return refuse(fmt::format("{}", fmt::join(problems, "\n")));
  accounts.ledger->put_user(user);
  return accounts.conclude("user " + user.name + " added\n");
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
  const auto user = accounts.ledger->find_user_by_name(name);
  if (!user) return say_no("there is no user " + name);
  const auto ended = accounts.ledger->remove_user(user->id, now);
  return accounts.conclude("user " + name + " removed, and all that was given to it revoked\n" +
                           accounts.tell_relays(ended, now));
}

// Whoever knew the old one is logged out of everything.
Answer change_password(WafAccounts& accounts, const std::string& name, const std::string& password_file,
                       WallTime now, const PasswordCost& cost) {
  const auto found = accounts.ledger->find_user_by_name(name);
  if (!found) return say_no("there is no user " + name);
  auto hash = make_hash(password_file, cost);
  if (!hash) return refuse(hash.error());
  waf::User user = *found;
  user.password = std::move(*hash);
  accounts.ledger->put_user(user);
  const auto ended = accounts.ledger->revoke_user(user.id, now);
  return accounts.conclude("the password of " + name +
                           " was changed, and all that was given to it revoked\n" +
                           accounts.tell_relays(ended, now));
}

// --- the command line -------------------------------------------------------------------------------------
namespace {

constexpr const char* add_help =
    "Examples:\n"
    "  printf %s wonderland | turnpike user add alice --password-file - --impi alice@ims.example \\\n"
    "    --config turnpike.toml\n";

void add_add(Command& user) {
  const auto options = std::make_shared<UserAddOptions>();
  Command add = user.add("add", "Add a user");
  add.required_text("NAME", options->name, "what is typed at the login page")
      .text("--password-file", options->password_file,
            "one line, - for standard input; unset: only another identity provider logs the user in")
      .text("--id", options->id, "the \"sub\" of tokens; random if unset")
      .text("--impi", options->impi, "the private identity; without one there is nothing to register")
      .texts("--impu", options->impus,
             "a public identity, the default first; unset: sip: and the private one")
      .text("--wwsf", options->wwsf, "the WWSF that the identity belongs to")
      .flag("--pool", options->is_pool_identity, "the identity is lent from the pool of that WWSF")
      .explain(add_help);
  add.on_run([file = waf_config_option(add), options] {
    return with_accounts(file, true, [&](WafAccounts& accounts) { return add_user(accounts, *options); });
  });
}

void add_list(Command& user) {
  const auto as_json = std::make_shared<bool>(false);
  Command list = user.add("list", "List the users, without their passwords");
  list.flag("--json", *as_json, "print JSON");
  list.on_run([file = waf_config_option(list), as_json] {
    return with_accounts(file, false, [&](WafAccounts& accounts) { return list_users(accounts, *as_json); });
  });
}

void add_remove(Command& user) {
  const auto name = std::make_shared<std::string>();
  Command remove = user.add("remove", "Remove a user, and revoke what was given to it");
  remove.required_text("NAME", *name, "what is typed at the login page");
  remove.on_run([file = waf_config_option(remove), name] {
    return with_accounts(
        file, false, [&](WafAccounts& accounts) { return remove_user(accounts, *name, read_clocks().wall); });
  });
}

void add_password(Command& user) {
  const auto name = std::make_shared<std::string>();
  const auto password_file = std::make_shared<std::string>();
  Command password = user.add("password", "Change a user's password, and revoke what was given to it");
  password.required_text("NAME", *name, "what is typed at the login page")
      .required_text("--password-file", *password_file, "one line, - for standard input");
  password.on_run([file = waf_config_option(password), name, password_file] {
    return with_accounts(file, false, [&](WafAccounts& accounts) {
      return change_password(accounts, *name, *password_file, read_clocks().wall);
    });
  });
}

}  // namespace

void add_user_command(Command root) {
  Command user = root.add("user", "Keep the users of the WAF").require_command();
  add_add(user);
  add_list(user);
  add_remove(user);
  add_password(user);
}

}  // namespace turnpike::program
