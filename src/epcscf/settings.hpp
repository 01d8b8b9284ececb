#pragma once
// Everything an operator may set about the eP-CSCF, each with its default, and every limit in one struct.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "provisioning/provisioner.hpp"
#include "sip/hop.hpp"
#include "sip/timers.hpp"
#include "sip/transaction_layer.hpp"

namespace turnpike::epcscf {

struct Limits {
  std::size_t clients_max = 100'000;  // WebSocket connections
  std::size_t registrations_max = 100'000;
  std::size_t registrations_per_impi_max = 10;
  std::size_t registrations_per_flow_max = 10;
  // Of a source, an IPv4 address or an IPv6 /64, by passwords or cards; then its logins are refused for a
  // while. No more are under way than may still fail; the others wait.
  std::uint32_t failed_logins_per_minute = 60;
  std::size_t waiting_logins_per_source_max = 2'000;
  // New registrations of a private identity that are given credentials; as many at once. Each may leave an
  // entry in the deny-lists of the relays when it ends, which all users share. Refreshes do not count.
  std::uint32_t provisioned_per_impi_per_hour = 300;
  std::size_t token_checks_max = 10'000;  // waiting for on_token_checked
  std::size_t token_bytes_max = 8192;
  std::size_t revoked_tokens_max = 100'000;  // beyond it, those that end first are forgotten
  std::size_t pushes_max = 10'000;           // waiting for on_push_done
  std::size_t calls_max = 50'000;            // INVITE dialogs, those that ring included
  std::size_t calls_per_flow_max = 20;
  std::size_t core_hops_max = 4096;                  // places of the core that are remembered
  std::size_t identities_per_registration_max = 32;  // P-Associated-URI
  std::size_t service_routes_max = 8;
  std::size_t reginfo_bytes_max = 65'535;
  std::size_t reginfo_elements_max = 2'000;
  std::chrono::seconds registration_max{600'000};  // TS 24.229: what a UE asks for
};

// A WWSF that may send WICs here, with the identities that it may lend (scenario 3).
struct Wwsf {
  std::string name{};
  std::vector<std::string> pool{};  // private identities; each "*" before "@" stands for any text
};
struct TokenIssuer {
  std::string name{};           // the token's issuer
  bool is_third_party = false;  // outside the IMS provider's domain: named to the core
};
struct BearerSettings {
  std::string authorization_server{};  // https URI in the challenge; empty: tokens are not taken
  std::string scope{};
  std::vector<TokenIssuer> issuers{};           // others are refused
  std::vector<Wwsf> wwsfs{};                    // a token that names another one is refused
  Duration patience = std::chrono::seconds{3};  // for CheckToken
};

struct Settings {
  std::string home_domain{};      // "ims.example": of the REGISTER's Request-URI, and the realm
  std::string own_host{};         // host or host:port of this node: Path, Record-Route, Via
  sip::Hop core{};                // where REGISTER goes: the I-CSCF
  std::string visited_network{};  // P-Visited-Network-ID
  // Addresses whose messages are the core's, without ports; the core's own host is one of them.
  std::vector<std::string> trusted_core{};
  BearerSettings bearer{};
  std::optional<provisioning::Settings> provisioning{};     // nothing: no credentials are made
  Duration flow_grace = std::chrono::seconds{30};           // a WIC may come back on a new connection
  Duration push_patience = std::chrono::milliseconds{500};  // for the relay's acknowledgement
  std::chrono::seconds flow_timer{0};                       // RFC 5626 Flow-Timer in answers; 0: none
  bool has_reg_event = true;                                // subscribe to the core's registration events
  // A core tells of each REGISTER that it accepts; one that has not within this time is asked whether it
  // still knows the subscription.
  std::chrono::seconds reg_event_patience{10};
  sip::Timers timers{};
  sip::TransactionLimits transactions{};
  Limits limits{};
};

}  // namespace turnpike::epcscf
