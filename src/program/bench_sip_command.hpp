#pragma once
// turnpike bench-sip: registrations for any SIP server over WebSocket, reported as one line of JSON.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "client/sip_load.hpp"
#include "program/options.hpp"

namespace turnpike::program {

struct BenchSipOptions {
  std::string mode;
  std::string server;  // ws://ADDRESS:PORT
  std::string home = "ims.example";
  std::string user_prefix = "load";
  std::string password;
  bool sha256 = false;
  std::uint64_t connections = 50;
  bool credentials = false;
  bool histogram = false;
  bool allow_cleartext = false;
  std::uint64_t expires_seconds = 3600;
  std::uint64_t warm_up_ms = 500, duration_ms = 3000;
  std::optional<std::uint64_t> cpu;
  std::vector<std::string> server_pids;
};

std::expected<client::SipLoadSettings, std::string> make_bench_sip_settings(const BenchSipOptions& options);

void add_bench_sip_command(Command root);

}  // namespace turnpike::program
