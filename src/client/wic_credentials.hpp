#pragma once
// The TURN credentials that a 200 OK to REGISTER brings, and what a TURN client makes of them.

#include <optional>
#include <string>
#include <vector>

#include "client/turn_uri.hpp"
#include "provisioning/provision.hpp"
#include "sip/message.hpp"
#include "turn/client.hpp"

namespace turnpike::client {

struct ReadProvision {
  std::vector<provisioning::Entry> entries{};  // empty where what came was malformed
  std::chrono::seconds refresh_after{};        // zero: nothing was said
  bool is_from_body = false;
  std::string problem{};  // a sentence: what is malformed
};
// From the header, else from the body; nothing where there is neither.
std::optional<ReadProvision> read_provision(const sip::Message& response, WallTime wall);

// The first entry that can be used over UDP.
struct RelayAccess {
  TurnUri uri{};
  turn::ClientCredential credential{};
};
std::optional<RelayAccess> choose_relay(const std::vector<provisioning::Entry>& entries);

}  // namespace turnpike::client
