#include "program/probe_command.hpp"

#include <fmt/format.h>

#include <memory>

#include "client/turn_uri.hpp"
#include "program/terminal.hpp"

namespace turnpike::program {
namespace {

constexpr const char* probe_help =
    "Asks the server for its address (Binding), for a relay (Allocate), opens it for a peer of\n"
    "its own (CreatePermission, ChannelBind), sends packets through in both directions, and says\n"
    "in words what worked, or why not and what to do. Without a credential it ends after the\n"
    "server's challenge and tells what the server wants. Exit status: 0 it relays, 1 it does not,\n"
    "2 the command is wrong.\n\n"
    "Examples:\n"
    "  turnpike probe turn:127.0.0.1 --user alice --password wonderland\n"
    "  turnpike probe turn:turn.ims.example:3478 --json\n"
    "  turnpike probe turn:192.0.2.1 --kid k1 --token \"$token\" --mac-key \"$mac\"\n";

// "192.0.2.1" or "192.0.2.1:7": port 0 means the probe's own peer, shown under this address.
std::optional<SocketAddress> parse_peer(std::string_view text) {
  if (const auto ip = IpAddress::parse(text)) return SocketAddress{*ip, 0};
  return SocketAddress::parse(text);
}

Answer run_probe(const ProbeOptions& options) {
  const auto settings = make_probe_settings(options);
  if (!settings) return refuse(settings.error());
  const auto show = [](const client::ProbeEvent& event) { print_line(client::format_event(event)); };
  const client::ProbeReport report = options.json ? client::probe(*settings) : client::probe(*settings, show);
  Answer answer;
  answer.exit_status = report.exit_status;
  answer.text = options.json ? client::format_json(report) : "\n" + client::format_summary(report);
  if (!answer.text.ends_with('\n')) answer.text += '\n';
  return answer;
}

}  // namespace

std::expected<client::ProbeSettings, std::string> make_probe_settings(const ProbeOptions& options) {
  if (const auto uri = client::parse_turn_uri(options.uri); !uri) return std::unexpected(uri.error());
  client::ProbeSettings settings;
  settings.uri = options.uri;
  auto credential = read_credential(options.credential);
  if (!credential) return std::unexpected(credential.error());
  settings.credential = std::move(*credential);
  if (options.ipv4 && options.ipv6) return std::unexpected("found -4 and -6, allowed: one of them");
  if (options.ipv4) settings.family = AddressFamily::ipv4;
  if (options.ipv6) settings.family = AddressFamily::ipv6;
  if (options.relayed_family)
    settings.relayed_family = *options.relayed_family == "ipv6" ? AddressFamily::ipv6 : AddressFamily::ipv4;
  settings.timeout = std::chrono::milliseconds{options.timeout_ms};
  settings.interval = std::chrono::milliseconds{options.interval_ms};
  settings.payload_size = options.payload_bytes;
  settings.count = static_cast<int>(options.count);
  settings.password_algorithms = !options.no_password_algorithms;
  settings.username_anonymity = !options.no_username_anonymity;
  if (!options.peer) return settings;
  settings.peer = parse_peer(*options.peer);
  if (!settings.peer)
    return std::unexpected(fmt::format(
        "--peer: found \"{}\", allowed: an address, or an address with the port of an echo service",
        *options.peer));
  return settings;
}

void add_probe_command(Command root) {
  const auto options = std::make_shared<ProbeOptions>();
  Command probe = root.add("probe", "Try any TURN server and say in words what works");
  probe.required_text("URI", options->uri, "turn:HOST or turn:HOST:PORT");
  add_credential_options(probe, options->credential);
  probe.flag("-4", options->ipv4, "reach the server over IPv4")
      .flag("-6", options->ipv6, "reach the server over IPv6")
      .choice("--relayed-family", options->relayed_family, {"ipv4", "ipv6"},
              "the family of the relay address to ask for")
      .number("--timeout-ms", options->timeout_ms, 100, 600'000, "of each step")
      .number("--count", options->count, 1, 100'000, "packets to send through the channel")
      .number("--interval-ms", options->interval_ms, 0, 60'000, "between them")
      .number("--payload-bytes", options->payload_bytes, client::probe_payload_min, client::probe_payload_max,
              "of each packet")
      .text("--peer", options->peer,
            "another peer: the address under which the relay reaches this machine, or ADDRESS:PORT of an "
            "echo service")
      .flag("--no-password-algorithms", options->no_password_algorithms,
            "do not answer with SHA-256 (RFC 8489)")
      .flag("--no-username-anonymity", options->no_username_anonymity, "do not hide the username (RFC 8489)")
      .flag("--json", options->json, "print one JSON object at the end instead")
      .explain(probe_help);
  probe.on_run([options] { return run_probe(*options); });
}

}  // namespace turnpike::program
