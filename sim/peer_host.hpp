#pragma once
// A peer in the world: hears everything at its address, and sends it back when told to.

#include <string_view>
#include <vector>

#include "sim/network.hpp"

namespace turnpike::sim {

class PeerHost final : public Node {
 public:
  PeerHost(Network& network, const SocketAddress& address, bool echoes = true)
      : network_(&network), address_(address), echoes_(echoes) {
    network.attach(address.ip, *this);
  }
  ~PeerHost() override { network_->detach(address_.ip); }
  PeerHost(const PeerHost&) = delete;
  PeerHost& operator=(const PeerHost&) = delete;

  void on_datagram(const Datagram& datagram) override {
    if (datagram.to.port != address_.port) {
      network_->report_closed_port(datagram);
      return;
    }
    heard.push_back(datagram);
    if (echoes_) network_->send({.from = address_, .to = datagram.from, .bytes = datagram.bytes});
  }

  void send(const SocketAddress& to, std::string_view text) {
    network_->send({.from = address_, .to = to, .bytes = to_vector(as_bytes(text))});
  }
  [[nodiscard]] const SocketAddress& address() const { return address_; }
  [[nodiscard]] bool has_heard(std::string_view text) const {
    for (const Datagram& datagram : heard)
      if (as_text(datagram.bytes) == text) return true;
    return false;
  }

  std::vector<Datagram> heard;

 private:
  Network* network_;
  SocketAddress address_;
  bool echoes_;
};

}  // namespace turnpike::sim
