#pragma once
// load: a load generator for any TURN server over UDP. One thread plays all clients and all of their peers:
// it makes allocations as fast as the server answers, or sends numbered packets through them in the patterns
// of voice and video, paced or as fast as they come back, and tells loss, duplication, corruption, latency
// and what a given process spent on it. Pin the server to one core and the generator to another
// (LoadSettings::cpu).

#include <sys/types.h>
#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "turn/client.hpp"

namespace turnpike::client {

enum class LoadPattern : std::uint8_t {
  allocate,  // authenticated Allocate + ChannelBind, the challenge included, then held, then deleted
  churn,     // the same, each deleted as soon as it is bound
  voice,     // many flows of small packets
  video,     // frames of several large packets
  flat,      // few flows of large packets, as fast as they come back
  trains,    // few flows of large packets that leave in trains (UDP_SEGMENT)
};
std::string_view to_string(LoadPattern pattern);
std::optional<LoadPattern> parse_load_pattern(std::string_view text);

enum class LoadDirection : std::uint8_t { up, down, both };  // up: client -> relay -> peer
std::string_view to_string(LoadDirection direction);
std::optional<LoadDirection> parse_load_direction(std::string_view text);

struct LoadSettings {
  LoadPattern pattern = LoadPattern::voice;

  // --- the server
  SocketAddress server{};
  turn::ClientCredential credential{};             // one for all clients
  bool password_algorithms = true;                 // answer SHA-256 challenges with SHA-256
  bool username_anonymity = true;                  // send USERHASH when it is offered
  std::optional<AddressFamily> relayed_family{};   // REQUESTED-ADDRESS-FAMILY
  std::optional<std::chrono::seconds> lifetime{};  // asked for in Allocate; unset: the server's choice

  // --- the flows: one allocation and one peer each
  std::size_t flows = 1000;
  LoadDirection direction = LoadDirection::both;
  bool channels = true;                // ChannelData; false: Send and Data indications
  std::optional<IpAddress> peer_ip{};  // of the generator's peers; unset: the address that faces the server
  std::size_t peers = 8;               // sockets that play peers; flows share them

  // --- the packets
  std::size_t payload_bytes = 160;    // load_payload_min .. load_payload_max
  double packets_per_second = 50;     // per flow and direction; 0: as fast as they come back
  std::size_t packets_per_frame = 1;  // leave in a row when paced
  std::size_t segments = 1;           // packets in one send (UDP_SEGMENT); 1: each its own datagram
  std::size_t window = 2;             // unpaced: packets on the way per flow and direction
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds duration{3000};

  // --- allocate and churn
  std::size_t concurrency = 64;       // set-ups on the way at the same time
  std::chrono::milliseconds hold{0};  // between the last set-up and the first deletion
  bool delete_at_end = true;          // of every pattern: Refresh with lifetime 0

  // --- the search for the highest rate without loss; `flows` stay, the rate varies
  bool find_loss_free = false;
  double loss_max = 0.001;                       // a share of the packets
  double rate_min = 20'000, rate_max = 400'000;  // packets per second, all flows and directions together
  double rate_step = 0.02;                       // ends when the bounds are this near, relatively

  // --- the machine
  std::optional<unsigned> cpu{};      // pin the generator
  std::optional<pid_t> server_pid{};  // measure this process
  std::uint64_t seed = 1;
};
inline constexpr std::size_t load_payload_min = 32;
inline constexpr std::size_t load_payload_max = 1400;
inline constexpr std::size_t load_segments_max = 64;

// The settings that the pattern is known by: flows, packet size, rate, frames. Change them from there.
LoadSettings make_load_settings(LoadPattern pattern);

// --- what was measured ------------------------------------------------------------------------------------
struct LoadLatency {
  std::uint64_t samples = 0;
  double mean_us = 0, p50_us = 0, p90_us = 0, p99_us = 0, p999_us = 0, max_us = 0;
};

// Allocations, with their channel or permission.
struct LoadSetUp {
  std::size_t wanted = 0;
  std::size_t done = 0;
  std::size_t fresh_starts = 0;                   // from another port after a 437
  std::map<std::string, std::size_t> failures{};  // by reason, in words
  double seconds = 0;
  double per_second = 0;
  LoadLatency latency{};                  // from the first Allocate to the last answer
  std::optional<double> server_cpu_us{};  // per allocation that was done
  double generator_cpu_us = 0;
};

struct LoadStream {  // one direction, all flows together
  std::uint64_t sent = 0;
  std::uint64_t received = 0;  // of those, each once
  std::uint64_t duplicates = 0;
  std::uint64_t bytes = 0;  // payload received
  LoadLatency latency{};
  [[nodiscard]] std::uint64_t lost() const { return sent > received ? sent - received : 0; }
};

struct LoadTraffic {
  double seconds = 0;
  double offered_per_second = 0;  // packets sent per second
  double relayed_per_second = 0;
  LoadStream up{}, down{};
  std::uint64_t corrupted = 0;                 // arrived with a wrong size, digest or body
  std::uint64_t foreign = 0;                   // arrived and was not ours at all
  std::uint64_t unsent = 0;                    // the generator was late or the kernel refused
  double loss = 0;                             // a share of what was sent
  std::optional<double> server_cpu_us{};       // per relayed packet
  std::optional<double> server_cpu_user_us{};  // the part of it outside of the kernel, by the kernel's ticks
  std::optional<double> server_busy{};         // share of one core
  double generator_busy = 0;
};

struct LoadMemory {  // of the server process: resident bytes
  std::uint64_t before = 0, allocated = 0;
  std::optional<std::uint64_t> deleted{};
  double bytes_per_allocation = 0;
};

struct LoadProbe {  // one step of the search
  double offered_per_second = 0;
  double loss = 0;
  bool is_clean = false;
};

struct LoadReport {
  LoadSettings settings{};
  LoadSetUp set_up{};
  std::optional<LoadTraffic> traffic{};  // not of allocate and churn; of a search: the best clean step
  std::optional<LoadSetUp> deletion{};
  std::optional<LoadMemory> memory{};  // with a server_pid
  std::vector<LoadProbe> search{};
  std::optional<double> loss_free_per_second{};
};

// Blocks until the report is there. The error is one line: settings that make no sense, a machine that gives
// no sockets, a server that gives no allocation.
std::expected<LoadReport, std::string> run_load(LoadSettings settings);

std::string format_json(const LoadReport& report);  // one line

}  // namespace turnpike::client
