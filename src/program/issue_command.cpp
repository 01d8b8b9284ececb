#include "program/issue_command.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "program/admin_request.hpp"
#include "program/config_command.hpp"
#include "program/explain.hpp"
#include "program/issue.hpp"

namespace turnpike::program {
namespace {

using Json = nlohmann::ordered_json;

struct IssueOptions {
  std::optional<std::string> config;
  std::string source;
  std::string user;
  std::uint64_t ttl = 600;
  std::string form = "browser";
  PolicyOptions policy;
};

credentials::Source source_of(const std::string& name) {
  if (name == "pushed") return credentials::Source::pushed;
  return name == "token" ? credentials::Source::token : credentials::Source::computed;
}

// The relay has to know a pushed credential before its user does.
std::optional<std::string> push(const Config& config, const ToPush& credential, std::uint64_t ttl,
                                const PolicyOptions& policy) {
  Json request;
  request["command"] = "push";
  request["username"] = credential.username;
  request["password"] = std::string{credential.password.reveal_text()};
  request["subject"] = credential.subject;
  request["ttl"] = ttl;
  add_policy(request, policy);
  const auto answer = ask_server(config.admin_socket, request);
  if (answer) return std::nullopt;
  return "a pushed credential has to be in a running server: " + answer.error().words;
}

Answer run_issue(const IssueOptions& options) {
  const auto config = require_config(options.config);
  if (!config) return config.error();
  if (options.form == "rfc7635" && options.source != "token")
    return refuse("--form: found rfc7635, allowed with --source " + options.source + ": browser");
  const auto policy = read_policy(options.policy);
  if (!policy) return refuse(policy.error());
  const bool carries_policy =
      options.source == "pushed" || (options.source == "token" && options.form == "browser");
  if (*policy != credentials::Policy{} && !carries_policy)
    return refuse("limits are carried by pushed credentials and by tokens in the browser form alone");
  SystemRandom random;
  const IssueRequest request{source_of(options.source), options.user,
                             std::chrono::seconds{static_cast<std::int64_t>(options.ttl)},
                             options.form == "rfc7635", *policy};
  const auto issued = issue(*config, request, read_clocks().wall, random);
  if (!issued) return refuse(issued.error());
  if (issued->push)
    if (const auto failure = push(*config, *issued->push, options.ttl, options.policy))
      return refuse(*failure);
  return say(issued->json + '\n');
}

// What the file says, and then what the running server says, which knows more.
Answer run_explain(const std::optional<std::string>& file, const std::string& username) {
  const auto config = require_config(file);
  if (!config) return config.error();
  const WallTime wall = read_clocks().wall;
  const Explanation by_file = explain(credentials::Registry{config->credentials}, username, wall);
  Answer answer = say(fmt::format("by {}\n{}", config->file, format_explanation(by_file, wall)));
  answer.exit_status = by_file.is_valid() ? exit_ok : exit_no;
  if (config->admin_socket.empty()) return answer;
  const auto by_server = ask_server(config->admin_socket, {{"command", "explain"}, {"username", username}});
  if (!by_server) {
    answer.complaint = by_server.error().words;
    return answer;
  }
  answer.text += fmt::format("\nby the running server, which knows what was pushed and revoked\n{}",
                             text_in(*by_server, "text"));
  answer.exit_status = flag_in(*by_server, "valid") ? exit_ok : exit_no;
  return answer;
}

constexpr const char* issue_help =
    "Prints a credential in the JSON that a WebRTC application takes: iceServers goes into\n"
    "RTCPeerConnection as it is. The user id does not show in it. computed and token need no\n"
    "server; pushed is put into the running one first.\n\n"
    "Examples:\n"
    "  turnpike issue --config turnpike.toml --source computed --user bob\n"
    "  turnpike issue --config turnpike.toml --source pushed --user bob --ttl 3600\n"
    "  turnpike issue --config turnpike.toml --source token --user bob --form rfc7635\n";
constexpr const char* explain_help =
    "Says what a username is, who issued it, when it ends, and whether it would be accepted now\n"
    "or why not (exit status 1). A running server is asked too. Needs no password.\n\n"
    "Example:\n"
    "  turnpike explain --config turnpike.toml 1893456000:k1.mfzwizltoq\n";

}  // namespace

void add_issue_command(Command root) {
  const auto options = std::make_shared<IssueOptions>();
  Command command = root.add("issue", "Make a credential and print it as iceServers JSON");
  command.text("--config", options->config, "the configuration of the relay")
      .required_choice("--source", options->source, {"computed", "pushed", "token"}, "how it is made")
      .required_text("--user", options->user, "for whom; any text, of which only an opaque id is passed on")
      .number("--ttl", options->ttl, 1, 86400, "seconds that it lives")
      .choice("--form", options->form, {"browser", "rfc7635"},
              "of a token: as a username and password, or native");
  add_policy_options(command, options->policy);
  command.explain(issue_help);
  command.on_run([options] { return run_issue(*options); });
}

void add_explain_command(Command root) {
  const auto file = std::make_shared<std::optional<std::string>>();
  const auto username = std::make_shared<std::string>();
  Command command = root.add("explain", "Say what a username is and whether it would be accepted");
  command
      .required_text("USERNAME", *username,
                     "as it stands in USERNAME: a name, a computed one, a token, a kid")
      .text("--config", *file, "the configuration of the relay")
      .explain(explain_help);
  command.on_run([file, username] { return run_explain(*file, *username); });
}

}  // namespace turnpike::program
