#include "epcscf/reg_events.hpp"

#include <algorithm>

#include "epcscf/bindings.hpp"
#include "epcscf/identities.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"
#include "sip/writer.hpp"

namespace turnpike::epcscf {
namespace {

using sip::HeaderName;
using std::chrono::seconds;

constexpr seconds expires_asked{600'000};  // TS 24.229 section 5.2.3
constexpr seconds retry_default{60};       // a core that was silent, or has ended the subscription
constexpr seconds retry_soon{2};
constexpr seconds overtaking{2};  // a NOTIFY before the answer to the REGISTER that it follows from
constexpr seconds recheck_after_min{30};

// TS 24.229 section 5.1.1.4.1, for subscriptions too: 600 s before, or at half time.
seconds refresh_after(seconds granted) {
  return granted > seconds{1200} ? granted - seconds{600} : granted / 2;
}

// RFC 6665 section 4.1.2 and RFC 3261 section 21: it will not change its mind for being asked again.
bool is_final(std::uint16_t status_code) {
  switch (status_code) {
    case 403:
    case 404:
    case 405:
    case 420:
    case 489:
    case 501:
      return true;
    default:
      return status_code >= 600;
  }
}

// Where several contacts have its URI and none says whose it is, one that lives may be it.
bool is_gone(const ReginfoRegistration& told, const Registration& registration) {
  bool is_told = false;
  bool has_living = false;
  for (const ReginfoContact& contact : told.contacts) {
    const Likeness likeness =
        compare_binding({contact.uri, contact.instance, contact.reg_id},
                        {registration.contact, registration.key.instance, registration.key.reg_id});
    if (likeness == Likeness::flow) return contact.is_terminated;
    if (likeness == Likeness::none) continue;
    is_told = true;
    has_living = has_living || !contact.is_terminated;
  }
  return is_told ? !has_living : !told.is_active;
}

}  // namespace

void RegEvents::on_registered(const Registration& registration, Now now) {
  if (!board_.settings.has_reg_event || registration.impus.empty()) return;
  const std::string& identity = registration.impus.front();
  if (const auto held = held_.find(registration.id); held != held_.end() && held->second != identity)
    on_ending(registration.id, now);  // the core has changed the default identity
  held_.insert_or_assign(registration.id, identity);
  const auto [entry, is_new] = by_identity_.try_emplace(identity);
  Subscription& subscription = entry->second;
  const auto lifetime = std::chrono::floor<seconds>(registration.expires_at - now.mono);
  subscription.holders.insert_or_assign(registration.id, lifetime);
  if (is_new || subscription.is_refused) {
    subscription.identity = identity;
    subscription.uri = registration.impu_uris.front();
    return start_over(subscription, Duration::zero(), now);
  }
  // RFC 3680 section 4.7: a NOTIFY follows. One refresh where it does not, for some cores never send any.
  const bool is_told = subscription.heard_at && *subscription.heard_at + overtaking >= now.mono;
  if (!is_told && !subscription.doubt_at)
    subscription.doubt_at = now.mono + board_.settings.reg_event_patience;
  plan_refresh(subscription);
}

void RegEvents::on_ending(RegistrationId id, Now now) {
  const auto held = held_.find(id);
  if (held == held_.end()) return;
  const std::string identity = std::move(held->second);
  held_.erase(held);
  const auto entry = by_identity_.find(identity);
  if (entry == by_identity_.end()) return;
  Subscription& subscription = entry->second;
  subscription.holders.erase(id);
  if (!subscription.holders.empty()) return;
  if (!subscription.core_tag.empty()) subscribe(subscription, seconds{0}, now);
  drop(identity);
}

// A new dialog.
void RegEvents::start_over(Subscription& subscription, Duration after, Now now) {
  by_call_id_.erase(subscription.call_id);
  subscription.is_refused = false;
  subscription.call_id = board_.make_tag() + board_.make_tag();
  subscription.own_tag = board_.make_tag();
  subscription.core_tag.clear();
  subscription.remote_target = subscription.uri;
  subscription.routes.clear();
  subscription.version.reset();
  subscription.asked.reset();
  subscription.heard_at.reset();
  subscription.renew_at.reset();
  by_call_id_.emplace(subscription.call_id, subscription.identity);
  if (after > Duration::zero())
    plan(subscription, now.mono + after);
  else
    subscribe(subscription, expires_asked, now);
}

void RegEvents::subscribe(Subscription& subscription, seconds expires, Now now) {
  const std::string own = board_.own_uri({}, {});
  sip::Hop hop = board_.settings.core;
  sip::Writer writer = sip::Writer::request(sip::Method::subscribe, subscription.remote_target);
  if (!subscription.routes.empty()) {
    const auto first = sip::NameAddr::parse(subscription.routes.front());
    if (first) hop = sip::hop_of(first->uri).value_or(hop);
  } else if (!subscription.core_tag.empty()) {
    const auto target = sip::Uri::parse(subscription.remote_target);
    if (target) hop = sip::hop_of(*target).value_or(hop);
  }
  hop = board_.adjusted(hop);
  writer.add(HeaderName::via, "SIP/2.0/" + board_.via_to(hop) + ";branch=" + std::string{sip::branch_cookie} +
                                  to_hex(board_.random.draw<12>()));
  for (const std::string& route : subscription.routes) writer.add(HeaderName::route, route);
  writer.add(HeaderName::max_forwards, "70")
      .add(HeaderName::from, own + ";tag=" + subscription.own_tag)
      .add(HeaderName::to, '<' + subscription.uri + '>' +
                               (subscription.core_tag.empty() ? "" : ";tag=" + subscription.core_tag))
      .add(HeaderName::call_id, subscription.call_id)
      .add(HeaderName::cseq, std::to_string(++subscription.number) + " SUBSCRIBE")
      .add(HeaderName::contact, own)
      .add(HeaderName::event, "reg")
      .add(HeaderName::accept, "application/reginfo+xml")
      .add(HeaderName::expires, static_cast<std::uint64_t>(expires.count()))
      .add(HeaderName::p_asserted_identity, own)
      .add(HeaderName::p_charging_vector, board_.make_charging_vector());
  const auto sent = board_.layer.send_request(writer.finish(), board_.flow_to(hop), now);
  subscription.renew_at.reset();
  subscription.doubt_at.reset();
  plan(subscription, now.mono + retry_default);
  if (!sent) return;
  subscription.asked = *sent;
  asked_.insert_or_assign(*sent, subscription.identity);
}

void RegEvents::plan(Subscription& subscription, std::optional<Instant> at) {
  if (subscription.again_at) alarms_.erase({*subscription.again_at, subscription.identity});
  subscription.again_at = at;
  if (at) alarms_.emplace(*at, subscription.identity);
}

// At the latest as soon as the registrations themselves are refreshed, so that a core that has forgotten the
// subscription does not let them outlive their end.
void RegEvents::note_sign_of_life(Subscription& subscription, Now now) {
  seconds shortest = expires_asked;
  for (const auto& [id, lifetime] : subscription.holders) shortest = std::min(shortest, lifetime);
  subscription.recheck_at = now.mono + std::max(refresh_after(shortest), recheck_after_min);
}

void RegEvents::plan_refresh(Subscription& subscription) {
  if (!subscription.renew_at) return;
  Instant at = std::min(*subscription.renew_at, subscription.recheck_at);
  if (subscription.doubt_at) at = std::min(at, *subscription.doubt_at);
  plan(subscription, at);
}

void RegEvents::drop(std::string_view identity) {
  const auto entry = by_identity_.find(identity);
  if (entry == by_identity_.end()) return;
  plan(entry->second, std::nullopt);
  by_call_id_.erase(entry->second.call_id);
  by_identity_.erase(entry);
}

// RFC 3261 section 12.1.2; RFC 6665 section 4.4.1: the NOTIFY may make the dialog before the answer does.
void RegEvents::learn_dialog(Subscription& subscription, const sip::Message& message, bool is_answer) {
  const auto peer = is_answer ? sip::to(message) : sip::from(message);
  if (!subscription.core_tag.empty() || !peer || !peer->tag()) return;
  subscription.core_tag = *peer->tag();
  if (const auto contact = sip::first_name_addr(message, HeaderName::contact))
    subscription.remote_target = contact->uri_text;
  sip::NameAddrCursor routes{message, HeaderName::record_route};
  while (const auto route = routes.next())
    if (*route) subscription.routes.emplace_back((*route)->text);
  if (is_answer) std::ranges::reverse(subscription.routes);
}

bool RegEvents::on_core_answer(sip::ClientId id, const sip::Message& response, Now now) {
  const auto asked = asked_.find(id);
  if (asked == asked_.end()) return false;
  if (response.status_code() < 200) return true;
  const auto entry = by_identity_.find(asked->second);
  asked_.erase(asked);
  if (entry == by_identity_.end() || entry->second.asked != id) return true;
  Subscription& subscription = entry->second;
  subscription.asked.reset();
  if (response.status_code() < 300) {
    learn_dialog(subscription, response, true);
    const seconds granted{sip::expires(response).value_or(static_cast<std::uint32_t>(expires_asked.count()))};
    subscription.renew_at = now.mono + std::max(refresh_after(granted), seconds{1});
    note_sign_of_life(subscription, now);
    plan_refresh(subscription);
  } else if (response.status_code() == 481 && !subscription.core_tag.empty()) {
    start_over(subscription, retry_soon, now);    // RFC 6665 section 4.1.2.2
  } else if (is_final(response.status_code())) {  // asked again by the next registration
    plan(subscription, std::nullopt);
    by_call_id_.erase(subscription.call_id);
    subscription.core_tag.clear();
    subscription.is_refused = true;
  } else {
    const seconds wish = sip::retry_after(response).value_or(retry_default);
    start_over(subscription, std::clamp(wish, seconds{1}, seconds{3600}), now);
  }
  return true;
}

bool RegEvents::on_core_lost(sip::ClientId id, Now now) {
  const auto asked = asked_.find(id);
  if (asked == asked_.end()) return false;
  const auto entry = by_identity_.find(asked->second);
  asked_.erase(asked);
  if (entry != by_identity_.end() && entry->second.asked == id) {
    entry->second.asked.reset();
    start_over(entry->second, retry_default, now);
  }
  return true;
}

std::optional<std::vector<RegistrationId>> RegEvents::on_notify(sip::ServerId id, const sip::Message& notify,
                                                                Now now) {
  const auto known = by_call_id_.find(sip::call_id(notify).value_or(""));
  const auto to = sip::to(notify);
  if (known == by_call_id_.end() || !to) return std::nullopt;
  Subscription& subscription = by_identity_.find(known->second)->second;
  if (to->tag() != subscription.own_tag) return std::nullopt;
  learn_dialog(subscription, notify, false);
  // RFC 6665 section 4.2.2: who is refused a NOTIFY may forget the subscription, so another one is made.
  const auto refuse = [&](std::string_view reason) {
    board_.answer(id, notify, 400, now, reason);
    start_over(subscription, retry_default, now);
    return std::vector<RegistrationId>{};
  };
  const auto state = sip::subscription_state(notify);
  if (!state) return refuse("Subscription-State is missing");
  subscription.heard_at = now.mono;
  subscription.doubt_at.reset();
  std::vector<RegistrationId> ended;
  // A NOTIFY without a body tells of nothing.
  if (const std::string_view body = notify.body().value_or(""); !body.empty()) {
    const auto info = parse_reginfo(body, board_.settings.limits);
    if (!info) {
      board_.report_bad({}, BadMessage::bad_reginfo, 400);
      return refuse("Malformed registration information");
    }
    // RFC 3680 section 5.1: older than what is known, or partial with something missing before it.
    const std::uint64_t known_version = subscription.version.value_or(info->version);
    if (info->version >= known_version) ended = find_ended(subscription, *info);
    if (!info->is_full && info->version > known_version + 1) subscription.doubt_at = now.mono;
    subscription.version = std::max(known_version, info->version);
  }
  board_.answer(id, notify, 200, now);
  note_sign_of_life(subscription, now);
  plan_refresh(subscription);
  if (state->is("terminated")) start_over(subscription, retry_default, now);
  return ended;
}

std::vector<RegistrationId> RegEvents::find_ended(const Subscription& subscription,
                                                  const Reginfo& info) const {
  std::vector<RegistrationId> ended;
  for (const ReginfoRegistration& told : info.registrations) {
    const std::string aor = canonical_identity(told.aor);
    for (const auto& [holder, lifetime] : subscription.holders) {
      const Registration& registration = *registrations_.find(holder);
      if (registration.impus.empty()) continue;
      if (registration.key.aor != aor && registration.impus.front() != aor) continue;
      if (is_gone(told, registration) && std::ranges::find(ended, holder) == ended.end())
        ended.push_back(holder);
    }
  }
  return ended;
}

void RegEvents::on_timeout(Now now) {
  while (!alarms_.empty() && alarms_.begin()->first <= now.mono) {
    Subscription& subscription = by_identity_.find(alarms_.begin()->second)->second;
    plan(subscription, std::nullopt);
    subscribe(subscription, expires_asked, now);
  }
}

std::optional<Instant> RegEvents::next_timeout() const {
  return alarms_.empty() ? std::nullopt : std::optional{alarms_.begin()->first};
}

}  // namespace turnpike::epcscf
