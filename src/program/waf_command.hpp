#pragma once
// turnpike waf backup|restore|signing-keys|rotate-key|replace-key|change-secret: what the operator does with
// the WAF's database, whether a server runs on it or not.

#include <optional>
#include <string>

#include "program/answer.hpp"
#include "program/options.hpp"
#include "program/waf_accounts.hpp"

namespace turnpike::program {

Answer back_up(WafAccounts& accounts, const std::string& file, WallTime now);
// Nothing may be where the database is to be, and no server may run on it.
Answer restore_backup(const Config& config, const std::string& copy, WallTime now);

Answer list_signing_keys(WafAccounts& accounts, bool as_json, WallTime now);
// Publishes the next key before its time; the present one signs until verifiers have had time to fetch that.
Answer rotate_signing_key(WafAccounts& accounts, WallTime now);
// For a key that has leaked: at once, and what it has signed is no longer accepted.
Answer replace_signing_key(WafAccounts& accounts, const std::string& kid, WallTime now);

struct ChangeSecretOptions {
  std::optional<std::string> config{};
  std::optional<std::string> old_secret_file{};
  bool is_lost = false;  // then the signing keys are lost as well
};
// To the secret of the configuration.
Answer change_secret(const ChangeSecretOptions& options, WallTime now);

void add_waf_command(Command root);

}  // namespace turnpike::program
