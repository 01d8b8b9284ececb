#pragma once
// What an operator decides about the home core, and everything of it that a stranger can make grow.

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "sip/hop.hpp"
#include "sip/limits.hpp"
#include "sip/timers.hpp"
#include "sip/transaction_layer.hpp"

namespace turnpike::ims {

struct CoreLimits {
  sip::Limits message{.message_bytes_max = 65535,
                      .headers_max = 96,
                      .header_bytes_max = 8192,
                      .values_max = 64,
                      .params_max = 32};
  sip::TransactionLimits transactions{};
  std::size_t hops_max = 10'000;            // peers that are remembered; a stranger gives way to one more
  std::size_t registrations_max = 200'000;  // private identities at a time
  std::size_t bindings_max = 8;             // of one private identity; the oldest gives way to one more
  std::size_t contact_bytes_max = 1024;     // of a Contact: its URI and parameters
  std::size_t path_max = 8;                 // proxies between us and a contact
  std::size_t subscriptions_max = 200'000;  // to the reg event package
  std::size_t subscriptions_per_watcher_max = 8;  // of one registration; its oldest gives way to one more
  std::size_t route_set_max = 8;                  // of a subscription's dialog
  std::size_t nonces_max = 8;                     // in use by one private identity at a time
};

struct Settings {
  std::string domain{};  // the home domain, which is the realm too: "ims.example"
  sip::Hop self{};       // where peers reach us; Via, Service-Route and Record-Route say so
  // Hosts as they stand in a Hop: proxies whose integrity-protected and P-Asserted-Identity are believed.
  std::vector<std::string> trusted_nodes{};
  std::chrono::seconds expires_min{60};
  std::chrono::seconds expires_max{7200};
  std::chrono::seconds expires_default{3600};  // where the request names none
  std::chrono::seconds nonce_lifetime{600};
  std::chrono::seconds subscription_expires_max{600'000};  // TS 24.229 section 5.4.2.1.1
  // How soon it is noticed that a subscriber who is registered was removed or barred; zero: at the next
  // REGISTER.
  std::chrono::seconds review_every{0};
  std::string charging_functions{};  // the value of P-Charging-Function-Addresses; empty: none is sent
  CoreLimits limits{};
  sip::Timers timers{};

  [[nodiscard]] bool trusts(const sip::Hop& from) const;
  // Whether the URI means this node: its own address, or the home domain.
  [[nodiscard]] bool is_own(const sip::Uri& uri) const;
  [[nodiscard]] std::string own_uri(std::string_view user) const;  // "sip:orig@127.0.0.1:5090;lr"
  // What a Via says behind "SIP/2.0/": "UDP 127.0.0.1:5090".
  [[nodiscard]] std::string via_to(const sip::Hop& to) const;
};

}  // namespace turnpike::ims
