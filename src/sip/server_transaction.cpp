#include "sip/server_transaction.hpp"

namespace turnpike::sip {

ServerTransaction::ServerTransaction(bool is_invite, bool is_reliable, const Timers& timers, Now now)
    : timers_(timers),
      is_invite_(is_invite),
      is_reliable_(is_reliable),
      state_(is_invite ? State::proceeding : State::trying),
      interval_(timers.t1) {
  if (is_invite) repeat_at_ = now.mono + timers.trying_after;
}

Step ServerTransaction::on_request() {
  const bool repeats = (state_ == State::proceeding && has_responded_) || state_ == State::completed;
  return {.transmit = repeats};
}

Step ServerTransaction::on_ack(Now now) {
  if (state_ == State::accepted) return {.deliver = true};
  if (!is_invite_ || state_ != State::completed) return {};
  if (is_reliable_) {
    end();
    return {};
  }
  state_ = State::confirmed;
  repeat_at_.reset();
  end_at_ = now.mono + timers_.t4;
  return {};
}

Step ServerTransaction::on_response(std::uint16_t status_code, Now now) {
  return is_invite_ ? on_invite_response(status_code, now) : on_other_response(status_code, now);
}

Step ServerTransaction::on_invite_response(std::uint16_t status_code, Now now) {
  // RFC 6026 section 7.1: the core repeats its 2xx until it has the ACK.
  if (state_ == State::accepted) return {.transmit = status_code >= 200 && status_code < 300};
  if (state_ != State::proceeding) return {};
  has_responded_ = true;
  repeat_at_.reset();
  if (status_code < 200) return {.transmit = true};
  end_at_ = now.mono + timers_.patience();
  state_ = status_code < 300 ? State::accepted : State::completed;
  if (state_ == State::completed && !is_reliable_) repeat_at_ = now.mono + interval_;
  return {.transmit = true};
}

Step ServerTransaction::on_other_response(std::uint16_t status_code, Now now) {
  if (state_ != State::trying && state_ != State::proceeding) return {};
  has_responded_ = true;
  if (status_code < 200) {
    state_ = State::proceeding;
  } else if (is_reliable_) {
    end();
  } else {
    state_ = State::completed;
    end_at_ = now.mono + timers_.patience();
  }
  return {.transmit = true};
}

Step ServerTransaction::on_timeout(Now now) {
  if (end_at_ && *end_at_ <= now.mono) {
    const bool lacks_ack = is_invite_ && state_ == State::completed;
    end();
    return {.time_out = lacks_ack};
  }
  if (!repeat_at_ || *repeat_at_ > now.mono) return {};
  if (state_ == State::proceeding) {
    has_responded_ = true;
    repeat_at_.reset();
    return {.send_trying = true};
  }
  interval_ = std::min(interval_ * 2, timers_.t2);
  repeat_at_ = now.mono + interval_;
  return {.transmit = true};
}

Step ServerTransaction::on_transport_error() {
  if (!is_invite_) end();
  return {.time_out = true};
}

std::optional<Instant> ServerTransaction::next_timeout() const {
  if (!repeat_at_) return end_at_;
  return end_at_ ? std::min(*repeat_at_, *end_at_) : repeat_at_;
}

void ServerTransaction::end() {
  state_ = State::terminated;
  repeat_at_.reset();
  end_at_.reset();
}

}  // namespace turnpike::sip
