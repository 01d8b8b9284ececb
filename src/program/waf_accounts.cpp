#include "program/waf_accounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "program/admin_request.hpp"
#include "program/config_command.hpp"
#include "program/waf_settings.hpp"
#include "waf/visit.hpp"

namespace turnpike::program {
namespace {

std::string_view to_string(credentials::Revocation::By by) {
  using By = credentials::Revocation::By;
  switch (by) {
    case By::username:
      return "username";
    case By::subject:
      return "subject";
    case By::kid:
      return "kid";
    case By::token_hash:
      return "token_hash";
  }
  return "";
}

}  // namespace

Answer WafAccounts::conclude(std::string text) const {
  if (const auto failure = ledger->take_failure()) return refuse(*failure);
  return say(std::move(text));
}

std::string WafAccounts::tell_relays(const std::vector<waf::Issued>& ended, WallTime now) const {
  std::vector<credentials::Revocation> revocations;
  waf::add_revocations(make_waf_settings(config), ended, revocations);
  if (revocations.empty()) return "";
  std::size_t told = 0;
  for (const credentials::Revocation& revocation : revocations) {
    const auto ttl = std::chrono::ceil<std::chrono::seconds>(revocation.until - now);
    const auto answer =
        config.admin_socket.empty()
            ? std::expected<nlohmann::ordered_json, AskError>{std::unexpected(AskError{})}
            : ask_server(config.admin_socket, {{"command", "revoke"},
                                               {"by", to_string(revocation.by)},
                                               {"value", revocation.value},
                                               {"ttl", std::max<std::int64_t>(1, ttl.count())}});
    if (answer) ++told;
  }
  if (told == revocations.size()) return "its TURN tokens were taken back at the relays\n";
  return fmt::format("the relays were not told, and let its TURN tokens in until they end, in {} s at most\n",
                     config.waf->node.waf.lifetimes.turn_token.count());
}

std::expected<WafAccounts, Answer> open_accounts(const std::optional<std::string>& config_file,
                                                 bool may_create) {
  auto config = require_config(config_file);
  if (!config) return std::unexpected(config.error());
  if (!config->waf)
    return std::unexpected(refuse(*config_file + ": found no [waf], which names the database"));
  std::error_code error;
  const std::string& database = config->waf->database;
  if (!may_create && !std::filesystem::exists(database, error))
    return std::unexpected(refuse(database + ": there is no such file"));
  auto ledger = store::WafLedger::open(database, make_waf_storage_key(*config->waf));
  if (!ledger) return std::unexpected(refuse(ledger.error()));
  return WafAccounts{std::move(*config), std::move(*ledger)};
}

ConfigFile waf_config_option(Command& command) {
  auto file = std::make_shared<std::optional<std::string>>();
  command.text("--config", *file, "the configuration with [waf]");
  return file;
}

}  // namespace turnpike::program
