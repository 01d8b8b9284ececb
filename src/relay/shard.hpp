#pragma once
// A shard is one loop with one engine and its own sockets: what it relays, it relays alone, on one thread.
//
//   one turn:  wait -> tasks -> listeners -> relay ports -> timers
//
// Whatever was read stays in its buffers until everything that came of it has been sent.

#include <chrono>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "credentials/registry.hpp"
#include "relay/datagram_reader.hpp"
#include "relay/datagram_writer.hpp"
#include "relay/epoll.hpp"
#include "relay/mailbox.hpp"
#include "relay/relay_ports.hpp"
#include "relay/server.hpp"
#include "turn/engine.hpp"

namespace turnpike::relay {

// What a shard begins with. The references outlive it.
struct ShardParts {
  const ServerSettings& settings;
  turn::Commons& commons;
  Observer& observer;
  SegmentOffload offload;
};
struct ShardSockets {
  Epoll epoll;
  FileDescriptor event;                   // of the mailbox
  std::vector<FileDescriptor> listeners;  // by ListenerId
};

class Shard {
 public:
  // Everything that can fail, before any thread runs.
  static Result<ShardSockets> open_sockets(const std::vector<SocketAddress>& listeners,
                                           const SegmentOffload&);
  Shard(const ShardParts& parts, ShardSockets sockets);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  // The loop; returns when stop() was called on it, with all allocations ended and all relay ports closed.
  void run();

  // From any thread.
  Mailbox& mailbox() { return mailbox_; }

  // On the shard's own thread (in a task), or when it no longer runs.
  void stop() { is_stopping_ = true; }
  void drain() { engine_.drain(); }
  void reconfigure(credentials::RegistrySettings settings);
  std::size_t revoke(const credentials::Revocation& revocation);
  credentials::Registry& registry() { return registry_; }
  const turn::Counters& counters() const { return engine_.counters(); }
  std::vector<turn::AllocationView> list_allocations(std::size_t max) const;

 private:
  void turn();
  std::span<const epoll_event> wait();
  Duration longest_wait() const;
  void note(const epoll_event& event);
  void run_tasks(std::vector<Mailbox::Task> tasks);

  void read_listeners();
  bool read_listener(turn::ListenerId id);
  void read_relay_ports();
  bool read_relay_port(turn::RelayPortId id);
  bool read_icmp_errors(turn::RelayPortId id);

  void obey_effects();
  void obey(turn::SendToClient& effect);
  void obey(const turn::OpenPort& effect);
  void obey(const turn::ClosePort& effect);
  void obey(const turn::Report& effect);
  void flush();

  void keep_house();
  void return_memory();

  struct Listener {
    FileDescriptor descriptor;
    ClientWriter writer;
    bool is_ready = true;  // something may have arrived before the loop began
  };

  const ServerSettings& settings_;
  Observer& observer_;
  Epoll epoll_;
  Mailbox mailbox_;
  std::vector<Listener> listeners_;
  RelayPorts ports_;
  DatagramReader reader_;
  PeerWriter peer_writer_;
  std::deque<turn::RelayPortId> ready_ports_;  // told by the kernel, to be read in this order
  SystemRandom random_;
  credentials::Registry registry_;
  credentials::NonceMint nonces_;
  turn::Engine engine_;
  Now now_{};
  Duration gap_ = std::chrono::milliseconds{1};  // between the last turns, on average
  Instant house_kept_at_{};
  std::uint64_t allocations_peak_ = 0;  // since memory was last returned
  bool is_stopping_ = false;
};

}  // namespace turnpike::relay
