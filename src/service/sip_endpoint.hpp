#pragma once
// SipEndpoint is a node's side of Mw: SIP over UDP and TCP (RFC 3261 section 18) with listening addresses,
// connections that are used in both directions, and names that are resolved on the way. Used on its loop's
// thread.
//
// Endpoints of one process that are neighbours hand over in memory what they have for each other
// (service/sip_neighbours.hpp).
//
// The transport is the hop's: the endpoint sends large requests over UDP as it sends small ones. Section
// 18.1.1 wants TCP for what is longer than 1300 bytes; that is for the operator to choose with the core's
// URI.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "service/loop.hpp"
#include "sip/hop.hpp"

namespace turnpike::service {

struct SipEndpointLimits {
  std::size_t message_bytes_max = 65'535;
  std::size_t connections_max = 1'000;            // that others have opened; see know()
  std::size_t own_connections_max = 1'000;        // that this endpoint has
  std::size_t queue_bytes_max = 4 * 1024 * 1024;  // not yet written to one connection
  std::size_t waiting_bytes_max = 1024 * 1024;    // for one name
  std::size_t names_max = 1'000;                  // that are remembered or asked for
  std::chrono::seconds connect_timeout{5};
  std::chrono::seconds name_lifetime{30};  // of an answer of the resolver
  std::chrono::seconds name_failure_lifetime{3};
};

struct SipListener {
  sip::Transport transport = sip::Transport::udp;
  SocketAddress address{};
  [[nodiscard]] std::string to_string() const;  // "udp:127.0.0.1:5070"
  auto operator<=>(const SipListener&) const = default;
};

class SipNeighbours;

struct SipEndpointSettings {
  std::vector<SipListener> listeners{};
  std::vector<IpPrefix> peers{};  // who is heard; empty: everybody
  SipEndpointLimits limits{};
  std::shared_ptr<SipNeighbours> neighbours{};  // null: everybody is reached over sockets
};

// Read from any thread.
struct SipEndpointCounts {
  std::atomic<std::uint64_t> messages_in{0};
  std::atomic<std::uint64_t> messages_out{0};
  std::atomic<std::uint64_t> connections_active{0};
  std::atomic<std::uint64_t> dropped_stranger{0};   // not among the peers
  std::atomic<std::uint64_t> dropped_malformed{0};  // streams that lost their framing
  std::atomic<std::uint64_t> send_failures{0};
};

// Called on the loop's thread and never from inside a call of the endpoint.
class SipEndpointOwner {
 public:
  virtual ~SipEndpointOwner() = default;
  // The hop leads back: over UDP to the source, over TCP by the same connection while it lives.
  virtual void on_sip_message(const sip::Hop& from, std::string_view text) = 0;
  // What was sent there may not have arrived: nobody listens, the name does not resolve, the connection
  // broke.
  virtual void on_sip_failed(const sip::Hop& to) = 0;
};

class SipEndpoint {
 public:
  // Opens every socket before the loop starts; the error is one line. Owner and loop outlive the endpoint.
  static std::expected<std::unique_ptr<SipEndpoint>, std::string> open(Loop& loop,
                                                                       SipEndpointSettings settings,
                                                                       SipEndpointOwner& owner);
  ~SipEndpoint();  // when the loop does not run any more
  SipEndpoint(const SipEndpoint&) = delete;
  SipEndpoint& operator=(const SipEndpoint&) = delete;

  // As they were opened: where a port was 0, the kernel has chosen one.
  [[nodiscard]] const std::vector<SipListener>& listeners() const;
  void send(const sip::Hop& to, std::string bytes);
  void stop();
  // Whom nobody keeps away by opening connections, as hosts of hops: their connections stay. At a limit that
  // of another host that was silent for longest makes room. Names are passed over: nobody comes from one.
  void know(const std::vector<std::string>& hosts);

  // From any thread.
  [[nodiscard]] const SipEndpointCounts& counts() const;

  class Impl;

 private:
  explicit SipEndpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::service
