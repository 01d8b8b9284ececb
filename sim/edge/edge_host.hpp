#pragma once
// The eP-CSCF in the world: epcscf::Proxy with the connections of its WICs, a UDP socket towards the core,
// the interface to its relays, and who checks tokens. Its clock may differ from everybody else's.
//
// An observer sees everything that crosses the edge's boundary, in order. For the proof that an observer
// would notice, an edge can be given a fault.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "epcscf/proxy.hpp"
#include "sim/edge/relay_interface.hpp"
#include "sim/edge/web_socket.hpp"
#include "sim/network.hpp"

namespace turnpike::sim {

class EdgeObserver {
 public:
  virtual ~EdgeObserver() = default;
  // Inputs; what follows until the next one is caused by it.
  virtual void on_client_connected(epcscf::FlowId flow, bool is_secure) = 0;
  virtual void on_client_closed(epcscf::FlowId flow) = 0;
  virtual void on_from_client(epcscf::FlowId flow, std::string_view text) = 0;
  virtual void on_from_core(const SocketAddress& from, std::string_view text) = 0;
  virtual void on_core_unreachable() = 0;
  virtual void on_token_checked(const std::string& token, const epcscf::TokenAnswer& answer) = 0;
  virtual void on_operator_ends(std::string_view impi) = 0;
  virtual void on_edge_restarted() = 0;
  // Outputs.
  virtual void on_to_client(epcscf::FlowId flow, std::string_view text) = 0;
  virtual void on_to_core(std::string_view text) = 0;
  virtual void on_push(const credentials::PushedCredential& credential) = 0;
  virtual void on_revoke(const credentials::Revocation& revocation) = 0;
  // What the edge tells its operator of it, later.
  virtual void on_revoked(const credentials::Revocation& revocation, bool is_done) = 0;
  // The input is dealt with.
  virtual void on_edge_settled() = 0;
};

enum class EdgeFault : std::uint8_t {
  none,
  forgets_revocations,  // of every other registration that ends
  outlives_flows,       // does not hear that a connection has closed
  gives_to_another,     // sends a WIC the credentials of the one before
  tells_the_core,       // passes the wish for credentials on
  ignores_tls,          // takes every connection for a secure one
  hands_out_unpushed,   // does not wait for a relay
  swallows_answers,     // of the core's, one of eight never reaches its WIC
  revokes_briefly,      // takes back until now, not until the end
  mixes_up_users,       // takes who registers for the one before
  pushes_for_another,   // under the name of the one before
  loses_reg_events,     // never hears what the core ends
  forgets_to_hang_up,   // for WICs that have vanished
  takes_full_for_done,  // believes that a relay obeys whose deny-list is full
};

// Answers whether a token is good; the world decides.
using TokenJudge = std::function<epcscf::TokenAnswer(const std::string& token)>;

struct EdgeSettings {
  epcscf::Settings proxy{};
  SocketAddress address{};  // towards the core
  Duration token_delay = std::chrono::milliseconds{20};
  EdgeFault fault = EdgeFault::none;
};

class EdgeHost final : public Node, public WebSocket::Owner {
 public:
  EdgeHost(World& world, Network& network, RelayInterface& relays, EdgeSettings settings);
  ~EdgeHost() override { network_->detach(settings_.address.ip); }
  EdgeHost(const EdgeHost&) = delete;
  EdgeHost& operator=(const EdgeHost&) = delete;
  void watch_by(EdgeObserver& observer) { observer_ = &observer; }
  void judge_tokens_by(TokenJudge judge) { judge_ = std::move(judge); }

  void accept(const std::shared_ptr<WebSocket>& socket, bool is_secure, const SocketAddress& remote);
  void on_web_socket_message(WebSocket& socket, std::string_view text) override;
  void on_web_socket_closed(WebSocket& socket) override;
  void on_datagram(const Datagram& datagram) override;
  void on_icmp(const IcmpError& error) override;

  // For an operator.
  std::size_t deregister(std::string_view impi);
  void reconfigure(const std::function<void(epcscf::Settings&)>& change);
  void step_clock(Duration by) { clock_error_ += by; }
  // The process dies and a new one starts: connections and registrations are gone, credentials live on.
  void restart();
  // Tokens are not answered for.
  void ignore_tokens(bool is_ignoring) { ignores_tokens_ = is_ignoring; }

  [[nodiscard]] const epcscf::Settings& settings() const { return settings_.proxy; }
  [[nodiscard]] epcscf::Proxy& machine() { return *machine_; }
  [[nodiscard]] Duration clock_error() const { return clock_error_; }
  [[nodiscard]] Now moment() const;

 private:
  void start();
  // One turn of the loop.
  void turn(const std::function<void(Now)>& input);
  void obey(epcscf::Effect effect);
  void obey_push(epcscf::PushCredential& push);
  void obey_revoke(const epcscf::RevokeCredentials& revoke);
  void obey_check(const epcscf::CheckToken& check);
  void close(const epcscf::CloseClient& close);
  void send_to_client(epcscf::FlowId flow, std::string text);
  void send_to_core(const sip::Hop& to, std::string text);
  void let_go(epcscf::FlowId flow);
  void note(std::string_view way, epcscf::FlowId flow, std::string_view text);
  template <typename Tell>
  void tell(Tell tell) {
    if (observer_ != nullptr) tell(*observer_);
  }

  World* world_;
  Network* network_;
  RelayInterface* relays_;
  EdgeSettings settings_;
  SeededRandom random_;
  EdgeObserver* observer_ = nullptr;
  TokenJudge judge_;
  bool ignores_tokens_ = false;
  Duration clock_error_{};
  std::unique_ptr<epcscf::Proxy> machine_;
  std::uint64_t starts_ = 0;  // answers to an earlier process mean nothing
  Alarm alarm_;
  std::map<epcscf::FlowId, std::shared_ptr<WebSocket>> sockets_;
  std::uint64_t last_flow_ = 0;
  std::vector<std::string> offered_;
  std::uint64_t answers_ = 0;  // that were handed to WICs, for faults
  std::uint64_t revocations_ = 0;
  // Of the one before.
  std::string last_credentials_;
  std::string last_identities_;
  std::string last_subject_;
};

}  // namespace turnpike::sim
