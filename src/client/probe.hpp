#pragma once
// probe: a person's first command against any TURN server. Goes through what a WebRTC client would do
// (Binding, Allocate, CreatePermission, Send, ChannelBind, ChannelData, Refresh), relays packets to a peer of
// its own, and says in words what worked, or why not and what to do about it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "turn/client.hpp"

namespace turnpike::client {

struct ProbeSettings {
  std::string uri;
  // Without one the probe ends after the server's challenge and tells what the server wants.
  std::optional<turn::ClientCredential> credential;
  std::optional<AddressFamily> family;          // how to reach the server
  std::optional<AddressFamily> relayed_family;  // REQUESTED-ADDRESS-FAMILY
  std::chrono::milliseconds timeout{5000};      // of each step
  std::size_t payload_size = 160;               // probe_payload_min .. probe_payload_max
  int count = 10;                               // ChannelData echoes; 1 ..
  std::chrono::milliseconds interval{20};       // between them
  // Another peer. Port 0: the probe's own peer, shown to the relay under this address. Else: a UDP echo
  // service (RFC 862) at this address.
  std::optional<SocketAddress> peer;
  bool password_algorithms = true;  // answer SHA-256 challenges with SHA-256
  bool username_anonymity = true;
};
inline constexpr std::size_t probe_payload_min = 16;
inline constexpr std::size_t probe_payload_max = 1400;

// One line of the timeline.
struct ProbeEvent {
  enum class Direction : std::uint8_t { note, sent, received };
  double at_ms = 0;  // since the start
  Direction direction{};
  std::string message;  // "Allocate request"
  std::string result;   // "relay address 192.0.2.1:49160 for 600 s"
};

enum class ProbeStepName : std::uint8_t {
  resolve,
  binding,
  challenge,
  allocate,
  permission,
  send,
  channel_bind,
  channel_data,
  close,
};
inline constexpr std::size_t probe_step_count = 9;
enum class ProbeOutcome : std::uint8_t { not_reached, passed, warned, failed };

struct ProbeStep {
  ProbeStepName name{};
  ProbeOutcome outcome = ProbeOutcome::not_reached;
  double took_ms = 0;
  std::string words;  // what was found
};

struct RoundTrips {
  int sent = 0;
  int received = 0;
  double min_ms = 0, median_ms = 0, max_ms = 0;
};

struct ProbeReport {
  std::string uri;
  std::optional<SocketAddress> server;
  std::optional<SocketAddress> local, mapped, relayed, peer;
  std::optional<std::chrono::seconds> lifetime;
  std::optional<turn::ServerDescription> description;
  std::vector<ProbeStep> steps;  // all of them, in order
  std::vector<ProbeEvent> timeline;
  RoundTrips send_round_trips, channel_round_trips;
  std::string verdict;                // one sentence
  std::vector<std::string> warnings;  // worked, but somebody should look
  std::vector<std::string> advice;    // what to do, the likeliest first
  int exit_status = 1;                // 0 relays, 1 does not, 2 the settings are wrong
  double took_ms = 0;
};

// Blocks until the report is there; `on_event` sees each line of the timeline as it happens.
ProbeReport probe(const ProbeSettings& settings, const std::function<void(const ProbeEvent&)>& on_event = {});

// --- words ----------------------------------------------------------------------------------------------
std::string_view to_string(ProbeStepName name);         // "resolve", "binding", ...
std::string_view to_string(ProbeOutcome outcome);       // "ok", "warning", "failed", "not reached"
std::string format_event(const ProbeEvent& event);      // one line, without its end
std::string format_summary(const ProbeReport& report);  // steps, verdict, warnings, advice
std::string format_json(const ProbeReport& report);     // everything, for programs

}  // namespace turnpike::client
