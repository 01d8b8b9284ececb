#pragma once
// EpcscfNode is the eP-CSCF with its sockets: one loop that owns the door of W2, the endpoint of Mw and the
// machine between them. Credentials and tokens go through ports, which are called on the loop and answer on
// it.

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "epcscf/proxy.hpp"
#include "service/door.hpp"
#include "service/loop.hpp"
#include "service/registration_port.hpp"
#include "service/relay_port.hpp"
#include "service/sip_endpoint.hpp"
#include "service/token_checker.hpp"

namespace turnpike::service {

struct EpcscfSettings {
  DoorSettings door{};
  SipEndpointSettings core{};
  epcscf::Settings proxy{};
};

// Told on the node's thread; must be quick, and must not call the node.
class EpcscfObserver {
 public:
  virtual ~EpcscfObserver() = default;
  virtual void on_report(const epcscf::Report& report, Now now) = 0;
  virtual void on_client_refused(const SocketAddress& remote, DoorRefusal refusal, Now now) = 0;
  virtual void on_core_failed(const sip::Hop& to, Now now) = 0;
  virtual void on_revoked(bool is_done, Now now) = 0;
};

// Without a port nothing is pushed, and no token is good. They outlive the node's loop.
struct EpcscfPorts {
  RelayPort* relays = nullptr;
  TokenChecker* tokens = nullptr;
};

class EpcscfNode final : public RegistrationPort {
 public:
  // Opens every socket; nobody is served before start(). The error is one line, and nothing is left open
  // then. The observer outlives the node.
  static std::expected<std::unique_ptr<EpcscfNode>, std::string> open(EpcscfSettings settings,
                                                                      EpcscfObserver& observer);
  ~EpcscfNode() override;  // stops
  EpcscfNode(const EpcscfNode&) = delete;
  EpcscfNode& operator=(const EpcscfNode&) = delete;

  // For ports: what is made for it before start() runs on it.
  Loop& loop();
  void start(const EpcscfPorts& ports);
  void revoke(epcscf::RevokedToken token) override;
  // From its loop alone: epcscf::Proxy::offer.
  void offer(std::vector<std::string> uris);

  // --- from the thread that has started it ---
  // Takes no new connections; flows go on.
  void drain();
  // Closes every flow with 1001, then ends.
  void stop();
  // Registrations stay; settings of sockets do not change.
  void reconfigure(epcscf::Settings settings);
  std::expected<void, std::string> reload_certificate(const std::string& certificate, const std::string& key);
  std::vector<epcscf::RegistrationView> registrations(std::size_t max);
  // How many ended, with their credentials.
  std::size_t deregister(std::string_view impi);
  epcscf::Counters counters();
  [[nodiscard]] const std::vector<DoorListener>& listeners() const;
  [[nodiscard]] const std::vector<SipListener>& core_listeners() const;
  [[nodiscard]] const DoorCounts& door_counts() const;
  [[nodiscard]] const SipEndpointCounts& core_counts() const;

  class Impl;

 private:
  explicit EpcscfNode(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::service
