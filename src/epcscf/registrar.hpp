#pragma once
// Registration at the edge: REGISTER through to the core and back, with tokens checked on the way there and
// credentials made on the way back. A request waits in one of four places: for its token, for its turn among
// the logins of its source, for the core, for a relay; each has its time, and whoever has lost patience is
// answered.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "epcscf/credential_desk.hpp"
#include "epcscf/login_queue.hpp"
#include "epcscf/register_request.hpp"
#include "epcscf/registrations.hpp"
#include "epcscf/revoked_tokens.hpp"
#include "epcscf/switchboard.hpp"

namespace turnpike::epcscf {

// Who is told of registrations that begin and end.
class RegistrationObserver {
 public:
  virtual ~RegistrationObserver() = default;
  virtual void on_registered(const Registration& registration, bool is_refresh, Now now) = 0;
  // It is still in the table.
  virtual void on_ending(const Registration& registration, EndTrigger trigger, Now now) = 0;
};

class Registrar {
 public:
  Registrar(Switchboard& board, Registrations& registrations, RegistrationObserver& observer)
      : board_(board),
        registrations_(registrations),
        observer_(observer),
        desk_(board),
        logins_(board.settings.limits.failed_logins_per_minute,
                board.settings.limits.waiting_logins_per_source_max) {}

  void on_register(sip::ServerId id, const sip::Message& message, FlowId flow, Now now);
  void on_token_checked(CheckId id, const TokenAnswer& answer, Now now);
  // False: the request was not of the registrar.
  bool on_core_answer(sip::ClientId id, const sip::Message& response, Now now);
  // No answer: `is_unreachable`, or silence.
  bool on_core_lost(sip::ClientId id, bool is_unreachable, Now now);
  void on_push_done(PushId id, bool acknowledged, Now now);
  void on_client_closed(FlowId flow, Now now);

  // Ends the registrations that rest on it, and lets nobody register with it any more; how many there were.
  std::size_t revoke(const RevokedToken& token, Now now);

  // Takes back the credentials, forgets the binding. The connection is closed where the WIC would not know
  // otherwise and nothing else is registered on it.
  void end(RegistrationId id, EndTrigger trigger, Now now);

  void on_timeout(Now now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  void reconfigure() { desk_.reconfigure(); }
  void offer(std::vector<std::string> uris) { desk_.offer(std::move(uris)); }

 private:
  struct Check {
    RegisterRequest request;
    Instant at{};
  };
  struct Forwarded {
    RegisterRequest request;
    std::string login_source{};  // empty: it is no login
  };
  struct Held {
    RegisterRequest request;
    std::string response;
    RegistrationId registration{};
    CredentialDesk::Made made;
    Instant at{};
  };

  void refuse(const RegisterRequest& request, const RegisterProblem& problem, Now now);
  void start_check(RegisterRequest request, Now now);
  [[nodiscard]] std::optional<RegistrationRefusal> find_limit(const RegisterRequest& request);
  // The message is the one that the request was read from.
  void forward(RegisterRequest request, const sip::Message& message, Now now);
  void send(RegisterRequest request, const sip::Message& message, const ClientInfo& client, Now now);
  void wait(RegisterRequest request, const std::string& source, Now now);
  // Those that wait, as far as there is room.
  void let_in(const std::string& source, Now now);
  void refuse_overdue(Now now);  // those that have waited for too long
  void end_login(const Forwarded& forwarded, bool has_failed, Now now);
  void on_accepted(RegisterRequest request, const sip::Message& response, Now now);
  void on_removed(const RegisterRequest& request, Now now);
  void end_by_user(RegistrationId id, FlowId asker, Now now);
  void close_if_unused(FlowId flow, EndTrigger trigger);
  Registration& bind(const RegisterRequest& request, const sip::Message& response,
                     std::chrono::seconds lifetime, Now now);
  void end_other_holders(const Registration& holder, Now now);
  void provision(RegisterRequest request, const sip::Message& response, Registration& registration, Now now);
  void continue_provision(RegisterRequest request, const sip::Message& response, Registration& registration,
                          CredentialDesk::Outcome outcome, Now now);
  void pass_back(const RegisterRequest& request, const sip::Message& response,
                 const CredentialDesk::Outcome* outcome, Now now);
  // What was forwarded, once it has its answer.
  std::optional<Forwarded> take_forwarded(sip::ClientId id);
  [[nodiscard]] std::chrono::seconds lifetime_left(const Registration& registration, Now now) const;

  Switchboard& board_;
  Registrations& registrations_;
  RegistrationObserver& observer_;
  CredentialDesk desk_;
  RevokedTokens revoked_;
  LoginQueue logins_;
  std::map<CheckId, Check> checks_;
  std::unordered_map<sip::ClientId, Forwarded> forwarded_;  // looked up alone
  std::multiset<FlowId> asking_;                            // the connections of those
  std::map<PushId, Held> held_;
  std::set<std::pair<Instant, CheckId>> check_ends_;
  std::set<std::pair<Instant, PushId>> push_ends_;
  std::uint64_t last_check_ = 0;
};

}  // namespace turnpike::epcscf
