#pragma once
// turnpike user add|list|remove|password|disable|enable|withdraw-consent: who may log in at the WAF.

#include <optional>
#include <string>
#include <vector>

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

struct UserPasswordOptions {
  std::string name{};
  std::string password_file{};
};
struct WithdrawConsentOptions {
  std::string name{};
  std::string client{};
};

Answer add_user(WafAccounts& accounts, const UserAddOptions& options, WallTime now);
Answer list_users(WafAccounts& accounts, bool as_json);
Answer remove_user(WafAccounts& accounts, const std::string& name, WallTime now);
Answer change_password(WafAccounts& accounts, const UserPasswordOptions& options, WallTime now);
// Who is disabled keeps his account, and nothing that he was given.
Answer disable_user(WafAccounts& accounts, const std::string& name, WallTime now);
Answer enable_user(WafAccounts& accounts, const std::string& name, WallTime now);
Answer withdraw_consent(WafAccounts& accounts, const WithdrawConsentOptions& options, WallTime now);

void add_user_command(Command root);

}  // namespace turnpike::program
