#pragma once
// What `turnpike client`, `turnpike user` and `turnpike waf` share: the ledger that [waf] of a configuration
// names. Whatever they change is noted in its audit trail, and a server that runs on it tells its relays of
// tokens that ended.

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <span>
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
  std::chrono::milliseconds patience{2000};  // with a server that has to tell its relays

  // All that `change` writes, or nothing of it; returns what it does.
  template <typename Change>
  auto join(const Change& change) {
    ledger->begin();
    auto result = change();
    ledger->commit();
    return result;
  }
  // Both the change and its entry, or neither.
  template <typename Change>
  auto record(const waf::AuditEntry& entry, const Change& change) {
    return join([&] {
      auto result = change();
      ledger->append_audit({&entry, 1});
      return result;
    });
  }
  // What was done, or why not: then nothing was.
  [[nodiscard]] Answer conclude(std::string text) const;
  // The same of a change that has ended tokens. Waits for the server that tells the relays.
  [[nodiscard]] Answer conclude_end(std::string text, const std::vector<waf::Issued>& ended) const;
};
// By whoever has called the command.
waf::AuditEntry make_command_entry(std::string event, WallTime now);

// The [waf] of this configuration.
std::expected<Config, Answer> require_waf(const std::optional<std::string>& config_file);
// A command that only looks creates no file.
std::expected<WafAccounts, Answer> open_accounts(const std::optional<std::string>& config_file,
                                                 bool may_create);

// For add_account_command().
class WafPlace {
 public:
  explicit WafPlace(Command& command);
  template <typename Action>
  [[nodiscard]] Answer with(bool may_create, const Action& action) const {
    auto accounts = open_accounts(*file_, may_create);
    return accounts ? action(*accounts) : accounts.error();
  }

 private:
  std::shared_ptr<std::optional<std::string>> file_ = std::make_shared<std::optional<std::string>>();
};

}  // namespace turnpike::program
