#include "program/bench_sip_command.hpp"

#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "client/web_socket.hpp"

namespace turnpike::program {
namespace {

constexpr const char* bench_sip_help =
    "Modes: refresh (kept connections, challenged each time), reuse (the nonce is used again), fresh\n"
    "(a new connection for each registration), idle (registers once and stays, for the memory of a\n"
    "connection). The users are load0@HOME, load1@HOME, ..., one for each connection, all with the\n"
    "same password. A certificate is not looked at. Prints one line of JSON. For numbers that mean\n"
    "something, the server has one core and the generator another.\n\n"
    "Examples:\n"
    "  turnpike bench-sip refresh --server ws://127.0.0.1:8080 --password secret --connections 50\n"
    "  turnpike bench-sip idle --server wss://127.0.0.1:8443 --password secret --connections 5000 \\\n"
    "    --cpu 1 --server-pid $(pidof turnpike)\n";

std::optional<pid_t> parse_pid(const std::string& text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc{} || end != text.data() + text.size() || pid <= 0) return std::nullopt;
  return pid;
}

Answer run_bench_sip(const BenchSipOptions& options) {
  const auto settings = make_bench_sip_settings(options);
  if (!settings) return refuse(settings.error());
  const auto report = client::run_sip_load(*settings);
  if (!report) return say_no(report.error());
  Answer answer = say(client::format_json(*report) + '\n');
  for (const auto& [reason, count] : report->failures)
    answer.complaint += fmt::format("{}{} times: {}", answer.complaint.empty() ? "" : "\n", count, reason);
  if (report->registrations == 0 && report->settings.mode != client::SipLoadMode::idle)
    answer.exit_status = exit_no;
  return answer;
}

}  // namespace

std::expected<client::SipLoadSettings, std::string> make_bench_sip_settings(const BenchSipOptions& options) {
  const auto mode = client::parse_sip_load_mode(options.mode);
  if (!mode) return std::unexpected(fmt::format("MODE: found \"{}\"", options.mode));
  const auto uri = client::parse_login_uri(options.server, options.allow_cleartext);
  if (!uri) return std::unexpected("--server: " + uri.error());
  const auto ip = IpAddress::parse(uri->host == "localhost" ? "127.0.0.1" : uri->host);
  if (!ip)
    return std::unexpected(fmt::format(
        "--server: found \"{}\", allowed: an address, such as ws://127.0.0.1:8080", options.server));
  client::SipLoadSettings settings{.mode = *mode,
                                   .server = {*ip, uri->port},
                                   .is_secure = uri->is_secure,
                                   .path = uri->path,
                                   .home = options.home,
                                   .user_prefix = options.user_prefix,
                                   .password = Secret::from_text(options.password),
                                   .hash = options.sha256 ? sip::DigestHash::sha256 : sip::DigestHash::md5,
                                   .connections = options.connections,
                                   .asks_credentials = options.credentials,
                                   .tells_histogram = options.histogram,
                                   .expires = std::chrono::seconds{options.expires_seconds},
                                   .warm_up = std::chrono::milliseconds{options.warm_up_ms},
                                   .duration = std::chrono::milliseconds{options.duration_ms}};
  if (options.cpu) settings.cpu = static_cast<unsigned>(*options.cpu);
  for (const std::string& text : options.server_pids) {
    const auto pid = parse_pid(text);
    if (!pid) return std::unexpected(fmt::format("--server-pid: found \"{}\", allowed: a process id", text));
    settings.server_pids.push_back(*pid);
  }
  return settings;
}

void add_bench_sip_command(Command root) {
  const auto options = std::make_shared<BenchSipOptions>();
  Command bench = root.add("bench-sip", "Register with any SIP server over WebSocket and measure it");
  bench.required_choice("MODE", options->mode, {"refresh", "reuse", "fresh", "idle"}, "what the clients do")
      .required_text("--server", options->server, "wss://ADDRESS:PORT, or ws:// on this machine")
      .required_text("--password", options->password, "of all users")
      .text("--home", options->home, "the home domain of the users")
      .text("--user-prefix", options->user_prefix, "the users' names before their number")
      .flag("--allow-cleartext", options->allow_cleartext,
            "ws:// to another machine: whoever is between reads the login")
      .flag("--sha256", options->sha256, "answer challenges of SHA-256 instead of MD5")
      .number("--connections", options->connections, 1, client::sip_load_connections_max, "and users")
      .flag("--credentials", options->credentials, "ask for TURN credentials")
      .flag("--histogram", options->histogram, "tell how many registrations took how long")
      .number("--expires", options->expires_seconds, 60, 600'000, "seconds to ask for")
      .number("--warm-up-ms", options->warm_up_ms, 0, 600'000, "before the measuring begins")
      .number("--duration-ms", options->duration_ms, 1, 3'600'000, "of the measuring")
      .number("--cpu", options->cpu, 0, 4095, "run the generator on this CPU")
      .texts("--server-pid", options->server_pids, "measure what this process spends; once for each")
      .explain(bench_sip_help);
  bench.on_run([options] { return run_bench_sip(*options); });
}

}  // namespace turnpike::program
