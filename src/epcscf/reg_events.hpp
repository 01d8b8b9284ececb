#pragma once
// The eP-CSCF as subscriber to the core's registration events (RFC 3680, TS 24.229 section 5.2.3): one
// subscription per default identity, as long as somebody is registered under it. What it learns ends
// registrations; that it cannot subscribe hurts none. A core that was restarted has forgotten the
// subscription and says nothing, so it is asked where it should have spoken.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "epcscf/reginfo.hpp"
#include "epcscf/registrations.hpp"
#include "epcscf/switchboard.hpp"
#include "sip/message.hpp"

namespace turnpike::epcscf {

class RegEvents {
 public:
  RegEvents(Switchboard& board, Registrations& registrations)
      : board_(board), registrations_(registrations) {}

  void on_registered(const Registration& registration, Now now);
  // The registration is about to go; unsubscribes behind the last one.
  void on_ending(RegistrationId id, Now now);

  // False: not of a subscription of ours.
  bool on_core_answer(sip::ClientId id, const sip::Message& response, Now now);
  bool on_core_lost(sip::ClientId id, Now now);
  // A NOTIFY within one of the dialogs, which is answered here. Gives the registrations that the core has
  // ended; nothing when it is not ours.
  std::optional<std::vector<RegistrationId>> on_notify(sip::ServerId id, const sip::Message& notify, Now now);

  void on_timeout(Now now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  [[nodiscard]] std::size_t size() const { return by_call_id_.size(); }

 private:
  struct Subscription {
    std::string identity{};  // canonical
    std::string uri{};       // as the core wrote it
    std::string call_id{};
    std::string own_tag{};
    std::string core_tag{};
    std::string remote_target{};        // of the dialog: the Contact
    std::vector<std::string> routes{};  // of the dialog
    std::uint32_t number = 0;           // CSeq
    std::optional<std::uint64_t> version{};
    std::map<RegistrationId, std::chrono::seconds> holders{};  // and what each was granted last
    std::optional<Instant> again_at{};                         // refresh, or the next attempt
    // While the core has taken it and no SUBSCRIBE is under way: when it is refreshed for what was granted,
    // for the time that the core was not heard, and for a NOTIFY that did not come.
    std::optional<Instant> renew_at{};
    Instant recheck_at{};
    std::optional<Instant> doubt_at{};
    std::optional<Instant> heard_at{};  // the last NOTIFY
    std::optional<sip::ClientId> asked{};
    bool is_refused = false;  // for good: there is no subscription, until somebody registers again
  };

  void subscribe(Subscription& subscription, std::chrono::seconds expires, Now now);
  void plan(Subscription& subscription, std::optional<Instant> at);
  void plan_refresh(Subscription& subscription);
  void start_over(Subscription& subscription, Duration after, Now now);
  void drop(std::string_view identity);
  void learn_dialog(Subscription& subscription, const sip::Message& message, bool is_answer);
  void note_sign_of_life(Subscription& subscription, Now now);
  [[nodiscard]] std::vector<RegistrationId> find_ended(const Subscription& subscription,
                                                       const Reginfo& info) const;

  Switchboard& board_;
  Registrations& registrations_;
  std::map<std::string, Subscription, std::less<>> by_identity_;
  std::map<std::string, std::string, std::less<>> by_call_id_;  // to the identity
  std::map<RegistrationId, std::string> held_;                  // the identity that each holds
  std::unordered_map<sip::ClientId, std::string> asked_;        // to the identity; looked up alone
  std::set<std::pair<Instant, std::string>> alarms_;
};

}  // namespace turnpike::epcscf
