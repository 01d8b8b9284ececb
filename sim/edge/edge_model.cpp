#include "sim/edge/edge_model.hpp"

#include <algorithm>
#include <utility>

#include "client/wic_credentials.hpp"
#include "sim/edge/sip_reading.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::sim {

using epcscf::FlowId;
using sip::HeaderName;
using sip::Message;
using sip::Method;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// 64 T1 (RFC 3261 section 17) on the way there and the edge's own waits beside it.
constexpr seconds patience{45};
// An INVITE that rings is cancelled after timer C.
constexpr seconds invite_patience{260};
constexpr seconds core_patience{32};
constexpr milliseconds same_moment{10};

std::string text_of(std::string_view view) { return std::string{view}; }

std::optional<sip::NameAddr> find_contact(const Message& message, std::string_view uri) {
  sip::NameAddrCursor contacts{message, HeaderName::contact};
  while (const auto contact = contacts.next())
    if (*contact && (*contact)->uri_text == uri) return **contact;
  return std::nullopt;
}

// RFC 7315 section 4.1: the first one is the default identity.
std::string read_identity(const Message& response, const std::string& otherwise) {
  const auto first = sip::first_name_addr(response, HeaderName::p_associated_uri);
  return first ? address_of_record(*first) : otherwise;
}

bool carries_credentials(const Message& message) {
  const auto type = sip::content_type(message);
  return message.has(HeaderName::turn_credentials) ||
         (type && type->is("application", "turn-credentials+json"));
}

}  // namespace

EdgeModel::EdgeModel(World& world, EdgeHost& edge, CoreHost& core, RelayInterface& interface,
                     std::vector<RelayHost*> relays)
    : world_(&world), edge_(&edge), core_(&core), interface_(&interface), relays_(std::move(relays)) {}

void EdgeModel::violate(std::string what) {
  world_->journal().note(world_->moment(), "VIOLATION: " + what);
  if (violations_.size() < 20) violations_.push_back(std::move(what));
}

// --- connections ------------------------------------------------------------------------------------------

void EdgeModel::on_client_connected(FlowId flow, bool is_secure) {
  input_flow_ = flow;
  flows_[flow] = is_secure;
}

void EdgeModel::on_client_closed(FlowId flow) {
  input_flow_ = flow;
  flows_.erase(flow);
  std::erase_if(open_, [&](const auto& each) { return std::get<0>(each.first) == flow; });
  for (const auto& [device, session] : active_)
    if (session->flow == flow) session->given_up_at = instant() + edge_->settings().flow_grace;
  lose_legs(flow);
}

void EdgeModel::on_edge_restarted() {
  forget_ends();
  flows_.clear();
  active_.clear();  // what they were given lives on until its own end
  registers_.clear();
  sent_registers_.clear();
  notices_.clear();
  versions_.clear();
  subscriptions_.clear();
  legs_.clear();
  sent_subscribes_.clear();
  open_.clear();
  core_open_.clear();
  core_seen_.clear();
  current_ = nullptr;
}

// --- requests of WICs -------------------------------------------------------------------------------------

void EdgeModel::on_from_client(FlowId flow, std::string_view text) {
  input_flow_ = flow;
  current_ = nullptr;
  const auto message = Message::parse(text);
  answers_defect_ = !message || (message->is_request() && sip::find_defect(*message));
  if (answers_defect_ || !message->is_request()) return;
  const auto branch = branch_of(*message);
  if (!branch) return;
  expect_answer(open_, {flow, *branch, text_of(message->method_text())}, *message);
  if (message->method() == Method::registration) read_register(flow, *branch, *message);
  read_call(flow, *message, Way::from_wic);
}

void EdgeModel::expect_answer(std::map<RequestKey, Instant>& open, const RequestKey& key,
                              const Message& request) {
  if (request.method() == Method::ack) return;
  const Duration at_most = request.method() == Method::invite ? invite_patience : patience;
  open.try_emplace(key, instant() + at_most);
}

void EdgeModel::read_register(FlowId flow, const std::string& branch, const Message& request) {
  if (registers_.contains({flow, branch})) return;
  const auto to = sip::to(request);
  const auto from = sip::from(request);
  Register asked{.flow = flow, .device = {.aor = address_of_record(*to)}};
  asked.is_own = from->uri_text == to->uri_text;
  asked.device.impi = asked.device.aor.substr(asked.device.aor.find(':') + 1);
  if (const auto credentials = sip::credentials(request, HeaderName::authorization)) {
    asked.device.impi = credentials->text("username").value_or(asked.device.impi);
    asked.token = credentials->is_bearer() ? credentials->bearer_token().value_or("") : std::string{};
    asked.has_proof = credentials->is_bearer() || !credentials->text("response").value_or("").empty();
  }
  asked.is_wildcard = sip::has_wildcard_contact(request);
  if (const auto contact = sip::first_name_addr(request, HeaderName::contact)) {
    asked.contact = contact->uri_text;
    const auto instance = contact->params.find("+sip.instance");
    asked.device.instance = instance ? instance->text() : asked.contact;
  }
  const auto accept = request.find(HeaderName::accept);
  asked.asks = request.has(HeaderName::turn_credentials) ||
               (accept && accept->value.find("turn-credentials") != std::string_view::npos);
  registers_.emplace(RegisterKey{flow, branch}, std::move(asked));
}

void EdgeModel::on_token_checked(const std::string& token, const epcscf::TokenAnswer& answer) {
  current_ = nullptr;
  if (answer) tokens_[token] = *answer;
}

// --- the core ---------------------------------------------------------------------------------------------

void EdgeModel::on_to_core(std::string_view text) {
  if (sip::to_lower(text).find("turn-credentials") != std::string::npos)
    violate("a message to the core speaks of Turn-Credentials");
  for (const auto& [password, session] : passwords_)
    if (text.find(password) != std::string_view::npos) violate("a message to the core carries a password");
  const auto message = Message::parse(text);
  if (!message) return violate("what goes to the core does not parse");
  const auto branch = branch_of(*message);
  if (!branch) return;
  read_call_towards_core(*message);
  if (message->is_response()) {
    const auto cseq = sip::cseq(*message);
    if (message->status_code() >= 200) core_open_.erase({FlowId{}, *branch, text_of(cseq->method_text)});
    const auto notice = notices_.find(*branch);
    if (notice == notices_.end()) return;
    if (message->status_code() == 200)
      on_notify_taken(notice->second);
    else
      on_notify_refused(notice->second, message->status_code());
    notices_.erase(notice);
  } else if (message->method() == Method::subscribe) {
    read_subscribe(*branch, *message);
  } else if (message->method() == Method::registration && !sent_registers_.contains(*branch)) {
    const auto below = branch_of(*message, 1);
    const auto asked =
        std::ranges::find_if(registers_, [&](const auto& each) { return each.first.second == below; });
    if (asked == registers_.end()) return violate("a REGISTER goes to the core that no WIC has sent");
    asked->second.sent_at = instant();
    sent_registers_.emplace(*branch, asked->first);
  }
}

void EdgeModel::on_from_core(const SocketAddress& from, std::string_view text) {
  input_flow_ = {};
  current_ = nullptr;
  let_time_end_sessions();
  if (from.ip != core_->address().ip) return;  // whoever it is, the core it is not
  const auto message = Message::parse(text);
  if (!message || sip::find_defect(*message)) return;
  if (message->is_response()) return on_core_answer(*message);
  const auto branch = branch_of(*message);
  if (!branch) return;
  const RequestKey key{FlowId{}, *branch, text_of(message->method_text())};
  if (!core_seen_.insert(key).second) return;
  expect_answer(core_open_, key, *message);
  if (message->method() == Method::notify) read_notify(*branch, *message);
}

void EdgeModel::on_core_answer(const Message& response) {
  const auto branch = branch_of(response);
  if (branch) on_subscribe_answer(*branch, response);
  const auto sent = branch ? sent_registers_.find(*branch) : sent_registers_.end();
  if (sent == sent_registers_.end() || response.status_code() < 200) return;
  const auto asked = registers_.find(sent->second);
  sent_registers_.erase(sent);
  if (asked == registers_.end() || instant() > *asked->second.sent_at + core_patience + same_moment) return;
  if (response.status_code() < 300)
    on_accepted(asked->second, response);
  else if (response.status_code() != 401)
    ++tally_.refused_registers;
}

void EdgeModel::on_accepted(Register& asked, const Message& response) {
  if (!asked.token.empty()) {
    const epcscf::TokenIdentity& identity = tokens_[asked.token];
    asked.device.impi = identity.impi;
    asked.is_pool = identity.is_pool_identity;
    asked.token_ends_at = identity.expires_at;
  }
  if (asked.is_wildcard)
    return end_if([&](const Session& each) {
      return each.device.impi == asked.device.impi && each.device.aor == asked.device.aor;
    });
  if (asked.contact.empty()) return;
  const auto contact = find_contact(response, asked.contact);
  seconds granted{contact ? sip::contact_expires(response, *contact, 0) : 0U};
  if (asked.token_ends_at)
    granted = std::min(granted, std::chrono::floor<seconds>(*asked.token_ends_at - edge_->moment().wall));
  if (granted.count() > 0) {
    bind(asked, granted);
    asked.session->identity = read_identity(response, asked.device.aor);
    return;
  }
  end_if([&](const Session& each) { return each.device == asked.device; });
}

void EdgeModel::bind(Register& asked, seconds granted) {
  Session*& session = active_[asked.device];
  ++(session == nullptr ? tally_.registrations : tally_.refreshes);
  if (session == nullptr) session = &sessions_.emplace_back(Session{.device = asked.device});
  move_legs(*session, asked.flow);
  session->flow = asked.flow;
  session->contact = asked.contact;
  session->expires_at = instant() + granted;
  session->given_up_at.reset();
  session->told_ended_at.reset();
  session->missed_at_core_since.reset();
  if (!flows_.contains(asked.flow)) session->given_up_at = instant() + edge_->settings().flow_grace;
  asked.session = current_ = session;
  if (asked.is_pool)
    end_if([&](const Session& each) {
      return each.device.impi == asked.device.impi && each.device.instance != asked.device.instance;
    });
}

void EdgeModel::on_operator_ends(std::string_view impi) {
  input_flow_ = {};
  current_ = nullptr;
  end_if([&](const Session& each) { return each.device.impi == impi; });
}

void EdgeModel::end_if(const std::function<bool(const Session&)>& is_meant) {
  std::vector<Session*> meant;
  for (const auto& [device, session] : active_)
    if (is_meant(*session)) meant.push_back(session);
  for (Session* session : meant) end(*session, instant());
}

void EdgeModel::end(Session& session, Instant at) {
  world_->journal().note(world_->moment(), "the registration of " + session.device.impi + " has ended");
  session.ended_at = at;
  active_.erase(session.device);
  ++tally_.ends;
}

void EdgeModel::let_time_end_sessions() {
  std::vector<Session*> due;
  for (const auto& [device, session] : active_)
    if (session->ends_at() <= instant()) due.push_back(session);
  for (Session* session : due) end(*session, session->ends_at());
}

// --- towards WICs -----------------------------------------------------------------------------------------

void EdgeModel::on_to_client(FlowId flow, std::string_view text) {
  if (sip::is_keep_alive(text)) return;
  const auto message = Message::parse(text);
  if (!message) return violate("what goes to a WIC does not parse");
  const auto branch = branch_of(*message);
  const auto cseq = sip::cseq(*message);
  if (!branch || !cseq) return;
  // What is said of a message that is none says nothing of another with the same branch.
  if (!answers_defect_) read_call(flow, *message, Way::to_wic);
  const bool is_final = message->is_response() && message->status_code() >= 200;
  if (is_final && open_.erase({flow, *branch, text_of(cseq->method_text)}) > 0) ++tally_.answers;
  const bool is_ok = is_final && cseq->method == Method::registration && message->status_code() < 300;
  if (carries_credentials(*message)) {
    if (is_ok)
      on_credentials(flow, *branch, *message);
    else
      violate("credentials go to a WIC in something else than the 200 to a REGISTER");
  }
  if (is_final && cseq->method == Method::registration) registers_.erase({flow, *branch});
}

void EdgeModel::on_credentials(FlowId flow, const std::string& branch, const Message& response) {
  const auto is_open = flows_.find(flow);
  if (is_open == flows_.end() || !is_open->second) violate("credentials are sent without TLS");
  const auto found = registers_.find({flow, branch});
  if (found == registers_.end()) return violate("credentials answer a REGISTER that nobody has sent");
  const Register& asked = found->second;
  if (!asked.asks || !asked.has_proof || !asked.is_own)
    violate("credentials are given to who has not asked, not proved to be the user, or registers another");
  let_time_end_sessions();
  const auto active = active_.find(asked.device);
  if (asked.session == nullptr || active == active_.end() || active->second != asked.session)
    return violate("credentials are handed out without a registration of " + asked.device.impi);
  const auto provision = client::read_provision(response, edge_->moment().wall);
  if (!provision || provision->entries.empty()) return violate("the credentials cannot be read");
  for (const provisioning::Entry& entry : provision->entries) on_entry(*asked.session, entry);
}

void EdgeModel::on_edge_settled() {
  current_ = nullptr;
  input_flow_ = {};  // what follows without an input is the edge's own, by time
  answers_defect_ = false;
  let_time_end_sessions();
  check_registrations();
  check_limits();
}

// Whatever the edge holds, the core has granted.
void EdgeModel::check_registrations() {
  for (const auto& view : edge_->machine().registrations(SIZE_MAX, edge_->moment())) {
    const auto granted = std::ranges::find_if(sessions_, [&](const Session& each) {
      const bool is_over = each.ended_at && *each.ended_at + same_moment < instant();
      return !is_over && each.device.impi == view.impi && each.contact == view.contact &&
             each.flow == view.flow;
    });
    if (granted == sessions_.end())
      violate("the edge holds a registration of " + view.impi + " that has ended or never was");
    else if (view.impus.empty() || view.impus.front() != granted->identity)
      violate("the edge takes " + view.impi + " for another");
    else
      expect_own(view.subject, *granted);
  }
}

void EdgeModel::expect_own(const std::string& subject, Session& session) {
  const auto [owner, is_new] = subjects_.try_emplace(subject, &session);
  if (owner->second != &session)
    violate("what is given to " + session.device.impi + " has the name of what is given to " +
            owner->second->device.impi);
}

void EdgeModel::check_limits() {
  const epcscf::Counters counters = edge_->machine().counters();
  const epcscf::Limits& limits = edge_->settings().limits;
  const auto expect = [&](std::uint64_t count, std::size_t at_most, std::string_view what) {
    if (count > at_most) violate("the edge has " + std::to_string(count) + ' ' + text_of(what));
  };
  expect(counters.clients_active, limits.clients_max, "connections");
  expect(counters.registrations_active, limits.registrations_max, "registrations");
  expect(counters.calls_active, limits.calls_max, "calls");
  expect(counters.transactions_active, edge_->settings().transactions.transactions_max, "transactions");
  expect(counters.subscriptions_active, limits.registrations_max, "subscriptions");
  std::map<std::string, std::size_t> of_user;
  for (const auto& view : edge_->machine().registrations(SIZE_MAX, edge_->moment()))
    expect(++of_user[view.impi], limits.registrations_per_impi_max, "registrations of " + view.impi);
}

void EdgeModel::check_answers(std::map<RequestKey, Instant>& open, std::string_view whose) {
  std::erase_if(open, [&](const auto& each) {
    if (each.second > instant()) return false;
    violate("a request of " + text_of(whose) + " is not answered: " + std::get<2>(each.first));
    return true;
  });
}

}  // namespace turnpike::sim
