#pragma once
// What stands beside the relay in this process, by the sections of the configuration: the eP-CSCF ([epcscf]),
// the home core ([ims]), the credential API ([api]) and the WAF ([waf]), each with a thread of its own.

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "program/config.hpp"
#include "program/control_reports.hpp"
#include "program/credential_api.hpp"
#include "program/local_relay.hpp"
#include "program/relay_group.hpp"
#include "program/waf_role.hpp"
#include "relay/server.hpp"
#include "service/sip_neighbours.hpp"
#include "service/token_desk.hpp"
#include "store/subscriber_book.hpp"

namespace turnpike::program {

class ControlPlane {
 public:
  // Opens everything and then serves. The error is one line, and nothing is left open then. Without [turn]
  // `server` is null. Server, log and metrics outlive it; the configuration does not have to.
  static std::expected<std::unique_ptr<ControlPlane>, std::string> start(const Config& config,
                                                                         relay::Server* server, Log& log,
                                                                         metrics::Registry& metrics);
  ~ControlPlane();  // stops
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // One line in the log for each door.
  void tell_ready() const;
  // Takes in what can change while running; the error is one line about the certificate, whose old one stays.
  std::expected<void, std::string> reconfigure(const Config& config);
  // With [epcscf.tokens] alone: what tokens are checked with; the error is one line about a file, and all
  // stays as it was. Who is trusted is told by reconfigure().
  std::expected<void, std::string> reconfigure_tokens(const service::TokenSettings& tokens);
  // With [waf] alone; the error is one line, and all stays as it was.
  std::expected<void, std::string> change_waf_secret(const WafConfig& waf) {
    return waf_->change_secret(waf);
  }
  void drain();
  // Clients are sent away first, then the home core ends.
  void stop();

  [[nodiscard]] bool has_epcscf() const { return epcscf_ != nullptr; }
  std::vector<epcscf::RegistrationView> registrations(std::size_t max);
  // How many registrations ended here; the home core, if it is here, forgets them too.
  std::size_t deregister(std::string_view impi);
  // Null without [epcscf], [ims], [[relays]], [api] or [waf].
  service::EpcscfNode* epcscf() { return epcscf_.get(); }
  service::HomeCoreNode* home_core() { return home_core_.get(); }
  RelayGroup* relays() { return relays_.get(); }
  CredentialApi* api() { return api_.get(); }
  WafRole* waf() { return waf_.get(); }

 private:
  explicit ControlPlane(Log& log) : log_(log), home_core_reports_(log) {}
  std::expected<void, std::string> open(const Config& config, relay::Server* server,
                                        metrics::Registry& metrics);
  std::expected<void, std::string> open_home_core(const ImsConfig& ims, metrics::Registry& metrics);

  std::expected<void, std::string> open_epcscf(const Config& config, metrics::Registry& metrics);
  std::expected<void, std::string> open_relays(const Config& config, relay::Server* server,
                                               metrics::Registry& metrics);
  // Null without relays to tell, as without [turn] and [[relays]]: nothing is pushed or withdrawn then.
  service::RelayPort* find_relays(service::Loop& for_loop);

  Log& log_;
  std::unique_ptr<CredentialApi> api_{};  // outlives the loop that answers on its own
  std::unique_ptr<WafRole> waf_{};        // the same
  std::optional<EpcscfReports> epcscf_reports_{};
  HomeCoreReports home_core_reports_;
  std::optional<store::SubscriberBook> subscribers_{};
  // eP-CSCF and home core, where they are told to speak to each other.
  std::shared_ptr<service::SipNeighbours> neighbours_ = std::make_shared<service::SipNeighbours>();
  std::unique_ptr<service::HomeCoreNode> home_core_{};
  std::unique_ptr<service::EpcscfNode> epcscf_{};
  std::unique_ptr<LocalRelay> relay_{};   // with [turn]
  std::unique_ptr<RelayGroup> relays_{};  // with [[relays]]
  service::Loop* relay_loop_ = nullptr;   // on which they are told
  std::vector<std::unique_ptr<PostedRelayPort>> posted_relays_{};
  std::unique_ptr<service::TokenDesk> tokens_{};  // with [epcscf.tokens]
};

// The eP-CSCF's settings with what it hands out.
epcscf::Settings make_proxy_settings(const Config& config);

}  // namespace turnpike::program
