#include "program/wic_command.hpp"

#include <fmt/format.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <iostream>
#include <memory>

#include "ims/aka.hpp"
#include "program/terminal.hpp"
#include "program/text_file.hpp"
#include "sip/uri.hpp"

namespace turnpike::program {
namespace {

using client::WicTask;

constexpr const char* wic_help =
    "A WebRTC IMS client for the terminal: it registers over WebSocket as a browser's page would,\n"
    "shows the TURN credentials that come with the registration, and can call and be called, with\n"
    "its media through the relay. It tells each message with the time since the start, and in words\n"
    "what went wrong and what to do. Exit status: 0 it worked, 1 it did not, 2 the command is wrong.\n";

constexpr const char* register_help =
    "Examples:\n"
    "  turnpike wic register wss://127.0.0.1:8443 --user alice@ims.example --password wonderland --insecure\n"
    "  turnpike wic register wss://edge.ims.example --identity sip:alice@ims.example --token-file token\n"
    "  turnpike wic register ... --hold 3600      stay, and register again in time\n"
    "  turnpike wic register ... --type oauth     ask for a token of RFC 7635\n";

constexpr const char* echo_help =
    "Registers, allocates a relay address with the credentials that it is given, takes every call and\n"
    "sends back what it hears. Ends with Ctrl-C, after --calls calls, or after --hold seconds.\n\n"
    "Example:\n"
    "  turnpike wic echo wss://127.0.0.1:8443 --user bob@ims.example --password builder --insecure\n";

constexpr const char* call_help =
    "Registers, allocates, calls, sends packets through both relays and back, tells loss and round trip,\n"
    "hangs up and de-registers. The other side is `turnpike wic echo`.\n\n"
    "Example:\n"
    "  turnpike wic call wss://127.0.0.1:8443 sip:bob@ims.example \\\n"
    "    --user alice@ims.example --password wonderland --insecure\n";

// One line of standard input.
std::string read_line() {
  std::string line;
  std::getline(std::cin, line);
  return line;
}

std::expected<std::string, std::string> read_secret_file(const std::string& option, const std::string& file) {
  auto text = read_text_file(file);
  if (!text) return std::unexpected(fmt::format("{}: found \"{}\": {}", option, file, text.error()));
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (text->empty()) return std::unexpected(fmt::format("{}: found nothing in \"{}\"", option, file));
  return *std::move(text);
}

// "-" is the first line of standard input, where no other process sees it.
std::expected<Secret, std::string> read_secret(const std::string& name,
                                               const std::optional<std::string>& value,
                                               const std::optional<std::string>& file) {
  if (value && file)
    return std::unexpected(fmt::format("found {0} and {0}-file, allowed: one of them", name));
  if (!file) return Secret::from_text(*value == "-" ? read_line() : *value);
  const auto text = read_secret_file(name + "-file", *file);
  if (!text) return std::unexpected(text.error());
  return Secret::from_text(*text);
}

std::expected<Secret, std::string> read_block(const std::string& name, const std::string& text) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() != 16)
    return std::unexpected(fmt::format("{}: found {} characters, allowed: 32 hex digits", name, text.size()));
  Secret secret{*bytes};
  wipe(*bytes);
  return secret;
}

std::expected<client::WicLogin, std::string> read_card(const WicOptions& options) {
  if (!options.aka_k || !options.aka_opc || !options.user)
    return std::unexpected("--user, --aka-k and --aka-opc belong together");
  const auto k = read_block("--aka-k", *options.aka_k);
  if (!k) return std::unexpected(k.error());
  const auto opc = read_block("--aka-opc", *options.aka_opc);
  if (!opc) return std::unexpected(opc.error());
  return client::AkaLogin{.username = *options.user, .card = {.k = *k, .opc = *opc, .sqn = options.aka_sqn}};
}

std::expected<client::WicLogin, std::string> read_login(const WicOptions& options) {
  const bool has_password = options.password || options.password_file;
  const bool has_token = options.token || options.token_file;
  const bool has_card = options.aka_k || options.aka_opc;
  if (has_password + has_token + has_card > 1)
    return std::unexpected("found more than one login, allowed: a password, a token or a card");
  if (!has_password && !has_token && !has_card)
    return std::unexpected("a login is missing: --user and --password, or --token, or --aka-k and --aka-opc");
  if (has_card) return read_card(options);
  if (has_token) {
    auto token = read_secret("--token", options.token, options.token_file);
    if (!token) return std::unexpected(token.error());
    return client::BearerLogin{*std::move(token), options.bare_token ? client::BearerSpelling::bare
                                                                     : client::BearerSpelling::access_token};
  }
  if (!options.user) return std::unexpected("--user is missing beside the password");
  auto password = read_secret("--password", options.password, options.password_file);
  if (!password) return std::unexpected(password.error());
  return client::DigestLogin{*options.user, *std::move(password)};
}

std::expected<std::string, std::string> read_identity(const WicOptions& options) {
  if (!options.user && !options.identity)
    return std::unexpected("--identity is missing: whom to register, such as sip:alice@ims.example");
  std::string identity = options.identity.value_or("sip:" + options.user.value_or(""));
  if (const auto problem = client::find_identity_problem(identity))
    return std::unexpected(fmt::format("{}: {}", options.identity ? "--identity" : "--user", *problem));
  return identity;
}

client::CredentialsAsk to_ask(const std::string& text) {
  if (text == "none") return client::CredentialsAsk::none;
  return text == "body" ? client::CredentialsAsk::body : client::CredentialsAsk::header;
}

provisioning::Request to_request(const WicOptions& options) {
  provisioning::Request request{.realm = options.realm, .transport = options.transport};
  if (options.ttl_seconds) request.ttl = std::chrono::seconds{*options.ttl_seconds};
  if (options.type)
    request.form = *options.type == "oauth" ? provisioning::Form::oauth : provisioning::Form::password;
  return request;
}

// Before anything else, so that Ctrl-C ends calls and the registration instead of the process.
int open_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) ::sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  (void)std::signal(SIGPIPE, SIG_IGN);
  return ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

Answer run_command(const WicOptions& options, WicTask task) {
  auto settings = make_wic_settings(options, task);
  if (!settings) return refuse(settings.error());
  settings->interrupt = open_signals();
  const auto show = [](const client::ProbeEvent& event) { print_line(client::format_event(event)); };
  const client::WicReport report =
      options.json ? client::run_wic(*settings) : client::run_wic(*settings, show);
  ::close(settings->interrupt);
  Answer answer;
  answer.exit_status = report.exit_status;
  answer.text = options.json ? client::format_json(report) : "\n" + client::format_summary(report);
  if (!answer.text.ends_with('\n')) answer.text += '\n';
  return answer;
}

void add_login_options(Command& command, WicOptions& options) {
  command.group("Login: a password, a token, or a card")
      .text("--user", options.user, "the private identity: alice@ims.example")
      .text("--password", options.password, "its password; - reads a line of standard input")
      .text("--password-file", options.password_file, "a file that holds the password")
      .text("--token", options.token, "an access token; - reads a line of standard input")
      .text("--token-file", options.token_file, "a file that holds the token")
      .flag("--bare-token", options.bare_token, "write it as RFC 8898 does: Bearer TOKEN")
      .text("--aka-k", options.aka_k, "K of a card, 32 hex digits (IMS AKA)")
      .text("--aka-opc", options.aka_opc, "its OPc, 32 hex digits")
      .number("--aka-sqn", options.aka_sqn, 0, ims::sqn_bound - 1, "the highest SQN that it has accepted")
      .text("--identity", options.identity, "the public identity to register; sip: and the user if unset")
      .group("Connection")
      .flag("--insecure", options.insecure, "trust any certificate")
      .text("--ca", options.ca, "a PEM file of certificates to trust; the system's if unset")
      .text("--origin", options.origin, "the Origin that a browser's page would have")
      .number("--timeout-ms", options.timeout_ms, 100, 600'000, "of each step");
}

void add_credential_wishes(Command& command, WicOptions& options) {
  command.group("TURN credentials")
      .choice("--credentials", options.credentials, {"header", "body", "none"}, "how to ask for them")
      .choice("--type", options.type, {"password", "oauth"}, "the type to ask for")
      .text("--realm", options.realm, "the realm to ask for")
      .choice("--transport", options.transport, {"udp", "tcp"}, "the transport to ask for")
      .number("--ttl-seconds", options.ttl_seconds, 1, 86400, "the time to ask for");
}

Command add_task(Command& wic, const std::string& name, const std::string& help,
                 const std::shared_ptr<WicOptions>& options, WicTask task) {
  Command command = wic.add(name, help);
  command.required_text("SERVER", options->server, "wss://HOST:PORT, or ws:// on this machine");
  if (task == WicTask::call) command.required_text("CALLEE", options->callee, "sip:bob@ims.example");
  add_login_options(command, *options);
  add_credential_wishes(command, *options);
  command.group("Registration")
      .number("--expires", options->expires_seconds, 1, 600'000, "seconds to ask for")
      .group("Options")
      .flag("--json", options->json, "print one JSON object at the end instead");
  command.on_run([options, task] { return run_command(*options, task); });
  return command;
}

}  // namespace

std::expected<client::WicSettings, std::string> make_wic_settings(const WicOptions& options, WicTask task) {
  const auto uri = client::parse_web_socket_uri(options.server);
  if (!uri) return std::unexpected(uri.error());
  if (task == WicTask::call && !sip::Uri::parse(options.callee))
    return std::unexpected(
        fmt::format("CALLEE: found \"{}\", allowed: a URI such as sip:bob@ims.example", options.callee));
  auto identity = read_identity(options);
  if (!identity) return std::unexpected(identity.error());
  auto login = read_login(options);
  if (!login) return std::unexpected(login.error());

  client::WicSettings settings;
  settings.door = {.uri = *uri,
                   .ca_file = options.ca.value_or(""),
                   .is_insecure = options.insecure,
                   .origin = options.origin.value_or(""),
                   .timeout = std::chrono::milliseconds{options.timeout_ms}};
  settings.agent = {.identity = *std::move(identity),
                    .login = *std::move(login),
                    .is_secure = uri->is_secure,
                    .expires = std::chrono::seconds{options.expires_seconds},
                    .credentials = to_ask(options.credentials),
                    .wanted = to_request(options)};
  settings.task = task;
  settings.callee = options.callee;
  settings.hold = std::chrono::seconds{options.hold_seconds};
  settings.calls_max = options.calls;
  settings.packets = options.packets;
  settings.interval = std::chrono::milliseconds{options.interval_ms};
  settings.payload_bytes = options.payload_bytes;
  settings.timeout = std::chrono::milliseconds{options.timeout_ms};
  return settings;
}

void add_wic_command(Command root) {
  const auto options = std::make_shared<WicOptions>();
  Command wic = root.add("wic", "Register, call and be called as a WebRTC IMS client");
  wic.require_command().explain(wic_help);
  add_task(wic, "register", "Register and show what comes with it", options, WicTask::registration)
      .number("--hold", options->hold_seconds, 0, 31'536'000, "seconds to stay registered")
      .explain(register_help);
  add_task(wic, "echo", "Wait for calls and send their media back", options, WicTask::echo)
      .number("--hold", options->hold_seconds, 0, 31'536'000, "seconds to stay; 0: until Ctrl-C")
      .number("--calls", options->calls, 0, 1'000'000, "leave after so many; 0: stay")
      .explain(echo_help);
  add_task(wic, "call", "Call another and measure the relayed path", options, WicTask::call)
      .number("--packets", options->packets, 1, 100'000, "to send")
      .number("--interval-ms", options->interval_ms, 0, 60'000, "between them")
      .number("--payload-bytes", options->payload_bytes, 12, 1200, "of each")
      .explain(call_help);
}

}  // namespace turnpike::program
