#pragma once
// Door is W2's server side: SIP over WebSocket (RFC 7118), one SIP message per WebSocket message, over TLS
// or, where that is allowed, in the clear. It numbers the connections that have passed the handshake, hands
// on what they send, and ends those that misbehave. Used on its loop's thread.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "epcscf/effects.hpp"
#include "service/loop.hpp"

namespace turnpike::service {

// Everything at the door that a stranger can make grow.
struct DoorLimits {
  std::size_t connections_max = 20'000;
  std::size_t connections_per_source_max = 1'000;  // an IPv4 address or an IPv6 /64: a whole office
  std::uint32_t handshakes_per_second_per_source = 50;
  // Of one connection, pings among them; bursts of twice that pass.
  std::uint32_t messages_per_second = 50;
  std::size_t message_bytes_max = 65'535;      // close code 1009 beyond
  std::size_t handshake_bytes_max = 8'192;     // of the HTTP request
  std::size_t queue_bytes_max = 512 * 1024;    // that a slow client may leave unread
  std::chrono::seconds handshake_timeout{10};  // from accept to the answer 101
  std::chrono::seconds ping_interval{25};      // of silence, after which the client is pinged
  std::chrono::seconds idle_timeout{75};       // of silence, pongs included
  std::chrono::seconds close_timeout{5};       // for the other side's close frame and end of stream
};

struct DoorListener {
  SocketAddress address{};
  bool is_secure = true;  // wss: or ws:
  bool operator==(const DoorListener&) const = default;
};

struct DoorSettings {
  std::vector<DoorListener> listeners{};
  std::string certificate{};  // PEM files, needed where a listener is secure
  std::string key{};
  std::string path{};                  // "/ws"; empty: any
  std::vector<std::string> origins{};  // see is_origin_allowed()
  bool requires_origin = false;        // browsers alone: native clients send none
  bool allows_cleartext = false;       // ws: elsewhere than on loopback
  DoorLimits limits{};
};

// TS 33.203 X.4.1 REQ 3.3: whether a page of this origin may connect. Without a list only pages of the host
// that was asked ("Host", whatever the port); "*" in the list: all.
bool is_origin_allowed(const std::vector<std::string>& origins, std::string_view origin,
                       std::string_view host);

// Why a connection did not become a flow.
enum class DoorRefusal : std::uint8_t {
  too_many,            // connections in all
  too_many_of_source,  // connections
  too_fast,            // handshakes per second of its source
  not_tls,             // on a port for wss:
  not_cleartext,       // TLS on a port for ws:
  tls_failed,
  bad_request,  // no HTTP that can be read
  no_upgrade,   // HTTP, but nobody wants a WebSocket: 426
  wrong_path,
  wrong_origin,
  wrong_subprotocol,
  timed_out,
  hung_up,
};
inline constexpr std::size_t door_refusal_count = 13;
std::string_view to_string(DoorRefusal refusal);  // "too_many", ...: metric labels and log values

// Why a flow ended.
enum class DoorEnd : std::uint8_t {
  client,  // closed it or vanished
  idle,
  slow,               // did not read what was sent
  too_many_messages,  // per second
  message_too_large,
  not_websocket,  // broke RFC 6455
  asked,          // by close()
  stopping,
};
inline constexpr std::size_t door_end_count = 8;
std::string_view to_string(DoorEnd end);

// Read from any thread.
struct DoorCounts {
  std::atomic<std::uint64_t> connections_active{0};  // handshakes among them
  std::atomic<std::uint64_t> flows_active{0};
  std::atomic<std::uint64_t> flows_begun{0};
  std::atomic<std::uint64_t> messages_in{0};
  std::atomic<std::uint64_t> messages_out{0};
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};
  std::atomic<std::uint64_t> keep_alives{0};  // CRLF CRLF
  std::array<std::atomic<std::uint64_t>, door_refusal_count> refused{};
  std::array<std::atomic<std::uint64_t>, door_end_count> ended{};
};

// Called on the loop's thread and never from inside a call of the door.
class DoorOwner {
 public:
  virtual ~DoorOwner() = default;
  virtual void on_client_connected(epcscf::FlowId flow, const epcscf::ClientInfo& info) = 0;
  virtual void on_client_message(epcscf::FlowId flow, std::string_view text) = 0;
  // Once for each flow; nothing can be sent on it any more.
  virtual void on_client_closed(epcscf::FlowId flow, DoorEnd end) = 0;
  virtual void on_client_refused(const SocketAddress& remote, DoorRefusal refusal) = 0;
};

class Door {
 public:
  // Opens every socket before the first connection is taken; before the loop starts. The error is one line
  // that names the address or file and the reason; nothing is left open then. Owner and loop outlive the
  // door.
  static std::expected<std::unique_ptr<Door>, std::string> open(Loop& loop, DoorSettings settings,
                                                                DoorOwner& owner);
  ~Door();  // when the loop does not run any more
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // As they were opened: where a port was 0, the kernel has chosen one.
  [[nodiscard]] const std::vector<DoorListener>& listeners() const;

  // False: there is no such flow any more. What is UTF-8 goes as text, other messages as binary.
  bool send(epcscf::FlowId flow, std::string bytes);
  // With a close frame; the reason is for a person, at most 123 bytes.
  void close(epcscf::FlowId flow, std::string_view reason);

  // The files anew, for handshakes from now on.
  std::expected<void, std::string> reload_certificate(const std::string& certificate, const std::string& key);
  // Takes no new connections.
  void stop_accepting();
  // The same, and closes every flow with 1001; `done` is called when the last has gone, close_timeout later
  // at the latest.
  void stop(Loop::Task done);

  // From any thread.
  [[nodiscard]] const DoorCounts& counts() const;

  class Impl;

 private:
  explicit Door(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::service
