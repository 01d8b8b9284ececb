#pragma once
// The clients and peers of the load generator: each flow is one client with a socket and an allocation of its
// own and one of the shared peer sockets. Sets flows up and takes them down, several at a time. Private to
// load.

#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/function_ref.hpp"
#include "base/native_address.hpp"
#include "base/random.hpp"
#include "client/load.hpp"
#include "client/load_histogram.hpp"
#include "client/load_sockets.hpp"
#include "client/udp_socket.hpp"
#include "turn/client.hpp"

namespace turnpike::client {

LoadLatency summarize(const LoadHistogram& histogram);

struct LoadFlow {
  enum class State : std::uint8_t { setting_up, ready, closing, closed, failed };
  State state = State::setting_up;
  std::size_t index = 0;
  int fresh_starts = 0;
  UdpSocket socket;
  turn::Client client;
  std::size_t peer = 0;  // index of its peer socket
  SocketAddress relayed{};
  NativeAddress relayed_native{};
  std::uint16_t channel = 0;
  ByteVector prefix{};  // what frames its packets towards the server
  Instant begun_at{};
};

struct LoadPeer {
  UdpSocket socket;
  SocketAddress address;  // as the relay reaches it
};

class LoadFlows {
 public:
  static std::expected<LoadFlows, std::string> open(const LoadSettings& settings);
  LoadFlows(LoadFlows&& other) noexcept;
  LoadFlows& operator=(LoadFlows&&) = delete;
  ~LoadFlows();

  // Allocate and ChannelBind (or CreatePermission) of every flow. The error: a machine that gives no sockets.
  std::expected<LoadSetUp, std::string> set_up();
  // The same, but each flow is deleted and forgotten as soon as it stands.
  std::expected<LoadSetUp, std::string> churn();
  // Refresh with lifetime 0 of every flow that stands.
  LoadSetUp take_down();

  std::deque<LoadFlow>& flows() { return flows_; }
  std::vector<LoadPeer>& peers() { return peers_; }

  // --- while traffic runs
  struct Ready {
    bool is_peer = false;
    std::size_t index = 0;
  };
  // Sockets that have something to read; waits at most this long.
  void wait(std::chrono::milliseconds timeout, FunctionRef<void(Ready)> on_ready);
  void on_control(LoadFlow& flow, Bytes datagram);  // an answer to the client of the flow
  void keep_alive();                                // refreshes what would expire

 private:
  LoadFlows(const LoadSettings& settings, int epoll);
  std::expected<void, std::string> open_peers();
  std::expected<UdpSocket, std::string> open_client_socket(std::size_t index);
  turn::Client make_client();
  std::expected<void, std::string> open_flow();
  void start_client(LoadFlow& flow);
  bool starts_over(LoadFlow& flow, const turn::ClientFailure& failure);
  bool watch(int descriptor, Ready ready);
  void begin_closing(LoadFlow& flow);
  void drain_effects(LoadFlow& flow);
  void on_effect(LoadFlow& flow, const turn::ClientEffect& effect);
  void on_ready(LoadFlow& flow);
  void finish(LoadFlow& flow, LoadFlow::State state);
  void fail(LoadFlow& flow, const std::string& reason);
  void read_controls(std::chrono::milliseconds timeout);
  void begin_tally(std::size_t wanted);
  LoadSetUp end_tally();

  struct Tally {
    std::size_t wanted = 0, done = 0, failed = 0, busy = 0, fresh_starts = 0;
    std::map<std::string, std::size_t> failures{};
    LoadHistogram latency{};
    Instant begun_at{};
    std::chrono::nanoseconds own_cpu{};
    std::optional<std::chrono::nanoseconds> server_cpu{};
  };

  const LoadSettings* settings_;
  int epoll_ = -1;
  bool churns_ = false;
  std::unique_ptr<SeededRandom> random_;
  std::unique_ptr<LoadReceiver> receiver_;
  std::vector<LoadPeer> peers_;
  std::deque<LoadFlow> flows_;
  Now now_{};
  Instant timeouts_seen_at_{};
  Tally tally_;
};

}  // namespace turnpike::client
