#pragma once
// The relays of an issuer behind their HTTPS interface (docs/credential-interface.md): what is put goes to
// all that live and is done with the first acknowledgement of one whose URIs are handed out; what is revoked
// is done when all that live have obeyed. A relay that was away is brought up to date before it is offered
// again.

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "credentials/deny_list.hpp"
#include "service/http_client.hpp"
#include "service/relay_port.hpp"

namespace turnpike::service {

struct RelaySettings {
  std::string url{};   // "https://relay1.ims.example:8443"
  std::string name{};  // by which operators know it
  std::string region{};
  std::vector<std::string> uris{};  // RFC 7065: what clients are told
  std::string certificate_file{};   // ours, which the relay's authority vouches for
  std::string key_file{};
  std::string ca_file{};  // who vouches for the relay
};

struct RelayFleetSettings {
  std::vector<RelaySettings> relays{};
  std::string realm{};                              // a relay of another realm is not offered; empty: of any
  std::vector<std::string> regions{};               // the nearest first; others come behind them
  std::size_t offered_max = 3;                      // relays whose URIs are handed out together
  std::chrono::milliseconds deadline{500};          // of one exchange
  std::chrono::milliseconds full_deadline{30'000};  // of a full state
  std::chrono::milliseconds health_every{2000};
  std::chrono::milliseconds forget_every{10'000};  // what has ended by itself
  std::chrono::milliseconds pause_min{250};  // before a relay that failed is tried again, doubled each time
  std::chrono::milliseconds pause_max{30'000};
  std::size_t changes_per_request_max = 500;
  std::size_t waiting_max = 10'000;  // changes per relay; beyond, it is sent the full state instead
  // That have not ended: as many as a relay's deny-list holds. Beyond, those that live are told, and a relay
  // that is away will not be; no such revocation counts as done.
  std::size_t revocations_max = credentials::DenyList::entries_max;
};

struct RelayStatus {  // for an operator
  std::string name{};
  std::string url{};
  std::string region{};
  std::vector<std::string> uris{};
  bool is_live = false;      // has all that we have put and revoked
  bool is_offered = false;   // its URIs are handed out
  bool is_draining = false;  // by its own word, as what follows
  double load = 0;           // of the fuller of allocations and credentials, 0 to 1
  std::uint64_t allocations = 0;
  std::uint64_t credentials = 0;  // of all issuers
  std::uint64_t sequence = 0;     // of our last change that it has acknowledged
  std::size_t waiting = 0;        // our changes that it has not acknowledged
  std::string problem{};          // what keeps it from living; empty while it lives
  std::uint64_t failures = 0;     // times that it was lost or not reached
  std::string last_problem{};     // of the last of them, or a lack of room, and when
  WallTime failed_at{};
};

struct RelayFleetTables {  // what is kept for relays that have to be brought up to date
  std::size_t credentials = 0;
  std::size_t revocations = 0;
};

class RelayFleet final : public RelayPort {
 public:
  // The URIs of the relays that live, in the order in which clients should try them.
  using Offer = std::function<void(std::vector<std::string> uris)>;

  // `on_offer` is called from the loop whenever the URIs change. The error is a sentence.
  static std::expected<std::unique_ptr<RelayFleet>, std::string> start(boost::asio::io_context& loop,
                                                                       RelayFleetSettings settings,
                                                                       Random& random, Offer on_offer);
  ~RelayFleet() override;
  RelayFleet(const RelayFleet&) = delete;
  RelayFleet& operator=(const RelayFleet&) = delete;

  void put(const credentials::PushedCredential& credential, Completion on_done) override;
  void revoke(const credentials::Revocation& revocation, Completion on_done) override;

  // Takes in other relays, and leaves alone those that have the same URL and files: nothing under way is lost
  // there, and what was put or revoked before reaches the new ones as the state that they begin with. A relay
  // that goes is told nothing more. With an error, a sentence, nothing has changed.
  std::expected<void, std::string> reconfigure(std::vector<RelaySettings> relays,
                                               std::vector<std::string> regions);

  [[nodiscard]] std::vector<RelayStatus> status() const;
  [[nodiscard]] RelayFleetTables tables() const;

 private:
  class Core;
  explicit RelayFleet(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace turnpike::service
