#pragma once
// What a relay may do and must do, told a second time and more simply: a reference model that watches the
// relay's boundary and is convinced by bytes alone. Its invariants:
//
//   - success is answered only to who proves a credential that was issued, has not ended and was not revoked,
//     and the answer proves the same key; so does every other answer to such a request
//   - relayed is only what an allocation with a living permission covers, unchanged, to the right place
//   - what is covered is relayed
//   - after a revocation nothing of the revoked is relayed
//   - no port belongs to two allocations, or comes back before it has rested
//   - quotas hold, and so does the limit of answers to strangers
//
// Time is judged with the two bounds that retransmissions leave: what is granted anew by a repeated request
// may have been granted the first time only.

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/issuer.hpp"
#include "sim/relay_host.hpp"
#include "turn/peer_policy.hpp"

namespace turnpike::sim {

class Model final : public RelayObserver {
 public:
  Model(World& world, const RelaySettings& settings);
  void know(const Credential& credential);  // when it is issued

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  // When every lifetime is over: the relay holds nothing any more.
  void expect_nothing_left(RelayHost& relay);

  // What the run was good for.
  struct Tally {
    std::uint64_t allocations = 0, refusals = 0, to_peers = 0, to_clients = 0, dropped = 0, challenges = 0;
    Tally& operator+=(const Tally& other);
  };
  [[nodiscard]] const Tally& tally() const { return tally_; }

  void on_from_client(const turn::ClientPath& from, Bytes bytes) override;
  void on_from_peer(const SocketAddress& relay_bind, const SocketAddress& from, Bytes payload) override;
  void on_revoked(const credentials::Revocation& revocation) override;
  void on_restarted() override;
  void on_port_lost(const SocketAddress& bind) override;
  void on_to_client(const turn::ClientPath& to, Bytes bytes) override;
  void on_to_peer(const SocketAddress& relay_bind, const SocketAddress& to, Bytes payload) override;
  void on_port_opened(const SocketAddress& bind) override;
  void on_port_closed(const SocketAddress& bind) override;
  void on_settled() override;

 private:
  using PathKey = std::pair<turn::ListenerId, SocketAddress>;
  struct Span {  // alive surely until, and possibly until
    Instant sure{};
    Instant latest{};
    void grant(Instant until, bool is_repeated);
  };
  struct Channel {
    SocketAddress peer;
    Span span;
  };
  using Relayed = std::map<SocketAddress, Span>;
  struct Allocation {
    const Credential* owner = nullptr;
    Relayed relayed;  // as bound; of two families, each lives by itself
    std::map<IpAddress, Span> permissions;
    std::map<std::uint16_t, Channel> channels;
    [[nodiscard]] bool is_surely_alive(Instant now) const;
    [[nodiscard]] bool is_possibly_alive(Instant now) const;
  };
  struct Input {
    enum class Kind : std::uint8_t { none, client, peer } kind = Kind::none;
    turn::ClientPath path;
    SocketAddress bind;
    SocketAddress peer;
    ByteVector bytes;
    bool was_relayed = false;
  };
  struct Outgoing {  // what a datagram of a client asks to be sent
    SocketAddress peer;
    Bytes payload;
    std::optional<std::uint16_t> channel;
  };

  void violate(std::string what);
  static PathKey key_of(const turn::ClientPath& path) { return {path.listener, path.client}; }
  Allocation* find(const turn::ClientPath& path);
  Allocation* find_owner(const SocketAddress& bind);
  [[nodiscard]] const Credential* find_proven(const stun::Message& request) const;
  [[nodiscard]] bool is_revoked(const Credential& credential) const;

  void on_answer(const turn::ClientPath& to, const stun::Message& answer);
  void on_success(const turn::ClientPath& to, const stun::Message& request, const stun::Message& answer);
  void on_error(const turn::ClientPath& to, const stun::Message& request, const stun::Message& answer);
  void check_expiry(const Credential& credential, stun::Method method);
  void check_lifetime(const Credential& credential, std::chrono::seconds lifetime);
  void on_allocated(const turn::ClientPath& to, const Credential& owner, const stun::Message& answer);
  void check_quotas(const turn::ClientPath& to, const Credential& owner);
  void on_refreshed(const turn::ClientPath& to, const stun::Message& request, const stun::Message& answer,
                    bool is_repeated);

  void on_permitted(Allocation& allocation, const stun::Message& request, bool is_repeated);
  void on_channel_bound(Allocation& allocation, const stun::Message& request, bool is_repeated);
  void permit(Allocation& allocation, const SocketAddress& peer, bool is_repeated);
  void count_answer_to_stranger(const IpAddress& source);

  void on_data(const turn::ClientPath& to, const SocketAddress& peer, Bytes payload);
  void on_channel_data(const turn::ClientPath& to, Bytes bytes);
  [[nodiscard]] std::optional<Outgoing> find_outgoing(const Allocation& allocation, Bytes bytes) const;
  [[nodiscard]] bool must_reach_peer() const;
  [[nodiscard]] bool must_reach_client() const;
  [[nodiscard]] bool is_surely_permitted(const Allocation& allocation, const SocketAddress& peer) const;
  [[nodiscard]] bool is_possibly_permitted(const Allocation& allocation, const SocketAddress& peer) const;
  [[nodiscard]] bool is_own(const IpAddress& address) const;

  World* world_;
  turn::Settings settings_;
  std::string realm_;
  turn::PeerPolicy policy_;
  std::deque<Credential> credentials_;  // grows only: allocations point into it
  std::set<const Credential*> forgotten_;
  std::vector<credentials::Revocation> revocations_;
  std::map<PathKey, Allocation> allocations_;
  std::set<std::pair<PathKey, stun::TransactionId>> answered_;
  std::map<SocketAddress, Instant> closed_at_;
  std::multiset<SocketAddress> open_;
  struct Strangers {
    Instant since{};
    std::uint64_t answers = 0;
  };
  std::map<IpAddress, Strangers> strangers_;
  Input input_;
  Tally tally_;
  std::vector<std::string> violations_;
};

}  // namespace turnpike::sim
