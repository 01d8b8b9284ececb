#pragma once
// A relay in the world: turn::Engine with all that a process of it owns, its sockets virtual. A relay address
// may be advertised under another one, as behind a NAT that maps it one to one.
//
// An observer sees everything that crosses the relay's boundary, in order. For the proof that an observer
// would notice, a relay can be given a fault.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "credentials/nonce.hpp"
#include "credentials/registry.hpp"
#include "sim/network.hpp"
#include "turn/engine.hpp"
#include "turn/plain_commons.hpp"

namespace turnpike::sim {

class RelayObserver {
 public:
  virtual ~RelayObserver() = default;
  // Inputs; what follows until the next one is caused by it.
  virtual void on_from_client(const turn::ClientPath& from, Bytes bytes) = 0;
  virtual void on_from_peer(const SocketAddress& relay_bind, const SocketAddress& from, Bytes payload) = 0;
  virtual void on_revoked(const credentials::Revocation& revocation) = 0;
  virtual void on_restarted() = 0;
  virtual void on_port_lost(const SocketAddress& bind) = 0;
  // Outputs.
  virtual void on_to_client(const turn::ClientPath& to, Bytes bytes) = 0;
  virtual void on_to_peer(const SocketAddress& relay_bind, const SocketAddress& to, Bytes payload) = 0;
  virtual void on_port_opened(const SocketAddress& bind) = 0;
  virtual void on_port_closed(const SocketAddress& bind) = 0;
  // The input is dealt with.
  virtual void on_settled() = 0;
};

enum class Fault : std::uint8_t {
  none,
  forgets_revocations,  // keeps relaying for whom it was told to cut off
  ignores_permissions,  // delivers what any peer sends
  signs_wrongly,        // its answers prove nothing
  ignores_quotas,       // admits everybody
  shares_ports,         // gives a port to several allocations
  keeps_ports,          // forgets to give some ports back
  answers_everybody,    // lets whoever asks have a permission, without proof
  drops_packets,        // relays every other packet only
  alters_packets,       // a byte of what it relays
};

struct RelaySettings {
  turn::Settings turn;
  credentials::RegistrySettings credentials;
  Duration nonce_lifetime = std::chrono::minutes{10};
  std::uint32_t port_failures = 0;  // of a thousand ports that are to be opened
  Fault fault = Fault::none;
};

class RelayHost final : public Node {
 public:
  RelayHost(World& world, Network& network, RelaySettings settings);
  ~RelayHost() override;
  RelayHost(const RelayHost&) = delete;
  RelayHost& operator=(const RelayHost&) = delete;
  void watch_by(RelayObserver& observer) { observers_.push_back(&observer); }

  void on_datagram(const Datagram& datagram) override;
  void on_icmp(const IcmpError& error) override;

  std::size_t revoke(const credentials::Revocation& revocation);
  // The process dies and a new one starts: allocations, pushed credentials and the deny-list are gone.
  void restart();
  void drain();
  void shut_down();
  void lose_port(const SocketAddress& bind);
  void lose_any_port();
  void reconfigure(credentials::RegistrySettings settings);

  [[nodiscard]] const RelaySettings& settings() const { return settings_; }
  [[nodiscard]] const turn::Counters& counters() const;
  credentials::Registry& registry();
  turn::PlainCommons& commons();
  [[nodiscard]] std::vector<turn::AllocationView> allocations() const;
  [[nodiscard]] std::uint64_t starts() const { return starts_; }  // of processes
  [[nodiscard]] std::size_t open_ports() const { return ports_.size(); }
  [[nodiscard]] const std::vector<turn::Report>& reports() const { return reports_; }
  [[nodiscard]] SocketAddress listener(std::size_t index = 0) const {
    return settings_.turn.listeners.at(index);
  }

 private:
  struct Process;
  void start();
  void from_client(const turn::ClientPath& from, const Datagram& datagram);
  void from_peer(turn::RelayPortId port, const Datagram& datagram);
  void on_alarm();
  void settle();  // obeys the effects
  void obey(turn::Effect effect);
  void open(const turn::OpenPort& order);
  void close(turn::RelayPortId port);
  [[nodiscard]] const SocketAddress* find_port(turn::RelayPortId port) const;
  void forward(const turn::Forward& forward);
  void deliver(const turn::Deliver& deliver);
  void send_to_client(const turn::ClientPath& to, ByteVector bytes);
  void succeed_without_proof(const turn::ClientPath& from, Bytes bytes);
  void deliver_without_permission(const SocketAddress& bind, const Datagram& datagram);
  [[nodiscard]] IpAddress advertised(const IpAddress& bind) const;
  [[nodiscard]] IpAddress bound(const IpAddress& advertised) const;
  template <typename Tell>
  void tell(Tell tell) {
    for (RelayObserver* observer : observers_) tell(*observer);
  }

  World* world_;
  Network* network_;
  RelaySettings settings_;
  SeededRandom random_;
  std::vector<RelayObserver*> observers_;
  std::unique_ptr<Process> process_;
  std::uint64_t starts_ = 0;
  Alarm alarm_;
  std::map<turn::RelayPortId, SocketAddress> ports_;  // open, as bound
  std::map<SocketAddress, turn::RelayPortId> ids_;
  std::vector<turn::Report> reports_;
  std::uint64_t forwarded_ = 0;
};

}  // namespace turnpike::sim
