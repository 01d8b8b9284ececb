#pragma once
// What is inside of a Door, for door.cpp and door_connection.cpp.

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "base/source_limiter.hpp"
#include "service/door.hpp"
#include "service/loop_impl.hpp"
#include "service/tls_context.hpp"

namespace turnpike::service {

// A TCP connection to the door from accept to its end, a flow in between.
class Connection {
 public:
  Connection(const SocketAddress& remote, bool is_secure) : remote_(remote), is_secure_(is_secure) {}
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  virtual void start() = 0;
  virtual void send(std::string bytes) = 0;
  // With a close frame of this code (RFC 6455 section 7.4.1) where it is a flow, at once where it is none
  // yet.
  virtual void close(DoorEnd end, std::uint16_t code, std::string_view reason) = 0;
  // Once per second: deadlines, pings.
  virtual void on_sweep(Instant now) = 0;

  [[nodiscard]] const SocketAddress& remote() const { return remote_; }
  [[nodiscard]] bool is_secure() const { return is_secure_; }

  std::size_t position = 0;  // the door's own

 private:
  SocketAddress remote_;
  bool is_secure_;
};

class Door::Impl {
 public:
  Impl(Loop& loop, DoorSettings settings, DoorOwner& owner);
  std::expected<void, std::string> open();

  bool send(epcscf::FlowId flow, std::string bytes);
  void close(epcscf::FlowId flow, std::string_view reason);
  std::expected<void, std::string> load_certificate(const std::string& certificate, const std::string& key);
  void stop_accepting();
  void stop(Loop::Task done);

  // --- for connections ---
  const DoorSettings& settings() const { return settings_; }
  DoorOwner& owner() { return owner_; }
  DoorCounts& counts() { return counts_; }
  SSL_CTX& tls() { return *tls_; }
  epcscf::FlowId open_flow(Connection& connection);
  // The owner is told in a turn of its own.
  void forget_flow(epcscf::FlowId flow, DoorEnd end);
  void refuse(const SocketAddress& remote, DoorRefusal refusal);
  void remove(Connection& connection);
  // One string that keeps its room, for whoever puts a message together.
  std::string take_spare() { return std::exchange(spare_, {}); }
  void give_spare(std::string text) {
    text.clear();
    spare_ = std::move(text);
  }

  [[nodiscard]] const std::vector<DoorListener>& listeners() const { return settings_.listeners; }

 private:
  struct Gate {
    TcpAcceptor acceptor;
    bool is_secure = false;
  };

  std::expected<void, std::string> open_gate(DoorListener& listener);
  void accept(Gate& gate);
  void take_in(TcpSocket socket, bool is_secure);
  std::optional<DoorRefusal> find_refusal(const SocketAddress& remote);
  void sweep();

  Loop& loop_;
  DoorSettings settings_;
  DoorOwner& owner_;
  DoorCounts counts_{};
  SystemRandom random_{};
  TlsContext tls_{};
  std::vector<std::unique_ptr<Gate>> gates_{};
  std::vector<std::shared_ptr<Connection>> connections_{};
  std::unordered_map<std::uint64_t, Connection*> flows_{};
  std::unordered_map<IpAddress, std::size_t, AddressHash> of_source_;
  SourceLimiter limiter_;
  std::uint64_t flow_last_ = 0;
  SteadyTimer sweeper_;
  std::string spare_{};
  Loop::Task on_stopped_{};
  bool is_stopping_ = false;
};

std::shared_ptr<Connection> make_connection(Door::Impl& door, TcpSocket socket, const SocketAddress& remote,
                                            bool is_secure);

}  // namespace turnpike::service
