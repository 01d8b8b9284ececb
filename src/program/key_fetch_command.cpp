#include "program/key_fetch_command.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/random.hpp"
#include "program/admin_request.hpp"
#include "program/config_command.hpp"
#include "program/time_text.hpp"
#include "program/waf_accounts.hpp"
#include "program/waf_settings.hpp"
#include "waf/turn_key_ring.hpp"

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;

constexpr int look_again_ms = 20;

std::string format_row(std::string_view kind, std::string_view id, std::string_view of,
                       std::string_view state) {
  return fmt::format("{:<9} {:<24} {:<20} {}\n", kind, id, of, state);
}

WallTime time_in(const Json& object, const char* key) { return from_unix_seconds(number_in(object, key)); }

// --- at a relay -------------------------------------------------------------------------------------------

Answer answer_of(const AskError& error) {
  return error.failure == AskFailure::refused ? say_no(error.words) : refuse(error.words);
}

std::string describe_fetches(const Json& provider, WallTime wall) {
  if (flag_in(provider, "is_withdrawn")) return "withdrawn: nothing of it is accepted";
  std::string text = provider.contains("fetched_at")
                         ? "fetched " + format_distance(time_in(provider, "fetched_at"), wall)
                         : std::string{"not fetched yet"};
  if (provider.contains("next_fetch_in_seconds"))
    text += ", next fetch " +
            format_distance(wall + std::chrono::seconds{number_in(provider, "next_fetch_in_seconds")}, wall);
  if (const auto ahead = provider.value("clock_difference_seconds", std::int64_t{0}); ahead != 0)
    text += fmt::format(", our clock is {} s {} of theirs", std::abs(ahead), ahead > 0 ? "ahead" : "behind");
  if (const std::string problem = text_in(provider, "problem"); !problem.empty())
    text += ", the last one failed: " + problem;
  return text;
}

std::string format_provider(const Json& provider, WallTime wall) {
  const std::string name = text_in(provider, "name");
  std::string text =
      format_row("provider", name, text_in(provider, "kid_prefix") + "...", describe_fetches(provider, wall));
  for (const Json& key : provider["keys"]) {
    const WallTime ends_at = time_in(key, "ends_at"), accepted_until = time_in(key, "accepted_until");
    text +=
        format_row("fetched", text_in(key, "kid"), name,
                   fmt::format("made with {} {}, accepted {} {}", wall < ends_at ? "until" : "no more, since",
                               format_time(ends_at), wall < accepted_until ? "until" : "no more, since",
                               format_time(accepted_until)));
  }
  return text;
}

Answer list_at_relay(const Config& config, WallTime wall) {
  const auto answer = ask_server(config.admin_socket, {{"command", "keys"}});
  if (answer) {
    std::string text;
    for (const Json& provider : (*answer)["providers"]) text += format_provider(provider, wall);
    return say(std::move(text));
  }
  std::string text;
  for (const service::KeyProviderSettings& provider : config.key_providers)
    text += format_row("provider", provider.name, provider.answer.kid_prefix + "...",
                       "no server tells which keys were fetched: " + answer.error().words);
  return say(std::move(text));
}

struct ProviderOptions {
  std::optional<std::string> config, provider;
};

// The one that is named, or the only one.
std::expected<std::string, Answer> find_provider(const Config& config,
                                                 const std::optional<std::string>& name) {
  const auto& all = config.key_providers;
  if (all.empty())
    return std::unexpected(
        refuse("found no [[credentials.token.providers]], allowed: the configuration of a relay that "
               "fetches its keys"));
  if (!name && all.size() == 1) return all.front().name;
  if (name && std::ranges::find(all, *name, &service::KeyProviderSettings::name) != all.end()) return *name;
  std::string names;
  for (const service::KeyProviderSettings& provider : all)
    names += (names.empty() ? "" : ", ") + provider.name;
  return std::unexpected(
      refuse(fmt::format("--provider: found {}, allowed: {}", name ? '"' + *name + '"' : "nothing", names)));
}

std::optional<Json> find_view(const Config& config, const std::string& name) {
  const auto answer = ask_server(config.admin_socket, {{"command", "keys"}});
  if (!answer) return std::nullopt;
  for (const Json& provider : (*answer)["providers"])
    if (text_in(provider, "name") == name) return provider;
  return std::nullopt;
}

// The server answers at once; that the fetch has ended shows in its counts.
Answer await_fetch(const Config& config, const std::string& name, const Json& before,
                   std::chrono::seconds patience) {
  const auto count = [](const Json& view) {
    return number_in(view, "fetches") + number_in(view, "failures");
  };
  const Instant deadline = read_clocks().mono + patience;
  for (;;) {
    const auto view = find_view(config, name);
    if (!view) return refuse("the server has ended");
    if (!flag_in(*view, "is_fetching") && count(*view) > count(before)) {
      const std::string problem = text_in(*view, "problem");
      if (!problem.empty()) return say_no(fmt::format("{} could not be fetched from: {}", name, problem));
      return say(format_provider(*view, read_clocks().wall));
    }
    if (read_clocks().mono > deadline)
      return say_no("there is no answer yet; turnpike key list tells when there is");
    ::poll(nullptr, 0, look_again_ms);
  }
}

// A command that has the server fetch; `done` is said of the provider where it is done.
Answer ask_and_await(const ProviderOptions& options, const char* command, std::string_view done) {
  const auto config = require_config(options.config);
  if (!config) return config.error();
  const auto name = find_provider(*config, options.provider);
  if (!name) return name.error();
  const auto before = find_view(*config, *name);
  const auto answer = ask_server(config->admin_socket, {{"command", command}, {"provider", *name}});
  if (!answer) return answer_of(answer.error());
  Answer fetched = await_fetch(*config, *name, before.value_or(Json::object()), std::chrono::seconds{10});
  if (!done.empty() && fetched.exit_status == exit_ok)
    fetched.text = *name + std::string{done} + fetched.text;
  return fetched;
}

Answer fetch_keys(const ProviderOptions& options) { return ask_and_await(options, "fetch_keys", ""); }

Answer withdraw_provider(const ProviderOptions& options) {
  const auto config = require_config(options.config);
  if (!config) return config.error();
  const auto name = find_provider(*config, options.provider);
  if (!name) return name.error();
  const auto answer =
      ask_server(config->admin_socket, {{"command", "withdraw_provider"}, {"provider", *name}});
  if (!answer) return answer_of(answer.error());
  const auto ended = number_in(*answer, "allocations_ended");
  std::string text =
      fmt::format("{} is withdrawn; {} allocation{} ended\n", *name, ended, ended == 1 ? "" : "s");
  const auto provider = std::ranges::find(config->key_providers, *name, &service::KeyProviderSettings::name);
  if (provider->state_file.empty())
    text +=
        "it has no state_file: say withdrawn = true in the configuration, or it is let in again at the next "
        "start\n";
  return say(std::move(text));
}

Answer restore_provider(const ProviderOptions& options) {
  return ask_and_await(options, "restore_provider", " is let in again\n");
}

// In the audit trail.
void note(WafAccounts& accounts, const char* event, const std::string& kid, WallTime wall) {
  waf::AuditEntry entry = make_command_entry(event, wall);
  if (!kid.empty()) entry.detail = kid + ' ' + entry.detail;
  accounts.ledger->append_audit({&entry, 1});
}

// --- at a WAF ---------------------------------------------------------------------------------------------

std::string describe_use(const waf::StoredTurnKey& key, WallTime wall) {
  if (key.is_withdrawn) return "withdrawn";
  std::string text = wall < key.used_from    ? "published, used " + format_distance(key.used_from, wall)
                     : wall < key.used_until ? "used, ends " + format_distance(key.used_until, wall)
                                             : "ended, accepted until " + format_time(key.accepted_until);
  return text + (key.fetched_at == WallTime{} ? ", not fetched yet"
                                              : ", fetched " + format_distance(key.fetched_at, wall));
}

Answer list_at_waf(const Config& config, WallTime wall) {
  auto accounts = open_accounts(config.file, false);
  if (!accounts) return say(format_row("turn key", "-", "-", "none yet: the WAF makes them when it starts"));
  std::string text;
  for (const waf::StoredTurnKey& key : accounts->ledger->turn_keys())
    text += format_row("turn key", key.kid, key.server_name, describe_use(key, wall));
  return accounts->conclude(std::move(text));
}

// The server of the same configuration goes by it at once; without one, the next one does.
std::string tell_server(const Config& config) {
  if (config.admin_socket.empty()) return "a server that runs goes by it within a second\n";
  const auto told = ask_server(config.admin_socket, {{"command", "take_turn_keys"}});
  return told ? "the server goes by it\n" : "no server of this configuration runs: the next one goes by it\n";
}

// Every relay of which the server of this configuration knows ends what was made with the key.
std::string tell_relays(const Config& config, const waf::StoredTurnKey& key, WallTime wall) {
  const auto ttl =
      std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(key.accepted_until - wall).count());
  if (config.admin_socket.empty() ||
      !ask_server(config.admin_socket,
                  {{"command", "revoke"}, {"by", "kid"}, {"value", key.kid}, {"ttl", ttl}}))
    return fmt::format("  {} learns it when it fetches next, or by turnpike key fetch there\n",
                       key.server_name);
  return fmt::format("  {}: relays of this server were told\n", key.server_name);
}

// Withdrawn, noted, and others in their place: together, so that a command that is killed can be given again
// and tells of all of them. Those that were withdrawn.
std::expected<std::vector<waf::StoredTurnKey>, std::string> replace_turn_keys(WafAccounts& accounts,
                                                                              const KeyWithdrawal& options,
                                                                              WallTime wall) {
  using Withdrawn = std::expected<std::vector<waf::StoredTurnKey>, std::string>;
  SystemRandom random;
  const waf::Settings settings = make_waf_settings(accounts.config);
  auto replaced = accounts.join([&]() -> Withdrawn {
    std::vector<waf::StoredTurnKey> withdrawn;
    for (const waf::StoredTurnKey& key : accounts.ledger->turn_keys())
      if ((options.all || key.kid == options.kid) && accounts.ledger->withdraw_turn_key(key.kid)) {
        withdrawn.push_back(key);
        note(accounts, "turn_key_withdrawn", key.kid, wall);
      }
    if (withdrawn.empty()) return withdrawn;
    auto ring = waf::TurnKeyRing::open(*accounts.ledger);
    if (!ring) return std::unexpected(ring.error());
    const auto made = ring->rotate(*accounts.ledger, settings, wall, random);
    return made ? Withdrawn{std::move(withdrawn)} : std::unexpected(made.error());
  });
  if (auto failure = accounts.ledger->take_failure()) return std::unexpected(*std::move(failure));
  return replaced;
}

Answer withdraw_turn_keys(WafAccounts& accounts, const KeyWithdrawal& options, WallTime wall) {
  const auto withdrawn = replace_turn_keys(accounts, options, wall);
  if (!withdrawn) return refuse(withdrawn.error());
  if (withdrawn->empty())
    return say_no(options.all ? "there is no key that could be withdrawn"
                              : fmt::format("there is no key {} that could be withdrawn", *options.kid));
  std::string text;
  const std::string told = tell_server(accounts.config);
  for (const waf::StoredTurnKey& key : *withdrawn)
    text +=
        key.kid + " is withdrawn; another key takes its place\n" + tell_relays(accounts.config, key, wall);
  return accounts.conclude(text + told);
}

}  // namespace

std::optional<Answer> list_fetched_keys(const Config& config, WallTime wall) {
  std::optional<Answer> answer;
  if (!config.key_providers.empty()) answer = list_at_relay(config, wall);
  if (config.waf && config.waf->keys)
    answer = answer ? join(*answer, list_at_waf(config, wall)) : list_at_waf(config, wall);
  return answer;
}

Answer join(Answer first, std::optional<Answer> second) {
  if (!second) return first;
  if (first.exit_status != exit_ok) return *std::move(second);
  second->text = first.text + second->text;
  return *std::move(second);
}

Answer begin_turn_key(const std::optional<std::string>& config_file, const KeyBeginOptions& options) {
  auto accounts = open_accounts(config_file, false);
  if (!accounts) return accounts.error();
  const waf::Settings settings = make_waf_settings(accounts->config);
  const auto& servers = accounts->config.waf->turn_servers;
  if (!options.server_name && servers.size() != 1)
    return refuse(
        fmt::format("--server: found nothing, allowed: one of {} [[waf.turn_servers]]", servers.size()));
  const std::string name =
      options.server_name.value_or(servers.empty() ? "" : servers.front().token.server_name);
  SystemRandom random;
  const WallTime wall = read_clocks().wall;
  // Together: a key that is published without an end to the use of others would not be what was asked for.
  const auto kid = accounts->join([&]() -> std::expected<std::string, std::string> {
    auto ring = waf::TurnKeyRing::open(*accounts->ledger);
    if (!ring) return std::unexpected(ring.error());
    if (const auto kept = ring->rotate(*accounts->ledger, settings, wall, random); !kept)
      return std::unexpected(kept.error());
    auto begun = ring->begin_next(*accounts->ledger, settings, name, options.at_once, wall, random);
    if (begun) note(*accounts, "turn_key_begun", *begun, wall);
    return begun;
  });
  if (!kid) return refuse(kid.error());
  if (const auto failure = accounts->ledger->take_failure()) return refuse(*failure);
  const WallTime begin = options.at_once ? wall : wall + settings.turn_keys.published_before;
  return accounts->conclude(
      fmt::format("{} is published for {}, and used {}\n", *kid, name,
                  options.at_once ? "as soon as it was fetched" : format_distance(begin, wall)) +
      tell_server(accounts->config));
}

Answer withdraw_keys(const KeyWithdrawal& options) {
  const int named = (options.provider ? 1 : 0) + (options.kid ? 1 : 0) + (options.all ? 1 : 0);
  if (named != 1) return refuse("name one of --provider (at a relay), --kid and --all (at a WAF)");
  if (options.provider) return withdraw_provider({options.config, options.provider});
  auto accounts = open_accounts(options.config, false);
  if (!accounts) return accounts.error();
  return withdraw_turn_keys(*accounts, options, read_clocks().wall);
}

// --- the command line -------------------------------------------------------------------------------------
namespace {

constexpr const char* withdraw_help =
    "At a relay, --provider: every allocation by keys of that provider ends at once, and nothing of it is "
    "accepted\n"
    "until it is restored. At a WAF, --kid or --all: keys that have leaked are replaced at once, relays end "
    "what was\n"
    "made with them, now where the server has them in [[relays]], or else when they fetch next.\n\n"
    "Examples:\n"
    "  turnpike key withdraw --config relay.toml --provider shop\n"
    "  turnpike key withdraw --config waf.toml --kid w1-20261127-3fa2c81e\n";

void add_provider_command(Command& key, const char* name, const char* help,
                          Answer (*run)(const ProviderOptions&)) {
  const auto options = std::make_shared<ProviderOptions>();
  Command command = key.add(name, help);
  command.text("--config", options->config, "the configuration of the relay")
      .text("--provider", options->provider, "its name; needed where there are several");
  command.on_run([options, run] { return run(*options); });
}

}  // namespace

void add_key_fetching(Command& key) {
  add_provider_command(key, "fetch", "Have a relay fetch the keys of a provider now", fetch_keys);
  const auto options = std::make_shared<KeyWithdrawal>();
  Command command = key.add("withdraw", "Take a provider, or a key that has leaked, out of use at once");
  command.text("--config", options->config, "the configuration of the relay, or of the WAF")
      .text("--provider", options->provider, "at a relay: all keys of this provider")
      .text("--kid", options->kid, "at a WAF: this key")
      .flag("--all", options->all, "at a WAF: all keys of all its TURN servers")
      .explain(withdraw_help);
  command.on_run([options] { return withdraw_keys(*options); });
  add_provider_command(key, "restore", "Let a provider in again that was withdrawn at a relay",
                       restore_provider);
}

}  // namespace turnpike::program
