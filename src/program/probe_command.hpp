#pragma once
// turnpike probe: a newcomer's first command against any TURN server.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "client/probe.hpp"
#include "program/credential_options.hpp"
#include "program/options.hpp"

namespace turnpike::program {

struct ProbeOptions {
  std::string uri;
  CredentialOptions credential;
  bool ipv4 = false, ipv6 = false;
  std::optional<std::string> relayed_family;
  std::uint64_t timeout_ms = 5000;
  std::uint64_t payload_bytes = 160;
  std::uint64_t count = 10;
  std::uint64_t interval_ms = 20;
  std::optional<std::string> peer;
  bool no_password_algorithms = false, no_username_anonymity = false;
  bool json = false;
};

std::expected<client::ProbeSettings, std::string> make_probe_settings(const ProbeOptions& options);

void add_probe_command(Command root);

}  // namespace turnpike::program
