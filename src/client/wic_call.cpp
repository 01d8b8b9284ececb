#include "client/wic_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sip/answers.hpp"

namespace turnpike::client {
namespace {

constexpr std::string_view methods = "INVITE, ACK, CANCEL, BYE, OPTIONS";
constexpr std::string_view sdp = "application/sdp";
constexpr sip::Timers timers{};

std::string address_of(const sip::NameAddr& address) { return fmt::format("<{}>", address.uri_text); }

std::string body_of(const sip::Message& message) {
  const auto body = message.body();
  return body ? std::string{*body} : std::string{};
}

std::vector<std::string> record_route(const sip::Message& message) {
  std::vector<std::string> route;
  sip::NameAddrCursor addresses{message, sip::HeaderName::record_route};
  while (const auto address = addresses.next())
    if (*address) route.emplace_back((*address)->uri_text);
  return route;
}

std::string contact_of(const sip::Message& message) {
  const auto contact = sip::first_name_addr(message, sip::HeaderName::contact);
  return contact ? std::string{contact->uri_text} : std::string{};
}

}  // namespace

// --- ours -------------------------------------------------------------------------------------------------

void WicCall::start(std::string_view callee, std::string_view offer, Now now) {
  is_caller_ = true;
  call_id_ = make_token(line_.random());
  local_tag_ = make_token(line_.random());
  local_address_ = fmt::format("<{}>", line_.names().identity);
  remote_address_ = fmt::format("<{}>", callee);
  remote_target_ = callee;
  route_ = line_.service_route;  // RFC 3608 section 6.1, until the dialog has its own
  description_ = offer;
  invite_number_ = ++number_;
  auto writer = begin_request(sip::Method::invite, remote_target_, invite_number_);
  writer.add(sip::HeaderName::contact, fmt::format("<{};ob>", line_.names().contact_uri))
      .add(sip::HeaderName::p_preferred_identity, local_address_)
      .add(sip::HeaderName::supported, "outbound, gruu")
      .add(sip::HeaderName::allow, methods)
      .add(sip::HeaderName::accept, sdp);
  invite_client_ = line_.send(writer.finish(sdp, description_), static_cast<std::uint64_t>(id_), now);
  if (!invite_client_) end({.cause = CallEnded::Cause::flow_closed});
}

sip::Writer WicCall::begin_request(sip::Method method, std::string_view target, std::uint32_t number) {
  auto writer = sip::Writer::request(method, target);
  writer.add(sip::HeaderName::via, line_.make_via());
  for (const std::string& uri : route_) writer.add(sip::HeaderName::route, fmt::format("<{}>", uri));
  writer.add(sip::HeaderName::max_forwards, 70)
      .add(sip::HeaderName::from, fmt::format("{};tag={}", local_address_, local_tag_))
      .add(sip::HeaderName::to,
           remote_tag_.empty() ? remote_address_ : fmt::format("{};tag={}", remote_address_, remote_tag_))
      .add(sip::HeaderName::call_id, call_id_)
      .add(sip::HeaderName::cseq, fmt::format("{} {}", number, sip::to_string(method)));
  return writer;
}

std::string WicCall::make_in_dialog(sip::Method method, std::uint32_t number) {
  return begin_request(method, remote_target_, number).finish();
}

void WicCall::on_response(sip::ClientId client, const sip::Message& response, Now now) {
  if (client == bye_client_) {
    if (response.status_code() >= 200) end({.cause = CallEnded::Cause::hung_up, .is_ours = true});
  } else if (client == invite_client_) {
    on_invite_response(response, now);
  }
}

void WicCall::on_invite_response(const sip::Message& response, Now now) {
  const std::uint16_t code = response.status_code();
  if (code >= 300) return end_invite(response);
  if (code >= 200) return on_accepted(response, now);
  if (code > 100 && state_ == State::inviting && progress_.insert(code).second && progress_.size() < 16)
    line_.emit(CallRinging{.id = id_, .code = code});
}

void WicCall::on_accepted(const sip::Message& response, Now now) {
  const auto to = sip::to(response);
  const std::string tag{to && to->tag() ? *to->tag() : std::string_view{}};
  if (!remote_tag_.empty() && tag != remote_tag_) return refuse_fork(response, now);
  if (!remote_tag_.empty()) return line_.send_ack(ack_);  // RFC 3261 section 13.2.2.4: ours was lost
  const std::string target = contact_of(response);
  if (tag.empty() || target.empty()) {
    end({.cause = CallEnded::Cause::malformed_answer, .reason = "the 200 OK has no tag or no Contact"});
    return;
  }
  const bool was_cancelled = state_ == State::cancelling;
  remote_tag_ = tag;
  remote_target_ = target;
  route_ = record_route(response);
  std::reverse(route_.begin(), route_.end());  // RFC 3261 section 12.1.2
  ack_ = make_in_dialog(sip::Method::ack, invite_number_);
  line_.send_ack(ack_);
  state_ = State::confirmed;
  if (was_cancelled) return say_goodbye(now);  // the CANCEL came too late
  line_.emit(CallAnswered{.id = id_, .answer = body_of(response)});
}

// RFC 3261 section 13.2.2.4: each 2xx is acknowledged; one dialog is kept, the others end.
void WicCall::refuse_fork(const sip::Message& response, Now now) {
  const auto to = sip::to(response);
  const std::string target = contact_of(response);
  if (!to || !to->tag() || target.empty()) return;
  WicCall other{*this};
  other.remote_tag_ = *to->tag();
  other.remote_target_ = target;
  other.route_ = record_route(response);
  std::reverse(other.route_.begin(), other.route_.end());
  line_.send_ack(other.make_in_dialog(sip::Method::ack, invite_number_));
  // Nobody waits for its answer.
  static_cast<void>(line_.send(other.make_in_dialog(sip::Method::bye, invite_number_ + 1),
                               static_cast<std::uint64_t>(id_), now));
}

void WicCall::end_invite(const sip::Message& response) {
  if (state_ != State::inviting && state_ != State::cancelling) return;
  if (state_ == State::cancelling) return end({.cause = CallEnded::Cause::cancelled, .is_ours = true});
  std::string reason{response.reason()};
  if (const auto warning = warning_text(response); !warning.empty()) reason += ": " + warning;
  end({.cause = CallEnded::Cause::refused, .code = response.status_code(), .reason = std::move(reason)});
}

void WicCall::on_no_answer(sip::ClientId client, Now) {
  if (client == bye_client_) return end({.cause = CallEnded::Cause::hung_up, .is_ours = true});
  if (client != invite_client_) return;
  if (state_ == State::cancelling) return end({.cause = CallEnded::Cause::cancelled, .is_ours = true});
  if (state_ == State::inviting) end({.cause = CallEnded::Cause::no_answer});
}

// --- theirs -----------------------------------------------------------------------------------------------

// The message has no defect, and a body of SDP.
void WicCall::take(const sip::Message& invite, sip::ServerId server, Now) {
  const auto from = sip::from(invite);
  const auto to = sip::to(invite);
  state_ = State::offered;
  invite_ = invite.text();
  invite_server_ = server;
  call_id_ = *sip::call_id(invite);
  local_tag_ = make_token(line_.random());
  remote_tag_ = from->tag().value_or("");
  local_address_ = address_of(*to);
  remote_address_ = address_of(*from);
  remote_target_ = contact_of(invite);
  route_ = record_route(invite);
  remote_number_ = sip::cseq(invite)->number;
  const auto asserted = sip::first_name_addr(invite, sip::HeaderName::p_asserted_identity);
  line_.emit(CallOffered{.id = id_,
                         .caller = std::string{asserted ? asserted->uri_text : from->uri_text},
                         .offer = body_of(invite)});
}

void WicCall::ring(Now now) {
  if (state_ == State::offered) respond(180, now);
}

void WicCall::answer(std::string_view description, Now now) {
  if (state_ != State::offered) return;
  description_ = description;
  state_ = State::answered;
  respond(200, now);
  // RFC 3261 section 13.3.1.4: repeated until the ACK comes, for what lies behind our flow may lose it.
  interval_ = timers.t1;
  repeat_at_ = now.mono + interval_;
  patience_ends_at_ = now.mono + timers.patience();
}

void WicCall::reject(std::uint16_t code, Now now) {
  if (state_ != State::offered) return;
  respond(code, now);
  end({.cause = CallEnded::Cause::refused, .is_ours = true, .code = code});
}

void WicCall::respond(std::uint16_t code, Now now) {
  const auto invite = sip::Message::parse(invite_);
  auto writer = sip::make_response(*invite, code, local_tag_);
  writer.copy(*invite, sip::HeaderName::record_route);
  if (code >= 300) return line_.respond(*invite_server_, writer.finish(), now);
  writer.add(sip::HeaderName::contact, fmt::format("<{};ob>", line_.names().contact_uri));
  if (code < 200) return line_.respond(*invite_server_, writer.finish(), now);
  writer.add(sip::HeaderName::supported, "outbound, gruu").add(sip::HeaderName::allow, methods);
  ok_ = writer.finish(sdp, description_);
  line_.respond(*invite_server_, ok_, now);
}

void WicCall::on_ack(Now now) {
  if (state_ != State::answered) return;
  state_ = State::confirmed;
  repeat_at_.reset();
  ok_.clear();
  if (is_leaving_) return say_goodbye(now);
  line_.emit(CallConfirmed{id_});
}

void WicCall::on_cancel(Now now) {
  if (state_ != State::offered) return;
  respond(487, now);
  end({.cause = CallEnded::Cause::cancelled});
}

void WicCall::on_timeout(Now now) {
  if (!repeat_at_ || *repeat_at_ > now.mono) return;
  if (now.mono >= patience_ends_at_) {  // RFC 3261 section 13.3.1.4
    repeat_at_.reset();
    return say_goodbye(now);
  }
  line_.respond(*invite_server_, ok_, now);
  interval_ = std::min(interval_ * 2, timers.t2);
  repeat_at_ = now.mono + interval_;
}

// --- within the dialog ------------------------------------------------------------------------------------

bool WicCall::owns(const sip::Message& request) const {
  const auto to = sip::to(request);
  const auto from = sip::from(request);
  const auto id = sip::call_id(request);
  return to && from && id && *id == call_id_ && to->tag().value_or("") == local_tag_ &&
         from->tag().value_or("") == remote_tag_;
}

void WicCall::on_request(const sip::Message& request, sip::ServerId server, Now now) {
  const std::uint32_t number = sip::cseq(request)->number;
  // RFC 3261 section 12.2.2: what is older than what was heard is out of order.
  if (number < remote_number_)
    return line_.respond(server, sip::make_response(request, 500, local_tag_).finish(), now);
  remote_number_ = number;
  if (request.method() == sip::Method::bye) {
    accept(request, server, now);
    // RFC 3261 section 15.1.2: an INVITE that is pending gets 487.
    if (state_ == State::offered) respond(487, now);
    return end({.cause = CallEnded::Cause::hung_up});
  }
  if (request.method() == sip::Method::invite) return on_reinvite(request, server, now);
  auto writer = sip::make_response(request, 405, local_tag_);
  line_.respond(server, writer.add(sip::HeaderName::allow, methods).finish(), now);
}

void WicCall::accept(const sip::Message& request, sip::ServerId server, Now now) {
  line_.respond(server, sip::make_response(request, 200, local_tag_).finish(), now);
}

// The description stays as it was: RFC 3264 section 8 allows an answer that changes nothing.
void WicCall::on_reinvite(const sip::Message& request, sip::ServerId server, Now now) {
  if (state_ != State::confirmed) {  // RFC 3261 section 14.2
    const std::uint16_t code = state_ == State::answered ? 500 : 491;
    return line_.respond(server, sip::make_response(request, code, local_tag_).finish(), now);
  }
  if (const std::string target = contact_of(request); !target.empty()) remote_target_ = target;
  auto writer = sip::make_response(request, 200, local_tag_);
  writer.copy(request, sip::HeaderName::record_route)
      .add(sip::HeaderName::contact, fmt::format("<{};ob>", line_.names().contact_uri))
      .add(sip::HeaderName::allow, methods);
  line_.respond(server, writer.finish(sdp, description_), now);
  if (std::string offer = body_of(request); !offer.empty())
    line_.emit(CallReoffered{.id = id_, .offer = std::move(offer)});
}

void WicCall::hang_up(Now now) {
  if (state_ == State::inviting && invite_client_) {
    state_ = State::cancelling;
    line_.cancel(*invite_client_, now);
  } else if (state_ == State::offered) {
    reject(603, now);
  } else if (state_ == State::answered) {
    is_leaving_ = true;  // RFC 3261 section 15: not before the ACK
  } else if (state_ == State::confirmed) {
    say_goodbye(now);
  }
}

void WicCall::say_goodbye(Now now) {
  repeat_at_.reset();
  state_ = State::leaving;
  bye_client_ = line_.send(make_in_dialog(sip::Method::bye, ++number_), static_cast<std::uint64_t>(id_), now);
  if (!bye_client_) end({.cause = CallEnded::Cause::flow_closed});
}

void WicCall::on_flow_closed() { end({.cause = CallEnded::Cause::flow_closed}); }

void WicCall::end(CallEnded ended) {
  if (state_ == State::ended) return;
  state_ = State::ended;
  repeat_at_.reset();
  ended.id = id_;
  line_.emit(std::move(ended));
}

}  // namespace turnpike::client
