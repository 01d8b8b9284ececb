#pragma once
// sip_load: registrations over SIP over WebSocket (RFC 7118) against any server, as fast as it answers. One
// thread plays all clients. One registration is a REGISTER without an answer to a challenge, its 401, the
// REGISTER with the digest, and its 200; with a nonce that is used again it is a single exchange.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/secret.hpp"
#include "client/load.hpp"
#include "client/load_histogram.hpp"
#include "sip/digest.hpp"

namespace turnpike::client {

enum class SipLoadMode : std::uint8_t {
  refresh,  // kept connections, challenged each time
  reuse,    // kept connections, the nonce is used again
  fresh,    // a new connection for each registration
  idle,     // registers once and stays
};
std::string_view to_string(SipLoadMode mode);
std::optional<SipLoadMode> parse_sip_load_mode(std::string_view text);

struct SipLoadSettings {
  SipLoadMode mode = SipLoadMode::refresh;
  SocketAddress server{};
  bool is_secure = false;  // WSS; the certificate is not looked at
  std::string path = "/";
  std::string home = "ims.example";
  std::string user_prefix = "load";             // "load0@ims.example", "load1@ims.example", ...
  Secret password{};                            // of all of them
  sip::DigestHash hash = sip::DigestHash::md5;  // of the challenge that is answered, where there are several
  std::size_t connections = 50;                 // each is one user
  bool asks_credentials = false;
  bool tells_histogram = false;  // of the latencies, in the JSON
  std::chrono::seconds expires{3600};
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds duration{3000};
  std::optional<unsigned> cpu{};     // pin the generator
  std::vector<pid_t> server_pids{};  // measure these processes, together
};
inline constexpr std::size_t sip_load_connections_max = 50'000;

struct SipLoadReport {
  SipLoadSettings settings{};
  std::uint64_t registrations = 0;     // within the duration
  std::uint64_t with_credentials = 0;  // of those
  double seconds = 0;
  double per_second = 0;
  LoadLatency latency{};  // of a registration, from its first byte; fresh: from the connect
  std::vector<LoadHistogram::Bucket> latency_buckets{};
  std::map<std::string, std::uint64_t> failures{};
  std::size_t connected = 0;  // at the end
  double generator_busy = 0;
  std::optional<double> server_cpu_seconds{};     // within the duration
  std::optional<double> per_server_cpu_second{};  // registrations
  std::optional<std::uint64_t> bytes_before{},
      bytes_after{};  // resident, before the first connection and at the end
  std::optional<double> bytes_per_connection{};
};

// Blocks until the report is there. The error is one line: settings that make no sense, a machine that gives
// no sockets, a server that takes no connection.
std::expected<SipLoadReport, std::string> run_sip_load(const SipLoadSettings& settings);

std::string format_json(const SipLoadReport& report);  // one line

}  // namespace turnpike::client
