#pragma once
// The client transactions of RFC 3261 section 17.1, with RFC 6026's accepted state, as a machine that knows
// states and times and no messages. Over a reliable transport nothing is retransmitted, and what only waits
// for retransmissions ends at once.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "sip/timers.hpp"

namespace turnpike::sip {

class ClientTransaction {
 public:
  enum class State : std::uint8_t { calling, trying, proceeding, accepted, completed, terminated };

  // The request has just been sent.
  ClientTransaction(bool is_invite, bool is_reliable, const Timers& timers, Now now);

  Step on_response(std::uint16_t status_code, Now now);
  Step on_timeout(Now now);
  // The transport cannot send: the core hears of it once, and all is over.
  Step on_transport_error();
  // RFC 3261 section 9.1: an INVITE that was cancelled and is not answered in time is over.
  void on_cancelled(Now now);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_invite() const { return is_invite_; }
  [[nodiscard]] bool is_terminated() const { return state_ == State::terminated; }
  [[nodiscard]] std::optional<Instant> next_timeout() const;

 private:
  [[nodiscard]] bool awaits_answer() const {
    return state_ == State::calling || state_ == State::trying || state_ == State::proceeding;
  }
  Step on_invite_response(std::uint16_t status_code, Now now);
  Step on_other_response(std::uint16_t status_code, Now now);
  void linger(State state, Duration time, Now now);
  void end();

  Timers timers_;
  bool is_invite_;
  bool is_reliable_;
  State state_;
  Duration interval_;  // timers A and E
  std::optional<Instant> retransmit_at_;
  std::optional<Instant> end_at_;  // B and F while an answer is awaited; then D, K, M
};

}  // namespace turnpike::sip
