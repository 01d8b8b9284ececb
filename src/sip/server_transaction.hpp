#pragma once
// The server transactions of RFC 3261 section 17.2, with RFC 6026's accepted state, as a machine that knows
// states and times and no messages.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "sip/timers.hpp"

namespace turnpike::sip {

class ServerTransaction {
 public:
  enum class State : std::uint8_t { trying, proceeding, accepted, completed, confirmed, terminated };

  // The request has just arrived and went to the core.
  ServerTransaction(bool is_invite, bool is_reliable, const Timers& timers, Now now);

  // The request again.
  Step on_request();
  // Of an INVITE: the ACK of a refusal ends its retransmission, that of a success goes to the core.
  Step on_ack(Now now);
  // The core's response; without `transmit` it came too late and goes nowhere.
  Step on_response(std::uint16_t status_code, Now now);
  Step on_timeout(Now now);
  // RFC 6026 section 7.1: an INVITE's transaction stays, to absorb what still comes.
  Step on_transport_error();

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_invite() const { return is_invite_; }
  [[nodiscard]] bool is_terminated() const { return state_ == State::terminated; }
  [[nodiscard]] std::optional<Instant> next_timeout() const;

 private:
  Step on_invite_response(std::uint16_t status_code, Now now);
  Step on_other_response(std::uint16_t status_code, Now now);
  void end();

  Timers timers_;
  bool is_invite_;
  bool is_reliable_;
  bool has_responded_ = false;
  State state_;
  Duration interval_;                 // timer G
  std::optional<Instant> repeat_at_;  // timer G; before the first response of an INVITE, the 100's time
  std::optional<Instant> end_at_;     // H, I, J, L
};

}  // namespace turnpike::sip
