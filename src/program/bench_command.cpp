#include "program/bench_command.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "client/turn_uri.hpp"

namespace turnpike::program {
namespace {

constexpr const char* bench_help =
    "Patterns: allocate (set up, hold, delete), churn (set up and delete at once), voice\n"
    "(1000 flows of 50 packets of 160 bytes per second), video (50 flows of frames of 1100 bytes),\n"
    "flat (4 flows of 1200 bytes as fast as they come back), trains (the same in UDP trains).\n"
    "Every client shows the same credential. Prints one line of JSON. For numbers that mean\n"
    "something, the server has one core and the generator another.\n\n"
    "Examples:\n"
    "  turnpike bench voice --server 127.0.0.1:3478 --username alice --password wonderland\n"
    "  turnpike bench allocate --server 127.0.0.1:3478 --username alice --password wonderland \\\n"
    "    --flows 5000 --cpu 1 --server-pid $(pidof turnpike)\n"
    "  turnpike bench voice ... --find-loss-free      the highest rate without loss\n"
    "  turnpike bench voice ... --packets-per-second 0  as fast as the server relays\n";

// An address, or a turn: URI without its scheme; a host name is for `probe`.
std::optional<SocketAddress> parse_server(const std::string& text) {
  if (const auto address = SocketAddress::parse(text)) return address;
  const auto uri = client::parse_turn_uri("turn:" + text);
  if (!uri) return std::nullopt;
  const auto ip = uri->host == "localhost" ? IpAddress::parse("127.0.0.1") : IpAddress::parse(uri->host);
  if (!ip) return std::nullopt;
  return SocketAddress{*ip, uri->port};
}

template <typename To, typename From>
void take(To& to, const std::optional<From>& from) {
  if (from) to = static_cast<To>(*from);
}

void take_time(std::chrono::milliseconds& to, const std::optional<std::uint64_t>& from) {
  if (from) to = std::chrono::milliseconds{*from};
}

void take_numbers(client::LoadSettings& settings, const BenchOptions& options) {
  take(settings.flows, options.flows);
  take(settings.peers, options.peers);
  take(settings.concurrency, options.concurrency);
  take(settings.payload_bytes, options.payload_bytes);
  take(settings.packets_per_second, options.packets_per_second);
  take(settings.packets_per_frame, options.packets_per_frame);
  take(settings.segments, options.segments);
  take(settings.window, options.window);
  take(settings.loss_max, options.loss_max);
  take(settings.rate_min, options.rate_min);
  take(settings.rate_max, options.rate_max);
  take(settings.rate_step, options.rate_step);
  take(settings.seed, options.seed);
  take_time(settings.warm_up, options.warm_up_ms);
  take_time(settings.duration, options.duration_ms);
  take_time(settings.hold, options.hold_ms);
  if (options.cpu) settings.cpu = static_cast<unsigned>(*options.cpu);
  if (options.server_pid) settings.server_pid = static_cast<pid_t>(*options.server_pid);
  if (options.lifetime_seconds) settings.lifetime = std::chrono::seconds{*options.lifetime_seconds};
}

Answer run_bench(const BenchOptions& options) {
  auto settings = make_bench_settings(options);
  if (!settings) return refuse(settings.error());
  const auto report = client::run_load(std::move(*settings));
  if (!report) return refuse(report.error());
  Answer answer = say(client::format_json(*report) + '\n');
  for (const auto& [reason, count] : report->set_up.failures)
    answer.complaint += fmt::format("{}{} of {} allocations: {}", answer.complaint.empty() ? "" : "\n", count,
                                    report->set_up.wanted, reason);
  if (report->set_up.done == 0) answer.exit_status = exit_no;
  return answer;
}

void add_traffic_options(Command& bench, BenchOptions& options) {
  bench.group("Flows and packets; what is unset is the pattern's own")
      .number("--flows", options.flows, 1, 1'000'000, "allocations, each with one peer")
      .number("--peers", options.peers, 1, 1000, "sockets that play the peers")
      .choice("--direction", options.direction, {"up", "down", "both"}, "up: from client to peer")
      .flag("--indications", options.indications, "Send and Data indications instead of channels")
      .number("--payload-bytes", options.payload_bytes, client::load_payload_min, client::load_payload_max,
              "of each packet")
      .real("--packets-per-second", options.packets_per_second, 0, 10'000'000,
            "per flow and direction; 0: as fast as they come back")
      .number("--packets-per-frame", options.packets_per_frame, 1, 64, "packets that leave in a row")
      .number("--segments", options.segments, 1, client::load_segments_max,
              "packets in one send (UDP_SEGMENT)")
      .number("--window", options.window, 1, 100'000,
              "packets on the way per flow, when as fast as they come back")
      .number("--warm-up-ms", options.warm_up_ms, 0, 600'000, "before the measuring begins")
      .number("--duration-ms", options.duration_ms, 1, 3'600'000, "of the measuring")
      .text("--peer-ip", options.peer_ip, "the address of the generator's peers")
      .group("Allocations")
      .number("--concurrency", options.concurrency, 1, 100'000, "set-ups on the way at the same time")
      .number("--hold-ms", options.hold_ms, 0, 3'600'000, "between the last set-up and the first deletion")
      .number("--lifetime-seconds", options.lifetime_seconds, 1, 86400,
              "asked for; the server's choice if unset")
      .choice("--relayed-family", options.relayed_family, {"ipv4", "ipv6"},
              "the family of the relay addresses")
      .flag("--keep", options.keep, "do not delete the allocations at the end")
      .flag("--no-password-algorithms", options.no_password_algorithms,
            "do not answer with SHA-256 (RFC 8489)")
      .flag("--no-username-anonymity", options.no_username_anonymity, "do not hide the username (RFC 8489)");
}

void add_search_options(Command& bench, BenchOptions& options) {
  bench.group("Search for the highest rate without loss")
      .flag("--find-loss-free", options.find_loss_free, "search")
      .real("--loss-max", options.loss_max, 0, 1, "the share of packets that counts as no loss")
      .real("--rate-min", options.rate_min, 1, 100'000'000, "packets per second, all flows together")
      .real("--rate-max", options.rate_max, 1, 100'000'000, "packets per second, all flows together")
      .real("--rate-step", options.rate_step, 0.001, 1, "how near the bounds come")
      .group("Machine")
      .number("--cpu", options.cpu, 0, 4095, "run the generator on this CPU")
      .number("--server-pid", options.server_pid, 1, 1 << 22, "measure what this process spends")
      .number("--seed", options.seed, 0, UINT64_MAX, "of everything random");
}

}  // namespace

std::expected<client::LoadSettings, std::string> make_bench_settings(const BenchOptions& options) {
  const auto pattern = client::parse_load_pattern(options.pattern);
  if (!pattern) return std::unexpected(fmt::format("PATTERN: found \"{}\"", options.pattern));
  client::LoadSettings settings = client::make_load_settings(*pattern);
  const auto server = parse_server(options.server);
  if (!server)
    return std::unexpected(
        fmt::format("--server: found \"{}\", allowed: ADDRESS:PORT, such as 127.0.0.1:3478", options.server));
  settings.server = *server;
  auto credential = read_credential(options.credential);
  if (!credential) return std::unexpected(credential.error());
  if (!*credential)
    return std::unexpected(
        "a credential is missing: --username and --password, or --kid, --token and --mac-key");
  settings.credential = std::move(**credential);
  settings.password_algorithms = !options.no_password_algorithms;
  settings.username_anonymity = !options.no_username_anonymity;
  if (options.relayed_family)
    settings.relayed_family = *options.relayed_family == "ipv6" ? AddressFamily::ipv6 : AddressFamily::ipv4;
  if (options.direction)
    settings.direction = client::parse_load_direction(*options.direction).value_or(settings.direction);
  if (options.peer_ip) {
    settings.peer_ip = IpAddress::parse(*options.peer_ip);
    if (!settings.peer_ip)
      return std::unexpected(fmt::format("--peer-ip: found \"{}\", allowed: an address", *options.peer_ip));
  }
  settings.channels = !options.indications;
  settings.delete_at_end = !options.keep;
  settings.find_loss_free = options.find_loss_free;
  take_numbers(settings, options);
  return settings;
}

void add_bench_command(Command root) {
  const auto options = std::make_shared<BenchOptions>();
  Command bench = root.add("bench", "Generate load for any TURN server and measure it");
  bench
      .required_choice("PATTERN", options->pattern, {"allocate", "churn", "voice", "video", "flat", "trains"},
                       "what the clients do")
      .required_text("--server", options->server, "ADDRESS:PORT");
  add_credential_options(bench, options->credential);
  add_traffic_options(bench, *options);
  add_search_options(bench, *options);
  bench.explain(bench_help);
  bench.on_run([options] { return run_bench(*options); });
}

}  // namespace turnpike::program
