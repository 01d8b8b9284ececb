#pragma once
// turnpike bench: load for any TURN server, reported as one line of JSON.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "client/load.hpp"
#include "program/credential_options.hpp"
#include "program/options.hpp"

namespace turnpike::program {

// What is unset stays as the pattern has it.
struct BenchOptions {
  std::string pattern;
  std::string server;  // HOST:PORT
  CredentialOptions credential;
  bool no_password_algorithms = false, no_username_anonymity = false;
  std::optional<std::string> relayed_family;
  std::optional<std::uint64_t> lifetime_seconds;
  std::optional<std::uint64_t> flows, peers, concurrency;
  std::optional<std::string> direction, peer_ip;
  bool indications = false;
  std::optional<std::uint64_t> payload_bytes, packets_per_frame, segments, window;
  std::optional<double> packets_per_second;
  std::optional<std::uint64_t> warm_up_ms, duration_ms, hold_ms;
  bool keep = false;
  bool find_loss_free = false;
  std::optional<double> loss_max, rate_min, rate_max, rate_step;
  std::optional<std::uint64_t> cpu, server_pid, seed;
};

std::expected<client::LoadSettings, std::string> make_bench_settings(const BenchOptions& options);

void add_bench_command(Command root);

}  // namespace turnpike::program
