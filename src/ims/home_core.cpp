#include "ims/home_core.hpp"

#include <algorithm>

#include "base/address.hpp"
#include "sip/answers.hpp"
#include "sip/editor.hpp"
#include "sip/headers.hpp"

namespace turnpike::ims {
namespace {

using sip::HeaderName;

constexpr std::uint16_t port_default = 5060;
constexpr std::uint16_t flow_failed = 430;
constexpr std::string_view methods =
    "REGISTER, INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, OPTIONS, MESSAGE, REFER, SUBSCRIBE, NOTIFY, INFO";

// RFC 3261 section 18.2.2 and RFC 3581: over UDP a response goes to the port of the Via unless that asks for
// the port that it came from.
sip::Hop answer_hop(const sip::Hop& from, const sip::Message& request) {
  sip::Hop to = from;
  const auto via = sip::top_via(request);
  if (via && from.transport == sip::Transport::udp && !via->params.has("rport"))
    to.port = via->port.value_or(port_default);
  return to;
}

bool is_reg_event(const sip::Message& request) {
  const auto event = sip::event(request);
  return event && event->is("reg");
}

std::optional<SocketAddress> address_of(const sip::Hop& hop) {
  std::string_view host = hop.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  return ip ? std::optional{SocketAddress{*ip, hop.port}} : std::nullopt;
}

// RFC 3261 section 18.2.1: the text with `received` where the Via needs it; nothing where it does not.
std::optional<std::string> stamped(const sip::Hop& from, const sip::Message& request) {
  const auto via = sip::top_via(request);
  const auto address = address_of(from);
  if (!via || !address || (via->host == from.host && !via->params.has("rport"))) return std::nullopt;
  sip::Editor editor{request};
  editor.stamp_via(*via, *address);
  return editor.text();
}

}  // namespace

HomeCore::HomeCore(Settings settings, Subscribers& subscribers, Random& random)
    : settings_(std::move(settings)),
      subscribers_(subscribers),
      random_(random),
      layer_(settings_.limits.transactions, settings_.timers),
      hops_(settings_.limits.hops_max),
      registrations_(settings_.limits.bindings_max),
      authenticator_(settings_, subscribers, random),
      registrar_(settings_, authenticator_, registrations_),
      router_(settings_, subscribers, registrations_),
      reg_events_(settings_, random),
      review_(settings_.review_every, subscribers, registrations_) {}

// --- what arrives -----------------------------------------------------------------------------------------

void HomeCore::on_message(const sip::Hop& from, std::string_view text, Now now) {
  if (sip::is_keep_alive(text)) return;
  const auto message = sip::Message::parse(text, settings_.limits.message);
  auto error = message ? sip::find_defect(*message) : std::optional{message.error()};
  if (error) {
    ++counters_.malformed;
    if (auto refusal = sip::make_refusal(text, *error, make_tag(), sip::AnswersGo::where_the_via_says,
                                         settings_.limits.message))
      effects_.emplace_back(SendTo{from, *std::move(refusal)});
    return;
  }
  if (message->is_response()) {
    on_response(from, *message, now);
  } else if (const auto text_with_source = stamped(from, *message)) {
    const auto again = sip::Message::parse(*text_with_source, settings_.limits.message);
    if (again) on_request(from, *again, now);
  } else {
    on_request(from, *message, now);
  }
  settle(now);
}

void HomeCore::on_request(const sip::Hop& from, const sip::Message& request, Now now) {
  const auto flow = flow_to(answer_hop(from, request), now);
  if (!flow) {
    ++counters_.dropped;
    return;
  }
  const auto arrival = layer_.on_request(request, *flow, now);
  if (const auto* fresh = std::get_if<sip::NewRequest>(&arrival)) {
    on_new_request(*fresh, from, request, now);
  } else if (std::holds_alternative<sip::NewAck>(arrival)) {
    on_ack(from, request, now);
  } else if (std::holds_alternative<sip::TooMany>(arrival)) {
    ++counters_.dropped;
    sip::Writer busy = sip::make_response(request, 503, make_tag());
    effects_.emplace_back(SendTo{answer_hop(from, request), busy.add(HeaderName::retry_after, "5").finish()});
  }
}

void HomeCore::on_new_request(const sip::NewRequest& arrival, const sip::Hop& from,
                              const sip::Message& request, Now now) {
  switch (request.method()) {
    case sip::Method::registration:
      on_register(arrival.id, from, request, now);
      break;
    case sip::Method::cancel:
      on_cancel(arrival, request, now);
      break;
    default:
      if (request.method() == sip::Method::subscribe && is_reg_event(request) && router_.ends_here(request))
        on_subscribe(arrival.id, from, request, now);
      else if (router_.is_for_us(request))
        answer_for_ourselves(arrival.id, request, now);
      else
        forward(arrival.id, from, request, now);
  }
}

void HomeCore::on_register(sip::ServerId id, const sip::Hop& from, const sip::Message& request, Now now) {
  RegisterOutcome outcome = registrar_.on_register(request, from, make_tag(), now);
  switch (outcome.kind) {
    case RegisterOutcome::Kind::registered:
      ++counters_.registered;
      break;
    case RegisterOutcome::Kind::fetched:
      ++counters_.fetched;
      break;
    case RegisterOutcome::Kind::deregistered:
      ++counters_.deregistered;
      break;
    case RegisterOutcome::Kind::challenged:
      ++counters_.challenged;
      break;
    case RegisterOutcome::Kind::refused:
      ++counters_.refused;
      break;
  }
  if (outcome.has_refusal)
    effects_.emplace_back(RefusalReport{std::move(outcome.impi), outcome.refusal, from});
  layer_.respond(id, std::move(outcome.response), now);
}

// RFC 3261 section 16.10.
void HomeCore::on_cancel(const sip::NewRequest& arrival, const sip::Message& request, Now now) {
  if (!arrival.cancelled) {
    respond(arrival.id, request, {.status_code = 481, .reason = {}}, now);
    return;
  }
  respond(arrival.id, request, {.status_code = 200, .reason = {}}, now);
  forwarder_.cancel(*arrival.cancelled, now);
}

void HomeCore::on_ack(const sip::Hop& from, const sip::Message& request, Now now) {
  sip::Editor edited{request};
  const auto next = router_.route(request, from, edited);
  const auto flow = next ? flow_to(next->to, now) : std::nullopt;
  if (!flow) {
    ++counters_.dropped;
    return;
  }
  effects_.emplace_back(
      SendTo{next->to, sip::Forwarder::stamped(edited, settings_.via_to(next->to), random_).text});
}

// TS 24.229 section 5.4.2.1.1: a node of the trust domain may watch its users, and a user its own
// registration.
void HomeCore::on_subscribe(sip::ServerId id, const sip::Hop& from, const sip::Message& request, Now now) {
  const auto refuse = [&](const Refusal& refusal) { respond(id, request, refusal, now); };
  const auto address = sip::to(request);
  const auto target = sip::request_uri(request);
  auto watcher = router_.watcher(request, from);
  std::optional<Subscriber> watched;
  if (address && address->tag()) {
    const auto known = reg_events_.find_subscribed(request);
    if (!known) return refuse({.status_code = 481, .reason = {}});
    // A proxy asserts nobody within a dialog (TS 24.229 section 5.2.6.3.5), whose tags its user alone has.
    if (!known->watcher.is_node && router_.is_edge(from))
      watcher = known->watcher;
    else if (watcher && *watcher != known->watcher)
      return refuse({.status_code = 403, .reason = {}});
    watched = subscribers_.find_private(known->impi);
  } else if (target) {
    watched = router_.find_callee(*target);
  }
  if (!watcher) return refuse(watcher.error());
  const bool is_own = watched && std::find(watched->impus.begin(), watched->impus.end(), watcher->identity) !=
                                     watched->impus.end();
  if (!watcher->is_node && !is_own) return refuse({.status_code = 403, .reason = {}});
  if (!watched) return refuse({.status_code = 404, .reason = {}});
  auto ok = reg_events_.on_subscribe(request, *watcher, *watched, registrations_.find(watched->impi), now);
  if (!ok) return refuse(ok.error());
  ++counters_.subscribed;
  layer_.respond(id, *std::move(ok), now);
}

void HomeCore::send_notifies(Now now) {
  while (auto notify = reg_events_.next_notify()) {
    const auto flow = flow_to(notify->to, now);
    const auto sent = flow ? layer_.send_request(std::move(notify->text), *flow, now)
                           : std::unexpected(sip::SendRefusal::too_many);
    if (!sent) {
      // Too many are under way; the next one says it again, or the subscription runs out.
      ++counters_.dropped;
      continue;
    }
    ++counters_.notified;
    notifies_.emplace(*sent, notify->subscription);
  }
}

void HomeCore::on_notify_answered(sip::ClientId id, std::uint16_t status_code) {
  const auto found = notifies_.find(id);
  if (found == notifies_.end() || status_code < 200) return;
  reg_events_.on_answer(found->second, status_code);
  notifies_.erase(found);
}

// OPTIONS of a monitor, RFC 3261 section 11.2; nothing else is for a core.
void HomeCore::answer_for_ourselves(sip::ServerId id, const sip::Message& request, Now now) {
  const bool is_options = request.method() == sip::Method::options;
  respond(id, request,
          {.status_code = static_cast<std::uint16_t>(is_options ? 200 : 405),
           .reason = {},
           .rows = {{HeaderName::allow, std::string{methods}}}},
          now);
}

void HomeCore::forward(sip::ServerId id, const sip::Hop& from, const sip::Message& request, Now now) {
  if (const auto sent = send_on(id, from, request, now); !sent) {
    ++counters_.not_routed;
    respond(id, request, sent.error(), now);
    return;
  }
  ++counters_.forwarded;
}

std::expected<void, Refusal> HomeCore::send_on(sip::ServerId id, const sip::Hop& from,
                                               const sip::Message& request, Now now) {
  sip::Editor edited{request};
  const auto next = router_.route(request, from, edited);
  if (!next) return std::unexpected(next.error());
  const auto flow = flow_to(next->to, now);
  if (!flow) return std::unexpected(Refusal{.status_code = 503, .reason = {}});
  const auto sent =
      forwarder_.forward(id, request, edited, *flow, settings_.via_to(next->to), next->binding, now, random_);
  if (!sent) return std::unexpected(Refusal{.status_code = 503, .reason = {}});
  if (next->binding != 0) journeys_.emplace(*sent, Journey{from, next->binding});
  return {};
}

// RFC 5626 section 5.3: a 430 of the edge that brought the binding says that its flow is gone, and the next
// one is tried. False where there is none.
bool HomeCore::try_another(sip::ClientId id, const sip::Hop& from, Now now) {
  const auto journey = journeys_.find(id);
  const sip::Leg* leg = forwarder_.find(id);
  if (journey == journeys_.end() || leg == nullptr) return false;
  const std::string text = leg->request;  // for the leg moves
  const sip::ServerId server = leg->server;
  const auto request = sip::Message::parse(text, settings_.limits.message);
  const auto target = request ? sip::request_uri(*request) : std::unexpected(request.error());
  const auto callee = target ? router_.find_callee(*target) : std::nullopt;
  const Registration* registration = callee ? registrations_.find(callee->impi) : nullptr;
  if (registration == nullptr) return false;
  const auto dead =
      std::find_if(registration->bindings.begin(), registration->bindings.end(),
                   [&](const Binding& binding) { return binding.id == journey->second.binding; });
  if (dead == registration->bindings.end() || dead->source.host != from.host) return false;
  const sip::Hop caller = journey->second.from;
  registrations_.unbind(callee->impi, {dead->id}, ContactEvent::deactivated);
  if (const auto sent = send_on(server, caller, *request, now); !sent)
    forwarder_.refuse(id, sent.error().status_code, sent.error().reason, make_tag(), now);
  return true;
}

void HomeCore::respond(sip::ServerId id, const sip::Message& request, const Refusal& refusal, Now now) {
  sip::Writer writer = sip::make_response(request, refusal.status_code, make_tag(), refusal.reason);
  for (const auto& [name, value] : refusal.rows) writer.add(name, value);
  layer_.respond(id, writer.finish(), now);
}

// RFC 3261 section 16.7.
void HomeCore::on_response(const sip::Hop& from, const sip::Message& response, Now now) {
  const auto arrival = layer_.on_response(response, now);
  const auto* fresh = std::get_if<sip::NewResponse>(&arrival);
  if (fresh == nullptr) {
    if (std::holds_alternative<sip::Stray>(arrival)) ++counters_.dropped;
    return;
  }
  on_notify_answered(fresh->id, response.status_code());
  // Step 5: a 100 goes no further.
  if (forwarder_.find(fresh->id) == nullptr || response.status_code() == 100) return;
  if (response.status_code() == flow_failed && try_another(fresh->id, from, now)) return;
  sip::Editor edited{response};
  edited.pop_via();
  forwarder_.pass_back(fresh->id, response.status_code(), edited.text(), now);
}

// --- time and failures ------------------------------------------------------------------------------------

void HomeCore::on_hop_failed(const sip::Hop& to, Now now) {
  if (const auto flow = hops_.find(to)) layer_.on_flow_closed(*flow, now);
  settle(now);
}

void HomeCore::on_timeout(Now now) {
  layer_.on_timeout(now);
  forwarder_.on_timeout(now);
  registrations_.on_timeout(now);
  for (const std::string& impi : review_.on_timeout(now)) registrations_.end(impi, ContactEvent::rejected);
  reg_events_.on_timeout(registrations_, now);
  authenticator_.on_timeout(now);
  settle(now);
}

std::optional<Instant> HomeCore::next_timeout() {
  std::optional<Instant> earliest;
  for (const auto at : {layer_.next_timeout(), forwarder_.next_timeout(), registrations_.next_timeout(),
                        reg_events_.next_timeout(), review_.next_timeout()})
    if (at && (!earliest || *at < *earliest)) earliest = at;
  return earliest;
}

bool HomeCore::deregister(std::string_view impi, ContactEvent event, Now now) {
  const bool was_registered = registrations_.end(impi, event);
  settle(now);
  return was_registered;
}

std::optional<Effect> HomeCore::next_effect() {
  if (effects_.empty()) return std::nullopt;
  Effect effect = std::move(effects_.front());
  effects_.pop_front();
  return effect;
}

void HomeCore::settle(Now now) {
  for (RegistrationChange& change : registrations_.take_changes()) {
    reg_events_.on_change(change, now);
    effects_.emplace_back(RegistrationReport{std::move(change)});
  }
  // What was answered goes before the NOTIFY that follows from it.
  while (auto effect = layer_.next_effect()) obey(*std::move(effect), now);
  send_notifies(now);
  while (auto effect = layer_.next_effect()) obey(*std::move(effect), now);
}

void HomeCore::obey(sip::TransactionEffect effect, Now now) {
  if (auto* message = std::get_if<sip::SendMessage>(&effect)) {
    if (const sip::Hop* to = hops_.find(message->flow))
      effects_.emplace_back(SendTo{*to, std::move(message->bytes)});
  } else if (const auto* timed_out = std::get_if<sip::ClientTimedOut>(&effect)) {
    on_notify_answered(timed_out->id, 408);
    forwarder_.refuse(timed_out->id, 408, {}, make_tag(), now);
  } else if (const auto* failed = std::get_if<sip::ClientFlowFailed>(&effect)) {
    on_notify_answered(failed->id, 503);
    // RFC 3261 section 16.9 takes it for a 503, and section 16.7 step 6 has that leave as a 500.
    forwarder_.refuse(failed->id, 500, "Next Hop Unreachable", make_tag(), now);
  } else if (const auto* client = std::get_if<sip::ClientEnded>(&effect)) {
    notifies_.erase(client->id);
    journeys_.erase(client->id);
    forwarder_.on_ended(client->id);
  } else if (const auto* server = std::get_if<sip::ServerEnded>(&effect)) {
    forwarder_.on_ended(server->id);
  }
}

}  // namespace turnpike::ims
