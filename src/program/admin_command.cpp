#include "program/admin_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/crypto.hpp"
#include "program/admin_request.hpp"
#include "program/config_command.hpp"
#include "program/issue.hpp"
#include "program/time_text.hpp"

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;

// Where the server is: named by its configuration or by the socket itself.
struct ServerOptions {
  std::optional<std::string> config;
  std::optional<std::string> socket;
  bool json = false;
};

std::expected<std::string, Answer> find_socket(const ServerOptions& options) {
  if (options.socket) return *options.socket;
  const auto config = require_config(options.config);
  if (config) return config->admin_socket;
  if (!options.config)
    return std::unexpected(refuse("--config or --socket is required, to say which server"));
  return std::unexpected(config.error());
}

std::expected<Json, Answer> ask(const ServerOptions& options, const Json& request) {
  const auto socket = find_socket(options);
  if (!socket) return std::unexpected(socket.error());
  auto answer = ask_server(*socket, request);
  if (answer) return std::move(*answer);
  return std::unexpected(answer.error().failure == AskFailure::refused ? say_no(answer.error().words)
                                                                       : refuse(answer.error().words));
}

template <typename Format>
Answer ask_and_format(const ServerOptions& options, const Json& request, Format format) {
  const auto answer = ask(options, request);
  if (!answer) return answer.error();
  return say(options.json ? answer->dump() + '\n' : std::string{format(*answer)});
}

std::string format_end(const Json& entry) {
  if (!entry.contains("expires_at") || entry["expires_at"].is_null()) return "never";
  return format_time(from_unix_seconds(number_in(entry, "expires_at")));
}

// --- push, extend
// -------------------------------------------------------------------------------------------

struct PushOptions {
  ServerOptions server;
  std::string username, password, subject;
  std::uint64_t ttl = 600;
  PolicyOptions policy;
};

Answer run_push(const PushOptions& options) {
  if (const auto policy = read_policy(options.policy); !policy) return refuse(policy.error());
  Json request{{"command", "push"}, {"username", options.username}, {"password", options.password}};
  request["ttl"] = options.ttl;
  if (!options.subject.empty()) request["subject"] = options.subject;
  add_policy(request, options.policy);
  return ask_and_format(options.server, request, [&](const Json& answer) {
    return fmt::format("pushed, until {}\n", format_end(answer));
  });
}

// --- revoke, kick
// -------------------------------------------------------------------------------------------

struct TargetOptions {
  ServerOptions server;
  std::optional<std::string> username, subject, kid, token, token_hash, user;
  std::optional<std::uint64_t> ttl;
};

using Targets = std::vector<std::pair<std::string, std::string>>;  // by, value

std::expected<std::string, std::string> hash_token(const std::string& text) {
  auto token = from_base64(text);
  if (!token) token = from_base64url(text);
  if (!token)
    return std::unexpected(fmt::format("--token: found {} characters that are not base64", text.size()));
  return to_hex(crypto::sha256(*token));
}

// One user has several subjects, since those that show on the wire change every day.
std::expected<Targets, std::string> find_subjects(const TargetOptions& options) {
  const auto config = require_config(options.server.config);
  if (!config) return std::unexpected("--user: needs --config, from which the opaque ids are made");
  Targets targets;
  for (std::string& subject : subjects_of(*config, *options.user, read_clocks().wall))
    targets.emplace_back("subject", std::move(subject));
  if (targets.empty())
    return std::unexpected("--user: needs [issue] opaque_id_key, or a computed or token source");
  return targets;
}

std::expected<Targets, std::string> find_targets(const TargetOptions& options) {
  Targets targets;
  if (options.username) targets.emplace_back("username", *options.username);
  if (options.subject) targets.emplace_back("subject", *options.subject);
  if (options.kid) targets.emplace_back("kid", *options.kid);
  if (options.token_hash) targets.emplace_back("token_hash", *options.token_hash);
  if (options.token) {
    auto hash = hash_token(*options.token);
    if (!hash) return std::unexpected(hash.error());
    targets.emplace_back("token_hash", std::move(*hash));
  }
  if (targets.size() + (options.user ? 1 : 0) != 1)
    return std::unexpected("name one of --username, --subject, --user, --kid, --token, --token-hash");
  return options.user ? find_subjects(options) : targets;
}

// What one answer says of the relay of the process that was asked, and of those of its [[relays]].
void add_outcome(Json& sum, const Json& answer) {
  if (answer.contains("allocations_ended"))
    sum["allocations_ended"] = number_in(sum, "allocations_ended") + number_in(answer, "allocations_ended");
  if (answer.contains("is_confirmed_by_relays"))
    sum["is_confirmed_by_relays"] =
        flag_in(answer, "is_confirmed_by_relays") && sum.value("is_confirmed_by_relays", true);
}

std::string format_outcome(const Json& sum) {
  std::string text;
  const auto ended = number_in(sum, "allocations_ended");
  if (sum.contains("allocations_ended"))
    text += fmt::format("; {} allocation{} ended", ended, ended == 1 ? "" : "s");
  if (sum.contains("is_confirmed_by_relays"))
    text += flag_in(sum, "is_confirmed_by_relays")
                ? "; every relay of [[relays]] that lives has confirmed"
                : "; not every relay of [[relays]] has confirmed: one that is away takes it in before it is "
                  "offered again";
  return text;
}

Answer run_on_targets(const TargetOptions& options, const std::string& command, std::string_view done) {
  const auto targets = find_targets(options);
  if (!targets) return refuse(targets.error());
  Json sum{{"ok", true}};
  for (const auto& [by, value] : *targets) {
    Json request{{"command", command}, {"by", by}, {"value", value}};
    if (options.ttl) request["ttl"] = *options.ttl;
    const auto answer = ask(options.server, request);
    if (!answer) return answer.error();
    add_outcome(sum, *answer);
  }
  return say(options.server.json ? sum.dump() + '\n' : fmt::format("{}{}\n", done, format_outcome(sum)));
}

// --- reload, drain
// ------------------------------------------------------------------------------------------

std::string format_reload(const Json& answer) {
  std::string text = "reloaded\n";
  for (const Json& warning : answer["warnings"])
    text += fmt::format("warning: {}\n", warning.get<std::string>());
  for (const Json& key : answer["needs_restart"])
    text += fmt::format("{} has changed and needs a restart\n", key.get<std::string>());
  return text;
}

std::string format_drain(const Json& answer) {
  return fmt::format("draining; the server ends with the last of {} allocations and {} calls\n",
                     number_in(answer, "allocations_active"), number_in(answer, "calls_active"));
}

}  // namespace

std::string format_stats(const Json& answer) {
  std::string text;
  const auto add = [&](const std::string& name, const Json& value) {
    text += fmt::format("{:<28} {:>15}\n", name, value.dump());
  };
  for (const auto& [key, value] : answer.items()) {
    if (key == "ok") continue;
    const bool is_by_reason = key == "credentials_refused";
    if (!value.is_object()) add(key, value);
    // Of the reasons, those that occurred.
    else
      for (const auto& [name, count] : value.items())
        if (!is_by_reason || count != 0) add((is_by_reason ? "refused" : key) + ": " + name, count);
  }
  return text;
}

std::string format_relays(const Json& answer) {
  std::string text = fmt::format("{:<24} {:<10} {:<10} {:>5} {:>12} {:>10} {:>8}  {}\n", "relay", "region",
                                 "state", "load", "credentials", "sequence", "waiting", "URIs");
  for (const Json& relay : answer["relays"]) {
    const auto* state = flag_in(relay, "is_draining")  ? "draining"
                        : flag_in(relay, "is_offered") ? "offered"
                        : flag_in(relay, "is_live")    ? "spare"
                                                       : "away";
    text += fmt::format("{:<24} {:<10} {:<10} {:>4.0f}% {:>12} {:>10} {:>8}  {}\n", text_in(relay, "name"),
                        text_in(relay, "region"), state, relay.value("load", 0.0) * 100,
                        number_in(relay, "credentials"), number_in(relay, "sequence"),
                        number_in(relay, "waiting"),
                        fmt::join(relay["uris"].get<std::vector<std::string>>(), " "));
    if (relay.contains("last_problem"))
      text += fmt::format(
          "    {} {}: {}\n", flag_in(relay, "is_live") ? "had its last problem at" : "is away, tried last at",
          format_time(from_unix_seconds(number_in(relay, "failed_at"))), text_in(relay, "last_problem"));
  }
  return text;
}

std::string format_sessions(const Json& answer) {
  if (answer["sessions"].empty()) return "no allocations\n";
  std::string text = fmt::format("{:<24} {:<24} {:<9} {:<24} {:>8} {:>14} {:>14}\n", "client", "relayed",
                                 "source", "subject", "ends in", "bytes in", "bytes out");
  for (const Json& session : answer["sessions"])
    text += fmt::format("{:<24} {:<24} {:<9} {:<24} {:>8} {:>14} {:>14}\n", text_in(session, "client"),
                        text_in(session, "relayed"), text_in(session, "source"), text_in(session, "subject"),
                        format_duration(std::chrono::seconds{number_in(session, "expires_in_seconds")}),
                        number_in(session, "bytes_from_client"), number_in(session, "bytes_to_client"));
  const auto active = number_in(answer, "active");
  if (active > answer["sessions"].size())
    text += fmt::format("and {} more\n", active - answer["sessions"].size());
  return text;
}

std::string format_list(const Json& answer) {
  std::string text;
  for (const Json& entry : answer["pushed"])
    text += fmt::format("pushed   {:<24} subject {:<24} until {}\n", text_in(entry, "username"),
                        text_in(entry, "subject"), format_end(entry));
  for (const Json& entry : answer["revoked"])
    text += fmt::format("revoked  {:<10} {} until {}\n", text_in(entry, "by"), text_in(entry, "value"),
                        format_end(entry));
  return text.empty() ? "nothing is pushed and nothing revoked\n" : text;
}

std::string format_registrations(const Json& answer) {
  std::string text = fmt::format("{:<28} {:<34} {:<16} {:>10} {:<12} {}\n", "private identity",
                                 "public identity", "subject", "expires in", "connected", "credentials");
  for (const Json& entry : answer["registrations"])
    text += fmt::format(
        "{:<28} {:<34} {:<16} {:>10} {:<12} {}\n", text_in(entry, "impi"),
        entry["impus"].empty() ? "" : entry["impus"][0].get<std::string>(), text_in(entry, "subject"),
        format_duration(std::chrono::seconds{number_in(entry, "expires_in_seconds")}),
        flag_in(entry, "is_connected") ? "yes" : "no", flag_in(entry, "has_credentials") ? "yes" : "no");
  const auto active = number_in(answer, "active");
  if (active > answer["registrations"].size())
    text += fmt::format("and {} more\n", active - answer["registrations"].size());
  return text;
}

std::string format_users(const Json& answer) {
  if (answer["users"].empty()) return "nobody holds anything\n";
  std::string text = fmt::format("{:<40} {:>10} {}\n", "user", "expires in", "subjects");
  for (const Json& entry : answer["users"]) {
    std::string subjects;
    for (const Json& subject : entry["subjects"])
      subjects += (subjects.empty() ? "" : ", ") + subject.get<std::string>();
    text +=
        fmt::format("{:<40} {:>10} {}\n", text_in(entry, "user"),
                    format_duration(std::chrono::seconds{number_in(entry, "expires_in_seconds")}), subjects);
  }
  return text;
}

// --- the command line
// ---------------------------------------------------------------------------------------
namespace {

constexpr const char* admin_help =
    "The server is named by --config (its [admin] socket) or by --socket. Exit status: 0 done,\n"
    "1 the server says no, 2 nobody answers or the command is wrong.\n\n"
    "Examples:\n"
    "  turnpike admin stats --config turnpike.toml\n"
    "  turnpike admin push --config turnpike.toml --username u1 --password p1 --ttl 600\n"
    "  turnpike admin revoke --config turnpike.toml --user bob\n\n"
    "A subject or user that is revoked is refused for as long as --ttl says, with credentials that\n"
    "are issued in that time too; a username, token or kid is one credential, or one issuer's.\n";

Command& add_server_options(Command& command, ServerOptions& options) {
  return command.text("--config", options.config, "the configuration that the server runs with")
      .text("--socket", options.socket, "the server's socket")
      .flag("--json", options.json, "print the server's answer as it came");
}

void add_push(Command& admin) {
  const auto options = std::make_shared<PushOptions>();
  Command push = admin.add("push", "Put a credential into the server");
  add_server_options(push, options->server)
      .required_text("--username", options->username, "its name")
      .required_text("--password", options->password, "its password")
      .text("--subject", options->subject, "whom quotas and revocation see; the name if unset")
      .number("--ttl", options->ttl, 1, 366 * 86400, "seconds that it lives");
  add_policy_options(push, options->policy);
  push.on_run([options] { return run_push(*options); });
}

void add_targeted(Command& admin, const std::string& name, const std::string& help, const std::string& done,
                  bool has_ttl) {
  const auto options = std::make_shared<TargetOptions>();
  Command command = admin.add(name, help);
  add_server_options(command, options->server)
      .text("--username", options->username, "this credential")
      .text("--subject", options->subject, "all credentials of this subject")
      .text("--user", options->user, "all that `turnpike issue` made for this user, today or yesterday")
      .text("--kid", options->kid, "all tokens of this key id, and of those below it")
      .text("--token", options->token, "this token, in base64")
      .text("--token-hash", options->token_hash, "the token with this SHA-256, in hexadecimal");
  if (has_ttl)
    command.number("--ttl", options->ttl, 1, 366 * 86400,
                   "seconds to refuse it; if unset, to its own end, or a day where that is not known");
  command.on_run([options, name, done] { return run_on_targets(*options, name, done); });
}

// A command without options of its own.
void add_simple(Command& admin, const std::string& name, const std::string& help,
                std::string (*format)(const Json&)) {
  const auto options = std::make_shared<ServerOptions>();
  Command command = admin.add(name, help);
  add_server_options(command, *options);
  command.on_run(
      [options, name, format] { return ask_and_format(*options, Json{{"command", name}}, format); });
}

void add_list(Command& admin) {
  const auto options = std::make_shared<std::pair<ServerOptions, std::string>>();
  Command list = admin.add("list", "What is pushed and what revoked");
  add_server_options(list, options->first)
      .text("--subject", options->second, "pushed credentials of this subject alone");
  list.on_run([options] {
    Json request{{"command", "list"}};
    if (!options->second.empty()) request["subject"] = options->second;
    return ask_and_format(options->first, request, format_list);
  });
}

void add_sessions(Command& admin) {
  const auto options = std::make_shared<std::pair<ServerOptions, std::uint64_t>>(ServerOptions{}, 1000);
  Command sessions = admin.add("sessions", "The allocations that run");
  add_server_options(sessions, options->first)
      .number("--max", options->second, 1, 1'000'000, "how many to show");
  sessions.on_run([options] {
    return ask_and_format(options->first, Json{{"command", "sessions"}, {"max", options->second}},
                          format_sessions);
  });
}

void add_registrations(Command& admin) {
  const auto options = std::make_shared<std::pair<ServerOptions, std::uint64_t>>(ServerOptions{}, 1000);
  Command registrations = admin.add("registrations", "Who is registered through the eP-CSCF");
  add_server_options(registrations, options->first)
      .number("--max", options->second, 1, 1'000'000, "how many to show");
  registrations.on_run([options] {
    return ask_and_format(options->first, Json{{"command", "registrations"}, {"max", options->second}},
                          format_registrations);
  });
}

void add_users(Command& admin) {
  const auto options = std::make_shared<std::pair<ServerOptions, std::uint64_t>>(ServerOptions{}, 1000);
  Command users = admin.add("users", "Who holds credentials of the credential API");
  add_server_options(users, options->first)
      .number("--max", options->second, 1, 1'000'000, "how many to show");
  users.on_run([options] {
    return ask_and_format(options->first, Json{{"command", "users"}, {"max", options->second}}, format_users);
  });
}

void add_withdraw(Command& admin) {
  const auto options = std::make_shared<std::pair<ServerOptions, std::string>>();
  Command withdraw = admin.add(
      "withdraw", "Take back what the credential API has given a user; what it gives later is good again");
  add_server_options(withdraw, options->first)
      .required_text("USER", options->second, "the user, as the API's caller names them");
  withdraw.on_run([options] {
    return ask_and_format(options->first, Json{{"command", "withdraw"}, {"user", options->second}},
                          [](const Json& answer) {
                            const auto count = number_in(answer, "revocations");
                            return fmt::format("sent {} revocation{}\n", count, count == 1 ? "" : "s");
                          });
  });
}

void add_deregister(Command& admin) {
  const auto options = std::make_shared<std::pair<ServerOptions, std::string>>();
  Command deregister = admin.add(
      "deregister", "End the registrations of a private identity, with their credentials and relays");
  add_server_options(deregister, options->first)
      .required_text("IMPI", options->second, "the private identity, such as alice@ims.example");
  deregister.on_run([options] {
    return ask_and_format(options->first, Json{{"command", "deregister"}, {"impi", options->second}},
                          [](const Json& answer) {
                            const auto ended = number_in(answer, "registrations_ended");
                            return fmt::format("ended {} registration{}\n", ended, ended == 1 ? "" : "s");
                          });
  });
}

void add_stats(Command& admin) {
  const auto options = std::make_shared<std::pair<ServerOptions, bool>>();
  Command stats = admin.add("stats", "What the server has done so far");
  add_server_options(stats, options->first)
      .flag("--metrics", options->second, "in the text format of Prometheus");
  stats.on_run([options] {
    if (!options->second) return ask_and_format(options->first, Json{{"command", "stats"}}, format_stats);
    return ask_and_format(options->first, Json{{"command", "metrics"}},
                          [](const Json& answer) { return text_in(answer, "text"); });
  });
}

}  // namespace

void add_admin_command(Command root) {
  Command admin = root.add("admin", "Look into a running server and change it").require_command();
  admin.explain(admin_help);
  add_stats(admin);
  add_sessions(admin);
  add_list(admin);
  add_registrations(admin);
  add_deregister(admin);
  add_users(admin);
  add_withdraw(admin);
  add_push(admin);
  add_targeted(admin, "revoke", "Take credentials back: end their allocations and refuse new ones", "revoked",
               true);
  add_targeted(admin, "kick", "End allocations; their credentials stay good, but for pushed ones", "kicked",
               false);
  add_simple(admin, "relays", "The relays of [[relays]]: which live, and what they know", format_relays);
  add_simple(admin, "reload", "Read the configuration again: users, secrets, keys and the log level",
             format_reload);
  add_simple(admin, "drain", "Take nobody new, and end with the last allocation and the last call",
             format_drain);
}

}  // namespace turnpike::program
