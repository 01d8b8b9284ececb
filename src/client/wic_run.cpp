#include "client/wic_run.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "client/wic_run_impl.hpp"

namespace turnpike::client {
namespace {

using std::chrono::milliseconds;
using Direction = ProbeEvent::Direction;

constexpr milliseconds turn_max{200};     // the loop looks at everything at least as often
constexpr milliseconds leave_wait{2000};  // for the answers to BYE, de-registration and deletion
constexpr std::chrono::seconds patience_max{60};

}  // namespace

WicReport WicRun::run() {
  go();
  leave();
  for (auto& talk : talks_) count_extra(*talk);
  if (waf_)
    report_.waf = WicWafReport{.issuer = settings_.waf->issuer,
                               .way = settings_.waf->way,
                               .round_trips = waf_->round_trips().size(),
                               .renewals = waf_->renewals()};
  for (auto& talk : talks_) report_.calls.push_back(std::move(talk->report));
  report_.took_ms = timeline_.elapsed_ms();
  report_.timeline = timeline_.take();
  return std::move(report_);
}

void WicRun::go() {
  if (settings_.waf && !log_in()) return;
  agent_.emplace(settings_.agent, random_);
  if (!connect() || !register_identity()) return;
  if (settings_.task == WicTask::registration) return stay();
  if (!allocate()) return;
  if (settings_.task == WicTask::echo) return echo();
  call();
}

// --- steps ------------------------------------------------------------------------------------------------

bool WicRun::log_in() {
  waf_ = std::make_unique<WicWaf>(
      WicWaf::Settings{
          .session = *settings_.waf, .on_url = settings_.on_url, .interrupt = settings_.interrupt},
      timeline_);
  const auto tokens = waf_->log_in();
  if (!tokens) {
    fail(fmt::format("No tokens of {}: {}.", settings_.waf->issuer, tokens.error().found),
         {tokens.error().advice});
    return false;
  }
  if (settings_.registers_with_waf && tokens->registration.empty()) {
    fail(fmt::format("{} gives no token to register with.", settings_.waf->issuer),
         {"Has the user an IMS identity (`turnpike user add NAME --impi ...`), and the client the scope "
          "\"ims\"?"});
    return false;
  }
  if (settings_.takes_turn_of_waf && !tokens->turn) {
    fail(fmt::format("{} gives no TURN token.", settings_.waf->issuer),
         {"Has the client the scope \"turn\", and the WAF a key of the TURN server ([credentials.token])?"});
    return false;
  }
  if (settings_.registers_with_waf && settings_.agent.identity.empty())
    settings_.agent.identity = find_token_holder(tokens->registration).value_or(TokenHolder{}).identity;
  if (const auto problem = find_identity_problem(settings_.agent.identity)) {
    fail(fmt::format("Whom the token is for cannot be registered: {}.", *problem),
         {"Say whom with --identity."});
    return false;
  }
  report_.identity = settings_.agent.identity;
  if (auto problem = find_scenario_problem(settings_.scenario, tokens->registration);
      problem && settings_.registers_with_waf) {
    fail(std::move(*problem));
    return false;
  }
  on_tokens(*tokens);
  return true;
}

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
  agent_->on_flow_opened(now);
  agent_->start(now);
  if (await([&] { return agent_->is_registered() || refused_; }, settings_.timeout) &&
      agent_->is_registered())
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

// --- what was lost ----------------------------------------------------------------------------------------

void WicRun::linger(FunctionRef<bool()> is_done, Duration at_most) {
  stays_until_ = read_clocks().mono + at_most;
  const auto is_relay_lost = [&] { return relay_ && relay_->is_lost(); };
  do {
    await([&] { return is_done() || refused_ || is_relay_lost(); }, stays_until_ - read_clocks().mono);
  } while (!is_done() && !is_interrupted() && read_clocks().mono < stays_until_ && recover());
}

bool WicRun::recover() {
  if (!settings_.reconnects) return false;
  return is_cut_off() || refused_ ? reconnect() : revive_relay();
}

// Whoever was sent away does not come back: the operator and the core had their reasons (docs/epcscf.md,
// "Ends").
bool WicRun::is_worth_another_try() const {
  if (was_interrupted_ || read_clocks().mono >= stays_until_) return false;
  if (socket_ && socket_->closed())
    for (const std::string_view reason : {"operator_asked", "reassigned", "network"})
      if (socket_->closed()->ends_with(reason)) return false;
  if (has_lost_token() && (!waf_ || is_refused_tokens_)) return false;
  if (!refused_ || refused_->kind != WicRefused::Kind::code)
    return !refused_ || refused_->kind != WicRefused::Kind::login;
  return refused_->code == 408 || refused_->code == 480 || refused_->code >= 500;
}

// RFC 5626 section 4.5: each try waits twice as long as the one before, and by chance up to half less, so
// that not all clients of a server that was restarted come back at once.
bool WicRun::reconnect() {
  while (is_worth_another_try()) {
    const auto most = std::chrono::milliseconds{patience_};
    const auto least = most / 2;
    const milliseconds time = least + milliseconds{random_.below(static_cast<std::uint32_t>(least.count()))};
    timeline_.note(
        "connection lost",
        fmt::format("{}; the next try in {} ms",
                    socket_ && socket_->closed() ? *socket_->closed() : "not there", time.count()));
    rest(time);
    patience_ = std::min(patience_ * 2, patience_max);
    if (!is_interrupted() && try_again()) return true;
  }
  return false;
}

bool WicRun::has_lost_token() const {
  return socket_ && socket_->closed() && socket_->closed()->ends_with("token_revoked");
}

// The WAF may give another one, after another login if need be.
bool WicRun::replace_token() {
  const std::size_t before = waf_->renewals();
  waf_->hurry(read_clocks());
  const Instant latest = read_clocks().mono + settings_.timeout;
  while (waf_->renewals() == before && !is_refused_tokens_ && !is_interrupted() &&
         read_clocks().mono < latest)
    rest(std::chrono::milliseconds{20});
  return waf_->renewals() > before;
}

bool WicRun::try_again() {
  refused_.reset();
  if (has_lost_token() && !replace_token()) return false;
  if (!connect() || !register_identity()) return false;
  patience_ = std::chrono::seconds{1};
  ++report_.reconnections;
  report_.verdict.clear();
  report_.advice.clear();
  report_.exit_status = 0;
  if (!relay_) return true;
  // Its credentials may have been taken back with the registration, of which nobody tells it.
  relay_->forget_failure();
  const std::size_t before = relay_->refreshes();
  relay_->refresh(read_clocks());
  await([&] { return relay_->refreshes() > before || relay_->has_failed() || relay_->is_lost(); },
        settings_.timeout);
  return relay_->refreshes() > before || revive_relay();
}

bool WicRun::revive_relay() {
  timeline_.note("relay address lost", "another one is asked for");
  relay_.reset();
  return allocate();
}

void WicRun::stay() {
  if (!access_ && settings_.agent.credentials != CredentialsAsk::none)
    report_.warnings.push_back(
        fmt::format("No TURN credentials came{}{}.", no_credentials_.empty() ? "" : ": ", no_credentials_));
  if (settings_.hold.count() > 0) linger([] { return false; }, settings_.hold);
  if (has_lost_registration()) return;
  report_.exit_status = 0;
  report_.verdict = fmt::format("{} is registered for {} s{}.", report_.identity, report_.expires.count(),
                                access_ ? ", with TURN credentials" : "");
}

// Then the report says so.
bool WicRun::has_lost_registration() {
  if (refused_ && refused_->kind != WicRefused::Kind::flow_closed) {
    WicDiagnosis diagnosis = diagnose_refusal(*refused_, settings_);
    fail("The registration did not last. " + diagnosis.verdict, std::move(diagnosis.advice));
    return true;
  }
  if (is_cut_off()) fail_when_cut_off();
  return is_cut_off();
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
  linger(has_served, wait);
  if (has_lost_registration()) return;
  if (!relay_ || !relay_->allocated()) return;  // another one was asked for in vain, which is told already
  if (relay_->is_lost())
    return fail(fmt::format("The relay address {} is lost.", report_.relayed->to_string()),
                {"Credentials end, and a relay may be restarted: the timeline shows what it said last."});
  std::uint64_t echoed = 0;
  for (const auto& talk : talks_) echoed += talk->report.echoed;
  report_.verdict = fmt::format("{} call{} taken, {} packets echoed through {}.", talks_.size(),
                                talks_.size() == 1 ? "" : "s", echoed, report_.relayed->to_string());
  report_.exit_status = settings_.calls_max > talks_.size() && !was_interrupted_ ? 1 : 0;
  if (report_.exit_status != 0) report_.verdict = "Not enough calls came: " + report_.verdict;
}

// Whatever has been begun is ended, as far as that works.
void WicRun::leave() {
  is_winding_up_ = true;
  if (!is_cut_off() && agent_) {
    const bool had_calls = agent_->call_count() > 0;
    for (const auto& talk : talks_)
      if (!talk->is_over) agent_->hang_up(talk->id, read_clocks());
    if (had_calls) await([&] { return agent_->call_count() == 0; }, leave_wait);
  }
  if (relay_ && relay_->allocated()) {
    relay_->forget_failure();
    relay_->client().close(read_clocks());
    await([&] { return relay_->is_deleted() || relay_->has_failed(); }, leave_wait);
  }
  if (!is_cut_off() && agent_ && agent_->is_registered()) {
    agent_->stop(read_clocks());
    await([&] { return is_unregistered_ || refused_; }, leave_wait);
  }
  if (socket_) socket_->close();
  if (waf_) waf_->end();
}

// --- the loop ---------------------------------------------------------------------------------------------

bool WicRun::await(FunctionRef<bool()> is_done, Duration timeout) {
  const Instant deadline = read_clocks().mono + timeout;
  drain();
  while (!is_done()) {
    const Instant now = read_clocks().mono;
    if (now >= deadline) break;
    if (!is_winding_up_ && ((is_cut_off() && !is_resting_) || is_interrupted())) break;
    serve_once(deadline - now);
  }
  return is_done();
}

void WicRun::rest(Duration time) {
  is_resting_ = true;
  await([] { return false; }, time);
  is_resting_ = false;
}

void WicRun::wait(Duration at_most) {
  std::vector<int> descriptors;
  if (relay_) descriptors.push_back(relay_->descriptor());
  if (waf_) descriptors.push_back(waf_->descriptor());
  if (settings_.interrupt >= 0 && !is_winding_up_) descriptors.push_back(settings_.interrupt);
  if (!is_cut_off()) return socket_->wait(descriptors, at_most);
  std::vector<pollfd> polled;
  polled.reserve(descriptors.size());
  for (const int descriptor : descriptors) polled.push_back({descriptor, POLLIN, 0});
  const auto time = std::chrono::ceil<milliseconds>(at_most);
  ::poll(polled.data(), polled.size(), static_cast<int>(time.count()));
}

void WicRun::serve_once(Duration at_most) {
  Now now = read_clocks();
  Duration wait = std::min(at_most, Duration{turn_max});
  const auto hurry = [&](std::optional<Instant> due) {
    if (due) wait = std::min(wait, std::max(*due - now.mono, Duration{0}));
  };
  hurry(agent_->next_timeout());
  if (relay_) hurry(relay_->client().next_timeout());
  if (waf_ && !is_winding_up_) hurry(waf_->next_timeout());
  this->wait(wait);
  now = read_clocks();
  if (socket_) {
    while (const auto message = socket_->next_message()) agent_->on_message(*message, now);
    if (socket_->closed()) agent_->on_flow_closed(now);
  }
  if (waf_) {
    if (!is_winding_up_) waf_->on_timeout(now);
    if (const auto renewal = waf_->take_renewal(now)) on_renewal(*renewal);
  }
  if (const auto due = agent_->next_timeout(); due && *due <= now.mono) agent_->on_timeout(now);
  if (relay_) relay_->serve([this](const SocketAddress& from, Bytes packet) { on_packet(from, packet); });
  drain();
}

void WicRun::drain() {
  while (auto effect = agent_->next_effect()) on_effect(*std::move(effect));
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
    if (traced->is_sent && traced->message.starts_with("REGISTER")) note_register();
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
  for (const provisioning::Entry& entry : provision.entries)
    note_credential(entry,
                    provision.is_from_body ? WicCredential::Carrier::body : WicCredential::Carrier::header,
                    provision.refresh_after);
  judge_sources(provision.entries);
  auto access = choose_relay(provision.entries, settings_.prefers_tokens);
  if (access) return use(std::move(*access));
  if (!provision.entries.empty()) no_credentials_ = "none of their URIs is reached over UDP";
}

void WicRun::note_credential(const provisioning::Entry& entry, WicCredential::Carrier carrier,
                             std::chrono::seconds refresh_after) {
  report_.credentials.push_back({.form = entry.form,
                                 .source = find_source(entry),
                                 .uris = entry.uris,
                                 .realm = entry.realm,
                                 .username = entry.username,
                                 .ttl = entry.ttl,
                                 .expires_at = entry.expires_at,
                                 .refresh_after = refresh_after,
                                 .carrier = carrier,
                                 .at_ms = timeline_.elapsed_ms()});
  timeline_.note(
      "TURN credential",
      fmt::format("{} \"{}\" for {} s, {}", entry.form == provisioning::Form::oauth ? "token" : "user",
                  entry.username, entry.ttl.count(), fmt::join(entry.uris, " ")));
}

// A server that does not know the wish passes it over.
void WicRun::judge_sources(const std::vector<provisioning::Entry>& entries) {
  if (!settings_.source || entries.empty()) return;
  const auto is_it = [&](const provisioning::Entry& entry) {
    return find_source(entry) == *settings_.source;
  };
  if (std::ranges::any_of(entries, is_it)) return;
  report_.warnings.push_back(fmt::format(
      "A credential of the source {} was asked for, and one of {} has come.",
      credentials::to_string(*settings_.source), credentials::to_string(find_source(entries.front()))));
}

void WicRun::on_tokens(const OAuthTokens& tokens) {
  if (settings_.registers_with_waf && !tokens.registration.empty()) {
    const BearerLogin* before = std::get_if<BearerLogin>(&settings_.agent.login);
    settings_.agent.login =
        BearerLogin{tokens.registration, before ? before->spelling : BearerSpelling::access_token};
    if (agent_) agent_->change_login(settings_.agent.login);
  }
  if (!settings_.takes_turn_of_waf || !tokens.turn) return;
  note_credential(*tokens.turn, WicCredential::Carrier::waf, tokens.refresh_after);
  auto access = choose_relay({*tokens.turn});
  if (access) return use(std::move(*access));
  no_credentials_ = "the WAF names no TURN server that is reached over UDP";
}

void WicRun::on_renewal(const std::expected<OAuthTokens, WafFailure>& renewal) {
  if (renewal) return on_tokens(*renewal);
  is_refused_tokens_ = renewal.error().is_final;
  timeline_.note("tokens", fmt::format("no newer ones: {}", renewal.error().found));
  report_.warnings.push_back(fmt::format("The tokens could not be renewed: {}.{}", renewal.error().found,
                                         renewal.error().is_final ? "" : " It was tried again."));
}

// RFC 8656 section 7.4: an allocation keeps its username; RFC 7635 section 9 lets a token follow another.
void WicRun::use(RelayAccess access) {
  access_ = std::move(access);
  const auto* token = std::get_if<turn::TokenCredential>(&access_->credential);
  if (!relay_ || !relay_->allocated() || !relay_->is_by_token() || token == nullptr) return;
  timeline_.note("relay", fmt::format("{} goes over to the newer token", report_.relayed->to_string()));
  relay_->renew(*token, read_clocks());
}

void WicRun::note_register() {
  constexpr std::size_t kept_max = 1000;
  registers_.push_back(read_clocks().mono);
  if (registers_.size() > kept_max) registers_.pop_front();
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

WicReport run_wic(const WicSettings& settings, const std::function<void(const ProbeEvent&)>& on_event) {
  return WicRun{settings, on_event}.run();
}

}  // namespace turnpike::client
