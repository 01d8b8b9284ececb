#pragma once
// One call of a WicAgent, on either side: INVITE, its answers and ACK, CANCEL and BYE with their dialog
// (RFC 3261 sections 12 to 15). Private to WicAgent.

#include <set>

#include "client/wic_line.hpp"
#include "sip/headers.hpp"

namespace turnpike::client {

class WicCall {
 public:
  WicCall(CallId id, WicLine& line) : id_(id), line_(line) {}

  // --- ours
  void start(std::string_view callee, std::string_view offer, Now now);
  // --- theirs: an INVITE without a To tag
  void take(const sip::Message& invite, sip::ServerId server, Now now);
  void ring(Now now);
  void answer(std::string_view description, Now now);
  void reject(std::uint16_t code, Now now);

  void hang_up(Now now);
  void on_response(sip::ClientId client, const sip::Message& response, Now now);
  void on_no_answer(sip::ClientId client, Now now);
  void on_flow_closed();
  void on_ack(Now now);
  void on_cancel(Now now);                                                      // has been answered
  void on_request(const sip::Message& request, sip::ServerId server, Now now);  // within the dialog
  void on_timeout(Now now);
  [[nodiscard]] std::optional<Instant> next_timeout() const { return repeat_at_; }

  [[nodiscard]] CallId id() const { return id_; }
  [[nodiscard]] bool has_ended() const { return state_ == State::ended; }
  [[nodiscard]] bool is_invited_by(sip::ServerId server) const { return invite_server_ == server; }
  [[nodiscard]] bool owns(const sip::Message& request) const;
  [[nodiscard]] bool has_call_id(std::string_view text) const { return call_id_ == text; }

 private:
  enum class State : std::uint8_t {
    inviting,  // ours, without an answer
    cancelling,
    offered,   // theirs, and not answered
    answered,  // theirs, answered with 200, not yet acknowledged
    confirmed,
    leaving,  // a BYE of ours is on its way
    ended,
  };

  [[nodiscard]] sip::Writer begin_request(sip::Method method, std::string_view target, std::uint32_t number);
  [[nodiscard]] std::string make_in_dialog(sip::Method method, std::uint32_t number);
  void on_invite_response(const sip::Message& response, Now now);
  void on_accepted(const sip::Message& response, Now now);
  void refuse_fork(const sip::Message& response, Now now);
  void end_invite(const sip::Message& response);
  void on_reinvite(const sip::Message& request, sip::ServerId server, Now now);
  void accept(const sip::Message& request, sip::ServerId server, Now now);
  void respond(std::uint16_t code, Now now);
  void say_goodbye(Now now);
  void end(CallEnded ended);

  CallId id_;
  WicLine& line_;
  State state_ = State::inviting;
  bool is_caller_ = false;
  bool is_leaving_ = false;  // with the ACK

  // The dialog
  std::string call_id_{};
  std::string local_tag_{};
  std::string remote_tag_{};
  std::string local_address_{};   // without its tag, as From has it
  std::string remote_address_{};  // without its tag
  std::string remote_target_{};
  std::vector<std::string> route_{};
  std::uint32_t number_ = 0;         // of our requests
  std::uint32_t remote_number_ = 0;  // of theirs

  std::optional<sip::ClientId> invite_client_{};
  std::optional<sip::ServerId> invite_server_{};
  std::optional<sip::ClientId> bye_client_{};
  std::uint32_t invite_number_ = 0;
  std::string invite_{};       // as it was received
  std::string description_{};  // ours
  std::set<std::uint16_t> progress_{};
  std::string ack_{};  // of our INVITE, for a 200 that is repeated
  std::string ok_{};   // of their INVITE, while the ACK is awaited
  std::optional<Instant> repeat_at_{};
  Duration interval_{};
  Instant patience_ends_at_{};
};

}  // namespace turnpike::client
