#include "program/wic_command.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <iostream>
#include <memory>
#include <system_error>

#include "ims/aka.hpp"
#include "program/terminal.hpp"
#include "program/wic_logins.hpp"
#include "sip/uri.hpp"

namespace turnpike::program {
namespace {

using client::WicTask;

constexpr const char* wic_help =
    "A WebRTC IMS client for the terminal: it registers over WebSocket as a browser's page would,\n"
    "shows the TURN credentials that come with the registration, and can call and be called, with\n"
    "its media through the relay. It tells each message with the time since the start, and in words\n"
    "what went wrong and what to do. Exit status: 0 it worked, 1 it did not, 2 the command is wrong.\n\n"
    "With ./run in another terminal, try\n"
    "  turnpike wic register wss://127.0.0.1:8443 --insecure --user alice@ims.example --password wonderland\n"
    "and then echo for one user and call from another one. Each of the three has a --help of its own, with\n"
    "examples; docs/wic.md tells the rest.\n";

constexpr const char* login_help =
    "How a user is known (--scenario; told from the other options if unset):\n"
    "  1  by the core: --user alice@ims.example with --password, or a card with --aka-k and --aka-opc\n"
    "  2  by a web login, whose token registers: --waf, or a token that you have already with --token-file\n"
    "  3  the same with an identity that the web site lends from its pool\n"
    "Where the TURN credential comes from (--source; whatever the server prefers if unset):\n"
    "  computed, pushed  of the eP-CSCF, in its answer to the REGISTER\n"
    "  token             of RFC 7635: the WAF's where there is a --waf, else the eP-CSCF's\n"
    "A login at a WAF (OAuth 2.0, code with PKCE): with --waf-user and a password this program fills the\n"
    "login form itself; without them it shows a URL, and you log in with a browser on this machine.\n"
    "Tokens are renewed in the background before they end.\n\n";

constexpr const char* register_help =
    "Examples, of scenario 1 and 2, and by a browser:\n"
    "  turnpike wic register wss://127.0.0.1:8443 --insecure --user alice@ims.example --password wonderland\n"
    "  turnpike wic register wss://127.0.0.1:8443 --insecure --scenario 2 --source token \\\n"
    "    --waf https://localhost:8445 --waf-user alice --waf-password wonderland\n"
    "  turnpike wic register wss://127.0.0.1:8443 --insecure --waf https://localhost:8445\n"
    "  turnpike wic register ... --hold 3600      stay, and register again in time\n";

constexpr const char* echo_help =
    "Registers, allocates a relay address with the credentials that it is given, takes every call and\n"
    "sends back what it hears. Ends with Ctrl-C, after --calls calls, or after --hold seconds. A connection\n"
    "that is lost is made again.\n\n"
    "Example:\n"
    "  turnpike wic echo wss://127.0.0.1:8443 --insecure --user bob@ims.example --password builder\n";

constexpr const char* call_help =
    "Registers, allocates, calls, sends packets through both relays and back, tells loss and round trip,\n"
    "hangs up and de-registers. The other side is `turnpike wic echo`.\n\n"
    "Examples, of scenario 1 and 2:\n"
    "  turnpike wic call wss://127.0.0.1:8443 sip:bob@ims.example --insecure \\\n"
    "    --user alice@ims.example --password wonderland\n"
    "  turnpike wic call wss://127.0.0.1:8443 sip:bob@ims.example --insecure --scenario 2 --source token \\\n"
    "    --waf https://localhost:8445 --waf-user alice --waf-password wonderland\n";

client::CredentialsAsk to_ask(const std::string& text) {
  if (text == "none") return client::CredentialsAsk::none;
  return text == "body" ? client::CredentialsAsk::body : client::CredentialsAsk::header;
}

provisioning::Request to_request(const WicOptions& options) {
  provisioning::Request request{.realm = options.realm, .transport = options.transport};
  if (options.ttl_seconds) request.ttl = std::chrono::seconds{*options.ttl_seconds};
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

// On standard error, as standard output may be for a program.
void show_url(const std::string& url, bool is_opened) {
  std::cerr << "\nLog in with a browser on this machine:\n\n  " << url << "\n\n" << std::flush;
  if (!is_opened) return;
  std::string program = "xdg-open", argument = url;
  std::array<char*, 3> arguments{program.data(), argument.data(), nullptr};
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);  // what we block is not for a browser
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t process = 0;
  const int error =
      ::posix_spawnp(&process, program.c_str(), nullptr, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0)
    std::cerr << "xdg-open: " << std::error_code{error, std::generic_category()}.message() << '\n'
              << std::flush;
}

Answer run_command(const WicOptions& options, WicTask task) {
  auto settings = make_wic_settings(options, task);
  if (!settings) return refuse(settings.error());
  settings->interrupt = open_signals();
  settings->on_url = [is_opened = options.open_browser](const std::string& url) { show_url(url, is_opened); };
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
  command.group("Login")
      .number("--scenario", options.scenario, 1, 3, "how the user is known: 1, 2 or 3, see below")
      .text("--user", options.user, "scenario 1: the private identity, alice@ims.example")
      .text("--password", options.password, "its password; - reads a line of standard input")
      .text("--password-file", options.password_file, "a file that holds the password")
      .text("--token", options.token, "scenario 2 and 3: an access token; - reads a line")
      .text("--token-file", options.token_file, "a file that holds the token")
      .flag("--bare-token", options.bare_token, "write it as RFC 8898 does: Bearer TOKEN")
      .text("--aka-k", options.aka_k, "K of a card, 32 hex digits (IMS AKA)")
      .text("--aka-opc", options.aka_opc, "its OPc, 32 hex digits")
      .number("--aka-sqn", options.aka_sqn, 0, ims::sqn_bound - 1, "the highest SQN that it has accepted")
      .text("--identity", options.identity,
            "the public identity to register; the user's or the token's if unset")
      .group("Login at a WAF")
      .text("--waf", options.waf, "its issuer: https://waf.ims.example")
      .text("--waf-user", options.waf_user, "who logs in; a browser does if unset")
      .text("--waf-password", options.waf_password,
            "the user's password there; - reads a line of standard input")
      .text("--waf-password-file", options.waf_password_file, "a file that holds it")
      .text("--waf-client", options.waf_client, "as which client")
      .text("--waf-client-secret-file", options.waf_client_secret_file,
            "a file with the client's secret, if it has one")
      .flag("--waf-as-client", options.waf_as_client, "ask for tokens of the client itself, without a user")
      .text("--waf-redirect", options.waf_redirect, "a redirect URI that the client is registered with")
      .flag("--open", options.open_browser, "open the URL of the login in a browser (xdg-open)")
      .group("Connection")
      .flag("--insecure", options.insecure, "trust any certificate")
      .flag("--allow-cleartext", options.allow_cleartext,
            "ws:// to another machine: whoever is between reads the login")
      .text("--ca", options.ca, "a PEM file of certificates to trust; the system's if unset")
      .text("--origin", options.origin, "the Origin that a browser's page would have")
      .number("--timeout-ms", options.timeout_ms, 100, 600'000, "of each step");
}

void add_credential_wishes(Command& command, WicOptions& options) {
  command.group("TURN credentials")
      .choice("--source", options.source, {"computed", "pushed", "token"}, "which one to use, see below")
      .choice("--form", options.form, {"rfc7635", "browser"}, "of a token")
      .choice("--credentials", options.credentials, {"header", "body", "none"}, "how to ask for them")
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
  const auto uri = client::parse_login_uri(options.server, options.allow_cleartext);
  if (!uri) return std::unexpected(uri.error());
  if (task == WicTask::call && !sip::Uri::parse(options.callee))
    return std::unexpected(
        fmt::format("CALLEE: found \"{}\", allowed: a URI such as sip:bob@ims.example", options.callee));
  client::WicSettings settings;
  settings.door = {.uri = *uri,
                   .ca_file = options.ca.value_or(""),
                   .is_insecure = options.insecure,
                   .origin = options.origin.value_or(""),
                   .timeout = std::chrono::milliseconds{options.timeout_ms}};
  settings.agent = {.is_secure = uri->is_secure,
                    .expires = std::chrono::seconds{options.expires_seconds},
                    .credentials = to_ask(options.credentials),
                    .wanted = to_request(options)};
  if (const auto done = read_logins(options, settings); !done) return std::unexpected(done.error());
  settings.task = task;
  settings.callee = options.callee;
  settings.hold = std::chrono::seconds{options.hold_seconds};
  settings.idle = std::chrono::seconds{options.idle_seconds};
  settings.reconnects = task != WicTask::call && !options.no_reconnect;
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
      .flag("--no-reconnect", options->no_reconnect, "end where the connection is lost")
      .explain(std::string{login_help} + register_help);
  add_task(wic, "echo", "Wait for calls and send their media back", options, WicTask::echo)
      .number("--hold", options->hold_seconds, 0, 31'536'000, "seconds to stay; 0: until Ctrl-C")
      .number("--calls", options->calls, 0, 1'000'000, "leave after so many; 0: stay")
      .flag("--no-reconnect", options->no_reconnect, "end where the connection is lost")
      .explain(std::string{login_help} + echo_help);
  add_task(wic, "call", "Call another and measure the relayed path", options, WicTask::call)
      .number("--packets", options->packets, 1, 100'000, "to send")
      .number("--interval-ms", options->interval_ms, 0, 60'000, "between them")
      .number("--payload-bytes", options->payload_bytes, 12, 1200, "of each")
      .number("--idle", options->idle_seconds, 0, 31'536'000, "seconds to stay registered before the call")
      .explain(std::string{login_help} + call_help);
}

}  // namespace turnpike::program
