#include "relay/relay_ports.hpp"

#include <algorithm>
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

}  // namespace turnpike::relay
