#pragma once
// A WIC's relay: a TURN client on its UDP socket, and what it has reported. Private to run_wic.

#include <array>
#include <expected>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/function_ref.hpp"
#include "client/probe_advice.hpp"
#include "client/timeline.hpp"
#include "client/udp_socket.hpp"
#include "client/wic_credentials.hpp"

namespace turnpike::client {

class WicRelay {
 public:
  // The error is the resolver's or the kernel's sentence.
  static std::expected<std::unique_ptr<WicRelay>, std::string> open(const RelayAccess& access, Random& random,
                                                                    Timeline& timeline);

  turn::Client& client() { return client_; }
  [[nodiscard]] int descriptor() const { return socket_.descriptor(); }
  [[nodiscard]] const SocketAddress& server() const { return server_; }
  [[nodiscard]] const std::optional<turn::Allocated>& allocated() const { return allocated_; }
  [[nodiscard]] bool has_failed() const { return failure_.has_value() || is_port_unreachable_; }
  [[nodiscard]] bool is_deleted() const { return is_deleted_; }
  [[nodiscard]] bool has_permitted(const SocketAddress& peer) const { return permitted_.contains(peer.ip); }
  [[nodiscard]] bool has_bound(const SocketAddress& peer) const { return bound_.contains(peer); }
  // It was there, and is no more: refused, or over.
  [[nodiscard]] bool is_lost() const { return allocated_ && !is_deleted_ && !client_.is_allocated(); }
  [[nodiscard]] bool is_by_token() const { return is_by_token_; }
  // RFC 7635 section 9: the allocation goes over to a newer token, by a Refresh that shows it.
  void refresh(Now now);
  void renew(turn::TokenCredential credential, Now now);
  // How many Refreshes it has granted.
  [[nodiscard]] std::size_t refreshes() const { return refreshes_; }
  void forget_failure() { failure_.reset(); }
  [[nodiscard]] Diagnosis diagnose(stun::Method method, const turn::ClientCredential& credential) const;

  // Reads what has come and lets the machine work; the caller hears of each packet from a peer.
  using OnPacket = FunctionRef<void(const SocketAddress& from, Bytes packet)>;
  void serve(OnPacket on_packet);
  void drain(OnPacket on_packet);

 private:
  WicRelay(UdpSocket socket, const SocketAddress& server, turn::ClientCredential credential, Random& random,
           Timeline& timeline);
  void on_effect(turn::ClientEffect effect, OnPacket on_packet);
  void on_traced(const turn::Traced& step);
  void transmit(Bytes bytes);

  UdpSocket socket_;
  SocketAddress server_;
  Timeline& timeline_;
  bool is_by_token_;
  turn::Client client_;
  Instant opened_at_;
  std::optional<turn::Allocated> allocated_;
  std::optional<turn::ClientFailure> failure_;
  std::set<IpAddress> permitted_;
  std::set<SocketAddress> bound_;
  std::vector<std::string> realms_;
  std::size_t refreshes_ = 0;
  bool is_deleted_ = false;
  bool is_port_unreachable_ = false;
  bool has_answered_ = false;
  int packets_ = 0;
  std::string send_error_;
  std::array<Byte, 65536> buffer_{};
};

}  // namespace turnpike::client
