#include "program/waf_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "program/account_command.hpp"
#include "program/admin_request.hpp"
#include "program/text_file.hpp"
#include "program/time_text.hpp"
#include "program/waf_audit_command.hpp"
#include "program/waf_settings.hpp"
#include "waf/key_ring.hpp"

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;

std::string describe(const store::WafContents& contents) {
  return fmt::format(
      "{} clients, {} users, {} consents, {} authorizations, {} signing keys, {} audit entries",
      contents.clients, contents.users, contents.consents, contents.authorizations, contents.signing_keys,
      contents.audit_entries);
}

bool is_server_there(const Config& config) {
  return !config.admin_socket.empty() && ask_server(config.admin_socket, {{"command", "stats"}}).has_value();
}

// For as long as what a key signs is valid.
std::chrono::seconds token_life(const WafAccounts& accounts) {
  const waf::Lifetimes& lifetimes = accounts.config.waf->node.waf.lifetimes;
  return lifetimes.access_token + lifetimes.clock_skew;
}

std::string state_of(const waf::StoredKey& key, WallTime now) {
  if (now >= key.signs_until) return "signs no more, published until " + format_time(key.published_until);
  if (now < key.signs_from) return "published, signs from " + format_time(key.signs_from);
  return "signs until " + format_time(key.signs_until);
}

// The error is what the ledger or one of its keys has against it.
std::expected<waf::KeyRing, Answer> open_ring(WafAccounts& accounts) {
  auto ring = waf::KeyRing::open(*accounts.ledger);
  if (!ring) return std::unexpected(refuse(ring.error()));
  return *std::move(ring);
}

}  // namespace

// --- backups ----------------------------------------------------------------------------------------------

Answer back_up(WafAccounts& accounts, const std::string& file, WallTime now) {
  const store::WafContents contents = accounts.ledger->contents(now);
  if (auto failure = accounts.ledger->take_failure()) return refuse(*failure);
  if (auto made = accounts.ledger->backup_to(file); !made) return refuse(made.error());
  const waf::AuditEntry entry = make_command_entry("backup_made", now);
  accounts.ledger->append_audit({&entry, 1});
  return accounts.conclude(
      fmt::format("{} is a verified copy of {}: {}\nit opens with the secret of this configuration alone, "
                  "which belongs somewhere else\n",
                  file, accounts.config.waf->database, describe(contents)));
}

Answer restore_backup(const Config& config, const std::string& copy, WallTime now) {
  const WafConfig& waf = *config.waf;
  if (is_server_there(config))
    return refuse(
        fmt::format("a server of this configuration answers at {}: stop it first", config.admin_socket));
  const auto restored = store::WafLedger::restore(copy, waf.database, make_waf_storage_key(waf),
                                                  make_command_entry("restored", now));
  if (!restored) return refuse(restored.error());
  const waf::Lifetimes& lifetimes = waf.node.waf.lifetimes;
  return say(fmt::format(
      "{} is restored from {}: {}\n"
      "it is the state of {}: what was revoked since is not, and users whose refresh tokens were renewed "
      "since log in again\n"
      "start the WAF no earlier than {}: codes, assertions and proofs that were used since the backup have "
      "ended by then\n",
      waf.database, copy, describe(*restored),
      restored->last_entry_at ? format_time(*restored->last_entry_at) : "before anything was audited",
      format_time(now + lifetimes.assertion_max + std::chrono::minutes{1})));
}

// --- signing keys -----------------------------------------------------------------------------------------

Answer list_signing_keys(WafAccounts& accounts, bool as_json, WallTime now) {
  const std::vector<waf::StoredKey> keys = accounts.ledger->signing_keys();
  Json all = Json::array();
  std::string text;
  for (const waf::StoredKey& key : keys) {
    all.push_back({{"kid", key.kid},
                   {"published_at", format_time(key.published_at)},
                   {"signs_from", format_time(key.signs_from)},
                   {"signs_until", format_time(key.signs_until)},
                   {"published_until", format_time(key.published_until)}});
    text += fmt::format("{:<48} {}\n", key.kid, state_of(key, now));
  }
  if (as_json) return accounts.conclude(all.dump(2) + '\n');
  return accounts.conclude(text.empty() ? "no signing keys; the server makes one when it starts\n" : text);
}

Answer rotate_signing_key(WafAccounts& accounts, WallTime now) {
  auto ring = open_ring(accounts);
  if (!ring) return ring.error();
  const auto made = accounts.record(make_command_entry("key_rotation_asked", now), [&] {
    return ring->add_successor(*accounts.ledger, accounts.config.waf->node.waf.keys, token_life(accounts),
                               now);
  });
  if (!made)
    return accounts.ledger->take_failure() ? refuse("the database cannot be written")
                                           : say_no("the next signing key is published already");
  const auto keys = accounts.ledger->signing_keys();
  const auto next = std::ranges::find_if(keys, [&](const waf::StoredKey& key) { return key.kid == *made; });
  return accounts.conclude(fmt::format("the signing key {} is published and signs from {}\n", *made,
                                       next == keys.end() ? "its time" : format_time(next->signs_from)));
}

Answer replace_signing_key(WafAccounts& accounts, const std::string& kid, WallTime now) {
  auto ring = open_ring(accounts);
  if (!ring) return ring.error();
  const bool is_known = accounts.record(make_command_entry("key_replacement_asked", now), [&] {
    return ring->replace(*accounts.ledger, accounts.config.waf->node.waf.keys, token_life(accounts), kid,
                         now);
  });
  if (!is_known) return say_no("there is no signing key " + kid);
  const jose::SigningKey* signer = ring->find_signer(now);
  return accounts.conclude(fmt::format(
      "the signing key {} is replaced: {} signs now, and nothing that the old one has signed is accepted "
      "here "
      "any more\na server that runs on this database does the same within a second; every eP-CSCF "
      "has to fetch the keys again now: turnpike admin reload\n",
      kid, signer == nullptr ? "none" : signer->kid()));
}

// --- the secret -------------------------------------------------------------------------------------------

Answer change_secret(const ChangeSecretOptions& options, WallTime now) {
  if (options.is_lost == options.old_secret_file.has_value())
    return refuse("found both or neither of --old-secret-file and --lost, allowed: one of them");
  auto config = require_waf(options.config);
  if (!config) return config.error();
  const WafConfig& waf = *config->waf;
  const Secret key = make_waf_storage_key(waf);
  if (options.is_lost) {
    if (is_server_there(*config))
      return refuse(
          fmt::format("a server of this configuration answers at {}: stop it first", config->admin_socket));
    if (auto forgotten = store::WafLedger::forget_keys(waf.database); !forgotten)
      return refuse(forgotten.error());
    auto ledger = store::WafLedger::open(waf.database, key, waf.ledger);
    if (!ledger) return refuse(ledger.error());
    const waf::AuditEntry entry = make_command_entry("secret_lost", now);
    (*ledger)->append_audit({&entry, 1});
    if (auto failure = (*ledger)->take_failure()) return refuse(*failure);
    return say(
        "the signing keys are gone, and the next ones are encrypted with the secret of this "
        "configuration; clients get other tokens by their refresh tokens\n");
  }
  auto text = read_text_file(*options.old_secret_file);
  if (!text) return refuse(fmt::format("--old-secret-file {}: {}", *options.old_secret_file, text.error()));
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  WafConfig before = waf;
  before.secret = Secret::from_text(*text);
  wipe({reinterpret_cast<Byte*>(text->data()), text->size()});
  auto ledger = store::WafLedger::open(waf.database, make_waf_storage_key(before), waf.ledger);
  if (!ledger) return refuse(ledger.error());
  const auto changed = (*ledger)->change_key(key);
  if (!changed) return refuse(changed.error());
  const waf::AuditEntry entry = make_command_entry("secret_changed", now);
  (*ledger)->append_audit({&entry, 1});
  if (auto failure = (*ledger)->take_failure()) return refuse(*failure);
  return say(
      fmt::format("{} signing keys are encrypted with the secret of this configuration\n"
                  "a server that runs on this database takes it in by a reload: turnpike admin reload\n",
                  *changed));
}

// --- the command line -------------------------------------------------------------------------------------
namespace {

constexpr const char* backup_help =
    "One state of the database, checked from end to end before it gets its name; the server goes on. Nothing "
    "is\nreplaced. Example:\n"
    "  turnpike waf backup backup/waf-$(date +%F).db --config turnpike.toml\n";
constexpr const char* restore_help =
    "Stop the WAF and move waf.db, waf.db-wal and waf.db-shm away first, all three. Example:\n"
    "  turnpike waf restore backup/waf-2026-11-27.db --config turnpike.toml\n";
constexpr const char* change_help =
    "With a server that runs: put the new secret into the configuration and say turnpike admin reload; it "
    "encrypts\nthe signing keys anew by itself. Without one, put it there and name the old one here:\n"
    "  turnpike waf change-secret --old-secret-file old.secret --config turnpike.toml\n";

void add_restore(Command& waf) {
  const auto config_file = std::make_shared<std::optional<std::string>>();
  const auto copy = std::make_shared<std::string>();
  Command restore = waf.add("restore", "Put a backup in the place of the database");
  restore.required_text("FILE", *copy, "what `turnpike waf backup` has made")
      .text("--config", *config_file, "the configuration with [waf]")
      .explain(restore_help);
  restore.on_run([config_file, copy] {
    const auto config = require_waf(*config_file);
    return config ? restore_backup(*config, *copy, read_clocks().wall) : config.error();
  });
}

void add_change_secret(Command& waf) {
  const auto options = std::make_shared<ChangeSecretOptions>();
  Command change = waf.add("change-secret", "Encrypt the signing keys with the secret of the configuration");
  change.text("--old-secret-file", options->old_secret_file, "the secret that they are encrypted with")
      .flag("--lost", options->is_lost, "there is no old secret any more: give the signing keys up")
      .text("--config", options->config, "the configuration with [waf]")
      .explain(change_help);
  change.on_run([options] { return change_secret(*options, read_clocks().wall); });
}

}  // namespace

void add_waf_command(Command root) {
  Command waf = root.add("waf", "Keep the WAF's database, its keys and its audit trail").require_command();
  add_account_command<WafPlace, NameOptions>(
      waf, "backup", "Copy the database while it is in use", false,
      [](Command& command, NameOptions& options) {
        command.required_text("FILE", options.name, "the copy; there must be none yet").explain(backup_help);
      },
      [](WafAccounts& accounts, const NameOptions& options) {
        return back_up(accounts, options.name, read_clocks().wall);
      });
  add_restore(waf);
  add_audit_command(waf);
  add_account_command<WafPlace, ListOptions>(
      waf, "signing-keys", "List the keys that sign access tokens", false,
      [](Command& command, ListOptions& options) { command.flag("--json", options.as_json, "print JSON"); },
      [](WafAccounts& accounts, const ListOptions& options) {
        return list_signing_keys(accounts, options.as_json, read_clocks().wall);
      });
  add_account_command<WafPlace, ListOptions>(
      waf, "rotate-key", "Publish the next signing key before its time", false, [](Command&, ListOptions&) {},
      [](WafAccounts& accounts, const ListOptions&) {
        return rotate_signing_key(accounts, read_clocks().wall);
      });
  add_named_command<WafPlace>(waf, "replace-key", "Replace a signing key that has leaked, at once", "KID",
                              "as `turnpike waf signing-keys` has it",
                              [](WafAccounts& accounts, const std::string& kid) {
                                return replace_signing_key(accounts, kid, read_clocks().wall);
                              });
  add_change_secret(waf);
}

}  // namespace turnpike::program
