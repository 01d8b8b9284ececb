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
  std::optional<std::uint64_t> scenario;
  std::optional<std::string> source;
  std::string form = "rfc7635";
  std::optional<std::string> user, identity;
  std::optional<std::string> password, password_file;
  std::optional<std::string> token, token_file;
  bool bare_token = false;
  std::optional<std::string> aka_k, aka_opc;  // hex
  std::uint64_t aka_sqn = 0;
  bool insecure = false;
  bool allow_cleartext = false;
  std::optional<std::string> ca, origin;
  std::optional<std::string> waf;  // its issuer
  std::string waf_client = "wic";
  std::optional<std::string> waf_client_secret_file;
  bool waf_as_client = false;
  std::optional<std::string> waf_user, waf_password, waf_password_file;
  std::string waf_redirect = "http://127.0.0.1/done";
  bool open_browser = false;
  std::uint64_t idle_seconds = 0;  // call
  bool no_reconnect = false;       // register and echo
  std::string credentials = "header";
  std::optional<std::string> transport, realm;
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
