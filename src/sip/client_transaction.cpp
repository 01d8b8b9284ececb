#include "sip/client_transaction.hpp"

namespace turnpike::sip {

ClientTransaction::ClientTransaction(bool is_invite, bool is_reliable, const Timers& timers, Now now)
    : timers_(timers),
      is_invite_(is_invite),
      is_reliable_(is_reliable),
      state_(is_invite ? State::calling : State::trying),
      interval_(timers.t1),
      end_at_(now.mono + timers.patience()) {
  if (!is_reliable) retransmit_at_ = now.mono + interval_;
}

Step ClientTransaction::on_response(std::uint16_t status_code, Now now) {
  return is_invite_ ? on_invite_response(status_code, now) : on_other_response(status_code, now);
}

Step ClientTransaction::on_invite_response(std::uint16_t status_code, Now now) {
  if (awaits_answer() && status_code < 200) {
    // A provisional response ends retransmission and patience alike; one that was cancelled keeps its end.
    if (state_ == State::calling) end_at_.reset();
    retransmit_at_.reset();
    state_ = State::proceeding;
    return {.deliver = true};
  }
  if (status_code >= 200 && status_code < 300) {
    if (state_ == State::accepted) return {.deliver = true};  // of another branch of a fork, or again
    if (!awaits_answer()) return {};
    linger(State::accepted, timers_.patience(), now);
    return {.deliver = true};
  }
  if (status_code < 300) return {};
  if (state_ == State::completed) return {.acknowledge = true};  // our ACK was lost
  if (!awaits_answer()) return {};
  linger(State::completed, is_reliable_ ? Duration{} : timers_.timer_d, now);
  return {.acknowledge = true, .deliver = true};
}

Step ClientTransaction::on_other_response(std::uint16_t status_code, Now now) {
  if (!awaits_answer()) return {};
  if (status_code < 200) {
    state_ = State::proceeding;
    return {.deliver = true};
  }
  linger(State::completed, is_reliable_ ? Duration{} : timers_.t4, now);
  return {.deliver = true};
}

Step ClientTransaction::on_timeout(Now now) {
  if (end_at_ && *end_at_ <= now.mono) {
    const bool was_waiting = awaits_answer();
    end();
    return {.time_out = was_waiting};
  }
  if (!retransmit_at_ || *retransmit_at_ > now.mono) return {};
  // Timer A doubles without end, timer E up to T2, and stays there once something was heard.
  if (is_invite_)
    interval_ *= 2;
  else
    interval_ = state_ == State::proceeding ? timers_.t2 : std::min(interval_ * 2, timers_.t2);
  retransmit_at_ = now.mono + interval_;
  return {.transmit = true};
}

Step ClientTransaction::on_transport_error() {
  const bool matters = awaits_answer() || (is_invite_ && state_ == State::completed);
  end();
  return {.time_out = matters};
}

void ClientTransaction::on_cancelled(Now now) {
  if (awaits_answer() && is_invite_) end_at_ = now.mono + timers_.patience();
}

std::optional<Instant> ClientTransaction::next_timeout() const {
  if (!retransmit_at_) return end_at_;
  return end_at_ ? std::min(*retransmit_at_, *end_at_) : retransmit_at_;
}

void ClientTransaction::linger(State state, Duration time, Now now) {
  if (time == Duration{}) return end();
  state_ = state;
  retransmit_at_.reset();
  end_at_ = now.mono + time;
}

void ClientTransaction::end() {
  state_ = State::terminated;
  retransmit_at_.reset();
  end_at_.reset();
}

}  // namespace turnpike::sip
