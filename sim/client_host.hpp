#pragma once
// A client in the world: turn::Client with a virtual socket, directly on the network or behind a NAT.

#include <string>
#include <string_view>
#include <vector>

#include "sim/network.hpp"
#include "turn/client.hpp"

namespace turnpike::sim {

class ClientHost final : public Node {
 public:
  ClientHost(World& world, Gateway& gateway, const SocketAddress& local, const SocketAddress& server,
             turn::ClientSettings settings);
  ClientHost(const ClientHost&) = delete;
  ClientHost& operator=(const ClientHost&) = delete;

  void on_datagram(const Datagram& datagram) override;

  void start();
  void permit(const SocketAddress& peer) { permit(std::vector{peer}); }
  void permit(std::vector<SocketAddress> peers);
  std::uint16_t bind_channel(const SocketAddress& peer);
  void send(const SocketAddress& peer, std::string_view text);
  void refresh(std::chrono::seconds lifetime);
  void change_credential(turn::ClientCredential credential);
  void close();
  // Sends bytes of any kind from the client's own socket.
  void send_raw(ByteVector bytes);
  // A new machine in the old place, as when a page is loaded again.
  void begin_anew(turn::ClientSettings settings);
  // The network changes under the client: its socket has another address from now on.
  void move_to(const SocketAddress& local);

  [[nodiscard]] bool is_allocated() const { return client_.is_allocated(); }
  [[nodiscard]] bool is_idle() const { return client_.is_idle(); }
  [[nodiscard]] const SocketAddress& local() const { return local_; }
  [[nodiscard]] const turn::ServerDescription& server_description() const { return client_.server(); }

  // The latest, or of the whole life.
  std::optional<turn::Allocated> allocated;
  std::vector<turn::Received> received;
  std::vector<turn::ClientFailure> failures;
  std::vector<SocketAddress> permitted;
  std::vector<turn::ChannelBound> channels;
  std::vector<turn::PeerUnreachable> unreachable;
  std::vector<turn::Refreshed> refreshed;
  std::size_t unauthentic_answers = 0;
  std::size_t requests_sent = 0;  // transmissions

  [[nodiscard]] SocketAddress relayed() const;
  [[nodiscard]] bool has_heard(std::string_view text) const;
  [[nodiscard]] std::uint16_t last_refusal() const;  // its code, 0: none

 private:
  void settle();
  void obey(turn::ClientEffect effect);
  void on_alarm();

  World* world_;
  Gateway* gateway_;
  SocketAddress local_;
  SocketAddress server_;
  SeededRandom random_;
  turn::Client client_;
  Alarm alarm_;
};

}  // namespace turnpike::sim
