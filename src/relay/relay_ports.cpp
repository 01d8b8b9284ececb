#include "relay/relay_ports.hpp"

#include <utility>

namespace turnpike::relay {

Result<int> RelayPorts::open(turn::RelayPortId port, const SocketAddress& bind) {
  auto opened = open_relay_port(bind, offload_);
  if (!opened) return std::unexpected(opened.error());
  if (port >= sockets_.size()) sockets_.resize(port + 1);
  sockets_[port] = {.descriptor = std::move(*opened), .is_v4 = bind.ip.is_v4()};
  return sockets_[port].descriptor.value();
}

void RelayPorts::close(turn::RelayPortId port) {
  if (port < sockets_.size()) sockets_[port] = {};
}

void RelayPorts::forget_closed() {
  while (!sockets_.empty() && !sockets_.back().descriptor.is_open()) sockets_.pop_back();
  sockets_.shrink_to_fit();
}

}  // namespace turnpike::relay
