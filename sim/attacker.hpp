#pragma once
// Somebody on the network without a credential, who sees what passes and sends what he likes, under any
// address.

#include <deque>

#include "sim/network.hpp"
#include "stun/message.hpp"

namespace turnpike::sim {

class Attacker final : public Node {
 public:
  Attacker(World& world, Network& network, const SocketAddress& address);
  ~Attacker() override { network_->detach(address_.ip); }
  Attacker(const Attacker&) = delete;
  Attacker& operator=(const Attacker&) = delete;

  void on_datagram(const Datagram& datagram) override { heard.push_back(datagram); }
  // Remembers what it sees pass, at most 200 datagrams; the network's filter tells it.
  void overhear(const Datagram& datagram);

  void send_garbage(const SocketAddress& to);
  void send_request(const SocketAddress& to, stun::Method method);  // without a credential
  void replay(bool under_its_own_name);
  void replay_altered();  // one bit of it
  void send_as(const SocketAddress& from, const SocketAddress& to, ByteVector bytes);
  [[nodiscard]] const SocketAddress& address() const { return address_; }
  [[nodiscard]] const std::deque<Datagram>& overheard() const { return overheard_; }

  std::vector<Datagram> heard;

 private:
  const Datagram* choose();

  Network* network_;
  SocketAddress address_;
  SeededRandom random_;
  std::deque<Datagram> overheard_;
};

}  // namespace turnpike::sim
