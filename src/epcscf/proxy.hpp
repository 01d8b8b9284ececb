#pragma once
// Proxy is an eP-CSCF (TS 23.228 annex U, TS 24.229, TS 33.203 annex X) as a machine: messages of WICs over
// W2 and of the core over Mw go in, effects come out. It has no sockets, reads no clock, draws from the
// Random& that it is handed and has no threads.
//
//   shell:  on_...(), then next_effect() until it is empty, then sleep until next_timeout()
//
// A message is one WebSocket message, or one message of the core as its framing cut it.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "epcscf/counters.hpp"
#include "epcscf/effects.hpp"
#include "epcscf/settings.hpp"

namespace turnpike::epcscf {

struct RegistrationView {  // for the administrator
  FlowId flow{};
  bool is_connected = false;
  std::string impi;
  std::vector<std::string> impus;
  std::string contact;
  std::string subject;
  std::chrono::seconds expires_in{};
  bool has_credentials = false;
};

class Proxy {
 public:
  // Random outlives the proxy.
  Proxy(Settings settings, Random& random);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  void on_client_connected(FlowId flow, const ClientInfo& client, Now now);
  void on_client_message(FlowId flow, std::string_view message, Now now);
  void on_client_closed(FlowId flow, Now now);
  // The source's host is an address as text, "192.0.2.1" or "[2001:db8::1]".
  void on_core_message(const sip::Hop& from, std::string_view message, Now now);
  // What was sent there may not have arrived: a refused connection, a name that does not resolve.
  void on_core_failed(const sip::Hop& to, Now now);
  void on_push_done(PushId id, bool acknowledged, Now now);
  void on_token_checked(CheckId id, const TokenAnswer& answer, Now now);
  void on_timeout(Now now);

  std::optional<Effect> next_effect();
  [[nodiscard]] std::optional<Instant> next_timeout();

  [[nodiscard]] std::vector<RegistrationView> registrations(std::size_t max, Now now) const;
  // Ends all registrations of the private identity here, with their credentials; how many there were.
  std::size_t deregister(std::string_view impi, Now now);
  // The same of those that rest on this token, with which nobody registers any more.
  std::size_t revoke(const RevokedToken& token, Now now);
  [[nodiscard]] Counters counters() const;
  // For what comes from here on; what lives keeps what it has.
  void reconfigure(Settings settings);
  // The URIs of the relays that live, in the order in which clients should try them: handed out from here on
  // instead of those of the settings, also after reconfigure(). Empty: those of the settings again.
  void offer(std::vector<std::string> uris);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace turnpike::epcscf
