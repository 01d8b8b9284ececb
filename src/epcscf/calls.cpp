#include "epcscf/calls.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "epcscf/edges.hpp"
#include "epcscf/identities.hpp"
#include "epcscf/routes.hpp"
#include "sip/answers.hpp"
#include "sip/headers.hpp"

namespace turnpike::epcscf {
namespace {

using sip::HeaderName;
using sip::Method;

bool is_in_dialog(const sip::Message& request) {
  const auto to = sip::to(request);
  return to && to->tag();
}

// RFC 3261 section 12.1, RFC 6665, RFC 3515.
bool makes_dialog(const sip::Message& request) {
  const Method method = request.method();
  return !is_in_dialog(request) &&
         (method == Method::invite || method == Method::subscribe || method == Method::refer);
}

}  // namespace

std::uint64_t Calls::tag_of(const Side& side) {
  return static_cast<std::uint64_t>(side.flow) << 1 | (side.is_originating ? 1U : 0U);
}
Calls::Side Calls::side_of(std::uint64_t tag) {
  return {.flow = FlowId{tag >> 1}, .is_originating = (tag & 1) != 0};
}

// RFC 3261 section 21.5.14: with what is added here it is larger than the next node would take.
Calls::Refusal Calls::refusal_of(sip::SendRefusal refusal) {
  const bool is_too_large = refusal == sip::SendRefusal::too_large;
  return {.status_code = is_too_large ? std::uint16_t{513} : std::uint16_t{503}, .what = BadMessage::limit};
}

void Calls::refuse(sip::ServerId id, const sip::Message& request, FlowId flow, const Refusal& refusal,
                   Now now) {
  if (refusal.what) board_.report_bad(flow, *refusal.what, refusal.status_code);
  if (refusal.status_code == 420) {
    const auto unsupported = request.find(HeaderName::proxy_require);
    board_.answer(id, request, 420, now, {}, HeaderName::unsupported,
                  unsupported ? unsupported->value : std::string_view{});
    return;
  }
  board_.answer(id, request, refusal.status_code, now, refusal.reason);
}

// --- from a WIC -------------------------------------------------------------------------------------------

// The registration that speaks: of the preferred identity, else of From, else the connection's first.
const Registration* Calls::find_registration(const sip::Message& request, FlowId from) {
  const auto candidates = registrations_.of_flow(from);
  if (candidates.empty()) return nullptr;
  const auto of = [&](const sip::NameAddr& address) -> const Registration* {
    const std::string identity = canonical_identity(address.uri);
    for (const RegistrationId id : candidates)
      if (const Registration* each = registrations_.find(id); each->has_identity(identity)) return each;
    return nullptr;
  };
  if (const auto preferred = sip::first_name_addr(request, HeaderName::p_preferred_identity))
    if (const Registration* found = of(*preferred)) return found;
  if (const auto caller = sip::from(request))
    if (const Registration* found = of(*caller)) return found;
  return registrations_.find(candidates.front());
}

// The registration that a request of the core is for: several users may share a connection.
const Registration* Calls::find_called(const sip::Message& request, FlowId flow) {
  const auto candidates = registrations_.of_flow(flow);
  if (candidates.empty()) return nullptr;
  for (const auto& is_named : {names_called_party, is_for_contact, names_in_to})
    for (const RegistrationId id : candidates)
      if (const Registration* each = registrations_.find(id); is_named(request, *each)) return each;
  return registrations_.find(candidates.front());
}

std::expected<Calls::WayOut, Calls::Refusal> Calls::find_way_out(const sip::Message& request, FlowId from) {
  if (request.has(HeaderName::proxy_require)) return std::unexpected(Refusal{.status_code = 420});
  const auto route = sip::first_name_addr(request, HeaderName::route);
  if (route && board_.is_own_host(route->uri) && route->uri.has_user()) {
    const auto token = board_.tokens.open(route->uri.user());
    if (!token) return std::unexpected(Refusal{403, "Not our route", BadMessage::forged_route});
    // What begins something new passes its services, and says who it is, whatever route it shows.
    if (token->use == TokenUse::record_route && is_in_dialog(request))
      return find_way_in_dialog(request, from, *token);
  }
  if (is_in_dialog(request))
    return std::unexpected(Refusal{403, "Not the route of the dialog", BadMessage::forged_route});
  const Registration* registration = find_registration(request, from);
  if (registration == nullptr)
    return std::unexpected(Refusal{403, "Not registered", BadMessage::not_registered});
  // TS 24.229 section 5.2.6.3: whatever Route the WIC has, its Service-Route is taken.
  sip::Hop hop = board_.settings.core;
  if (!registration->service_routes.empty())
    if (const auto first = sip::NameAddr::parse(registration->service_routes.front()))
      hop = sip::hop_of(first->uri).value_or(hop);
  return WayOut{.hop = board_.adjusted(hop), .is_in_dialog = false, .registration = registration};
}

std::expected<Calls::WayOut, Calls::Refusal> Calls::find_way_in_dialog(const sip::Message& request,
                                                                       FlowId from, const FlowToken& token) {
  const bool is_own = holder_of(token.flow, sip::call_id(request).value_or("")) == from ||
                      registrations_.find_successor(token.flow) == from;
  const auto next = next_hop_behind_first_route(request);
  if (!is_own || !token.next || !next || board_.adjusted(*next) != *token.next)
    return std::unexpected(Refusal{403, "Not the route of the dialog", BadMessage::forged_route});
  const Registration* registration = find_registration(request, from);
  // Whoever is no longer registered may still hang up.
  if (registration == nullptr && request.method() != Method::bye && request.method() != Method::ack)
    return std::unexpected(Refusal{403, "Not registered", BadMessage::not_registered});
  return WayOut{.hop = *token.next, .is_in_dialog = true, .registration = registration};
}

std::expected<void, Calls::Refusal> Calls::edit_for_core(sip::Editor& edited, const sip::Message& request,
                                                         FlowId from, const WayOut& way) {
  if (const auto hops = edited.decrement_max_forwards(); !hops)
    return std::unexpected(Refusal{hops.error().status_code(), "", std::nullopt});
  bool is_forged = strip_from_client(edited, request);
  add_missing_length(edited, request);
  edited.remove(HeaderName::record_route).remove(HeaderName::p_preferred_identity);
  for (const HeaderName name : {HeaderName::authorization, HeaderName::proxy_authorization})
    is_forged = strip_credentials(edited, request, name) || is_forged;
  if (is_forged) board_.report_bad(from, BadMessage::forged_trust, 0);
  const ClientInfo* client = board_.find_client(from);
  if (const auto via = sip::top_via(request); via && client != nullptr)
    edited.stamp_via(*via, client->remote);
  if (way.is_in_dialog) {
    edited.pop_route();
  } else {
    edited.remove(HeaderName::route);
    for (const std::string& route : way.registration->service_routes) edited.append(HeaderName::route, route);
    edited.append(HeaderName::p_asserted_identity,
                  '<' + find_asserted_identity(request, *way.registration) + '>');
    edited.append(HeaderName::p_charging_vector, board_.make_charging_vector());
  }
  if (makes_dialog(request)) {
    const std::string token =
        board_.tokens.seal({.use = TokenUse::record_route, .flow = from, .next = std::nullopt});
    edited.append(HeaderName::record_route, board_.own_uri(token, ";lr"));
  }
  return {};
}

void Calls::on_client_request(sip::ServerId id, const sip::Message& request, FlowId from, Now now) {
  const auto way = find_way_out(request, from);
  if (!way) return refuse(id, request, from, way.error(), now);
  const Side side{.flow = from, .is_originating = true};
  if (const auto admitted = admit_call(request, side); !admitted)
    return refuse(id, request, from, admitted.error(), now);
  if (way->is_in_dialog) note_number(request, from);
  sip::Editor edited{request};
  const auto edit = edit_for_core(edited, request, from, *way);
  const auto sent = edit ? board_.forwarder.forward(id, request, edited, board_.flow_to(way->hop),
                                                    board_.via_to(way->hop), tag_of(side), now, board_.random)
                         : std::unexpected(sip::SendRefusal::unusable);
  if (sent) return;
  end_attempt(from, request);
  refuse(id, request, from, edit ? refusal_of(sent.error()) : edit.error(), now);
}

void Calls::on_client_ack(const sip::Message& ack, FlowId from) {
  const auto way = find_way_out(ack, from);
  sip::Editor edited{ack};
  if (!way || !way->is_in_dialog || !edit_for_core(edited, ack, from, *way)) {
    const auto what = way ? std::nullopt : way.error().what;
    board_.report_bad(from, what.value_or(BadMessage::forged_route), 0);
    return;
  }
  transmit(board_.flow_to(way->hop).id, edited, board_.via_to(way->hop));
}

// --- from the core ----------------------------------------------------------------------------------------

std::expected<FlowToken, Calls::Refusal> Calls::find_way_in(const sip::Message& request) {
  if (request.has(HeaderName::proxy_require)) return std::unexpected(Refusal{.status_code = 420});
  const auto route = sip::first_name_addr(request, HeaderName::route);
  const auto target = sip::request_uri(request);
  // RFC 5626 section 5.3: the token is in the topmost Route, or of a strict router in the Request-URI.
  const sip::Uri* own = route ? &route->uri : nullptr;
  if (own == nullptr && target) own = &*target;
  if (own == nullptr || !board_.is_own_host(*own) || !own->has_user())
    return std::unexpected(Refusal{404, "No flow token", std::nullopt});
  auto token = board_.tokens.open(own->user());
  if (!token) return std::unexpected(Refusal{403, "Not our flow token", BadMessage::forged_route});
  if (board_.find_client(token->flow) == nullptr) {
    token->flow = holder_of(token->flow, sip::call_id(request).value_or(""));
    if (board_.find_client(token->flow) == nullptr)
      return std::unexpected(Refusal{430, "", BadMessage::dead_flow});
  }
  if (!is_in_dialog(request) && !registrations_.has_flow(token->flow))
    return std::unexpected(Refusal{480, "Not registered", std::nullopt});
  return *token;
}

FlowToken Calls::token_towards_client(const sip::Message& request, FlowId flow, const sip::Hop& from) const {
  FlowToken token{.use = TokenUse::record_route, .flow = flow, .next = std::nullopt};
  auto first = sip::first_name_addr(request, HeaderName::record_route);
  if (!first) first = sip::first_name_addr(request, HeaderName::contact);
  const auto next = first ? sip::hop_of(first->uri) : std::nullopt;
  token.next = board_.adjusted(next.value_or(from));
  return token;
}

std::expected<void, Calls::Refusal> Calls::edit_for_client(sip::Editor& edited, const sip::Message& request,
                                                           const FlowToken& token, const sip::Hop& from) {
  if (const auto hops = edited.decrement_max_forwards(); !hops)
    return std::unexpected(Refusal{hops.error().status_code(), "", std::nullopt});
  if (strip_from_core(edited, request)) board_.report_bad({}, BadMessage::forged_trust, 0);
  edited.remove(HeaderName::route);
  if (makes_dialog(request))
    edited.push_record_route(
        board_.own_uri(board_.tokens.seal(token_towards_client(request, token.flow, from)), ";lr"));
  return {};
}

void Calls::on_core_request(sip::ServerId id, const sip::Message& request, const sip::Hop& from, Now now) {
  const auto token = find_way_in(request);
  if (!token) return refuse(id, request, {}, token.error(), now);
  const Side side{.flow = token->flow, .is_originating = false};
  if (const auto admitted = admit_call(request, side); !admitted)
    return refuse(id, request, token->flow, admitted.error(), now);
  sip::Editor edited{request};
  const auto edit = edit_for_client(edited, request, *token, from);
  const auto sent =
      edit ? board_.forwarder.forward(id, request, edited, Switchboard::flow_to(token->flow),
                                      board_.via_to(token->flow), tag_of(side), now, board_.random)
           : std::unexpected(sip::SendRefusal::unusable);
  if (sent) return;
  end_attempt(token->flow, request);
  refuse(id, request, token->flow, edit ? refusal_of(sent.error()) : edit.error(), now);
}

void Calls::on_core_ack(const sip::Message& ack, const sip::Hop& from) {
  const auto token = find_way_in(ack);
  sip::Editor edited{ack};
  if (!token || !edit_for_client(edited, ack, *token, from)) return;
  transmit(static_cast<std::uint64_t>(token->flow), edited, board_.via_to(token->flow));
}

// Of no transaction, so that nobody could be told that it has grown too large.
void Calls::transmit(std::uint64_t flow, sip::Editor& edited, std::string_view via) {
  std::string text = sip::Forwarder::stamped(edited, via, board_.random).text;
  if (sip::is_sendable(text)) board_.transmit({flow, std::move(text)});
}

void Calls::on_cancel(sip::ServerId id, const sip::Message& cancel, std::optional<sip::ServerId> cancelled,
                      Now now) {
  board_.answer(id, cancel, cancelled ? 200 : 481, now);
  if (cancelled) board_.forwarder.cancel(*cancelled, now);
}

// --- answers ----------------------------------------------------------------------------------------------

void Calls::on_answer(sip::ClientId id, const sip::Message& response, Now now) {
  const sip::Leg* leg = board_.forwarder.find(id);
  // RFC 3261 section 16.7 step 5: a 100 is for the neighbour alone.
  if (leg == nullptr || response.status_code() == 100) return;
  const Side side = side_of(leg->tag);
  sip::Editor edited{response};
  edited.pop_via();
  if (side.is_originating)
    edit_answer_for_client(edited, response, side.flow);
  else
    edit_answer_for_core(edited, response, *leg, side.flow);
  note_answer(*leg, side, response);
  board_.forwarder.pass_back(id, response.status_code(), edited.text(), now);
}

// The WIC's view of our Record-Route names the next place, which only the answer tells.
void Calls::edit_answer_for_client(sip::Editor& edited, const sip::Message& response, FlowId flow) {
  if (strip_from_core(edited, response)) board_.report_bad({}, BadMessage::forged_trust, 0);
  std::vector<std::string> rows;
  std::optional<sip::Hop> next;
  if (const auto contact = sip::first_name_addr(response, HeaderName::contact))
    next = sip::hop_of(contact->uri);
  bool is_found = false;
  sip::NameAddrCursor routes{response, HeaderName::record_route};
  while (const auto route = routes.next()) {
    if (!*route) return;
    const sip::Uri& uri = (*route)->uri;
    const auto token = board_.is_own_host(uri) ? board_.tokens.open(uri.user()) : std::nullopt;
    if (!is_found && next && token && !token->next && token->flow == flow) {
      const FlowToken known{.use = TokenUse::record_route, .flow = flow, .next = board_.adjusted(*next)};
      rows.push_back(board_.own_uri(board_.tokens.seal(known), ";lr"));
      is_found = true;
      continue;
    }
    rows.emplace_back((*route)->text);
    next = sip::hop_of(uri);
  }
  if (!is_found) return;
  edited.remove(HeaderName::record_route);
  for (const std::string& row : rows) edited.append(HeaderName::record_route, row);
}

void Calls::edit_answer_for_core(sip::Editor& edited, const sip::Message& response, const sip::Leg& leg,
                                 FlowId flow) {
  if (strip_from_client(edited, response)) board_.report_bad(flow, BadMessage::forged_trust, 0);
  add_missing_length(edited, response);
  edited.remove(HeaderName::p_preferred_identity);
  const auto request = sip::Message::parse(leg.request);
  check(request.has_value(), "a request that was forwarded does not parse");
  // TS 24.229 section 5.2.6.4: who answers is who was called, and the route is the one that was recorded.
  const Registration* called = find_called(*request, flow);
  if (!is_in_dialog(*request) && called != nullptr)
    edited.append(HeaderName::p_asserted_identity, '<' + find_called_identity(*request, *called) + '>');
  if (!response.has(HeaderName::record_route)) return;
  edited.remove(HeaderName::record_route);
  if (!makes_dialog(*request)) return;
  const sip::Hop from = board_.settings.core;
  edited.append(HeaderName::record_route,
                board_.own_uri(board_.tokens.seal(token_towards_client(*request, flow, from)), ";lr"));
  sip::ValueCursor recorded{*request, HeaderName::record_route};
  while (const auto value = recorded.next()) edited.append(HeaderName::record_route, *value);
}

void Calls::on_silence(sip::ClientId id, Now now) {
  const sip::Leg* leg = board_.forwarder.find(id);
  if (leg == nullptr) return;
  note_failure(*leg, side_of(leg->tag), 408);
  board_.forwarder.refuse(id, 408, {}, board_.make_tag(), now);
}

// RFC 5626 section 5.3: towards the core, 430. RFC 3261 section 16.9: towards the WIC, as a 503.
void Calls::on_flow_failed(sip::ClientId id, Now now) {
  const sip::Leg* leg = board_.forwarder.find(id);
  if (leg == nullptr) return;
  const Side side = side_of(leg->tag);
  const std::uint16_t status_code = side.is_originating ? 503 : 430;
  note_failure(*leg, side, status_code);
  if (!side.is_originating) board_.report_bad(side.flow, BadMessage::dead_flow, status_code);
  board_.forwarder.refuse(id, status_code, {}, board_.make_tag(), now);
}

// --- the table --------------------------------------------------------------------------------------------

std::expected<void, Calls::Refusal> Calls::admit_call(const sip::Message& request, const Side& side) {
  if (request.method() != Method::invite || is_in_dialog(request)) return {};
  const Limits& limits = board_.settings.limits;
  if (calls_.size() >= limits.calls_max || calls_.count_of_flow(side.flow) >= limits.calls_per_flow_max)
    return std::unexpected(
        Refusal{.status_code = side.is_originating ? std::uint16_t{503} : std::uint16_t{486},
                .reason = "Too many calls",
                .what = BadMessage::limit});
  Call& call = calls_.add(side.flow, sip::call_id(request).value_or(""));
  if (++call.attempts > 1 || call.is_established) return {};
  call.is_originating = side.is_originating;
  const Registration* registration =
      side.is_originating ? find_registration(request, side.flow) : find_called(request, side.flow);
  if (registration == nullptr) return {};
  call.impi = registration->key.impi;
  call.subject = registration->subject;
  return {};
}

// Its device may have come back on another connection meanwhile, and the call with it, whether or not it is
// still registered.
FlowId Calls::holder_of(FlowId flow, std::string_view call_id) const {
  if (const auto holder = calls_.find_holder(flow, call_id)) return *holder;
  return registrations_.find_successor(flow).value_or(flow);
}

// Whatever the WIC says in its dialog uses up a CSeq.
void Calls::note_number(const sip::Message& request, FlowId from) {
  const auto number = sip::cseq(request);
  Call* call = calls_.find(from, sip::call_id(request).value_or(""));
  if (call == nullptr || !call->far_end || !number || request.method() == Method::ack) return;
  call->far_end->number = std::max(call->far_end->number, number->number);
}

void Calls::note_answer(const sip::Leg& leg, const Side& side, const sip::Message& response) {
  if (response.status_code() < 200) return;
  if (response.status_code() >= 300) return note_failure(leg, side, response.status_code());
  if (leg.method != Method::invite && leg.method != Method::update && leg.method != Method::bye) return;
  const auto request = sip::Message::parse(leg.request);
  check(request.has_value(), "a request that was forwarded does not parse");
  const std::string_view call_id = sip::call_id(*request).value_or("");
  if (leg.method == Method::bye) return note_bye(*request, side, response.status_code());
  if (Call* call = calls_.find(holder_of(side.flow, call_id), call_id))
    note_accepted(*call, *request, side, response);
}

// An answer that is none, or silence.
void Calls::note_failure(const sip::Leg& leg, const Side& side, std::uint16_t status_code) {
  if (leg.method != Method::invite && leg.method != Method::bye) return;
  const auto request = sip::Message::parse(leg.request);
  check(request.has_value(), "a request that was forwarded does not parse");
  if (leg.method == Method::invite) return end_attempt(side.flow, *request);
  note_bye(*request, side, status_code);
}

// Who says goodbye has gone (RFC 3261 section 15.1.1), and so has a far end that knows of no call or is not
// there (RFC 5057 section 5.1). One that refuses the WIC's BYE goes on: it is hung up for when the WIC
// vanishes. A BYE in another dialog, that of a second fork or none at all, says nothing of this one.
void Calls::note_bye(const sip::Message& bye, const Side& side, std::uint16_t status_code) {
  const std::string_view call_id = sip::call_id(bye).value_or("");
  const FlowId holder = holder_of(side.flow, call_id);
  const Call* call = calls_.find(holder, call_id);
  if (call == nullptr || (call->far_end && !call->far_end->has_tags_of(bye))) return;
  constexpr auto gone = std::to_array<std::uint16_t>({404, 408, 410, 430, 480, 481, 604});
  const bool goes_on =
      side.is_originating && status_code >= 300 && std::ranges::find(gone, status_code) == gone.end();
  if (!goes_on) end_call(holder, call_id);
}

// A call is over that nobody has answered and nobody can answer any more. An INVITE within a dialog, even one
// that the WIC has made up, says nothing of those that began it.
void Calls::end_attempt(FlowId flow, const sip::Message& request) {
  if (request.method() != Method::invite || is_in_dialog(request)) return;
  const std::string_view call_id = sip::call_id(request).value_or("");
  const FlowId holder = holder_of(flow, call_id);
  Call* call = calls_.find(holder, call_id);
  if (call == nullptr) return;
  if (call->attempts > 0) --call->attempts;
  if (call->attempts == 0 && !call->is_established) end_call(holder, call_id);
}

void Calls::note_accepted(Call& call, const sip::Message& request, const Side& side,
                          const sip::Message& response) {
  if (call.is_established) {
    const sip::Message& from_far = side.is_originating ? response : request;
    if (call.far_end && call.far_end->has_tags_of(from_far)) refresh_target(*call.far_end, from_far);
    return;
  }
  if (request.method() != Method::invite) return;
  const auto is_own = [&](const sip::Uri& uri) {
    const auto token = board_.is_own_host(uri) ? board_.tokens.open(uri.user()) : std::nullopt;
    return token && token->flow == side.flow && !token->next;
  };
  call.far_end = side.is_originating ? far_end_of_originating(request, response, is_own)
                                     : far_end_of_terminating(request, response);
  call.is_established = true;
  ++board_.counters.calls_started;
  board_.emit(Report{CallStarted{side.flow, call.subject, call.is_originating}});
}

// TS 24.229 section 5.2.8.1.2: the far end would go on for as long as it likes, and be charged for.
void Calls::hang_up(Call& call, std::string_view call_id, Now now) {
  const auto next = call.far_end ? call.far_end->next() : std::nullopt;
  if (!next) return;
  const sip::Hop hop = board_.adjusted(*next);
  const std::string via = "SIP/2.0/" + board_.via_to(hop) + ";branch=" + std::string{sip::branch_cookie} +
                          to_hex(board_.random.draw<12>());
  (void)board_.layer.send_request(
      make_bye(*call.far_end, call_id, via, "SIP;cause=503;text=\"Connection lost\""), board_.flow_to(hop),
      now);
}

void Calls::end_call(FlowId flow, std::string_view call_id, bool is_abandoned) {
  const Call* call = calls_.find(flow, call_id);
  if (call == nullptr) return;
  if (call->is_established) {
    ++board_.counters.calls_ended;
    if (is_abandoned) ++board_.counters.calls_abandoned;
    board_.emit(Report{CallEnded{flow, call->subject, is_abandoned}});
  }
  calls_.remove(flow, call_id);
}

void Calls::on_registered(const Registration& registration, Now now) {
  for (const FlowId lost : registrations_.former_flows(registration.id))
    calls_.move(lost, registration.flow, registration.key.impi);
  // The new connection may have gone, too, while the core was asked.
  if (!registration.is_connected) on_client_closed(registration.flow, now);
}

void Calls::on_client_closed(FlowId flow, Now now) {
  calls_.move_back(flow, [&](FlowId former) { return board_.find_client(former) != nullptr; });
  calls_.lose(flow, now.mono + board_.settings.flow_grace);
}

void Calls::on_timeout(Now now) {
  while (const auto lost = calls_.take_lost(now.mono))
    for (const auto& [flow, call_id] : calls_.of_flow(*lost)) {
      if (Call* call = calls_.find(flow, call_id)) hang_up(*call, call_id, now);
      end_call(flow, call_id, true);
    }
}

}  // namespace turnpike::epcscf
