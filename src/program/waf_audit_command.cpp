#include "program/waf_audit_command.hpp"

#include <fmt/format.h>

#include <expected>
#include <map>
#include <nlohmann/json.hpp>
#include <ranges>
#include <utility>

#include "program/account_command.hpp"
#include "program/time_text.hpp"

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t count_max = 1'000'000;

std::expected<std::optional<WallTime>, std::string> read_time(const char* option,
                                                              const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  if (const auto time = parse_time(*text)) return time;
  return std::unexpected(fmt::format(
      "{}: found \"{}\", allowed: a day or a moment of UTC, \"2026-11-27\" or \"2026-11-27T16:00:00Z\"",
      option, *text));
}

// A user may be named by what is typed at the login page, or by the "sub" of tokens: also one who is gone.
std::string subject_of(WafAccounts& accounts, const std::string& user) {
  const auto found = accounts.ledger->find_user_by_name(user);
  return found ? found->id : user;
}

// Names of those who still have an account.
class Names {
 public:
  explicit Names(WafAccounts& accounts) : accounts_(accounts) {}
  std::string find(const std::string& subject) {
    if (subject.empty()) return {};
    const auto known = known_.find(subject);
    if (known != known_.end()) return known->second;
    const auto user = accounts_.ledger->find_user(subject);
    return known_.emplace(subject, user ? user->name : std::string{}).first->second;
  }

 private:
  WafAccounts& accounts_;
  std::map<std::string, std::string> known_;
};

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

}  // namespace

Answer list_audit(WafAccounts& accounts, const AuditOptions& options) {
  const auto since = read_time("--since", options.since), until = read_time("--until", options.until);
  if (!since || !until) return refuse(since ? until.error() : since.error());
  const auto entries = accounts.ledger->find_audit_entries(
      {.count = options.count,
       .event = options.event.value_or(""),
       .client = options.client.value_or(""),
       .subject = options.user ? subject_of(accounts, *options.user) : std::string{},
       .remote = options.remote.value_or(""),
       .since = *since,
       .until = *until});
  Names names{accounts};
  Json all = Json::array();
  std::string text;
  for (const waf::AuditEntry& entry : std::views::reverse(entries)) {
    const std::string name = names.find(entry.subject);
    if (options.as_json)
      all.push_back({{"at", format_time(entry.at)},
                     {"event", entry.event},
                     {"client", entry.client},
                     {"sub", entry.subject},
                     {"user", name},
                     {"remote", entry.remote},
                     {"detail", entry.detail}});
    else
      text += fmt::format("{}  {:<22} {:<20} {:<16} {:<16} {}\n", format_time(entry.at), entry.event,
                          or_dash(name.empty() ? entry.subject : name), or_dash(entry.client),
                          or_dash(entry.remote), entry.detail);
  }
  if (options.as_json)
    return accounts.conclude(all.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
  return accounts.conclude(text.empty() ? "no entries\n" : std::move(text));
}

// --- the command line -------------------------------------------------------------------------------------
namespace {

constexpr const char* audit_help =
    "Examples:\n"
    "  turnpike waf audit --user alice --since 2026-11-27 --config turnpike.toml\n"
    "  turnpike waf audit --event login_failed --last 1000 --json --config turnpike.toml\n"
    "docs/waf.md lists the events. Entries hold names and addresses, and nothing secret.\n";

void describe_audit(Command& command, AuditOptions& options) {
  command.number("--last", options.count, 1, count_max, "how many, the newest")
      .text("--event", options.event, "of this kind: login, login_failed, tokens_issued, ...")
      .text("--user", options.user, "about this user: the name, or the \"sub\"")
      .text("--client", options.client, "about this client")
      .text("--remote", options.remote, "from this address")
      .text("--since", options.since, "not older than this day or moment of UTC")
      .text("--until", options.until, "older than this day or moment of UTC")
      .flag("--json", options.as_json, "print JSON")
      .explain(audit_help);
}

}  // namespace

void add_audit_command(Command& waf) {
  add_account_command<WafPlace, AuditOptions>(waf, "audit", "List the audit trail, the newest last", false,
                                              describe_audit, list_audit);
}

}  // namespace turnpike::program
