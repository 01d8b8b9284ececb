#include "program/waf_accounts.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/time.hpp"
#include "program/config_command.hpp"
#include "program/waf_settings.hpp"

namespace turnpike::program {
namespace {

constexpr int look_ms = 20;

std::string find_own_name() {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> buffer{};
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return found->pw_name;
  return "uid " + std::to_string(::getuid());
}

// Whether a server has told its relays of all that was revoked, within this time.
bool wait_until_told(store::WafLedger& ledger, std::chrono::milliseconds patience) {
  const Instant deadline = read_clocks().mono + patience;
  while (!ledger.is_all_told()) {
    if (read_clocks().mono >= deadline) return false;
    ::poll(nullptr, 0, look_ms);
  }
  return true;
}

}  // namespace

Answer WafAccounts::conclude(std::string text) const {
  if (const auto failure = ledger->take_failure()) return refuse(*failure);
  return say(std::move(text));
}

Answer WafAccounts::conclude_end(std::string text, const std::vector<waf::Issued>& ended) const {
  Answer answer = conclude(std::move(text));
  const bool has_turn_tokens = std::ranges::any_of(
      ended, [](const waf::Issued& token) { return token.kind == waf::IssuedKind::turn; });
  if (answer.exit_status != exit_ok || !has_turn_tokens) return answer;
  if (wait_until_told(*ledger, patience))
    answer.text += "its TURN tokens were taken back at the relays\n";
  else
    answer.text += fmt::format(
        "no server has told the relays yet: one that runs on this database does so at once, or when it "
        "starts; until then they let its TURN tokens in, for {} s at most\n",
        config.waf->node.waf.lifetimes.turn_token.count());
  return answer;
}

waf::AuditEntry make_command_entry(std::string event, WallTime now) {
  return {.at = now, .event = std::move(event), .remote = "command", .detail = "by " + find_own_name()};
}

std::expected<Config, Answer> require_waf(const std::optional<std::string>& config_file) {
  auto config = require_config(config_file);
  if (config && !config->waf)
    return std::unexpected(refuse(*config_file + ": found no [waf], which names the database"));
  return config;
}

std::expected<WafAccounts, Answer> open_accounts(const std::optional<std::string>& config_file,
                                                 bool may_create) {
  auto config = require_waf(config_file);
  if (!config) return std::unexpected(config.error());
  std::error_code error;
  const std::string& database = config->waf->database;
  if (!may_create && !std::filesystem::exists(database, error))
    return std::unexpected(refuse(database + ": there is no such file"));
  auto ledger = store::WafLedger::open(database, make_waf_storage_key(*config->waf), config->waf->ledger);
  if (!ledger) return std::unexpected(refuse(ledger.error()));
  return WafAccounts{.config = std::move(*config), .ledger = std::move(*ledger)};
}

WafPlace::WafPlace(Command& command) { command.text("--config", *file_, "the configuration with [waf]"); }

}  // namespace turnpike::program
