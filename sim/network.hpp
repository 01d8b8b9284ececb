#pragma once
// The internet of a world: nodes at addresses, each behind a link in each direction. Whoever wants may write
// any sender into a datagram, as there.

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "sim/link.hpp"
#include "sim/world.hpp"
#include "stun/attribute.hpp"

namespace turnpike::sim {

struct Datagram {
  SocketAddress from;
  SocketAddress to;
  ByteVector bytes;
  bool dont_fragment = false;
};

struct IcmpError {
  SocketAddress from;  // of the datagram that met it
  SocketAddress to;
  stun::IcmpValue icmp;
};

class Node {
 public:
  virtual ~Node() = default;
  virtual void on_datagram(const Datagram& datagram) = 0;
  virtual void on_icmp(const IcmpError&) {}
};

// Where a node hands over what it sends: the network itself, or a NAT before it.
class Gateway {
 public:
  virtual ~Gateway() = default;
  virtual void send(Datagram datagram) = 0;
  virtual void attach(const IpAddress& address, Node& node) = 0;
};

class Network final : public Gateway {
 public:
  explicit Network(World& world) : world_(&world) {}

  void attach(const IpAddress& address, Node& node) override { attach(address, node, {}); }
  void attach(const IpAddress& address, Node& node, const LinkSettings& link);
  void detach(const IpAddress& address) { places_.erase(address); }
  void change_link(const IpAddress& address, const LinkSettings& link);

  void send(Datagram datagram) override;
  // Sent from the place of `entry`, whatever the datagram says.
  void send_spoofed(Datagram datagram, const IpAddress& entry);
  // No socket listens there: the sender is told (RFC 1122 section 3.2.2.1, RFC 4443 section 3.1).
  void report_closed_port(const Datagram& datagram);

  // Sees every datagram as it is sent; may drop it by returning false.
  using Filter = std::function<bool(const Datagram&)>;
  void filter_by(Filter filter) { filter_ = std::move(filter); }

 private:
  struct Place {
    Node* node;
    Link up;
    Link down;
  };
  Place* find(const IpAddress& address);
  void arrive(const Datagram& datagram);
  void deliver(const Datagram& datagram);
  bool fits(const Datagram& datagram, std::size_t mtu);
  void report(const Datagram& datagram, const stun::IcmpValue& icmp);

  World* world_;
  std::map<IpAddress, Place> places_;
  Filter filter_;
};

}  // namespace turnpike::sim
