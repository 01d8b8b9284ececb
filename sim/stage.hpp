#pragma once
// A world with everything on it that a scenario needs: a relay of both families that the model watches, an
// issuer, an attacker who overhears, and clients behind NATs. Addresses are public ones, since the relay
// forbids special-purpose ranges as peers; nothing leaves the process.

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "sim/attacker.hpp"
#include "sim/client_host.hpp"
#include "sim/issuer.hpp"
#include "sim/model.hpp"
#include "sim/nat.hpp"
#include "sim/network.hpp"
#include "sim/peer_host.hpp"
#include "sim/relay_host.hpp"
#include "sim/world.hpp"

namespace turnpike::sim {

// On 81.2.69.160 and 2a02:db0::5, the first of which is 10.0.0.5 behind a NAT of the relay's own; listeners
// on port 3478 of both; relay ports 50000 to 50199.
RelaySettings make_relay_settings();

SocketAddress at(std::string_view address);  // of a literal

class Stage {
 public:
  explicit Stage(std::uint64_t seed = 1, RelaySettings settings = make_relay_settings());

  // A client behind a NAT of its own, on IPv4.
  ClientHost& add_client(const Credential& credential, const NatSettings& nat = {},
                         const LinkSettings& link = {});
  ClientHost& add_client(turn::ClientSettings settings, const NatSettings& nat = {},
                         const LinkSettings& link = {});
  // A client on the network itself.
  ClientHost& add_direct_client(turn::ClientSettings settings, const SocketAddress& local);
  PeerHost& add_peer(const SocketAddress& address, bool echoes = true);
  Nat& nat_of(const ClientHost& client) { return *nats_.at(&client); }

  Credential issue(Form form, std::string_view user, std::chrono::seconds lifetime = std::chrono::hours{24},
                   const credentials::Policy& policy = {});
  void revoke(credentials::Revocation::By by, std::string_view value);

  // Starts the client and waits for its allocation.
  bool allocate(ClientHost& client);
  // A text through the relay to an echoing peer and back.
  bool echoes(ClientHost& client, PeerHost& peer, std::string_view text);
  // Lets every lifetime pass with all clients gone, and asks the model what is left.
  void expect_nothing_left();

  World world;
  Network network{world};
  RelayHost relay;
  Model model;
  Issuer issuer;
  Attacker attacker;
  std::vector<std::unique_ptr<ClientHost>> clients;
  std::vector<std::unique_ptr<PeerHost>> peers;

 private:
  std::vector<std::unique_ptr<Nat>> all_nats_;
  std::map<const ClientHost*, Nat*> nats_;
};

}  // namespace turnpike::sim
