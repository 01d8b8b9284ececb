#pragma once
// The interface between the edge and its relays in the world, as docs/credential-interface.md has it and
// service::RelayFleet does it: one exchange with a relay at a time, everything anew for a relay that was
// silent or has restarted, and only relays that are in step are offered. Requests and answers take time and
// get lost.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "credentials/pushed_table.hpp"
#include "sim/relay_host.hpp"

namespace turnpike::sim {

struct InterfaceSettings {
  Duration delay = std::chrono::milliseconds{2};  // of a request, and of its answer
  Duration jitter = std::chrono::milliseconds{3};
  std::uint32_t loss = 0;  // of a thousand exchanges; of half of them the answer alone
  Duration deadline = std::chrono::milliseconds{400};
  Duration health_every = std::chrono::seconds{2};
  Duration pause = std::chrono::milliseconds{250};
  std::size_t revocations_max = credentials::DenyList::entries_max;  // that are kept for relays that are away
};

class RelayInterface {
 public:
  using Completion = std::function<void(bool is_done)>;
  using Offer = std::function<void(std::vector<std::string> uris)>;

  RelayInterface(World& world, std::vector<RelayHost*> relays, const InterfaceSettings& settings);

  // Called whenever the URIs of the relays in step change.
  void offer_to(Offer offer) { on_offer_ = std::move(offer); }
  void put(const credentials::PushedCredential& credential, Completion on_done);
  // Done: every relay that lives has obeyed, and will until the credential's end.
  void revoke(const credentials::Revocation& revocation, Completion on_done);
  // The issuer has restarted: what it had put lives on at the relays, and it knows of none of it.
  void forget();
  // The way to a relay: while it is cut nothing arrives there.
  void cut(std::size_t relay, bool is_cut = true) { links_.at(relay)->is_cut = is_cut; }

  // Since when the relay has known all that is older than a moment's delay; nothing: it does not.
  [[nodiscard]] std::optional<Instant> in_step_since(std::size_t relay) const;
  // Whether any relay was ever told of the credential.
  [[nodiscard]] bool has_put(std::string_view username) const { return put_.contains(username); }
  [[nodiscard]] std::size_t credentials_held() const { return held_.size(); }
  static std::string uri_of(const RelayHost& relay);

 private:
  using Change = std::variant<credentials::PushedCredential, credentials::Revocation>;
  struct Tally {
    bool wants_all = false;
    std::size_t expected = 0;
    bool has_one = false;
    bool has_failed = false;
    Completion on_done;
  };
  using TallyPtr = std::shared_ptr<Tally>;
  struct Waiting {
    Change change;
    TallyPtr tally;
  };
  struct Link {
    enum class State : std::uint8_t { down, in_sync, live };
    RelayHost* relay = nullptr;
    State state = State::down;
    bool is_cut = false;
    std::uint64_t known_start = 0;  // the process of the relay that has our full state
    std::uint64_t turn = 0;         // answers of an earlier one come too late
    Instant in_step_since{};
    std::deque<Waiting> waiting;
    std::vector<Waiting> in_flight;
    std::unique_ptr<Alarm> alarm;
  };

  void spread(const Change& change, const TallyPtr& tally);
  void flush(Link& link);
  void synchronize(Link& link);
  void poll(Link& link);
  void fail(Link& link);
  void offer();
  // The link fails where no answer comes in time.
  void exchange(Link& link, std::function<void()> at_relay, std::function<void()> on_answer,
                bool is_health = false);
  bool obey(RelayHost& relay, const Change& change);
  bool remember(const credentials::Revocation& revocation);
  void complete_later(const TallyPtr& tally);
  static void count(Tally& tally, bool is_done);
  static void count(const std::vector<Waiting>& changes, const std::vector<bool>& are_taken);
  // Of what was under way when the full state was made, as far as its answer tells.
  static void count_state(const std::vector<Waiting>& changes, const std::set<std::string>& taken);
  Duration draw_delay();

  World* world_;
  InterfaceSettings settings_;
  SeededRandom random_;
  Offer on_offer_;
  std::vector<std::unique_ptr<Link>> links_;
  credentials::PushedTable held_;
  std::map<std::pair<credentials::Revocation::By, std::string>, WallTime> revoked_;
  std::vector<std::string> offered_;
  std::set<std::string, std::less<>> put_;
};

}  // namespace turnpike::sim
