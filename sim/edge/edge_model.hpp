#pragma once
// What an edge may do and must do, told a second time and more simply: a reference model that watches the
// edge's boundary and asks the relays whom they would let in. Its invariants:
//
//   - no credential without a registration that the core has granted: none is pushed or handed out, and the
//   edge
//     holds no registration that the core has not granted or has ended
//   - what the core ends, ends here as soon as the edge is told of it, and it is told, as it is subscribed
//   - none survives its end: a second after it every relay in step refuses the credential, and nobody's
//   allocation
//     stands on it; and no relay takes a credential behind its own end
//     What is reported as taken back, every relay in step refuses to the end, even one whose deny-list is
//     full
//   - never two registrations with one credential, and never the same one twice
//   - nobody is taken for another: a registration has the identity that the core has named in its answer, and
//     relays know what it is given under a name that no other registration has
//   - what is handed out is good at the relays in step, and a pushed one was put to a relay before
//   - credentials go to the WIC that asked for them, over TLS, in the 200 to its REGISTER, and nowhere else
//   - every call ends: for a WIC that is gone for longer than the grace the edge has hung up, and its table
//   has
//     no more calls than there may be
//   - every request is answered in time, to WICs and to the core, while their connection lives
//   - no table grows beyond its limit, and when everybody is gone nothing is left
//
// A relay is in step when it is alive, reachable, and has acknowledged all that the edge has for it
// (docs/credential-interface.md): one that has just restarted may take what it was told to refuse, until it
// is told again, and where the edge died meanwhile, or has let go what a clock that was set back brings to
// life, until its own end.

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "provisioning/provision.hpp"
#include "sim/edge/core_host.hpp"
#include "sim/edge/edge_host.hpp"
#include "sip/message.hpp"

namespace turnpike::sim {

class EdgeModel final : public EdgeObserver {
 public:
  EdgeModel(World& world, EdgeHost& edge, CoreHost& core, RelayInterface& interface,
            std::vector<RelayHost*> relays);
  // Nothing is lost between core and edge: whatever the core tells arrives.
  void trust_core_link() { is_core_link_lossless_ = true; }

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  // Asks the relays; to be called often.
  void judge();
  // When everybody is gone, and every time is over.
  void expect_nothing_left();

  // What the run was good for.
  struct Tally {
    std::uint64_t registrations = 0, refreshes = 0, ends = 0, credentials = 0, pushes = 0, revocations = 0;
    std::uint64_t refused_registers = 0, answers = 0, refusals_at_relays = 0;
    std::uint64_t ends_by_core = 0;                  // of those that ended
    std::uint64_t calls = 0, calls_hung_up_for = 0;  // that were established, at either side of them
    std::uint64_t tokens = 0;                        // of the credentials, in either form
    std::uint64_t allocations = 0, relay_starts = 0;
    std::uint64_t revocations_undone = 0;
    Tally& operator+=(const Tally& other);
  };
  [[nodiscard]] Tally tally() const;
  [[nodiscard]] std::size_t active_sessions() const { return active_.size(); }

  void on_client_connected(epcscf::FlowId flow, bool is_secure) override;
  void on_client_closed(epcscf::FlowId flow) override;
  void on_from_client(epcscf::FlowId flow, std::string_view text) override;
  void on_from_core(const SocketAddress& from, std::string_view text) override;
  void on_token_checked(const std::string& token, const epcscf::TokenAnswer& answer) override;
  void on_operator_ends(std::string_view impi) override;
  void on_core_unreachable() override { core_open_.clear(); }  // nobody is there to be answered
  void on_edge_restarted() override;
  void on_to_client(epcscf::FlowId flow, std::string_view text) override;
  void on_to_core(std::string_view text) override;
  void on_push(const credentials::PushedCredential& credential) override;
  void on_revoke(const credentials::Revocation& revocation) override;
  void on_revoked(const credentials::Revocation& revocation, bool is_done) override;
  void on_edge_settled() override;

 private:
  struct Device {  // of a user, and for which of the user's identities
    std::string impi{};
    std::string aor{};
    std::string instance{};
    auto operator<=>(const Device&) const = default;
  };
  struct Session {  // from a registration to its end
    Device device{};
    epcscf::FlowId flow{};
    std::string contact{};
    std::string identity{};  // the default one, as the core has named it
    Instant expires_at{};
    std::optional<Instant> given_up_at{};
    // The core has told that it has ended; the core has it no longer.
    std::optional<Instant> told_ended_at{};
    std::set<epcscf::FlowId> former_flows{};
    std::size_t revocations_open = 0;     // that are not answered yet
    bool is_left_at_relays = false;       // one was answered with "not done"
    std::optional<Instant> revoked_at{};  // the last one was answered with "done"
    std::optional<Instant> missed_at_core_since{};
    std::optional<Instant> ended_at{};  // nothing for what an edge has left behind that died
    [[nodiscard]] Instant ends_at() const {
      return given_up_at ? std::min(*given_up_at, expires_at) : expires_at;
    }
  };
  struct Register {
    epcscf::FlowId flow{};
    Device device{};
    std::string token{};
    std::string contact{};
    bool is_wildcard = false;
    bool asks = false;
    bool has_proof = false;
    bool is_own = false;  // From is To
    bool is_pool = false;
    std::optional<Instant> sent_at{};  // to the core
    std::optional<WallTime> token_ends_at{};
    Session* session = nullptr;  // that its 200 has begun or refreshed
  };
  using RegisterKey = std::pair<epcscf::FlowId, std::string>;  // and the branch
  struct Credential {
    Session* session = nullptr;
    provisioning::Entry entry{};  // of what was pushed alone: the username and the end
    std::vector<credentials::Key> keys{};
    bool is_handed_out = false;
    std::optional<Instant> taken_back_at{};
    Duration clock_then{};  // of the edge when it was handed out, against the clock that is never set
    // At which start of each relay the edge had told it of the end, when the edge died; 0: it had not.
    std::vector<std::uint64_t> told_at_start{};
    [[nodiscard]] std::optional<Instant> ended_at() const;
  };
  struct Notice {  // what a NOTIFY says
    std::string call_id{};
    std::uint64_t version = 0;
    bool is_last = false;                // of its subscription
    std::set<std::string> terminated{};  // contacts that are in no other state
  };
  struct Subscription {  // of the edge to the events of an identity
    std::string call_id{};
    std::optional<Instant> taken_at{};  // by the core
  };
  struct Leg {                         // of a call: a WIC's side of it
    std::set<std::string> attempts{};  // the branches of INVITEs that began it and are not refused
    bool is_established = false;
    std::set<epcscf::FlowId> former_flows{};
    std::optional<Instant> lost_at{};  // its connection
    std::optional<Instant> bye_at{};   // that was not refused
    bool has_ended = false;            // by a BYE that was taken
  };
  using LegKey = std::pair<epcscf::FlowId, std::string>;                    // and the Call-ID
  using RequestKey = std::tuple<epcscf::FlowId, std::string, std::string>;  // flow, branch, method

  void violate(std::string what);
  [[nodiscard]] Instant instant() const { return world_->moment().mono; }

  void read_register(epcscf::FlowId flow, const std::string& branch, const sip::Message& request);
  void on_core_answer(const sip::Message& response);
  void on_accepted(Register& asked, const sip::Message& response);
  void bind(Register& asked, std::chrono::seconds granted);
  void end(Session& session, Instant at);
  void end_if(const std::function<bool(const Session&)>& is_meant);
  void let_time_end_sessions();
  void read_notify(const std::string& branch, const sip::Message& request);
  void on_notify_taken(const Notice& notice);
  void read_subscribe(const std::string& branch, const sip::Message& request);
  void on_subscribe_answer(const std::string& branch, const sip::Message& response);
  void on_notify_refused(const Notice& notice, std::uint16_t status_code);
  void forget_subscription(const Notice& notice);
  void note_told_ends(const Notice& notice);
  void check_ends_of_core();
  enum class Way : std::uint8_t { from_wic, to_wic };
  void read_call(epcscf::FlowId flow, const sip::Message& message, Way way);
  static void read_bye_answer(Leg& leg, std::uint16_t status_code, Way way);
  void read_call_towards_core(const sip::Message& message);
  // What is said on a connection that the device has left may still be about its call.
  std::map<LegKey, Leg>::iterator find_leg(epcscf::FlowId flow, const std::string& call_id);
  void lose_legs(epcscf::FlowId flow);
  void move_legs(Session& session, epcscf::FlowId to);
  void check_calls();
  [[nodiscard]] bool has_core(const Session& session) const;
  [[nodiscard]] bool has_to_know(const Session& session) const;

  void expect_answer(std::map<RequestKey, Instant>& open, const RequestKey& key, const sip::Message& request);
  void on_credentials(epcscf::FlowId flow, const std::string& branch, const sip::Message& response);
  void expect_own(const std::string& subject, Session& session);
  [[nodiscard]] bool may_lack_room(std::size_t relay, const Session& session) const;
  void on_entry(Session& session, const provisioning::Entry& entry);
  void check_pushed(const Credential& credential);
  void check_limits();
  void check_registrations();
  void check_answers(std::map<RequestKey, Instant>& open, std::string_view whose);

  [[nodiscard]] bool is_news(std::size_t relay, const Credential& credential) const;
  // Whether the edge, or a clock, has forgotten what the relay would have to be told again.
  [[nodiscard]] bool is_forgotten(std::size_t relay, const Credential& credential) const;
  void watch_clock();
  void forget_ends();
  void judge_at(std::size_t relay, const Credential& credential);
  [[nodiscard]] credentials::GrantPtr ask(RelayHost& relay, const Credential& credential) const;
  void expect_taken(const Credential& credential);

  World* world_;
  EdgeHost* edge_;
  CoreHost* core_;
  RelayInterface* interface_;
  std::vector<RelayHost*> relays_;

  std::map<epcscf::FlowId, bool> flows_;  // that are open; whether they are secure
  std::deque<Session> sessions_;
  std::map<Device, Session*> active_;
  Session* current_ = nullptr;  // of the input that is being dealt with
  std::map<RegisterKey, Register> registers_;
  std::map<std::string, RegisterKey> sent_registers_;  // by the branch towards the core
  epcscf::FlowId input_flow_{};
  bool answers_defect_ = false;  // the input is a message with a defect
  std::map<std::string, epcscf::TokenIdentity> tokens_;
  std::map<std::string, Notice> notices_;          // by branch
  std::map<std::string, std::uint64_t> versions_;  // by Call-ID
  std::map<LegKey, Leg> legs_;
  std::map<std::string, Subscription> subscriptions_;   // by identity
  std::map<std::string, std::string> sent_subscribes_;  // by branch: the identity
  bool is_core_link_lossless_ = false;
  std::map<std::string, Credential> credentials_;  // by what tells them apart
  std::map<std::string, const Session*> passwords_;
  std::map<std::string, Session*> subjects_;
  std::map<RequestKey, Instant> open_;       // of clients, and when each has to be answered
  std::map<RequestKey, Instant> core_open_;  // of the core
  std::set<RequestKey> core_seen_;
  std::uint64_t rounds_ = 0;  // of judgement
  Duration clock_{};          // everybody's, against the one that is never set
  std::optional<Instant> set_back_at_;
  Tally tally_;
  std::vector<std::string> violations_;
};

}  // namespace turnpike::sim
