#pragma once
// Server is the UDP data plane: one thread per shard, each with its own SO_REUSEPORT listeners, its own
// turn::Engine and its own credential tables; nothing is shared on the packet path. Control calls come from
// any other thread, travel to every shard as a message, and return when all shards have done them.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/secret.hpp"
#include "base/time.hpp"
#include "credentials/change.hpp"
#include "credentials/registry.hpp"
#include "turn/engine.hpp"

namespace turnpike::relay {

struct ServerSettings {
  turn::Settings turn;  // no wildcard among listeners: see expand_wildcards
  credentials::RegistrySettings credentials;
  unsigned shards = 0;  // 0: one per CPU that the process may use
  Secret nonce_key;     // empty: drawn at the start
  std::chrono::seconds nonce_lifetime{600};
};

// Told on a shard's thread about what its engine reports; must be quick and thread-safe, and must not call
// the server.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_report(const turn::Report& report, Now now) = 0;
};

// 0.0.0.0 and [::] become the addresses that this machine has now (loopback among them, link-local not), so
// that an answer leaves from the address that was asked.
std::vector<SocketAddress> expand_wildcards(const std::vector<SocketAddress>& listeners);

class Server {
 public:
  // Opens every socket before the first packet is read. The error is one line that names the address and the
  // reason; nothing is left open then.
  static std::expected<std::unique_ptr<Server>, std::string> start(ServerSettings settings,
                                                                   Observer& observer);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // As they were opened: where a port was 0, the kernel has chosen one.
  [[nodiscard]] const std::vector<SocketAddress>& listeners() const;
  // What an operator should know and what does not keep the relay from running; one line each.
  [[nodiscard]] const std::vector<std::string>& warnings() const;

  // Ends all allocations, closes all sockets, joins the shards. Calls after the first do nothing.
  void stop();
  // Refuses new allocations with 486 from now on; running ones go on until they end.
  void drain();
  [[nodiscard]] bool is_draining() const;

  // The pushed source. put is refused when the table is full; each call is acknowledged by all shards.
  std::expected<void, std::string> put(const credentials::PushedCredential& credential);
  std::expected<void, std::string> extend(const std::string& username, WallTime expires_at);
  std::vector<credentials::PushedEntry> list_pushed(const std::string& subject = {});
  std::size_t count_pushed();

  // Many changes in one turn of every shard and in this order; one result for each.
  std::vector<credentials::ChangeResult> apply(const std::vector<credentials::Change>& changes);

  // Ends matching allocations on every shard and refuses new ones; returns how many allocations ended.
  std::size_t revoke(const credentials::Revocation& revocation);
  std::vector<credentials::Revocation> list_revocations();

  // Static users, secrets and keys are replaced. Pushed credentials and the deny-list stay, and so do
  // allocations, but for those of static users who are gone or have another password.
  void reconfigure(credentials::RegistrySettings settings);

  turn::Counters counters();  // summed over the shards
  std::vector<turn::AllocationView> sessions(std::size_t max);
  [[nodiscard]] unsigned shard_count() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::relay
