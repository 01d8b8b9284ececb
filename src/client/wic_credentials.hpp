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

// How an entry was made, as far as it shows: a computed name tells its end, a token in the browser's form is
// one. Nothing tells a pushed name from one of the configuration.
credentials::Source find_source(const provisioning::Entry& entry);

// The first entry that can be used over UDP; of those, where tokens are preferred, the first token of RFC
// 7635.
struct RelayAccess {
  TurnUri uri{};
  turn::ClientCredential credential{};
};
std::optional<RelayAccess> choose_relay(const std::vector<provisioning::Entry>& entries,
                                        bool prefers_tokens = false);

}  // namespace turnpike::client
