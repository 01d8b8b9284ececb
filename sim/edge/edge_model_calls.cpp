// EdgeModel's eye on calls: as WICs and the core see them begin and end at the edge.

#include <algorithm>
#include <array>

#include "sim/edge/edge_model.hpp"
#include "sim/edge/sip_reading.hpp"
#include "sip/headers.hpp"

namespace turnpike::sim {

using epcscf::FlowId;
using sip::Message;
using sip::Method;
using std::chrono::seconds;

namespace {

// A BYE that nobody answers ends the call in 64 T1.
constexpr seconds bye_patience{40};
constexpr seconds moment{1};

// Of answers to the BYE of a WIC: the far end goes on, or has not been reached.
bool refuses_bye(std::uint16_t status_code) {
  constexpr auto ends = std::to_array<std::uint16_t>({404, 408, 410, 430, 480, 481, 604});
  return status_code >= 300 && std::ranges::find(ends, status_code) == ends.end();
}

bool begins_dialog(const Message& request) {
  const auto to = sip::to(request);
  return request.method() == Method::invite && to && !to->tag();
}

}  // namespace

void EdgeModel::read_call(FlowId flow, const Message& message, Way way) {
  const std::string call_id{sip::call_id(message).value_or("")};
  if (message.is_request()) {
    // Below the Via that the edge has put on it there is that of who made it.
    const std::string branch = branch_of(message, way == Way::to_wic ? 1 : 0).value_or("");
    // Who calls himself has both sides of the call under one name.
    if (begins_dialog(message)) legs_[{flow, call_id}].attempts.insert(branch);
    const auto leg = find_leg(flow, call_id);
    if (leg != legs_.end() && message.method() == Method::bye) leg->second.bye_at = instant();
    return;
  }
  const auto leg = find_leg(flow, call_id);
  const auto cseq = sip::cseq(message);
  if (leg == legs_.end() || !cseq || message.status_code() < 200) return;
  if (cseq->method == Method::bye) return read_bye_answer(leg->second, message.status_code(), way);
  if (cseq->method != Method::invite) return;
  if (message.status_code() < 300) {
    if (!leg->second.is_established) ++tally_.calls;
    leg->second.is_established = true;
  } else if (leg->second.attempts.erase(branch_of(message).value_or("")) > 0 &&
             leg->second.attempts.empty() && !leg->second.is_established) {
    legs_.erase(leg);
  }
}

void EdgeModel::read_bye_answer(Leg& leg, std::uint16_t status_code, Way way) {
  if (way == Way::from_wic || !refuses_bye(status_code))
    leg.has_ended = true;
  else if (!leg.has_ended)
    leg.bye_at.reset();
}

// What a WIC answers counts when the edge has taken it, and who is gone is hung up for.
void EdgeModel::read_call_towards_core(const Message& message) {
  if (message.is_response()) return read_call(input_flow_, message, Way::from_wic);
  const bool is_of_the_edge = !branch_of(message, 1);
  if (message.method() != Method::bye || !is_of_the_edge) return;
  const std::string call_id{sip::call_id(message).value_or("")};
  for (auto& [key, leg] : legs_) {
    if (key.second != call_id || !leg.lost_at || leg.bye_at) continue;
    leg.bye_at = instant();
    ++tally_.calls_hung_up_for;
  }
}

std::map<EdgeModel::LegKey, EdgeModel::Leg>::iterator EdgeModel::find_leg(FlowId flow,
                                                                          const std::string& call_id) {
  if (const auto exact = legs_.find({flow, call_id}); exact != legs_.end()) return exact;
  return std::ranges::find_if(legs_, [&](const auto& each) {
    return each.first.second == call_id && each.second.former_flows.contains(flow);
  });
}

// A device may have several connections: its calls go on where one of them lives.
void EdgeModel::lose_legs(FlowId flow) {
  for (auto at = legs_.lower_bound({flow, {}}); at != legs_.end() && at->first.first == flow;) {
    const auto former = std::ranges::find_if(at->second.former_flows.rbegin(), at->second.former_flows.rend(),
                                             [&](FlowId each) { return flows_.contains(each); });
    if (former == at->second.former_flows.rend()) {
      (at++)->second.lost_at = instant();
      continue;
    }
    auto leg = legs_.extract(at++);
    leg.key().first = *former;
    leg.mapped().former_flows.erase(*former);
    leg.mapped().former_flows.insert(flow);
    legs_.insert(std::move(leg));
  }
}

// The device has come back on another connection, and its calls with it.
void EdgeModel::move_legs(Session& session, FlowId to) {
  if (session.flow != FlowId{} && session.flow != to) session.former_flows.insert(session.flow);
  session.former_flows.erase(to);
  for (const FlowId from : session.former_flows)
    while (true) {
      const auto found =
          std::ranges::find_if(legs_, [&](const auto& each) { return each.first.first == from; });
      if (found == legs_.end()) break;
      auto leg = legs_.extract(found);
      leg.key().first = to;
      leg.mapped().former_flows.insert(from);
      leg.mapped().lost_at.reset();
      legs_.insert(std::move(leg));
    }
  if (!flows_.contains(to)) lose_legs(to);
}

void EdgeModel::check_calls() {
  const Duration grace = edge_->settings().flow_grace + moment;
  std::erase_if(legs_, [&](const auto& each) {
    const Leg& leg = each.second;
    const bool is_gone = leg.lost_at && *leg.lost_at + grace < instant();
    if (is_gone && leg.is_established && !leg.bye_at)
      violate("nobody hangs up the call " + each.first.second + " of a WIC that is gone");
    return is_gone || (leg.bye_at && *leg.bye_at + bye_patience < instant());
  });
  const std::uint64_t held = edge_->machine().counters().calls_active;
  if (held > legs_.size())
    violate("the edge has " + std::to_string(held) + " calls, of which " +
            std::to_string(held - legs_.size()) + " are over");
}

}  // namespace turnpike::sim
