#pragma once
// What `turnpike client` and `turnpike user` share: the ledger that [waf] of a configuration names, and the
// relays, which a running server tells of tokens that ended with an account.

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "program/answer.hpp"
#include "program/config.hpp"
#include "program/options.hpp"
#include "store/waf_ledger.hpp"
#include "waf/grants.hpp"

namespace turnpike::program {

struct WafAccounts {
  Config config;
  std::unique_ptr<store::WafLedger> ledger;

  // What was done, or why not: then nothing was.
  [[nodiscard]] Answer conclude(std::string text) const;
  // The server of this configuration, if one runs, has its relays end what these tokens hold open. Lines for
  // the user.
  [[nodiscard]] std::string tell_relays(const std::vector<waf::Issued>& ended, WallTime now) const;
};
// A command that only looks creates no file.
std::expected<WafAccounts, Answer> open_accounts(const std::optional<std::string>& config_file,
                                                 bool may_create);

using ConfigFile = std::shared_ptr<std::optional<std::string>>;
ConfigFile waf_config_option(Command& command);  // --config
template <typename Run>
Answer with_accounts(const ConfigFile& file, bool may_create, const Run& run) {
  auto accounts = open_accounts(*file, may_create);
  return accounts ? run(*accounts) : accounts.error();
}

}  // namespace turnpike::program
