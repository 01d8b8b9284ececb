#include "epcscf/proxy.hpp"

#include <algorithm>
#include <utility>

#include "epcscf/calls.hpp"
#include "epcscf/reg_events.hpp"
#include "epcscf/registrar.hpp"
#include "epcscf/registrations.hpp"
#include "epcscf/switchboard.hpp"
#include "sip/answers.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::epcscf {

using sip::Method;

namespace {

// RFC 7118 section 5.1: a WebSocket message is one SIP message. What lies behind the body is another one's
// beginning, and so is a body of no type (RFC 3261 section 20.15).
std::optional<sip::ParseError> find_second_message(const sip::Message& message) {
  if (message.after_headers().empty()) return std::nullopt;
  const auto body = message.body();
  if (body && body->size() < message.after_headers().size())
    return sip::ParseError{sip::Defect::body_too_long};
  if (!message.has(sip::HeaderName::content_type))
    return sip::ParseError{sip::Defect::missing, sip::HeaderName::content_type};
  return std::nullopt;
}

}  // namespace

class Proxy::Impl final : public RegistrationObserver {
 public:
  Impl(Settings settings, Random& random)
      : board(std::move(settings), random),
        events(board, registrations),
        calls(board, registrations),
        registrar(board, registrations, *this) {}

  void on_registered(const Registration& registration, bool, Now now) override {
    events.on_registered(registration, now);
    calls.on_registered(registration, now);
  }
  void on_ending(const Registration& registration, EndTrigger, Now now) override {
    events.on_ending(registration.id, now);
  }

  void on_client_request(const sip::Message& request, FlowId flow, Now now);
  void on_core_request(const sip::Message& request, const sip::Hop& from, Now now);
  void on_own_request(sip::ServerId id, const sip::Message& request, Now now);
  void on_response(const sip::Message& response, const sip::Flow& from, FlowId client, Now now);
  // What is no message, or no good one: answered where RFC 3261 has an answer.
  std::optional<sip::Message> read(std::string_view text, FlowId client, std::uint64_t flow);
  // After each input: what the transactions have to say goes on to those whom it is for.
  void settle(Now now);
  void obey(const sip::TransactionEffect& effect, Now now);
  [[nodiscard]] sip::Hop answer_hop(const sip::Message& request, const sip::Hop& from) const;

  Switchboard board;
  Registrations registrations;
  RegEvents events;
  Calls calls;
  Registrar registrar;
};

// --- reading ----------------------------------------------------------------------------------------------

std::optional<sip::Message> Proxy::Impl::read(std::string_view text, FlowId client, std::uint64_t flow) {
  const auto refuse = [&](const sip::ParseError& error, BadMessage what) {
    const auto answers_go =
        client != FlowId{} ? sip::AnswersGo::over_the_connection : sip::AnswersGo::where_the_via_says;
    const auto answer = sip::make_refusal(text, error, board.make_tag(), answers_go);
    board.report_bad(client, what, answer ? error.status_code() : std::uint16_t{0});
    if (answer) board.transmit({flow, *answer});
    return std::nullopt;
  };
  auto message = sip::Message::parse(text);
  if (!message) return refuse(message.error(), BadMessage::malformed);
  if (const auto defect = sip::find_defect(*message)) return refuse(*defect, BadMessage::malformed);
  if (client == FlowId{}) return *std::move(message);
  if (const auto defect = find_second_message(*message)) return refuse(*defect, BadMessage::two_messages);
  return *std::move(message);
}

// --- requests ---------------------------------------------------------------------------------------------

void Proxy::Impl::on_client_request(const sip::Message& request, FlowId flow, Now now) {
  const auto arrival = board.layer.on_request(request, Switchboard::flow_to(flow), now);
  if (std::holds_alternative<sip::TooMany>(arrival)) {
    board.report_bad(flow, BadMessage::limit, 503);
    board.answer_statelessly(static_cast<std::uint64_t>(flow), request, 503);
  } else if (std::holds_alternative<sip::NewAck>(arrival)) {
    calls.on_client_ack(request, flow);
  } else if (const auto* fresh = std::get_if<sip::NewRequest>(&arrival)) {
    if (request.method() == Method::cancel)
      calls.on_cancel(fresh->id, request, fresh->cancelled, now);
    else if (request.method() == Method::registration)
      registrar.on_register(fresh->id, request, flow, now);
    else
      calls.on_client_request(fresh->id, request, flow, now);
  }
}

// RFC 3261 section 18.2.2 and RFC 3581: over UDP to the port of the Via, but with rport to where it came
// from.
sip::Hop Proxy::Impl::answer_hop(const sip::Message& request, const sip::Hop& from) const {
  const auto via = sip::top_via(request);
  if (!via || from.transport == sip::Transport::tcp || via->params.has("rport")) return from;
  constexpr std::uint16_t port_default = 5060;
  sip::Hop hop = from;
  hop.port = via->port.value_or(port_default);
  return hop;
}

void Proxy::Impl::on_core_request(const sip::Message& request, const sip::Hop& from, Now now) {
  const sip::Flow flow = board.flow_to(answer_hop(request, from));
  const auto arrival = board.layer.on_request(request, flow, now);
  if (std::holds_alternative<sip::TooMany>(arrival)) {
    board.report_bad({}, BadMessage::limit, 503);
    board.answer_statelessly(flow.id, request, 503);
  } else if (std::holds_alternative<sip::NewAck>(arrival)) {
    calls.on_core_ack(request, from);
  } else if (const auto* fresh = std::get_if<sip::NewRequest>(&arrival)) {
    const auto target = sip::request_uri(request);
    const auto route = sip::first_name_addr(request, sip::HeaderName::route);
    const auto is_own = [&](const sip::Uri& uri) { return board.is_own_host(uri) && !uri.has_user(); };
    const bool is_for_us = target && is_own(*target) && (!route || is_own(route->uri));
    if (request.method() == Method::cancel)
      calls.on_cancel(fresh->id, request, fresh->cancelled, now);
    else if (is_for_us)
      on_own_request(fresh->id, request, now);
    else
      calls.on_core_request(fresh->id, request, from, now);
  }
}

void Proxy::Impl::on_own_request(sip::ServerId id, const sip::Message& request, Now now) {
  if (request.method() == Method::options) return board.answer(id, request, 200, now);
  if (request.method() != Method::notify)
    return board.answer(id, request, 405, now, {}, sip::HeaderName::allow, "NOTIFY, OPTIONS");
  const auto ended = events.on_notify(id, request, now);
  if (!ended) return board.answer(id, request, 481, now);
  for (const RegistrationId each : *ended) registrar.end(each, EndTrigger::network, now);
}

void Proxy::Impl::on_response(const sip::Message& response, const sip::Flow& from, FlowId client, Now now) {
  const auto arrival = board.layer.on_response(response, from, now);
  if (std::holds_alternative<sip::Stray>(arrival)) {
    board.report_bad(client, BadMessage::stray_response, 0);
  } else if (const auto* fresh = std::get_if<sip::NewResponse>(&arrival)) {
    if (registrar.on_core_answer(fresh->id, response, now)) return;
    if (events.on_core_answer(fresh->id, response, now)) return;
    calls.on_answer(fresh->id, response, now);
  }
}

// --- what follows -----------------------------------------------------------------------------------------

void Proxy::Impl::settle(Now now) {
  while (auto effect = board.layer.next_effect()) {
    if (auto* message = std::get_if<sip::SendMessage>(&*effect))
      board.transmit(std::move(*message));
    else
      obey(*effect, now);
  }
}

void Proxy::Impl::obey(const sip::TransactionEffect& effect, Now now) {
  if (const auto* silent = std::get_if<sip::ClientTimedOut>(&effect)) {
    if (registrar.on_core_lost(silent->id, false, now) || events.on_core_lost(silent->id, now)) return;
    calls.on_silence(silent->id, now);
  } else if (const auto* failed = std::get_if<sip::ClientFlowFailed>(&effect)) {
    if (registrar.on_core_lost(failed->id, true, now) || events.on_core_lost(failed->id, now)) return;
    calls.on_flow_failed(failed->id, now);
  } else if (const auto* lost = std::get_if<sip::ServerFlowFailed>(&effect)) {
    calls.on_asker_lost(lost->id, now);
  } else if (const auto* client = std::get_if<sip::ClientEnded>(&effect)) {
    board.forwarder.on_ended(client->id);
  } else if (const auto* server = std::get_if<sip::ServerEnded>(&effect)) {
    board.forwarder.on_ended(server->id);
  }
}

// --- the machine's face -----------------------------------------------------------------------------------

Proxy::Proxy(Settings settings, Random& random)
    : impl_(std::make_unique<Impl>(std::move(settings), random)) {}
Proxy::~Proxy() = default;

void Proxy::on_client_connected(FlowId flow, const ClientInfo& client, Now) {
  if (impl_->board.clients.size() >= impl_->board.settings.limits.clients_max) {
    impl_->board.emit(CloseClient{flow, "limit"});
    return;
  }
  impl_->board.clients.insert_or_assign(flow, client);
}

void Proxy::on_client_message(FlowId flow, std::string_view message, Now now) {
  Switchboard& board = impl_->board;
  if (!board.clients.contains(flow)) return;
  ++board.counters.messages_from_clients;
  if (sip::is_keep_alive(message)) {
    // RFC 5626 section 4.4.1: a ping of two line ends, a pong of one.
    if (message.starts_with("\r\n\r\n")) board.emit(SendToClient{flow, "\r\n"});
    return;
  }
  const auto read = impl_->read(message, flow, static_cast<std::uint64_t>(flow));
  if (read && read->is_request())
    impl_->on_client_request(*read, flow, now);
  else if (read)
    impl_->on_response(*read, Switchboard::flow_to(flow), flow, now);
  impl_->settle(now);
}

void Proxy::on_client_closed(FlowId flow, Now now) {
  if (impl_->board.clients.erase(flow) == 0) return;
  impl_->board.layer.on_flow_closed(static_cast<std::uint64_t>(flow), now);
  impl_->registrar.on_client_closed(flow, now);
  impl_->calls.on_client_closed(flow, now);
  impl_->settle(now);
}

void Proxy::on_core_message(const sip::Hop& from, std::string_view message, Now now) {
  Switchboard& board = impl_->board;
  ++board.counters.messages_from_core;
  if (!board.is_core(from)) return board.report_stranger(from);
  if (sip::is_keep_alive(message)) return;
  const auto read = impl_->read(message, {}, board.flow_to(from).id);
  if (read && read->is_request())
    impl_->on_core_request(*read, from, now);
  else if (read)
    impl_->on_response(*read, board.flow_to(from), {}, now);
  impl_->settle(now);
}

void Proxy::on_core_failed(const sip::Hop& to, Now now) {
  if (const auto flow = impl_->board.find_flow(to)) impl_->board.layer.on_flow_closed(*flow, now);
  impl_->settle(now);
}

void Proxy::on_push_done(PushId id, bool acknowledged, Now now) {
  impl_->registrar.on_push_done(id, acknowledged, now);
  impl_->settle(now);
}

void Proxy::on_token_checked(CheckId id, const TokenAnswer& answer, Now now) {
  impl_->registrar.on_token_checked(id, answer, now);
  impl_->settle(now);
}

void Proxy::on_timeout(Now now) {
  impl_->board.layer.on_timeout(now);
  impl_->settle(now);
  impl_->board.forwarder.on_timeout(now);
  impl_->registrar.on_timeout(now);
  impl_->events.on_timeout(now);
  impl_->calls.on_timeout(now);
  impl_->settle(now);
}

std::optional<Effect> Proxy::next_effect() {
  auto& effects = impl_->board.effects;
  if (effects.empty()) return std::nullopt;
  Effect effect = std::move(effects.front());
  effects.pop_front();
  return effect;
}

std::optional<Instant> Proxy::next_timeout() {
  std::optional<Instant> next;
  for (const auto at :
       {impl_->board.layer.next_timeout(), impl_->board.forwarder.next_timeout(),
        impl_->registrar.next_timeout(), impl_->events.next_timeout(), impl_->calls.next_timeout()})
    if (at) next = std::min(next.value_or(*at), *at);
  return next;
}

std::vector<RegistrationView> Proxy::registrations(std::size_t max, Now now) const {
  std::vector<RegistrationView> views;
  for (const auto& [id, each] : impl_->registrations.all()) {
    if (views.size() >= max) break;
    const auto left = std::chrono::floor<std::chrono::seconds>(each.expires_at - now.mono);
    views.push_back({.flow = each.flow,
                     .is_connected = each.is_connected,
                     .impi = each.key.impi,
                     .impus = each.impus,
                     .contact = each.contact,
                     .subject = each.subject,
                     .expires_in = left,
                     .has_credentials = each.credentials_until.has_value()});
  }
  return views;
}

std::size_t Proxy::deregister(std::string_view impi, Now now) {
  const auto found = impl_->registrations.of_impi(impi);
  for (const RegistrationId id : found) impl_->registrar.end(id, EndTrigger::operator_asked, now);
  impl_->settle(now);
  return found.size();
}

std::size_t Proxy::revoke(const RevokedToken& token, Now now) {
  const std::size_t ended = impl_->registrar.revoke(token, now);
  impl_->settle(now);
  return ended;
}

Counters Proxy::counters() const {
  Counters counters = impl_->board.counters;
  counters.clients_active = impl_->board.clients.size();
  counters.registrations_active = impl_->registrations.size();
  counters.calls_active = impl_->calls.size();
  counters.subscriptions_active = impl_->events.size();
  counters.transactions_active = impl_->board.layer.transaction_count();
  return counters;
}

void Proxy::reconfigure(Settings settings) {
  impl_->board.settings = std::move(settings);
  impl_->registrar.reconfigure();
}

void Proxy::offer(std::vector<std::string> uris) { impl_->registrar.offer(std::move(uris)); }

}  // namespace turnpike::epcscf
