#pragma once
// A NAT as RFC 4787 classifies them: which destinations share a mapping, which senders may use it, and when
// it is forgotten. The inside is a network of its own, without delay or loss.

#include <cstdint>
#include <map>
#include <set>

#include "sim/network.hpp"

namespace turnpike::sim {

enum class NatBehaviour : std::uint8_t {
  endpoint_independent,
  address_dependent,
  address_and_port_dependent
};

struct NatSettings {
  NatBehaviour mapping = NatBehaviour::endpoint_independent;
  NatBehaviour filtering = NatBehaviour::address_and_port_dependent;
  Duration mapping_timeout = std::chrono::minutes{5};  // RFC 4787 REQ-5; outbound traffic refreshes (REQ-6)
};

class Nat final : public Node, public Gateway {
 public:
  Nat(World& world, Network& network, const IpAddress& outside, const NatSettings& settings,
      const LinkSettings& link = {});
  ~Nat() override { network_->detach(outside_); }
  Nat(const Nat&) = delete;
  Nat& operator=(const Nat&) = delete;

  void attach(const IpAddress& inside, Node& node) override { inside_[inside] = &node; }
  void send(Datagram datagram) override;  // from the inside
  void on_datagram(const Datagram& datagram) override;
  void on_icmp(const IcmpError& error) override;

  // The box restarts: it knows no mapping any more, and the next packets leave from other ports.
  void forget_mappings();
  [[nodiscard]] std::size_t mappings() const { return by_port_.size(); }
  [[nodiscard]] const IpAddress& outside() const { return outside_; }

 private:
  struct Mapping {
    SocketAddress inside;
    SocketAddress key;  // what of the destination the mapping belongs to
    Instant used_at{};
    std::set<SocketAddress> may_answer{};  // by filtering
  };
  struct Key {
    SocketAddress inside;
    SocketAddress destination;
    auto operator<=>(const Key&) const = default;
  };
  static SocketAddress relevant_part(const SocketAddress& remote, NatBehaviour behaviour);
  std::uint16_t draw_port();
  void expire();

  World* world_;
  Network* network_;
  IpAddress outside_;
  NatSettings settings_;
  SeededRandom random_;
  std::map<IpAddress, Node*> inside_;
  std::map<Key, std::uint16_t> by_key_;
  std::map<std::uint16_t, Mapping> by_port_;
};

}  // namespace turnpike::sim
