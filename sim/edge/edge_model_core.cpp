// EdgeModel's ear for the core: registration events (RFC 3680), and what has to follow from them.

#include <algorithm>
#include <utility>

#include "sim/edge/edge_model.hpp"
#include "sim/edge/sip_reading.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::sim {

using sip::Message;
using std::chrono::seconds;

namespace {

// A NOTIFY is repeated for 64 T1 (RFC 3261 section 17.1.2.2); beyond, whoever should hear it is told.
constexpr seconds told_within{35};
// What a core said before it restarted may still be under way.
constexpr seconds after_trouble{5};
// Between two judgements.
constexpr seconds glance{1};

std::string_view between(std::string_view text, std::string_view before, std::string_view behind) {
  const std::size_t begin = text.find(before);
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin + before.size());
  return text.substr(0, text.find(behind));
}

// The contacts of a document of the simulated core that are terminated and not active as well.
std::set<std::string> read_terminated(std::string_view xml) {
  std::set<std::string> terminated;
  std::set<std::string> active;
  for (std::size_t at = xml.find("<contact "); at != std::string_view::npos;
       at = xml.find("<contact ", at + 1)) {
    const std::string_view rest = xml.substr(at);
    auto& among = between(rest, "state=\"", "\"") == "terminated" ? terminated : active;
    among.emplace(between(rest, "<uri>", "</uri>"));
  }
  for (const std::string& uri : active) terminated.erase(uri);
  return terminated;
}

}  // namespace

// --- subscriptions of the edge ----------------------------------------------------------------------------

void EdgeModel::read_subscribe(const std::string& branch, const Message& request) {
  const std::string identity = address_of_record(*sip::to(request));
  const std::string call_id{sip::call_id(request).value_or("")};
  Subscription& subscription = subscriptions_[identity];
  if (sip::expires(request) == 0U) {
    if (subscription.call_id == call_id) subscription = {};
    return;
  }
  if (subscription.call_id != call_id) subscription = {.call_id = call_id};
  sent_subscribes_.insert_or_assign(branch, identity);
}

void EdgeModel::on_subscribe_answer(const std::string& branch, const Message& response) {
  const auto sent = sent_subscribes_.find(branch);
  if (sent == sent_subscribes_.end() || response.status_code() < 200) return;
  Subscription& subscription = subscriptions_[sent->second];
  sent_subscribes_.erase(sent);
  if (subscription.call_id != sip::call_id(response)) return;
  subscription.taken_at.reset();
  if (response.status_code() < 300) subscription.taken_at = instant();
}

void EdgeModel::forget_subscription(const Notice& notice) {
  for (auto& [identity, subscription] : subscriptions_)
    if (subscription.call_id == notice.call_id) subscription.taken_at.reset();
}

// --- events -----------------------------------------------------------------------------------------------

void EdgeModel::read_notify(const std::string& branch, const Message& request) {
  Notice notice;
  notice.call_id = sip::call_id(request).value_or("");
  const std::string_view body = request.body().value_or("");
  // Behind the version of XML.
  const std::string_view reginfo = between(body, "<reginfo", ">");
  notice.version = sip::parse_number(between(reginfo, "version=\"", "\""), UINT32_MAX).value_or(0);
  notice.terminated = read_terminated(body);
  const auto state = sip::subscription_state(request);
  notice.is_last = state && state->is("terminated");
  note_told_ends(notice);
  notices_.insert_or_assign(branch, std::move(notice));
}

void EdgeModel::on_notify_taken(const Notice& notice) {
  if (notice.is_last) forget_subscription(notice);
  std::uint64_t& latest = versions_[notice.call_id];
  if (notice.version < latest) return;
  latest = notice.version;
  const std::uint64_t before = tally_.ends;
  end_if([&](const Session& each) { return notice.terminated.contains(each.contact); });
  tally_.ends_by_core += tally_.ends - before;
}

// RFC 6665 section 4.2.2: the core takes who refuses for not subscribed. An edge may do so when it is full,
// and when it has given up the dialog, because its refresh of it was lost.
void EdgeModel::on_notify_refused(const Notice& notice, std::uint16_t status_code) {
  if (status_code >= 500 || !is_core_link_lossless_) forget_subscription(notice);
}

void EdgeModel::note_told_ends(const Notice& notice) {
  const auto latest = versions_.find(notice.call_id);
  if (latest != versions_.end() && notice.version < latest->second) return;
  for (const auto& [device, session] : active_) {
    const auto subscription = subscriptions_.find(session->identity);
    if (subscription == subscriptions_.end() || subscription->second.call_id != notice.call_id) continue;
    if (notice.terminated.contains(session->contact)) session->told_ended_at = instant();
  }
}

// --- what the core has ended ------------------------------------------------------------------------------

bool EdgeModel::has_core(const Session& session) const {
  const ims::Registration* known = core_->machine().registrations().find(session.device.impi);
  return known != nullptr && std::ranges::any_of(known->bindings, [&](const ims::Binding& each) {
           // A device that has registered another contact meanwhile is no less there.
           return each.contact == session.contact ||
                  each.params.find(session.device.instance) != std::string::npos;
         });
}

// A core that was silent, down or begun anew since it took the subscription may have let it go, and where
// messages get lost only what has arrived is known.
bool EdgeModel::has_to_know(const Session& session) const {
  const auto subscription = subscriptions_.find(session.identity);
  if (subscription == subscriptions_.end() || !subscription->second.taken_at) return false;
  const Instant taken_at = *subscription->second.taken_at;
  const auto trouble = core_->last_trouble();
  if (trouble && taken_at < *trouble + after_trouble) return false;
  const Instant since = *session.missed_at_core_since;
  const bool is_told = session.told_ended_at && *session.told_ended_at + glance >= since;
  return (is_core_link_lossless_ || is_told) && std::max(since, taken_at) + told_within < instant();
}

void EdgeModel::check_ends_of_core() {
  if (!edge_->settings().has_reg_event) return;
  const auto held = edge_->machine().registrations(SIZE_MAX, edge_->moment());
  for (const auto& [device, session] : active_) {
    const bool is_held = std::ranges::any_of(held, [&](const auto& view) {
      return view.impi == session->device.impi && view.contact == session->contact &&
             view.flow == session->flow;
    });
    if (!is_held || has_core(*session)) {
      session->missed_at_core_since.reset();
      continue;
    }
    if (!session->missed_at_core_since) session->missed_at_core_since = instant();
    if (!has_to_know(*session)) continue;
    violate("the core has ended the registration of " + session->device.impi +
            ", and the edge goes on with it");
  }
}

}  // namespace turnpike::sim
