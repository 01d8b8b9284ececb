#pragma once
// turnpike wic: a WebRTC IMS client for the terminal.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "client/wic_run.hpp"
#include "program/options.hpp"

namespace turnpike::program {

struct WicOptions {
  std::string server;
  std::string callee;  // call
  std::optional<std::string> user, identity;
  std::optional<std::string> password, password_file;
  std::optional<std::string> token, token_file;
  bool bare_token = false;
  std::optional<std::string> aka_k, aka_opc;  // hex
  std::uint64_t aka_sqn = 0;
  bool insecure = false;
  std::optional<std::string> ca, origin;
  std::string credentials = "header";
  std::optional<std::string> type, transport, realm;
  std::optional<std::uint64_t> ttl_seconds;
  std::uint64_t expires_seconds = 3600;
  std::uint64_t hold_seconds = 0;
  std::uint64_t calls = 0;
  std::uint64_t packets = 50, interval_ms = 20, payload_bytes = 160;
  std::uint64_t timeout_ms = 10000;
  bool json = false;
};

// The error is one line.
std::expected<client::WicSettings, std::string> make_wic_settings(const WicOptions& options,
                                                                  client::WicTask task);

void add_wic_command(Command root);

}  // namespace turnpike::program
