#pragma once
// Engine is a TURN server over UDP (RFC 8656, RFC 8489, RFC 7635) as a machine: bytes and Now in, effects
// out. It has no sockets, reads no clock, draws from the Random& that it is handed and has no threads; one
// engine per shard. The engine decides, the shell obeys.
//
//   shell:  on_client_datagram / on_peer_datagram / on_peer_icmp / on_port_opened / on_timeout
//           then next_effect() until it is empty, then sleep until next_timeout()

#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "credentials/nonce.hpp"
#include "credentials/registry.hpp"
#include "turn/commons.hpp"
#include "turn/settings.hpp"
#include "turn/types.hpp"

namespace turnpike::turn {

// Plain counters of one engine; the shell adds them up over shards.
struct Counters {
  std::uint64_t packets_from_clients = 0, packets_to_clients = 0;  // relayed
  std::uint64_t bytes_from_clients = 0, bytes_to_clients = 0;      // relayed payload
  std::uint64_t dropped_no_allocation = 0, dropped_no_permission = 0, dropped_rate = 0, dropped_malformed = 0;
  std::uint64_t requests = 0, challenges = 0, challenges_suppressed = 0;
  std::uint64_t allocations_created = 0, allocations_ended = 0;
  std::uint64_t allocations_active = 0, permissions_active = 0, channels_active = 0;
  std::array<std::uint64_t, credentials::refusal_count> refusals{};
};

struct AllocationView {  // for the administrator
  ClientPath path;
  credentials::GrantPtr grant;
  SocketAddress relayed;
  Duration expires_in{};
  std::uint64_t bytes_from_client = 0, bytes_to_client = 0;
};

class Engine {
 public:
  // Settings, registry, commons and random outlive the engine.
  Engine(const Settings& settings, credentials::Registry& registry, const credentials::NonceMint& nonces,
         Commons& commons, Random& random);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // ChannelData and Send indications that may pass come back as a Forward, whose payload is a view into
  // `datagram`; everything else is answered by effects.
  std::optional<Forward> on_client_datagram(const ClientPath& from, Bytes datagram, Now now);
  // The payload of the Deliver is `datagram`.
  std::optional<Deliver> on_peer_datagram(RelayPortId at, const SocketAddress& from, Bytes datagram, Now now);
  // RFC 8656 section 11.5. An ICMP error for a packet that went from this port to this peer.
  void on_peer_icmp(RelayPortId at, const SocketAddress& peer, const stun::IcmpValue& icmp, Now now);
  // The answer to an OpenPort. False also tells, at any later time, that the socket of a port is lost.
  void on_port_opened(RelayPortId port, bool opened, Now now);
  void on_timeout(Now now);

  // Ends the allocations that match and, by the registry's deny-list, refuses new ones. Returns how many
  // ended.
  std::size_t revoke(const credentials::Revocation& revocation, Now now);
  // Ends the allocations whose credential the registry has taken back meanwhile: after a reload. Returns how
  // many ended.
  std::size_t end_revoked(Now now);
  // Refuses new allocations with 486 from now on; running ones go on.
  void drain();
  // Ends every allocation: the relay stops.
  void shut_down(Now now);

  std::optional<Effect> next_effect();
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  [[nodiscard]] const Counters& counters() const;
  [[nodiscard]] std::vector<AllocationView> list_allocations(std::size_t max, Now now) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::turn
