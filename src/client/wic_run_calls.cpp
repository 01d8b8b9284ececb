#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/wic_media.hpp"
#include "client/wic_run_impl.hpp"

namespace turnpike::client {
namespace {

using Direction = ProbeEvent::Direction;

constexpr std::chrono::milliseconds echo_wait_max{2000};

double to_ms(Duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

}  // namespace

void WicRun::call() {
  if (settings_.idle.count() > 0) {
    timeline_.note("waiting", fmt::format("{} s before the call", settings_.idle.count()));
    linger([] { return false; }, settings_.idle);
    if (was_interrupted_) return fail("Interrupted before the call.");
    if (is_cut_off()) return fail_when_cut_off();
  }
  talks_.push_back(std::make_unique<Talk>());
  Talk& talk = *talks_.back();
  talk.report.other = settings_.callee;
  if (!place_call(talk) || !open_path(talk)) return;
  send_media(talk);
  judge_media(talk);
}

bool WicRun::place_call(Talk& talk) {
  talk.began = read_clocks().mono;
  talk.id = agent_->call(settings_.callee, format_description(*report_.relayed, session_), read_clocks());
  await([&] { return talk.is_answered || talk.is_over; }, settings_.timeout);
  if (talk.is_answered && talk.other) return true;
  if (talk.is_answered)
    fail(fmt::format("{} answered with a description that names nowhere to send to.", settings_.callee),
         {"Is it another turnpike wic? Browsers speak ICE and DTLS, which this command does not."});
  else if (is_cut_off())
    fail_when_cut_off();
  else if (!talk.is_over)
    fail(fmt::format("{} did not answer within {} ms.", settings_.callee, settings_.timeout.count()),
         {"Does `turnpike wic echo` run for it?"});
  return false;
}

bool WicRun::open_path(Talk& talk) {
  relay_->forget_failure();
  relay_->client().bind_channel(*talk.other, read_clocks());
  await([&] { return relay_->has_bound(*talk.other) || relay_->has_failed() || talk.is_over; },
        settings_.timeout);
  if (relay_->has_bound(*talk.other)) return true;
  if (talk.is_over) return false;
  Diagnosis diagnosis = relay_->diagnose(stun::Method::channel_bind, access_->credential);
  diagnosis.advice.push_back(fmt::format(
      "The peer is the other WIC's relay address, {}: the relay must permit it.", talk.other->to_string()));
  fail(std::move(diagnosis.verdict), std::move(diagnosis.advice));
  return false;
}

void WicRun::send_media(Talk& talk) {
  timeline_.add(Direction::sent, "media",
                fmt::format("{} packets of {} bytes to {}", settings_.packets, settings_.payload_bytes,
                            talk.other->to_string()));
  for (std::size_t i = 0; i < settings_.packets && !talk.is_over && !is_cut_off(); ++i) {
    const Now now = read_clocks();
    sent_at_.push_back(now.mono);
    round_trips_.emplace_back();
    relay_->client().send(
        *talk.other,
        encode_media({.session = session_, .number = static_cast<std::uint32_t>(i)}, settings_.payload_bytes),
        now);
    drain();
    await([&] { return talk.is_over; }, settings_.interval);
  }
  const auto is_back = [](const auto& trip) { return trip.has_value(); };
  await([&] { return talk.is_over || std::all_of(round_trips_.begin(), round_trips_.end(), is_back); },
        std::min(settings_.timeout, echo_wait_max));
}

void WicRun::judge_media(Talk& talk) {
  RoundTrips& media = talk.report.media;
  std::vector<double> times;
  for (const auto& trip : round_trips_)
    if (trip) times.push_back(to_ms(*trip));
  media.sent = static_cast<int>(round_trips_.size());
  media.received = static_cast<int>(times.size());
  timeline_.add(Direction::received, "media", fmt::format("{} of {} came back", media.received, media.sent));
  if (times.empty())
    return fail(fmt::format("The call was set up, but none of {} packets came back from {} through {}.",
                            media.sent, talk.other->to_string(), report_.relayed->to_string()),
                {"Can the two relays reach each other by UDP on their relay ports?",
                 "Does the other side echo? `turnpike wic echo` does, a browser does not."});
  std::sort(times.begin(), times.end());
  media.min_ms = times.front();
  media.median_ms = times[times.size() / 2];
  media.max_ms = times.back();
  report_.exit_status = 0;
  report_.verdict =
      fmt::format("{} answered: {} of {} packets came back through both relays, round trip {:.1f} ms.",
                  settings_.callee, media.received, media.sent, media.median_ms);
  if (media.received < media.sent)
    report_.warnings.push_back(
        fmt::format("{} of {} packets got lost.", media.sent - media.received, media.sent));
}

// --- calls ------------------------------------------------------------------------------------------------

void WicRun::on_offer(const CallOffered& offer) {
  const auto other = parse_description(offer.offer);
  if (settings_.task != WicTask::echo || is_winding_up_ || !relay_ || !relay_->allocated())
    return agent_->reject(offer.id, 480, read_clocks());
  if (!other) return agent_->reject(offer.id, 488, read_clocks());
  timeline_.note("call from " + offer.caller, "its relay address is " + other->to_string());
  auto talk = std::make_unique<Talk>();
  talk->id = offer.id;
  talk->report.other = offer.caller;
  talk->report.other_relayed = talk->other = other;
  talk->is_waiting = true;
  talk->began = read_clocks().mono;
  talks_.push_back(std::move(talk));
  agent_->ring(offer.id, read_clocks());
  relay_->forget_failure();
  relay_->client().bind_channel(*other, read_clocks());
}

// A call is answered once the relay lets the caller's packets through.
void WicRun::answer_waiting() {
  for (const auto& talk : talks_) {
    if (!talk->is_waiting) continue;
    const bool is_open = relay_->has_bound(*talk->other);
    if (!is_open && !relay_->has_failed()) continue;
    talk->is_waiting = false;
    talk->is_answered = is_open;
    if (is_open) {
      talk->report.set_up_ms = to_ms(read_clocks().mono - talk->began);
      agent_->answer(talk->id, format_description(*report_.relayed, session_), read_clocks());
    } else {
      report_.warnings.push_back(fmt::format(
          "A call from {} was refused, for the relay does not permit the caller's relay address {}.",
          talk->report.other, talk->other->to_string()));
      agent_->reject(talk->id, 480, read_clocks());
    }
    return drain();
  }
}

void WicRun::on_answer(const CallAnswered& answer) {
  Talk* talk = find(answer.id);
  if (talk == nullptr) return;
  talk->is_answered = true;
  talk->report.set_up_ms = to_ms(read_clocks().mono - talk->began);
  talk->report.other_relayed = talk->other = parse_description(answer.answer);
}

void WicRun::on_call_ended(const CallEnded& ended) {
  Talk* talk = nullptr;
  for (const auto& candidate : talks_)  // a call that failed at once has no number yet
    if (candidate->id == ended.id || (candidate->id == CallId{} && settings_.task == WicTask::call))
      talk = candidate.get();
  if (talk == nullptr) return;
  talk->is_over = true;
  talk->is_waiting = false;
  WicDiagnosis diagnosis = diagnose_call_end(ended, talk->report.other);
  talk->report.end = diagnosis.verdict;
  if (settings_.task == WicTask::echo)
    timeline_.note("call ended", fmt::format("{} packets echoed", talk->report.echoed));
  if (settings_.task == WicTask::call && !is_winding_up_)
    fail(std::move(diagnosis.verdict), std::move(diagnosis.advice));
}

void WicRun::on_packet(const SocketAddress& from, Bytes packet) {
  const auto media = decode_media(packet);
  if (!media) return;
  const Now now = read_clocks();
  if (settings_.task == WicTask::echo) {
    for (const auto& talk : talks_) {
      if (talk->is_over || !talk->is_answered || talk->other != from) continue;
      ++talk->report.echoed;
      note_first_media(*talk, now);
      relay_->client().send(from, packet, now);
      return;
    }
    return;
  }
  if (media->session != session_ || media->number >= round_trips_.size()) return;
  auto& trip = round_trips_[media->number];
  if (!trip) trip = now.mono - sent_at_[media->number];
  if (!talks_.empty()) note_first_media(*talks_.front(), now);
}

void WicRun::note_first_media(Talk& talk, Now now) {
  if (talk.first_media) return;
  talk.first_media = now.mono;
  talk.report.first_media_ms = to_ms(now.mono - talk.began);
  timeline_.note("first media", fmt::format("{:.1f} ms after the call began", talk.report.first_media_ms));
}

// What a call has waited for beside its own messages. A renewal that ran beside it counts too, although
// nothing waits for it.
void WicRun::count_extra(Talk& talk) {
  if (!talk.first_media) return;
  if (waf_)
    talk.report.waf_round_trips = count_round_trips(waf_->round_trips(), talk.began, *talk.first_media);
  talk.report.registrations = static_cast<std::size_t>(std::ranges::count_if(
      registers_, [&](Instant at) { return at >= talk.began && at <= *talk.first_media; }));
}

WicRun::Talk* WicRun::find(CallId id) {
  for (const auto& talk : talks_)
    if (talk->id == id) return talk.get();
  return nullptr;
}

}  // namespace turnpike::client
