#pragma once
// Everything that is no registration, proxied both ways (TS 24.229 sections 5.2.6 and 5.2.7): requests of
// WICs by their Service-Route or their dialog's route, requests of the core by the flow token of Path or
// Record-Route. Record-Route carries a token that names the connection and, for the WIC's side, the next
// place, so that no WIC sends us anywhere else.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "epcscf/call_table.hpp"
#include "epcscf/registrations.hpp"
#include "epcscf/switchboard.hpp"
#include "sip/message.hpp"

namespace turnpike::epcscf {

class Calls {
 public:
  Calls(Switchboard& board, Registrations& registrations) : board_(board), registrations_(registrations) {}

  void on_client_request(sip::ServerId id, const sip::Message& request, FlowId from, Now now);
  void on_client_ack(const sip::Message& ack, FlowId from);
  void on_core_request(sip::ServerId id, const sip::Message& request, const sip::Hop& from, Now now);
  void on_core_ack(const sip::Message& ack, const sip::Hop& from);
  // `cancelled`: the INVITE that is meant.
  void on_cancel(sip::ServerId id, const sip::Message& cancel, std::optional<sip::ServerId> cancelled,
                 Now now);

  void on_answer(sip::ClientId id, const sip::Message& response, Now now);
  void on_silence(sip::ClientId id, Now now);
  void on_flow_failed(sip::ClientId id, Now now);
  // Who asked is gone.
  void on_asker_lost(sip::ServerId id, Now now) { board_.forwarder.cancel(id, now); }

  void on_registered(const Registration& registration, Now now);
  void on_client_closed(FlowId flow, Now now);
  void on_timeout(Now now);
  [[nodiscard]] std::optional<Instant> next_timeout() const { return calls_.next_timeout(); }
  [[nodiscard]] std::size_t size() const { return calls_.size(); }

 private:
  struct Refusal {
    std::uint16_t status_code = 403;
    const char* reason = "";
    std::optional<BadMessage> what{};
  };
  // Where a request of a WIC goes.
  struct WayOut {
    sip::Hop hop;
    bool is_in_dialog = false;
    const Registration* registration = nullptr;  // absent within a dialog that outlives it
  };
  // What a leg is about, as the forwarder's tag.
  struct Side {
    FlowId flow{};
    bool is_originating = false;
  };
  static std::uint64_t tag_of(const Side& side);
  static Side side_of(std::uint64_t tag);

  [[nodiscard]] std::expected<WayOut, Refusal> find_way_out(const sip::Message& request, FlowId from);
  [[nodiscard]] std::expected<WayOut, Refusal> find_way_in_dialog(const sip::Message& request, FlowId from,
                                                                  const FlowToken& token);
  [[nodiscard]] const Registration* find_registration(const sip::Message& request, FlowId from);
  [[nodiscard]] const Registration* find_called(const sip::Message& request, FlowId flow);
  [[nodiscard]] std::expected<FlowToken, Refusal> find_way_in(const sip::Message& request);
  std::expected<void, Refusal> edit_for_core(sip::Editor& edited, const sip::Message& request, FlowId from,
                                             const WayOut& way);
  std::expected<void, Refusal> edit_for_client(sip::Editor& edited, const sip::Message& request,
                                               const FlowToken& token, const sip::Hop& from);
  [[nodiscard]] FlowToken token_towards_client(const sip::Message& request, FlowId flow,
                                               const sip::Hop& from) const;
  void transmit(std::uint64_t flow, sip::Editor& edited, std::string_view via);
  void edit_answer_for_client(sip::Editor& edited, const sip::Message& response, FlowId flow);
  void edit_answer_for_core(sip::Editor& edited, const sip::Message& response, const sip::Leg& leg,
                            FlowId flow);
  static Refusal refusal_of(sip::SendRefusal refusal);
  void refuse(sip::ServerId id, const sip::Message& request, FlowId flow, const Refusal& refusal, Now now);

  std::expected<void, Refusal> admit_call(const sip::Message& request, const Side& side);
  // The connection under which the table has a call that was asked for on this one.
  [[nodiscard]] FlowId holder_of(FlowId flow, std::string_view call_id) const;
  void note_number(const sip::Message& request, FlowId from);
  void note_answer(const sip::Leg& leg, const Side& side, const sip::Message& response);
  void note_failure(const sip::Leg& leg, const Side& side, std::uint16_t status_code);
  void note_bye(const sip::Message& bye, const Side& side, std::uint16_t status_code);
  void end_attempt(FlowId flow, const sip::Message& request);
  void note_accepted(Call& call, const sip::Message& request, const Side& side, const sip::Message& response);
  void hang_up(Call& call, std::string_view call_id, Now now);
  void end_call(FlowId flow, std::string_view call_id, bool is_abandoned = false);

  Switchboard& board_;
  Registrations& registrations_;
  CallTable calls_;
};

}  // namespace turnpike::epcscf
