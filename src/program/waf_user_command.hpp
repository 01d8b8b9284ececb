#pragma once
// turnpike user add|list|remove|password: who may log in at the WAF.

#include <optional>
#include <string>
#include <vector>

#include "base/password.hpp"
#include "program/answer.hpp"
#include "program/options.hpp"
#include "program/waf_accounts.hpp"

namespace turnpike::program {

struct UserAddOptions {
  std::string name{};
  std::optional<std::string> password_file{};  // "-": standard input; unset: another provider logs them in
  std::optional<std::string> id{};             // "sub"; unset: random
  std::optional<std::string> impi{};
  std::vector<std::string> impus{};  // empty: "sip:" and the IMPI
  std::optional<std::string> wwsf{};
  bool is_pool_identity = false;
};

Answer add_user(WafAccounts& accounts, const UserAddOptions& options, const PasswordCost& cost = {});
Answer list_users(WafAccounts& accounts, bool as_json);
Answer remove_user(WafAccounts& accounts, const std::string& name, WallTime now);
Answer change_password(WafAccounts& accounts, const std::string& name, const std::string& password_file,
                       WallTime now, const PasswordCost& cost = {});

void add_user_command(Command root);

}  // namespace turnpike::program
