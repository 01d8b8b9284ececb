#include "client/wic_agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <utility>

#include "client/wic_call.hpp"
#include "client/wic_line.hpp"
#include "client/wic_registration.hpp"
#include "sip/answers.hpp"
#include "sip/headers.hpp"

namespace turnpike::client {
namespace {

constexpr std::string_view methods = "INVITE, ACK, CANCEL, BYE, OPTIONS";

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

// RFC 3261 section 13.3.1: an offer that can be read, of one who takes an answer that we can write; else the
// status that says which of both is missing.
std::optional<std::uint16_t> objection_to(const sip::Message& invite) {
  const auto type = sip::content_type(invite);
  if (invite.body().value_or("").empty()) return 488;
  if (!type || !type->is("application", "sdp")) return 415;
  if (!sip::accepts(invite, "application", "sdp")) return 406;
  return std::nullopt;
}

}  // namespace

class WicAgent::Impl {
 public:
  Impl(WicAgentSettings settings, Random& random)
      : settings_(std::move(settings)), line_(settings_, random), registration_(settings_, line_) {}

  void on_flow_opened(Now now);
  void on_message(std::string_view text, Now now);
  void on_flow_closed(Now now);
  void on_timeout(Now now);
  void start(Now now) { registration_.start(now); }
  void stop(Now now);
  void change_login(WicLogin login) { registration_.change_login(std::move(login)); }
  CallId call(std::string_view callee, std::string_view offer, Now now);
  WicCall* find(CallId id);
  void settle(Now now);

  std::optional<WicEffect> next_effect() { return line_.next_effect(); }
  std::optional<Instant> next_timeout();
  [[nodiscard]] bool is_registered() const { return registration_.is_registered(); }
  [[nodiscard]] std::size_t call_count() const { return calls_.size(); }

 private:
  void on_request(const sip::Message& request, Now now);
  void on_new_request(const sip::NewRequest& arrival, const sip::Message& request, Now now);
  void on_invite(const sip::Message& invite, sip::ServerId server, Now now);
  void on_cancel(const sip::NewRequest& arrival, const sip::Message& request, Now now);
  void on_ack(const sip::Message& ack, Now now);
  void on_response(const sip::Message& response, Now now);
  void on_no_answer(sip::ClientId id, Now now);
  void respond(const sip::Message& request, sip::ServerId server, std::uint16_t code, Now now,
               std::string_view name = {}, std::string_view value = {});
  WicCall* find_dialog(const sip::Message& request);
  void obey(sip::TransactionEffect effect, Now now);

  WicAgentSettings settings_;
  WicLine line_;
  WicRegistration registration_;
  std::list<WicCall> calls_;
  std::uint64_t calls_made_ = 0;
};

// --- the flow ---------------------------------------------------------------------------------------------

void WicAgent::Impl::on_flow_opened(Now now) {
  if (line_.is_open()) on_flow_closed(now);
  line_.open();
  registration_.on_flow_opened(now);
  settle(now);
}

void WicAgent::Impl::on_flow_closed(Now now) {
  if (!line_.is_open()) return;
  for (WicCall& call : calls_) call.on_flow_closed();
  registration_.on_flow_closed();
  line_.close(now);
  settle(now);
}

void WicAgent::Impl::on_message(std::string_view text, Now now) {
  if (!line_.is_open() || sip::is_keep_alive(text)) return;
  const auto message = sip::Message::parse(text);
  const auto defect = message ? sip::find_defect(*message) : std::optional{message.error()};
  if (defect) {
    line_.emit(WicTraced{.message = "a message that is malformed", .detail = defect->reason_phrase()});
    if (auto refusal =
            sip::make_refusal(text, *defect, make_token(line_.random()), sip::AnswersGo::over_the_connection))
      line_.transmit(*std::move(refusal));
    return;
  }
  line_.emit(describe_message(*message, false));
  if (message->is_request())
    on_request(*message, now);
  else
    on_response(*message, now);
  settle(now);
}

// --- requests ---------------------------------------------------------------------------------------------

void WicAgent::Impl::on_request(const sip::Message& request, Now now) {
  const auto arrival = line_.layer().on_request(request, line_.flow(), now);
  if (const auto* fresh = std::get_if<sip::NewRequest>(&arrival))
    on_new_request(*fresh, request, now);
  else if (std::holds_alternative<sip::NewAck>(arrival))
    on_ack(request, now);
  else if (std::holds_alternative<sip::TooMany>(arrival))
    line_.transmit(sip::make_response(request, 503, make_token(line_.random())).finish());
}

void WicAgent::Impl::on_new_request(const sip::NewRequest& arrival, const sip::Message& request, Now now) {
  const sip::ServerId server = arrival.id;
  if (request.method() == sip::Method::cancel) return on_cancel(arrival, request, now);
  // RFC 3261 section 8.2.2.3: no extension is required of us that we do not have.
  if (const auto required = request.find(sip::HeaderName::require))
    return respond(request, server, 420, now, "Unsupported", required->value);
  if (WicCall* call = find_dialog(request)) return call->on_request(request, server, now);
  const auto to = sip::to(request);
  // RFC 3261 section 12.2.2: of a dialog that is not ours.
  if (to->tag() && request.method() != sip::Method::options) return respond(request, server, 481, now);
  if (request.method() == sip::Method::invite) return on_invite(request, server, now);
  if (request.method() == sip::Method::options) return respond(request, server, 200, now, "Allow", methods);
  respond(request, server, 405, now, "Allow", methods);
}

void WicAgent::Impl::on_invite(const sip::Message& invite, sip::ServerId server, Now now) {
  // A Contact is where requests of the dialog go; without an offer there is nothing to answer.
  if (!sip::first_name_addr(invite, sip::HeaderName::contact))
    return respond(invite, server, 400, now, "Warning", "399 turnpike \"an INVITE has a Contact\"");
  if (const auto status = objection_to(invite))
    return respond(invite, server, *status, now, "Accept", "application/sdp");
  if (calls_.size() >= settings_.limits.calls_max) return respond(invite, server, 486, now);
  const auto id = static_cast<CallId>(++calls_made_);
  calls_.emplace_back(id, line_).take(invite, server, now);
}

void WicAgent::Impl::on_cancel(const sip::NewRequest& arrival, const sip::Message& request, Now now) {
  if (!arrival.cancelled) return respond(request, arrival.id, 481, now);
  respond(request, arrival.id, 200, now);
  for (WicCall& call : calls_)
    if (call.is_invited_by(*arrival.cancelled)) call.on_cancel(now);
}

void WicAgent::Impl::on_ack(const sip::Message& ack, Now now) {
  if (WicCall* call = find_dialog(ack)) call->on_ack(now);
}

void WicAgent::Impl::respond(const sip::Message& request, sip::ServerId server, std::uint16_t code, Now now,
                             std::string_view name, std::string_view value) {
  auto writer = sip::make_response(request, code, make_token(line_.random()));
  if (!name.empty()) writer.add(name, value);
  line_.respond(server, writer.finish(), now);
}

WicCall* WicAgent::Impl::find_dialog(const sip::Message& request) {
  for (WicCall& call : calls_)
    if (call.owns(request)) return &call;
  return nullptr;
}

// --- responses --------------------------------------------------------------------------------------------

void WicAgent::Impl::on_response(const sip::Message& response, Now now) {
  const auto arrival = line_.layer().on_response(response, now);
  const auto* fresh = std::get_if<sip::NewResponse>(&arrival);
  if (fresh == nullptr) return;
  const auto owner = line_.owner_of(fresh->id);
  if (!owner) return;
  if (*owner == WicLine::registration)
    registration_.on_response(response, now);
  else if (WicCall* call = find(static_cast<CallId>(*owner)))
    call->on_response(fresh->id, response, now);
}

void WicAgent::Impl::on_no_answer(sip::ClientId id, Now now) {
  const auto owner = line_.owner_of(id);
  if (!owner) return;
  if (*owner == WicLine::registration)
    registration_.on_no_answer(now);
  else if (WicCall* call = find(static_cast<CallId>(*owner)))
    call->on_no_answer(id, now);
}

// --- time and effects -------------------------------------------------------------------------------------

void WicAgent::Impl::on_timeout(Now now) {
  line_.layer().on_timeout(now);
  registration_.on_timeout(now);
  for (WicCall& call : calls_) call.on_timeout(now);
  settle(now);
}

// What the transactions want done, until nothing is left; then calls that have ended are forgotten.
void WicAgent::Impl::settle(Now now) {
  while (auto effect = line_.layer().next_effect()) obey(*std::move(effect), now);
  calls_.remove_if([](const WicCall& call) { return call.has_ended(); });
}

void WicAgent::Impl::obey(sip::TransactionEffect effect, Now now) {
  std::visit(Overloaded{[&](sip::SendMessage& message) {
                          if (line_.is_open() && message.flow == line_.flow().id)
                            line_.transmit(std::move(message.bytes));
                        },
                        [&](const sip::ClientTimedOut& client) { on_no_answer(client.id, now); },
                        // The calls and the registration have heard of the flow itself.
                        [](const sip::ClientFlowFailed&) {}, [](const sip::ServerFlowFailed&) {},
                        [](const sip::ServerLacksAck&) {}, [](const sip::ServerEnded&) {},
                        [&](const sip::ClientEnded& client) { line_.forget(client.id); }},
             effect);
}

std::optional<Instant> WicAgent::Impl::next_timeout() {
  std::optional<Instant> next = line_.layer().next_timeout();
  const auto take = [&](std::optional<Instant> due) {
    if (due && (!next || *due < *next)) next = due;
  };
  take(registration_.next_timeout());
  for (const WicCall& call : calls_) take(call.next_timeout());
  return next;
}

void WicAgent::Impl::stop(Now now) {
  for (WicCall& call : calls_) call.hang_up(now);
  registration_.stop(now);
}

CallId WicAgent::Impl::call(std::string_view callee, std::string_view offer, Now now) {
  const auto id = static_cast<CallId>(++calls_made_);
  calls_.emplace_back(id, line_).start(callee, offer, now);
  return id;
}

WicCall* WicAgent::Impl::find(CallId id) {
  const auto found =
      std::find_if(calls_.begin(), calls_.end(), [&](const WicCall& call) { return call.id() == id; });
  return found == calls_.end() ? nullptr : &*found;
}

// --- the outside ------------------------------------------------------------------------------------------

WicAgent::WicAgent(WicAgentSettings settings, Random& random)
    : impl_(std::make_unique<Impl>(std::move(settings), random)) {}
WicAgent::~WicAgent() = default;
WicAgent::WicAgent(WicAgent&&) noexcept = default;
WicAgent& WicAgent::operator=(WicAgent&&) noexcept = default;

void WicAgent::on_flow_opened(Now now) { impl_->on_flow_opened(now); }
void WicAgent::on_message(std::string_view text, Now now) { impl_->on_message(text, now); }
void WicAgent::on_flow_closed(Now now) { impl_->on_flow_closed(now); }
void WicAgent::on_timeout(Now now) { impl_->on_timeout(now); }

void WicAgent::start(Now now) {
  impl_->start(now);
  impl_->settle(now);
}

void WicAgent::change_login(WicLogin login) { impl_->change_login(std::move(login)); }

void WicAgent::stop(Now now) {
  impl_->stop(now);
  impl_->settle(now);
}

CallId WicAgent::call(std::string_view callee, std::string_view offer, Now now) {
  const CallId id = impl_->call(callee, offer, now);
  impl_->settle(now);
  return id;
}

void WicAgent::ring(CallId id, Now now) {
  if (WicCall* call = impl_->find(id)) call->ring(now);
  impl_->settle(now);
}

void WicAgent::answer(CallId id, std::string_view answer, Now now) {
  if (WicCall* call = impl_->find(id)) call->answer(answer, now);
  impl_->settle(now);
}

void WicAgent::reject(CallId id, std::uint16_t code, Now now) {
  if (WicCall* call = impl_->find(id)) call->reject(code, now);
  impl_->settle(now);
}

void WicAgent::hang_up(CallId id, Now now) {
  if (WicCall* call = impl_->find(id)) call->hang_up(now);
  impl_->settle(now);
}

std::optional<WicEffect> WicAgent::next_effect() { return impl_->next_effect(); }
std::optional<Instant> WicAgent::next_timeout() { return impl_->next_timeout(); }
bool WicAgent::is_registered() const { return impl_->is_registered(); }
std::size_t WicAgent::call_count() const { return impl_->call_count(); }

}  // namespace turnpike::client
