#include "client/wic_run.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "client/timeline.hpp"
#include "client/wic_media.hpp"
#include "client/wic_relay.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;
using Direction = ProbeEvent::Direction;

constexpr milliseconds turn_max{200};     // the loop looks at everything at least as often
constexpr milliseconds leave_wait{2000};  // for the answers to BYE, de-registration and deletion
constexpr milliseconds echo_wait_max{2000};

double to_ms(Duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

class WicRun {
 public:
  WicRun(const WicSettings& settings, const std::function<void(const ProbeEvent&)>& on_event)
      : settings_(settings),
        timeline_(read_clocks().mono, on_event),
        agent_(settings.agent, random_),
        session_(random_.next_u64()) {
    report_.server = settings.door.uri.to_string();
    report_.identity = settings.agent.identity;
  }

  WicReport run();

 private:
  struct Talk {  // one call
    CallId id{};
    WicCallReport report{};
    Instant began{};
    std::optional<SocketAddress> other{};
    bool is_waiting = false;  // echo: for the permission of the caller's relay
    bool is_answered = false;
    bool is_over = false;
  };

  void go();
  bool connect();
  bool register_identity();
  bool allocate();
  void stay();
  void echo();
  void call();
  void leave();

  bool place_call(Talk& talk);
  bool open_path(Talk& talk);
  void send_media(Talk& talk);
  void judge_media(Talk& talk);

  // Serves everything until it holds or the time is over; returns whether it holds. Ends early when the
  // connection is gone or somebody interrupts.
  bool await(FunctionRef<bool()> is_done, Duration timeout);
  void serve_once(Duration at_most);
  void drain();
  void on_effect(WicEffect effect);
  void on_registered(WicRegistered registered);
  void on_credentials(const ReadProvision& provision);
  void on_offer(const CallOffered& offer);
  void on_answer(const CallAnswered& answer);
  void on_call_ended(const CallEnded& ended);
  void on_packet(const SocketAddress& from, Bytes packet);
  void answer_waiting();
  Talk* find(CallId id);

  [[nodiscard]] bool is_interrupted();
  [[nodiscard]] bool is_cut_off() const { return !socket_ || socket_->closed(); }
  void fail(std::string verdict, std::vector<std::string> advice = {});
  void fail_when_cut_off();

  const WicSettings& settings_;
  SystemRandom random_;
  Timeline timeline_;
  WicReport report_;
  WicAgent agent_;
  std::uint64_t session_;
  std::optional<WebSocket> socket_;
  std::unique_ptr<WicRelay> relay_;
  std::optional<RelayAccess> access_;
  std::optional<WicRefused> refused_;
  std::string no_credentials_{};  // why
  bool is_unregistered_ = false;
  bool is_winding_up_ = false;
  bool was_interrupted_ = false;
  std::vector<std::unique_ptr<Talk>> talks_;
  std::vector<Instant> sent_at_;
  std::vector<std::optional<Duration>> round_trips_;
};

WicReport WicRun::run() {
  go();
  leave();
  for (auto& talk : talks_) report_.calls.push_back(std::move(talk->report));
  report_.took_ms = timeline_.elapsed_ms();
  report_.timeline = timeline_.take();
  return std::move(report_);
}

void WicRun::go() {
  if (!connect() || !register_identity()) return;
  if (settings_.task == WicTask::registration) return stay();
  if (!allocate()) return;
  if (settings_.task == WicTask::echo) return echo();
  call();
}

// --- steps ------------------------------------------------------------------------------------------------

bool WicRun::connect() {
  auto socket = WebSocket::connect(settings_.door);
  if (!socket) {
    fail(fmt::format("No WebSocket: {}.", socket.error().found), {socket.error().advice});
    return false;
  }
  socket_.emplace(std::move(*socket));
  timeline_.note("connected to " + socket_->peer(), socket_->tls().empty() ? "without TLS" : socket_->tls());
  if (socket_->tls().empty() && settings_.agent.credentials != CredentialsAsk::none)
    report_.warnings.emplace_back(
        "The connection is not encrypted: whoever listens reads what is said. Use wss://.");
  return true;
}

bool WicRun::register_identity() {
  const Now now = read_clocks();
  agent_.on_flow_opened(now);
  agent_.start(now);
  if (await([&] { return report_.is_registered || refused_; }, settings_.timeout) && report_.is_registered)
    return true;
  if (refused_) {
    WicDiagnosis diagnosis = diagnose_refusal(*refused_, settings_);
    fail(std::move(diagnosis.verdict), std::move(diagnosis.advice));
  } else if (is_cut_off()) {
    fail_when_cut_off();
  } else if (was_interrupted_) {
    fail("Interrupted before the registration was answered.");
  } else {
    fail(fmt::format("{} took the REGISTER and said nothing for {} ms.", report_.server,
                     settings_.timeout.count()),
         {"Is the home core that stands behind it running?"});
  }
  return false;
}

bool WicRun::allocate() {
  if (!access_) {
    const bool is_plain = !settings_.door.uri.is_secure;
    fail(fmt::format("Registered, but without TURN credentials{}{}.", no_credentials_.empty() ? "" : ": ",
                     no_credentials_),
         {is_plain ? "Use wss://." : "Does the server have a source of credentials and a relay's URI?"});
    return false;
  }
  auto relay = WicRelay::open(*access_, random_, timeline_);
  if (!relay) {
    fail(fmt::format("The relay {} cannot be reached: {}.", access_->uri.to_string(), relay.error()),
         {"The server names it; is the name known here?"});
    return false;
  }
  relay_ = std::move(*relay);
  report_.relay = relay_->server();
  relay_->client().start(read_clocks());
  await([&] { return relay_->allocated() || relay_->has_failed(); }, settings_.timeout);
  if (!relay_->allocated()) {
    Diagnosis diagnosis = relay_->diagnose(stun::Method::allocate, access_->credential);
    fail(std::move(diagnosis.verdict), std::move(diagnosis.advice));
    return false;
  }
  report_.relayed = relay_->allocated()->relayed.front();
  return true;
}

void WicRun::stay() {
  report_.exit_status = 0;
  report_.verdict = fmt::format("{} is registered for {} s{}.", report_.identity, report_.expires.count(),
                                access_ ? ", with TURN credentials" : "");
  if (!access_ && settings_.agent.credentials != CredentialsAsk::none)
    report_.warnings.push_back(
        fmt::format("No TURN credentials came{}{}.", no_credentials_.empty() ? "" : ": ", no_credentials_));
  if (settings_.hold.count() == 0) return;
  if (await([&] { return refused_.has_value(); }, settings_.hold) || is_cut_off()) {
    if (refused_ && refused_->kind != WicRefused::Kind::flow_closed) {
      WicDiagnosis diagnosis = diagnose_refusal(*refused_, settings_);
      return fail("The registration did not last. " + diagnosis.verdict, std::move(diagnosis.advice));
    }
    fail_when_cut_off();
  }
}

void WicRun::echo() {
  timeline_.note("waiting for calls", fmt::format("call {}", report_.identity));
  const auto has_served = [&] {
    const auto is_over = [](const auto& talk) { return talk->is_over; };
    return settings_.calls_max > 0 && talks_.size() >= settings_.calls_max &&
           std::all_of(talks_.begin(), talks_.end(), is_over);
  };
  const Duration wait =
      settings_.hold.count() > 0 ? Duration{settings_.hold} : Duration{std::chrono::hours{876'000}};
  await([&] { return has_served() || refused_; }, wait);
  std::uint64_t echoed = 0;
  for (const auto& talk : talks_) echoed += talk->report.echoed;
  if (is_cut_off()) return fail_when_cut_off();
  if (refused_) {
    WicDiagnosis diagnosis = diagnose_refusal(*refused_, settings_);
    return fail("The registration did not last. " + diagnosis.verdict, std::move(diagnosis.advice));
  }
  report_.verdict = fmt::format("{} call{} taken, {} packets echoed through {}.", talks_.size(),
                                talks_.size() == 1 ? "" : "s", echoed, report_.relayed->to_string());
  report_.exit_status = settings_.calls_max > talks_.size() && !was_interrupted_ ? 1 : 0;
  if (report_.exit_status != 0) report_.verdict = "Not enough calls came: " + report_.verdict;
}

void WicRun::call() {
  talks_.push_back(std::make_unique<Talk>());
  Talk& talk = *talks_.back();
  talk.report.other = settings_.callee;
  if (!place_call(talk) || !open_path(talk)) return;
  send_media(talk);
  judge_media(talk);
}

bool WicRun::place_call(Talk& talk) {
  talk.began = read_clocks().mono;
  talk.id = agent_.call(settings_.callee, format_description(*report_.relayed, session_), read_clocks());
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

// Whatever has been begun is ended, as far as that works.
void WicRun::leave() {
  is_winding_up_ = true;
  if (!is_cut_off()) {
    const bool had_calls = agent_.call_count() > 0;
    for (const auto& talk : talks_)
      if (!talk->is_over) agent_.hang_up(talk->id, read_clocks());
    if (had_calls) await([&] { return agent_.call_count() == 0; }, leave_wait);
  }
  if (relay_ && relay_->allocated()) {
    relay_->forget_failure();
    relay_->client().close(read_clocks());
    await([&] { return relay_->is_deleted() || relay_->has_failed(); }, leave_wait);
  }
  if (!is_cut_off() && agent_.is_registered()) {
    agent_.stop(read_clocks());
    await([&] { return is_unregistered_ || refused_; }, leave_wait);
  }
  if (socket_) socket_->close();
}

// --- the loop ---------------------------------------------------------------------------------------------

bool WicRun::await(FunctionRef<bool()> is_done, Duration timeout) {
  const Instant deadline = read_clocks().mono + timeout;
  drain();
  while (!is_done()) {
    const Instant now = read_clocks().mono;
    if (now >= deadline) break;
    if (!is_winding_up_ && (is_cut_off() || is_interrupted())) break;
    serve_once(deadline - now);
  }
  return is_done();
}

void WicRun::serve_once(Duration at_most) {
  Now now = read_clocks();
  Duration wait = std::min(at_most, Duration{turn_max});
  const auto hurry = [&](std::optional<Instant> due) {
    if (due) wait = std::min(wait, std::max(*due - now.mono, Duration{0}));
  };
  hurry(agent_.next_timeout());
  std::vector<int> descriptors;
  if (relay_) hurry(relay_->client().next_timeout());
  if (relay_) descriptors.push_back(relay_->descriptor());
  if (settings_.interrupt >= 0 && !is_winding_up_) descriptors.push_back(settings_.interrupt);
  socket_->wait(descriptors, wait);
  now = read_clocks();
  while (const auto message = socket_->next_message()) agent_.on_message(*message, now);
  if (socket_->closed()) agent_.on_flow_closed(now);
  if (const auto due = agent_.next_timeout(); due && *due <= now.mono) agent_.on_timeout(now);
  if (relay_) relay_->serve([this](const SocketAddress& from, Bytes packet) { on_packet(from, packet); });
  drain();
}

void WicRun::drain() {
  while (auto effect = agent_.next_effect()) on_effect(*std::move(effect));
  if (relay_) relay_->drain([this](const SocketAddress& from, Bytes packet) { on_packet(from, packet); });
  answer_waiting();
}

bool WicRun::is_interrupted() {
  pollfd polled{settings_.interrupt, POLLIN, 0};
  if (settings_.interrupt >= 0 && ::poll(&polled, 1, 0) > 0) was_interrupted_ = true;
  return was_interrupted_;
}

void WicRun::on_effect(WicEffect effect) {
  if (auto* send = std::get_if<WicSend>(&effect)) {
    if (socket_) socket_->send(std::move(send->bytes));
  } else if (auto* traced = std::get_if<WicTraced>(&effect)) {
    timeline_.add(traced->is_sent ? Direction::sent : Direction::received, std::move(traced->message),
                  std::move(traced->detail));
  } else if (auto* registered = std::get_if<WicRegistered>(&effect)) {
    on_registered(std::move(*registered));
  } else if (const auto* retrying = std::get_if<WicRetrying>(&effect)) {
    timeline_.note("patience", fmt::format("again in {} s", retrying->after.count()));
  } else if (auto* refused = std::get_if<WicRefused>(&effect)) {
    refused_ = std::move(*refused);
  } else if (std::holds_alternative<WicUnregistered>(effect)) {
    is_unregistered_ = true;
  } else if (const auto* offer = std::get_if<CallOffered>(&effect)) {
    on_offer(*offer);
  } else if (const auto* answer = std::get_if<CallAnswered>(&effect)) {
    on_answer(*answer);
  } else if (const auto* ended = std::get_if<CallEnded>(&effect)) {
    on_call_ended(*ended);
  }
}

void WicRun::on_registered(WicRegistered registered) {
  if (!std::exchange(report_.is_registered, true)) report_.registered_ms = timeline_.elapsed_ms();
  report_.expires = registered.expires;
  report_.identities = std::move(registered.identities);
  report_.login_method = std::move(registered.login_method);
  timeline_.note(
      registered.is_refresh ? "registered again" : "registered",
      fmt::format("for {} s, again in {} s", registered.expires.count(), registered.refresh_after.count()));
  if (registered.credentials) return on_credentials(*registered.credentials);
  no_credentials_ = explain_no_credentials(registered.warning);
}

void WicRun::on_credentials(const ReadProvision& provision) {
  if (!provision.problem.empty()) {
    no_credentials_ = provision.problem;
    report_.warnings.push_back("What came as TURN credentials cannot be used: " + provision.problem + ".");
  }
  for (const provisioning::Entry& entry : provision.entries) {
    report_.credentials.push_back({.form = entry.form,
                                   .uris = entry.uris,
                                   .realm = entry.realm,
                                   .username = entry.username,
                                   .ttl = entry.ttl,
                                   .expires_at = entry.expires_at,
                                   .refresh_after = provision.refresh_after,
                                   .is_from_body = provision.is_from_body,
                                   .at_ms = timeline_.elapsed_ms()});
    timeline_.note(
        "TURN credential",
        fmt::format("{} \"{}\" for {} s, {}", entry.form == provisioning::Form::oauth ? "token" : "user",
                    entry.username, entry.ttl.count(), fmt::join(entry.uris, " ")));
  }
  auto access = choose_relay(provision.entries);
  if (!access) {
    if (!provision.entries.empty()) no_credentials_ = "none of their URIs is reached over UDP";
    return;
  }
  access_ = std::move(access);
  // RFC 8656 section 7.4: an allocation keeps its username; RFC 7635 section 9 lets a token follow another.
  if (relay_ && std::holds_alternative<turn::TokenCredential>(access_->credential))
    relay_->client().change_credential(access_->credential);
}

// --- calls ------------------------------------------------------------------------------------------------

void WicRun::on_offer(const CallOffered& offer) {
  const auto other = parse_description(offer.offer);
  if (settings_.task != WicTask::echo || is_winding_up_ || !relay_ || !relay_->allocated())
    return agent_.reject(offer.id, 480, read_clocks());
  if (!other) return agent_.reject(offer.id, 488, read_clocks());
  timeline_.note("call from " + offer.caller, "its relay address is " + other->to_string());
  auto talk = std::make_unique<Talk>();
  talk->id = offer.id;
  talk->report.other = offer.caller;
  talk->report.other_relayed = talk->other = other;
  talk->is_waiting = true;
  talk->began = read_clocks().mono;
  talks_.push_back(std::move(talk));
  agent_.ring(offer.id, read_clocks());
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
      agent_.answer(talk->id, format_description(*report_.relayed, session_), read_clocks());
    } else {
      report_.warnings.push_back(fmt::format(
          "A call from {} was refused, for the relay does not permit the caller's relay address {}.",
          talk->report.other, talk->other->to_string()));
      agent_.reject(talk->id, 480, read_clocks());
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
      relay_->client().send(from, packet, now);
      return;
    }
    return;
  }
  if (media->session != session_ || media->number >= round_trips_.size()) return;
  auto& trip = round_trips_[media->number];
  if (!trip) trip = now.mono - sent_at_[media->number];
}

WicRun::Talk* WicRun::find(CallId id) {
  for (const auto& talk : talks_)
    if (talk->id == id) return talk.get();
  return nullptr;
}

void WicRun::fail(std::string verdict, std::vector<std::string> advice) {
  report_.exit_status = 1;
  report_.verdict = std::move(verdict);
  report_.advice = std::move(advice);
}

void WicRun::fail_when_cut_off() {
  fail(fmt::format("The connection to {} is gone: {}.", report_.server,
                   socket_ && socket_->closed() ? *socket_->closed() : "it was never there"),
       {"The server's log says why, if it was the server."});
}

}  // namespace

WicReport run_wic(const WicSettings& settings, const std::function<void(const ProbeEvent&)>& on_event) {
  return WicRun{settings, on_event}.run();
}

}  // namespace turnpike::client
