#pragma once
// The sockets of one probe and what happened on them: the client machine on one socket, the probe's own peer,
// which echoes, on another, and one loop over both. Private to probe.

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/function_ref.hpp"
#include "base/random.hpp"
#include "client/probe.hpp"
#include "client/timeline.hpp"
#include "client/udp_socket.hpp"
#include "turn/client.hpp"

namespace turnpike::client {

// What the machine has reported.
struct ProbeSeen {
  std::optional<SocketAddress> mapped, peer_mapped;
  std::optional<turn::Allocated> allocated;
  std::optional<turn::Refreshed> refreshed;
  std::optional<turn::ClientFailure> failure;
  std::optional<turn::PeerUnreachable> peer_unreachable;
  bool is_challenged = false;  // a 401 to a request without a credential
  bool is_permitted = false;
  bool is_bound = false;
  bool has_answered = false;         // anything from the server
  bool is_port_unreachable = false;  // ICMP
  stun::Method asked{};              // the latest request
  int transmissions = 0;             // of it
  int packets = 0;                   // requests and repetitions, together
  std::uint16_t unauthentic_code = 0;
  bool has_unauthentic_answer = false;
  std::vector<std::string> realms;
  std::string send_error;
};

// Echoes of numbered packets through the relay.
struct ProbeEchoes {
  std::vector<Instant> sent_at;
  std::vector<std::optional<Duration>> round_trips;
  int seen_by_peer = 0;
  [[nodiscard]] RoundTrips summarize() const;
  [[nodiscard]] bool is_complete() const;
};

class ProbePath {
 public:
  ProbePath(UdpSocket socket, const SocketAddress& server, const ProbeSettings& settings, Random& random,
            Timeline& timeline);

  turn::Client& client() { return client_; }
  ProbeSeen& seen() { return seen_; }
  ProbeEchoes& echoes() { return echoes_; }
  [[nodiscard]] SocketAddress local_address() const;
  [[nodiscard]] const SocketAddress& server() const { return server_; }

  // Serves both sockets until it holds or the time is over; returns whether it holds.
  bool run_until(FunctionRef<bool()> is_done, std::chrono::milliseconds timeout);

  // The probe's own peer.
  // Closes the one before. The error is the kernel's sentence.
  std::expected<void, std::string> open_peer(const IpAddress& local);
  [[nodiscard]] std::uint16_t peer_port() const;
  void discover_peer();                      // Binding from the peer's socket
  void greet(const SocketAddress& relayed);  // opens a NAT before the peer
  [[nodiscard]] int greetings_relayed() const { return greetings_relayed_; }
  [[nodiscard]] const std::optional<SocketAddress>& greeted_from() const { return greeted_from_; }

  void begin_echoes() { echoes_ = {}; }
  void send_numbered(const SocketAddress& peer, std::size_t size);

 private:
  void drain();
  void on_effect(turn::ClientEffect effect);
  void on_traced(const turn::Traced& step);
  void on_sent(const turn::Traced& step);
  void on_received(const turn::Traced& step);
  void on_payload(const turn::Received& received);
  void transmit(Bytes bytes);
  void drain_peer();
  void wait(Instant deadline);
  void read_server();
  void read_peer();
  void on_peer_datagram(const UdpSocket::Datagram& datagram);

  UdpSocket socket_;
  SocketAddress server_;
  const ProbeSettings& settings_;
  Timeline& timeline_;
  turn::Client client_;
  turn::Client peer_client_;
  std::optional<UdpSocket> peer_socket_;
  std::uint64_t session_;  // tells this probe's packets from any others
  Now now_;
  ProbeSeen seen_;
  ProbeEchoes echoes_;
  bool is_muted_ = false;  // no credential to show
  int greetings_relayed_ = 0;
  std::optional<SocketAddress> greeted_from_;
  std::array<Byte, 65536> buffer_;
};

}  // namespace turnpike::client
