#pragma once
// From what went wrong to what it means and what to do: the sentences of the probe. No sockets and no clocks,
// so that every sentence has a test.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "client/probe.hpp"
#include "turn/client.hpp"

namespace turnpike::client {

struct Diagnosis {
  std::string verdict;
  std::vector<std::string> advice;
};

// What the probe knew when a request found no good end.
struct ProbeEvidence {
  SocketAddress server;
  WallTime wall{};
  std::chrono::milliseconds waited{};
  int transmissions = 0;
  bool port_unreachable = false;      // ICMP said that nobody listens
  std::string send_error{};           // the kernel's words, where it refused to send
  bool has_answered_before = false;   // anything at all came back
  std::vector<std::string> realms{};  // of every challenge, in order
  turn::ServerDescription description{};
  std::optional<turn::ClientCredential> credential{};
};

Diagnosis diagnose_resolve(const std::string& host, const std::string& error);
Diagnosis diagnose_failure(const turn::ClientFailure& failure, const ProbeEvidence& evidence);

// The relay took every request, but packets did not come back.
struct ProbeLoss {
  SocketAddress server, relayed, peer;
  int sent = 0;
  int seen_by_peer = 0;       // client -> relay -> peer
  int greetings_relayed = 0;  // peer -> relay -> client
  bool is_foreign_peer = false;
  bool by_channel = false;
};
Diagnosis diagnose_loss(const ProbeLoss& loss);

Diagnosis diagnose_forbidden_peers(const std::vector<SocketAddress>& refused, const ProbeEvidence& evidence);
Diagnosis explain_challenge(const ProbeEvidence& evidence);  // no credential was given

// Private, loopback or unspecified relay address at a server that is reached at another kind of address.
std::optional<std::string> find_relayed_address_problem(const IpAddress& relayed, const IpAddress& server);
// What works for this probe and for no browser.
std::optional<std::string> find_server_port_problem(std::uint16_t port);
std::optional<std::string> find_relayed_port_problem(std::uint16_t port);

// "expired 12 minutes ago, at 2026-01-01 00:00:00 UTC", for usernames that begin with a time stamp.
struct UsernameExpiry {
  bool is_expired = false;
  std::string words;
};
std::optional<UsernameExpiry> find_username_expiry(std::string_view username, WallTime wall);

std::string describe_challenge(const turn::ServerDescription& description);
std::string method_name(stun::Method method);  // "CreatePermission"

}  // namespace turnpike::client
