#include "ims/reg_events.hpp"

#include <algorithm>
#include <chrono>

#include "base/bytes.hpp"
#include "ims/reg_info.hpp"
#include "sip/answers.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::ims {
namespace {

using sip::HeaderName;

constexpr std::chrono::seconds expires_default{3761};  // RFC 3680 section 4.3
constexpr std::string_view contact_user = "reg-event";
constexpr std::size_t notify_bytes_max = 65'507;  // of a datagram over IPv4

std::string dialog_key(std::string_view call_id, std::string_view local_tag) {
  return std::string{call_id} + '\n' + std::string{local_tag};
}

}  // namespace

std::string_view RegEvents::to_string(EndReason reason) {
  switch (reason) {
    case EndReason::timeout:
      return "timeout";
    case EndReason::displaced:
      return "rejected";  // it shall not try again, or two would displace each other for ever
    default:
      return "noresource";
  }
}

std::expected<RegEvents::Subscription, Refusal> RegEvents::open(const sip::Message& request) const {
  const auto from = sip::from(request);
  const auto to = sip::to(request);
  const auto contact = sip::first_name_addr(request, HeaderName::contact);
  if (!from || !to || !contact || !contact->uri.is_sip())
    return std::unexpected(Refusal{.status_code = 400, .reason = "Bad Contact"});
  Subscription subscription;
  subscription.call_id = sip::call_id(request).value_or("");
  subscription.local = to->text;
  subscription.remote = from->text;
  subscription.remote_tag = from->tag().value_or("");
  subscription.target = contact->uri_text;
  // RFC 3261 section 12.1.1: the server's route set is the Record-Route in its order.
  auto next = sip::hop_of(contact->uri);
  sip::NameAddrCursor routes{request, HeaderName::record_route};
  while (const auto member = routes.next()) {
    if (!*member || subscription.route.size() >= settings_.limits.route_set_max)
      return std::unexpected(Refusal{.status_code = 400, .reason = "Bad Record-Route"});
    if (subscription.route.empty()) next = sip::hop_of((*member)->uri);
    subscription.route.emplace_back((*member)->text);
  }
  if (!next) return std::unexpected(Refusal{.status_code = 400, .reason = "Bad Record-Route"});
  subscription.next = *next;
  const auto event = sip::event(request);
  const auto id = event ? event->params.find("id") : std::nullopt;
  if (id) subscription.event_id = ';' + std::string{id->whole};
  return subscription;
}

std::optional<SubscriptionId> RegEvents::find(const sip::Message& request) const {
  const auto to = sip::to(request);
  const auto from = sip::from(request);
  const auto tag = to ? to->tag() : std::nullopt;
  if (!tag || !from) return std::nullopt;
  const auto found = by_dialog_.find(dialog_key(sip::call_id(request).value_or(""), *tag));
  if (found == by_dialog_.end()) return std::nullopt;
  const bool is_its_own = subscriptions_.at(found->second).remote_tag == from->tag().value_or("");
  return is_its_own ? std::optional{found->second} : std::nullopt;
}

std::optional<RegEvents::Subscribed> RegEvents::find_subscribed(const sip::Message& request) const {
  const auto id = find(request);
  if (!id) return std::nullopt;
  const Subscription& subscription = subscriptions_.at(*id);
  return Subscribed{.impi = subscription.impi, .watcher = subscription.watcher};
}

// No end of a registration ends the subscription to somebody who has none, so it lives as long as one would.
std::chrono::seconds RegEvents::granted(const sip::Message& request, const Registration* registration) const {
  const auto wanted = sip::expires(request);
  return std::min(wanted ? std::chrono::seconds{*wanted} : expires_default,
                  registration != nullptr ? settings_.subscription_expires_max : settings_.expires_max);
}

std::expected<std::string, Refusal> RegEvents::on_subscribe(const sip::Message& request,
                                                            const Watcher& watcher, const Subscriber& watched,
                                                            const Registration* registration, Now now) {
  if (!sip::accepts(request, "application", "reginfo+xml"))
    return std::unexpected(Refusal{.status_code = 406, .reason = {}});
  const auto cseq = sip::cseq(request);
  const auto to = sip::to(request);
  auto id = find(request);
  if (id) {
    // RFC 3261 section 12.2.2.
    if (cseq->number <= subscriptions_.at(*id).remote_cseq)
      return std::unexpected(Refusal{.status_code = 500, .reason = "CSeq Out Of Order"});
  } else if (to && to->tag()) {
    return std::unexpected(Refusal{.status_code = 481, .reason = {}});
  } else {
    auto opened = open(request);
    if (!opened) return std::unexpected(opened.error());
    make_room(watcher, watched.impi, registration, now);
    if (subscriptions_.size() >= settings_.limits.subscriptions_max)
      return std::unexpected(
          Refusal{.status_code = 503, .reason = {}, .rows = {{HeaderName::retry_after, "60"}}});
    opened->impi = watched.impi;
    opened->watcher = watcher;
    opened->local_tag = to_hex(random_.draw<8>());
    opened->local += ";tag=" + opened->local_tag;
    id = SubscriptionId{++last_id_};
    by_dialog_.emplace(dialog_key(opened->call_id, opened->local_tag), *id);
    by_private_[opened->impi].push_back(*id);
    subscriptions_.emplace(*id, *std::move(opened));
  }
  Subscription& subscription = subscriptions_.at(*id);
  subscription.impus = watched.impus;
  subscription.remote_cseq = cseq->number;
  const auto expires = granted(request, registration);
  timers_.erase({subscription.expires_at, *id});
  subscription.expires_at = now.mono + expires;
  timers_.emplace(subscription.expires_at, *id);
  sip::Writer ok = sip::make_response(request, 200, subscription.local_tag);
  ok.copy(request, HeaderName::record_route)
      .add(HeaderName::expires, static_cast<std::uint64_t>(expires.count()))
      .add(HeaderName::contact, '<' + settings_.own_uri(contact_user) + '>');
  // RFC 6665 section 4.2.1.2: at once, and for zero seconds as the last.
  notify(*id, registration, {}, expires.count() == 0 ? EndReason::timeout : EndReason::none, now);
  return ok.finish();
}

// The same watcher's oldest gives way, and hears of it (RFC 6665 section 4.2.2); nobody takes another's
// place. Whatever identity of its set a user watches by, it is one watcher.
void RegEvents::make_room(const Watcher& watcher, std::string_view impi, const Registration* registration,
                          Now now) {
  const auto known = by_private_.find(impi);
  if (known == by_private_.end()) return;
  const auto is_same = [&](SubscriptionId id) {
    const Watcher& other = subscriptions_.at(id).watcher;
    return watcher.is_node ? other == watcher : !other.is_node;
  };
  const std::vector<SubscriptionId>& ids = known->second;
  const auto count = static_cast<std::size_t>(std::count_if(ids.begin(), ids.end(), is_same));
  if (count < settings_.limits.subscriptions_per_watcher_max) return;
  notify(*std::find_if(ids.begin(), ids.end(), is_same), registration, {}, EndReason::displaced, now);
}

void RegEvents::on_change(const RegistrationChange& change, Now now) {
  const auto known = by_private_.find(change.registration.impi);
  if (known == by_private_.end()) return;
  const std::vector<SubscriptionId> ids = known->second;  // for those that end leave the list
  for (const SubscriptionId id : ids) {
    // The set that was registered, which is empty in one that has just been taken back.
    if (!change.registration.impus.empty()) subscriptions_.at(id).impus = change.registration.impus;
    notify(id, &change.registration, change.ended,
           change.is_over() ? EndReason::no_resource : EndReason::none, now);
  }
}

void RegEvents::notify(SubscriptionId id, const Registration* registration, const std::vector<Binding>& ended,
                       EndReason reason, Now now) {
  Subscription& subscription = subscriptions_.at(id);
  std::string state;
  if (reason == EndReason::none) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(subscription.expires_at - now.mono);
    state = "active;expires=" + std::to_string(left.count());
  } else {
    state = "terminated;reason=" + std::string{to_string(reason)};
  }
  sip::Writer request = sip::Writer::request(sip::Method::notify, subscription.target);
  request.add(HeaderName::via, "SIP/2.0/" + settings_.via_to(subscription.next) +
                                   ";branch=" + std::string{sip::branch_cookie} + to_hex(random_.draw<12>()));
  for (const std::string& member : subscription.route) request.add(HeaderName::route, member);
  request.add(HeaderName::max_forwards, "70")
      .add(HeaderName::from, subscription.local)
      .add(HeaderName::to, subscription.remote)
      .add(HeaderName::call_id, subscription.call_id)
      .add(HeaderName::cseq, std::to_string(++subscription.local_cseq) + " NOTIFY")
      .add(HeaderName::contact, '<' + settings_.own_uri(contact_user) + '>')
      .add(HeaderName::event, "reg" + subscription.event_id)
      .add(HeaderName::subscription_state, state);
  // What does not fit says less, but never nothing: it may be the last.
  std::string text;
  const std::uint32_t version = subscription.version++;
  for (const RegInfoDetail detail : reg_info_details) {
    const std::string xml = format_reg_info(version, subscription.impus, registration, ended, detail, now);
    text = sip::Writer{request}.finish("application/reginfo+xml", xml);
    if (text.size() <= std::min(settings_.limits.message.message_bytes_max, notify_bytes_max)) break;
  }
  notifies_.push_back({.subscription = id, .to = subscription.next, .text = std::move(text)});
  if (reason != EndReason::none) forget(id);
}

// RFC 6665 section 4.2.2: who refuses a NOTIFY, or does not answer, is not subscribed.
void RegEvents::on_answer(SubscriptionId id, std::uint16_t status_code) {
  if (status_code >= 300 && subscriptions_.contains(id)) forget(id);
}

void RegEvents::on_timeout(const Registrations& registrations, Now now) {
  while (!timers_.empty() && timers_.begin()->first <= now.mono) {
    const SubscriptionId id = timers_.begin()->second;
    notify(id, registrations.find(subscriptions_.at(id).impi), {}, EndReason::timeout, now);
  }
}

std::optional<Instant> RegEvents::next_timeout() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

std::optional<Notify> RegEvents::next_notify() {
  if (notifies_.empty()) return std::nullopt;
  Notify next = std::move(notifies_.front());
  notifies_.pop_front();
  return next;
}

void RegEvents::forget(SubscriptionId id) {
  const auto found = subscriptions_.find(id);
  const Subscription& subscription = found->second;
  timers_.erase({subscription.expires_at, id});
  by_dialog_.erase(dialog_key(subscription.call_id, subscription.local_tag));
  const auto known = by_private_.find(subscription.impi);
  std::erase(known->second, id);
  if (known->second.empty()) by_private_.erase(known);
  subscriptions_.erase(found);
}

}  // namespace turnpike::ims
