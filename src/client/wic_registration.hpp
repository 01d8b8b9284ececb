#pragma once
// The registration of a WicAgent: one REGISTER at a time over one flow, challenges, patience and refreshing.
// Private to WicAgent.

#include "client/wic_line.hpp"
#include "client/wic_login.hpp"

namespace turnpike::client {

class WicRegistration {
 public:
  WicRegistration(const WicAgentSettings& settings, WicLine& line);

  void start(Now now);
  void stop(Now now);
  void change_login(WicLogin login) { authenticator_.change_login(std::move(login)); }
  void on_response(const sip::Message& response, Now now);
  void on_no_answer(Now now);
  void on_flow_opened(Now now);
  void on_flow_closed();
  void on_timeout(Now now);
  [[nodiscard]] std::optional<Instant> next_timeout() const { return due_; }
  [[nodiscard]] bool is_registered() const { return is_registered_; }

 private:
  void begin(Now now);
  void send(Now now);
  [[nodiscard]] std::string make_request();
  void on_challenge(const sip::Message& response, Now now);
  void on_too_brief(const sip::Message& response, Now now);
  void on_accepted(const sip::Message& response, Now now);
  // Whether it is worth to wait as long as the server asks for.
  bool wait_as_told(const sip::Message& response, Now now);
  void refuse(const sip::Message& response);
  void give_up(WicRefused refused);

  WicAgentSettings settings_;
  WicLine& line_;
  WicAuthenticator authenticator_;
  std::string call_id_;
  std::uint32_t number_ = 0;
  std::chrono::seconds expires_;  // to ask for; 423 may have raised it
  bool is_wanted_ = false;
  bool is_registered_ = false;
  bool is_pending_ = false;         // a REGISTER is on its way
  bool is_pending_an_end_ = false;  // with expires=0
  int retries_ = 0;
  std::string from_tag_;
  std::optional<Instant> due_;  // of the next REGISTER
};

}  // namespace turnpike::client
