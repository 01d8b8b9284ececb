#pragma once
// The options by which a client command (probe, bench) is told its credential.

#include <expected>
#include <optional>
#include <string>

#include "program/options.hpp"
#include "turn/client.hpp"

namespace turnpike::program {

struct CredentialOptions {
  std::optional<std::string> username;
  std::optional<std::string> password;
  std::optional<std::string> kid;
  std::optional<std::string> token;    // base64 or base64url
  std::optional<std::string> mac_key;  // base64
  bool coturn16 = false;
};

// A group of options of its own.
void add_credential_options(Command& command, CredentialOptions& options);

// Nothing when none is given. The error is one line that repeats no secret.
std::expected<std::optional<turn::ClientCredential>, std::string> read_credential(
    const CredentialOptions& options);

}  // namespace turnpike::program
