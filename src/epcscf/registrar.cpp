#include "epcscf/registrar.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/source_key.hpp"
#include "epcscf/bearer_policy.hpp"
#include "epcscf/register_answer.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::epcscf {
namespace {

std::uint16_t status_of(RegistrationRefusal refusal) {
  switch (refusal) {
    case RegistrationRefusal::malformed:
      return 400;
    case RegistrationRefusal::token_malformed:
    case RegistrationRefusal::token_invalid:
    case RegistrationRefusal::token_expired:
    case RegistrationRefusal::token_bound:
      return 401;
    case RegistrationRefusal::token_unchecked:
    case RegistrationRefusal::too_many_failures:
    case RegistrationRefusal::limit:
    case RegistrationRefusal::core_unreachable:
      return 503;
    case RegistrationRefusal::core_silent:
      return 504;
    default:
      return 403;
  }
}

constexpr RegisterProblem too_many_failures{503, "Too many failed logins",
                                            RegistrationRefusal::too_many_failures};

std::string source_of(const SocketAddress& client) { return source_key(client.ip).to_string(); }

// A core says 401 or 403 to a wrong response. RFC 7616 section 3.3: "stale" says that the password was right.
bool is_failed_login(const RegisterRequest& request, const sip::Message& response) {
  if (!request.has_response || request.identity) return false;
  if (response.status_code() == 403) return true;
  if (response.status_code() != 401) return false;
  for (auto row = response.find_row(sip::HeaderName::www_authenticate); row;
       row = response.find_row(sip::HeaderName::www_authenticate, *row + 1)) {
    const auto challenge = sip::Credentials::parse(response.header(*row).value);
    if (challenge && sip::equal_ignoring_case(challenge->text("stale").value_or(""), "true")) return false;
  }
  return true;
}

}  // namespace

// --- towards the core -------------------------------------------------------------------------------------

void Registrar::on_register(sip::ServerId id, const sip::Message& message, FlowId flow, Now now) {
  auto request = read_register(message, board_.settings);
  if (!request) {
    RegisterRequest unread;
    unread.text = message.text();
    unread.server = id;
    unread.flow = flow;
    refuse(unread, request.error(), now);
    return;
  }
  request->server = id;
  request->flow = flow;
  if (request->proof == ProofKind::bearer)
    start_check(*std::move(request), now);
  else
    forward(*std::move(request), message, now);
}

void Registrar::refuse(const RegisterRequest& request, const RegisterProblem& problem, Now now) {
  ++board_.counters.refusals[static_cast<std::size_t>(problem.refusal)];
  board_.emit(Report{RegistrationRefused{request.flow, board_.address_of(request.flow), problem.refusal,
                                         problem.status_code}});
  if (problem.is_forged) board_.report_bad(request.flow, BadMessage::forged_trust, problem.status_code);
  const auto message = sip::Message::parse(request.text);
  check(message.has_value(), "a REGISTER that was read does not parse");
  if (problem.status_code == 401)
    board_.answer(request.server, *message, 401, now, {}, sip::HeaderName::www_authenticate,
                  make_bearer_challenge(board_.settings));
  else if (problem.status_code == 420)  // RFC 3261 section 16.3 step 5: nothing of it is known here
    board_.answer(request.server, *message, 420, now, {}, sip::HeaderName::unsupported,
                  message->find(sip::HeaderName::proxy_require).value_or(sip::Header{}).value);
  else
    board_.answer(request.server, *message, problem.status_code, now, problem.reason);
}

void Registrar::start_check(RegisterRequest request, Now now) {
  const BearerSettings& bearer = board_.settings.bearer;
  if (bearer.authorization_server.empty())
    return refuse(request, {403, "Tokens are not taken here", RegistrationRefusal::tokens_not_taken}, now);
  if (checks_.size() >= board_.settings.limits.token_checks_max)
    return refuse(request, {503, "", RegistrationRefusal::limit}, now);
  const CheckId id{++last_check_};
  board_.emit(CheckToken{id, request.token});
  const Instant at = now.mono + bearer.patience;
  check_ends_.emplace(at, id);
  checks_.emplace(id, Check{std::move(request), at});
}

void Registrar::on_token_checked(CheckId id, const TokenAnswer& answer, Now now) {
  const auto found = checks_.find(id);
  if (found == checks_.end()) return;
  check_ends_.erase({found->second.at, id});
  RegisterRequest request = std::move(found->second.request);
  checks_.erase(found);
  std::optional<RegistrationRefusal> refusal;
  if (!answer) refusal = refusal_of(answer.error());
  // With less than a second left, what would be asked of the core is `Expires: 0`: an end.
  else if (answer->expires_at < now.wall + std::chrono::seconds{1})
    refusal = RegistrationRefusal::token_expired;
  else if (revoked_.has(*answer, now.wall))
    refusal = RegistrationRefusal::token_invalid;
  else
    refusal = find_objection(*answer, request, board_.settings.bearer);
  if (refusal) return refuse(request, {status_of(*refusal), "", *refusal}, now);
  request.identity = *answer;
  request.key.impi = answer->impi;
  const std::string text = request.text;  // which the message is a view of
  const auto message = sip::Message::parse(text);
  check(message.has_value(), "a REGISTER that was read does not parse");
  forward(std::move(request), *message, now);
}

std::optional<RegistrationRefusal> Registrar::find_limit(const RegisterRequest& request) {
  if (request.kind != RegisterKind::binding) return std::nullopt;
  const Limits& limits = board_.settings.limits;
  const Registration* known = registrations_.find(request.key);
  if (known != nullptr && known->flow == request.flow) return std::nullopt;
  std::size_t of_flow = registrations_.count_of_flow(request.flow);
  std::size_t of_impi = registrations_.count_of_impi(request.key.impi);
  std::size_t all = registrations_.size();
  // Those whom it succeeds make room for it.
  if (request.identity && request.identity->is_pool_identity)
    for (const RegistrationId id : registrations_.of_impi(request.key.impi)) {
      const Registration& holder = *registrations_.find(id);
      if (holder.key.instance == request.key.instance) continue;
      if (holder.flow == request.flow) --of_flow;
      --of_impi;
      --all;
    }
  const bool is_full =
      of_flow >= limits.registrations_per_flow_max ||
      (known == nullptr && (all >= limits.registrations_max || of_impi >= limits.registrations_per_impi_max));
  return is_full ? std::optional{RegistrationRefusal::limit} : std::nullopt;
}

void Registrar::forward(RegisterRequest request, const sip::Message& message, Now now) {
  if (const auto limit = find_limit(request)) return refuse(request, {503, "", *limit}, now);
  const ClientInfo* client = board_.find_client(request.flow);
  if (client == nullptr) return;  // gone while its token was checked
  if (request.has_response) {
    const std::string source = source_of(client->remote);
    const LoginQueue::Turn turn = logins_.turn_of(source, now.mono);
    if (turn == LoginQueue::Turn::never) return refuse(request, too_many_failures, now);
    if (turn == LoginQueue::Turn::later) return wait(std::move(request), source, now);
  }
  send(std::move(request), message, *client, now);
}

void Registrar::wait(RegisterRequest request, const std::string& source, Now now) {
  if (!logins_.wait(request, source, now.mono + board_.settings.timers.patience()))
    refuse(request, {503, "", RegistrationRefusal::limit}, now);
}

void Registrar::refuse_overdue(Now now) {
  while (const auto late = logins_.take_overdue(now.mono))
    refuse(*late, {504, "", RegistrationRefusal::core_silent}, now);
}

void Registrar::let_in(const std::string& source, Now now) {
  refuse_overdue(now);
  for (;;) {
    const LoginQueue::Turn turn = logins_.turn_of(source, now.mono);
    if (turn == LoginQueue::Turn::later) return;
    auto request = logins_.take_first(source);
    if (!request) return;
    if (turn == LoginQueue::Turn::never) {
      refuse(*request, too_many_failures, now);
      continue;
    }
    const std::string text = request->text;  // which the message is a view of
    const auto message = sip::Message::parse(text);
    check(message.has_value(), "a REGISTER that was read does not parse");
    forward(*std::move(request), *message, now);
  }
}

void Registrar::send(RegisterRequest request, const sip::Message& message, const ClientInfo& client,
                     Now now) {
  CoreRegister how{.client = client};
  how.is_bound = std::ranges::any_of(registrations_.of_flow(request.flow), [&](RegistrationId id) {
    return registrations_.find(id)->key.impi == request.key.impi;
  });
  if (request.identity) {
    how.authorization_entity = find_authorization_entity(*request.identity, board_.settings.bearer);
    how.lifetime_max = std::chrono::floor<std::chrono::seconds>(request.identity->expires_at - now.wall);
  }
  auto made = make_core_register(message, request, how, board_);
  if (!made) return refuse(request, {made.error().status_code(), "", RegistrationRefusal::malformed}, now);
  const auto sent = board_.layer.send_request(*std::move(made), message.method_text(),
                                              board_.flow_to(board_.settings.core), now);
  if (!sent) return refuse(request, {503, "", RegistrationRefusal::limit}, now);
  asking_.insert(request.flow);
  Forwarded forwarded{.request = std::move(request)};
  if (forwarded.request.has_response) {
    forwarded.login_source = source_of(client.remote);
    logins_.begin(forwarded.login_source);
  }
  forwarded_.emplace(*sent, std::move(forwarded));
}

std::optional<Registrar::Forwarded> Registrar::take_forwarded(sip::ClientId id) {
  auto taken = forwarded_.extract(id);
  if (taken.empty()) return std::nullopt;
  asking_.extract(taken.mapped().request.flow);
  return std::move(taken.mapped());
}

void Registrar::end_login(const Forwarded& forwarded, bool has_failed, Now now) {
  if (forwarded.login_source.empty()) return;
  logins_.end(forwarded.login_source, has_failed, now.mono);
  let_in(forwarded.login_source, now);
}

// --- and back ---------------------------------------------------------------------------------------------

bool Registrar::on_core_answer(sip::ClientId id, const sip::Message& response, Now now) {
  if (!forwarded_.contains(id)) return false;
  if (response.status_code() < 200) return true;
  Forwarded forwarded = *take_forwarded(id);
  const bool has_failed = is_failed_login(forwarded.request, response);
  end_login(forwarded, has_failed, now);
  RegisterRequest& request = forwarded.request;
  if (response.status_code() < 300) {
    on_accepted(std::move(request), response, now);
    return true;
  }
  const bool is_challenge = response.status_code() == 401 || response.status_code() == 407;
  if (is_challenge) ++board_.counters.challenges;
  if (has_failed || !is_challenge) {
    const auto reason = has_failed ? RegistrationRefusal::login_failed : RegistrationRefusal::core_refused;
    ++board_.counters.refusals[static_cast<std::size_t>(reason)];
    board_.emit(Report{
        RegistrationRefused{request.flow, board_.address_of(request.flow), reason, response.status_code()}});
  }
  pass_back(request, response, nullptr, now);
  return true;
}

bool Registrar::on_core_lost(sip::ClientId id, bool is_unreachable, Now now) {
  const auto forwarded = take_forwarded(id);
  if (!forwarded) return false;
  end_login(*forwarded, false, now);
  const auto refusal =
      is_unreachable ? RegistrationRefusal::core_unreachable : RegistrationRefusal::core_silent;
  refuse(forwarded->request, {status_of(refusal), "", refusal}, now);
  return true;
}

void Registrar::on_accepted(RegisterRequest request, const sip::Message& response, Now now) {
  if (request.kind == RegisterKind::query) return pass_back(request, response, nullptr, now);
  const auto lifetime = find_granted(request, response, now, board_.settings);
  if (request.kind != RegisterKind::binding || lifetime.count() == 0) {
    on_removed(request, now);
    return pass_back(request, response, nullptr, now);
  }
  // Those who asked at the same time may have taken the last places. What the core holds now ends by itself.
  if (const auto limit = find_limit(request)) return refuse(request, {503, "", *limit}, now);
  if (request.identity && revoked_.has(*request.identity, now.wall))  // while the core was asked
    return refuse(request, {401, "", RegistrationRefusal::token_invalid}, now);
  Registration& registration = bind(request, response, lifetime, now);
  if (request.wants_credentials())
    provision(std::move(request), response, registration, now);
  else
    pass_back(request, response, nullptr, now);
}

void Registrar::on_removed(const RegisterRequest& request, Now now) {
  if (request.kind != RegisterKind::removal_of_all) {
    if (const Registration* known = registrations_.find(request.key))
      end_by_user(known->id, request.flow, now);
    return;
  }
  for (const RegistrationId id : registrations_.of_impi(request.key.impi))
    if (registrations_.find(id)->key.aor == request.key.aor) end_by_user(id, request.flow, now);
}

// The user's other devices are not asked, and have to be told.
void Registrar::end_by_user(RegistrationId id, FlowId asker, Now now) {
  const FlowId flow = registrations_.find(id)->flow;
  end(id, EndTrigger::deregistered, now);
  if (flow != asker && !asking_.contains(flow)) close_if_unused(flow, EndTrigger::deregistered);
}

Registration& Registrar::bind(const RegisterRequest& request, const sip::Message& response,
                              std::chrono::seconds lifetime, Now now) {
  Registration* known = registrations_.find(request.key);
  const bool is_refresh = known != nullptr;
  const bool has_moved = is_refresh && known->flow != request.flow;
  if (!is_refresh) {
    known = &registrations_.add(request.key, request.flow);
    desk_.name(*known);
  } else if (has_moved) {
    registrations_.move(*known, request.flow);
  }
  Registration& registration = *known;
  registration.contact = request.contact;
  registration.is_pool_identity = request.identity && request.identity->is_pool_identity;
  registration.is_ended_by_token =
      request.identity && now.wall + lifetime + std::chrono::seconds{1} >= request.identity->expires_at;
  registrations_.set_token(registration,
                           request.identity && !request.identity->token_id.empty()
                               ? make_token_key(request.identity->issuer, request.identity->token_id)
                               : std::string{});
  learn_routes(registration, response, board_.settings.limits);
  registrations_.set_identities(registration, read_identities_of(response, request, board_.settings.limits));
  // Its connection may have gone while the core was asked.
  registration.is_connected = board_.find_client(request.flow) != nullptr;
  std::optional<Instant> given_up_at;
  if (!registration.is_connected) given_up_at = now.mono + board_.settings.flow_grace;
  registrations_.set_end(registration, now.mono + lifetime, given_up_at);
  if (registration.is_pool_identity) end_other_holders(registration, now);
  ++(is_refresh ? board_.counters.registrations_refreshed : board_.counters.registrations_started);
  board_.emit(Report{Registered{request.flow, board_.address_of(request.flow), registration.subject, lifetime,
                                is_refresh, has_moved}});
  observer_.on_registered(registration, is_refresh, now);
  return registration;
}

// Scenario 3: an identity of a pool is one WIC's at a time, and the former one's credentials go with it.
void Registrar::end_other_holders(const Registration& holder, Now now) {
  for (const RegistrationId id : registrations_.of_impi(holder.key.impi))
    if (id != holder.id && registrations_.find(id)->key.instance != holder.key.instance)
      end(id, EndTrigger::reassigned, now);
}

void Registrar::provision(RegisterRequest request, const sip::Message& response, Registration& registration,
                          Now now) {
  const ClientInfo* client = board_.find_client(request.flow);
  if (client == nullptr) return;  // nobody hears the answer
  auto outcome = desk_.begin(request, *client, registration, lifetime_left(registration, now), now);
  continue_provision(std::move(request), response, registration, std::move(outcome), now);
}

void Registrar::continue_provision(RegisterRequest request, const sip::Message& response,
                                   Registration& registration, CredentialDesk::Outcome outcome, Now now) {
  if (outcome && outcome->push) {
    const PushId id = *outcome->push;
    const Instant at = now.mono + board_.settings.push_patience;
    push_ends_.emplace(at, id);
    held_.emplace(id, Held{.request = std::move(request),
                           .response = std::string{response.text()},
                           .registration = registration.id,
                           .made = *std::move(outcome),
                           .at = at});
    return;
  }
  pass_back(request, response, &outcome, now);
  if (!outcome) {
    ++board_.counters.unprovisioned[static_cast<std::size_t>(outcome.error())];
    board_.emit(Report{NotProvisioned{registration.subject, outcome.error()}});
    return;
  }
  ++board_.counters.provisioned;
  if (outcome->is_fallback) ++board_.counters.provisioned_by_fallback;
  const auto& entries = outcome->provision.entries;
  board_.emit(Report{Provisioned{registration.subject, outcome->provision.source, outcome->is_fallback,
                                 entries.empty() ? std::chrono::seconds{} : entries.front().ttl}});
}

void Registrar::on_push_done(PushId id, bool acknowledged, Now now) {
  const auto found = held_.find(id);
  if (found == held_.end()) return;
  push_ends_.erase({found->second.at, id});
  Held held = std::move(found->second);
  held_.erase(found);
  desk_.on_pushed(id);
  const auto response = sip::Message::parse(held.response);
  check(response.has_value(), "a response that was received does not parse");
  Registration* registration = registrations_.find(held.registration);
  if (registration == nullptr) {  // it has ended meanwhile, and its credentials with it
    const CredentialDesk::Outcome nothing = std::unexpected(Unprovisioned::not_acknowledged);
    pass_back(held.request, *response, &nothing, now);
    return;
  }
  CredentialDesk::Outcome outcome;
  if (acknowledged) {
    held.made.push.reset();
    outcome = std::move(held.made);
  } else {
    outcome = desk_.fall_back(held.made, held.request, *registration, lifetime_left(*registration, now), now);
  }
  continue_provision(std::move(held.request), *response, *registration, std::move(outcome), now);
}

void Registrar::pass_back(const RegisterRequest& request, const sip::Message& response,
                          const CredentialDesk::Outcome* outcome, Now now) {
  if (response.has(sip::HeaderName::turn_credentials)) board_.report_bad({}, BadMessage::forged_trust, 0);
  board_.layer.respond(request.server, make_register_answer(request, response, outcome, now, board_.settings),
                       now);
}

std::chrono::seconds Registrar::lifetime_left(const Registration& registration, Now now) const {
  return std::chrono::floor<std::chrono::seconds>(registration.expires_at - now.mono);
}

// --- ends -------------------------------------------------------------------------------------------------

std::size_t Registrar::revoke(const RevokedToken& token, Now now) {
  revoked_.add(token, board_.settings.limits.revoked_tokens_max, now.wall);
  if (token.token_id.empty()) return 0;
  const auto resting = registrations_.of_token(make_token_key(token.issuer, token.token_id));
  for (const RegistrationId id : resting) end(id, EndTrigger::token_revoked, now);
  return resting.size();
}

void Registrar::end(RegistrationId id, EndTrigger trigger, Now now) {
  Registration* registration = registrations_.find(id);
  if (registration == nullptr) return;
  desk_.take_back(*registration, now);
  observer_.on_ending(*registration, trigger, now);
  ++board_.counters.ends[static_cast<std::size_t>(trigger)];
  board_.emit(Report{Deregistered{registration->subject, trigger}});
  const FlowId flow = registration->flow;
  registrations_.remove(id);
  // A core may tell of a de-registration before it answers it; whoever asks is told by the answer.
  const bool is_news = (trigger == EndTrigger::network && !asking_.contains(flow)) ||
                       trigger == EndTrigger::operator_asked || trigger == EndTrigger::reassigned ||
                       trigger == EndTrigger::token_revoked;
  if (is_news) close_if_unused(flow, trigger);
}

void Registrar::close_if_unused(FlowId flow, EndTrigger trigger) {
  if (!registrations_.has_flow(flow) && board_.find_client(flow) != nullptr)
    board_.emit(CloseClient{flow, std::string{to_string(trigger)}});
}

void Registrar::on_client_closed(FlowId flow, Now now) {
  logins_.forget(flow);
  for (const RegistrationId id : registrations_.of_flow(flow)) {
    Registration& registration = *registrations_.find(id);
    registration.is_connected = false;
    registrations_.set_end(registration, registration.expires_at, now.mono + board_.settings.flow_grace);
  }
}

void Registrar::on_timeout(Now now) {
  while (!check_ends_.empty() && check_ends_.begin()->first <= now.mono)
    on_token_checked(CheckId{check_ends_.begin()->second}, std::unexpected(TokenRefusal::unavailable), now);
  while (!push_ends_.empty() && push_ends_.begin()->first <= now.mono)
    on_push_done(PushId{push_ends_.begin()->second}, false, now);
  refuse_overdue(now);
  while (const auto due = registrations_.find_due(now.mono)) {
    const Registration& registration = *registrations_.find(*due);
    EndTrigger trigger = EndTrigger::flow_failed;
    if (registration.expires_at <= now.mono)
      trigger = registration.is_ended_by_token ? EndTrigger::token_expired : EndTrigger::expired;
    end(*due, trigger, now);
  }
}

std::optional<Instant> Registrar::next_timeout() const {
  std::optional<Instant> next = registrations_.next_timeout();
  const auto consider = [&next](Instant at) { next = std::min(next.value_or(at), at); };
  if (const auto login = logins_.next_timeout()) consider(*login);
  if (!check_ends_.empty()) consider(check_ends_.begin()->first);
  if (!push_ends_.empty()) consider(push_ends_.begin()->first);
  return next;
}

}  // namespace turnpike::epcscf
