// EdgeModel's other side: what relays take, and what is left in the end.

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"
#include "credentials/registry.hpp"
#include "sim/edge/edge_model.hpp"

namespace turnpike::sim {

using credentials::PasswordAlgorithm;
using std::chrono::seconds;

namespace {

// docs/threat-model.md: a revocation has taken effect within a second.
constexpr seconds revoked_within{1};
// A computed name is good for the whole second that it names, a token for the tolerance of RFC 7635.
constexpr seconds end_tolerance{6};
constexpr seconds clock_error_max{30};
constexpr std::uint64_t rarely = 64;
// Of the key that tokens in the browser form are made with.
constexpr std::string_view token_name = "k1.";

std::vector<credentials::Key> keys_of(const provisioning::Entry& entry) {
  if (entry.form == provisioning::Form::oauth) {
    const auto mac_key = from_base64(entry.password.reveal_text());
    return mac_key ? std::vector{credentials::Key{*mac_key}} : std::vector<credentials::Key>{};
  }
  const std::string_view password = entry.password.reveal_text();
  return {credentials::make_long_term_key(PasswordAlgorithm::md5, entry.username, entry.realm, password)};
}

// The tokens of one registration share their kid.
std::string name_of(const provisioning::Entry& entry) {
  return entry.access_token.empty() ? entry.username : entry.username + ' ' + to_hex(entry.access_token);
}

}  // namespace

// --- what is made -----------------------------------------------------------------------------------------

void EdgeModel::on_push(const credentials::PushedCredential& credential) {
  ++tally_.pushes;
  if (current_ == nullptr || current_->ended_at)
    return violate("a credential is pushed without a registration");
  expect_own(credential.subject, *current_);
  Credential made{.session = current_};
  made.entry.username = credential.username;
  made.entry.realm = relays_.front()->registry().realm();
  made.entry.expires_at = credential.expires_at;
  made.keys = {credential.key_md5};
  if (!credentials_.emplace(credential.username, std::move(made)).second)
    violate("a name is pushed a second time");
}

void EdgeModel::on_revoke(const credentials::Revocation& revocation) {
  ++tally_.revocations;
  if (const auto known = subjects_.find(revocation.value); known != subjects_.end())
    ++known->second->revocations_open;
  if (revocation.by != credentials::Revocation::By::username) return;
  if (const auto known = credentials_.find(revocation.value); known != credentials_.end())
    known->second.taken_back_at = instant();
}

void EdgeModel::on_revoked(const credentials::Revocation& revocation, bool is_done) {
  if (!is_done) ++tally_.revocations_undone;
  const auto known = subjects_.find(revocation.value);
  if (known == subjects_.end()) return;
  Session& session = *known->second;
  --session.revocations_open;
  if (is_done)
    session.revoked_at = instant();
  else
    session.is_left_at_relays = true;
}

void EdgeModel::on_entry(Session& session, const provisioning::Entry& entry) {
  ++tally_.credentials;
  if (!entry.access_token.empty() || entry.username.starts_with(token_name)) ++tally_.tokens;
  world_->journal().note(world_->moment(), "hands out " + entry.username + " to " + session.device.impi);
  const auto [known, is_new] = credentials_.try_emplace(name_of(entry), Credential{.session = &session});
  Credential& credential = known->second;
  const Duration edge_clock = edge_->moment().wall.time_since_epoch() - instant().time_since_epoch();
  if (credential.session != &session)
    violate("two registrations have one credential: " + session.device.impi + " and " +
            credential.session->device.impi);
  else if (credential.is_handed_out && credential.clock_then <= edge_clock + seconds{1})
    violate("a credential is handed out a second time");
  const auto [owner, is_unused] = passwords_.try_emplace(std::string{entry.password.reveal_text()}, &session);
  if (owner->second != &session) violate("two registrations have one password");
  const bool is_pushed = !is_new && !credential.is_handed_out;
  credential.is_handed_out = true;
  credential.clock_then = edge_clock;
  credential.entry = entry;
  credential.keys = keys_of(entry);
  if (credential.taken_back_at) violate("a credential is handed out that was taken back");
  if (is_pushed && !interface_->has_put(entry.username))
    violate("a pushed credential is handed out before any relay has it");
  expect_taken(credential);
}

// What is handed out opens something.
void EdgeModel::expect_taken(const Credential& credential) {
  if (std::chrono::abs(edge_->clock_error()) > clock_error_max) return;
  if (credential.entry.expires_at <= world_->moment().wall) return;  // a clock was set while it was pushed
  std::size_t in_step = 0;
  bool is_taken = false;
  for (std::size_t i = 0; i < relays_.size(); ++i) {
    if (!interface_->in_step_since(i)) continue;
    ++in_step;
    const credentials::GrantPtr grant = ask(*relays_[i], credential);
    if (!grant) continue;
    is_taken = true;
    expect_own(grant->subject, *credential.session);
  }
  if (in_step == relays_.size() && !is_taken) violate("no relay takes a credential that was just handed out");
}

// --- what is taken ----------------------------------------------------------------------------------------

// Nothing: the relay does not take it.
credentials::GrantPtr EdgeModel::ask(RelayHost& relay, const Credential& credential) const {
  const auto holds = [&](Bytes key) {
    return std::ranges::any_of(credential.keys, [&](const auto& each) { return equal(each.reveal(), key); });
  };
  const credentials::Claim claim{.realm = credential.entry.realm,
                                 .username = credential.entry.username,
                                 .token = credential.entry.access_token,
                                 .algorithm = PasswordAlgorithm::md5};
  return relay.registry().authenticate(claim, holds, world_->moment().wall).value_or(nullptr);
}

std::optional<Instant> EdgeModel::Credential::ended_at() const {
  if (!taken_back_at) return session->ended_at;
  return std::min(session->ended_at.value_or(*taken_back_at), *taken_back_at);
}

void EdgeModel::forget_ends() {
  for (auto& [username, credential] : credentials_) {
    const auto end = credential.ended_at();
    // Whoever asked is not there any more to be told that there was no room.
    if (credential.session->revocations_open > 0) credential.session->is_left_at_relays = true;
    if (!end || !credential.told_at_start.empty()) continue;
    for (std::size_t i = 0; i < relays_.size(); ++i) {
      const auto in_step_since = interface_->in_step_since(i);
      const bool is_told = in_step_since && std::max(*end, *in_step_since) + revoked_within < instant();
      credential.told_at_start.push_back(is_told ? relays_[i]->starts() : 0);
    }
  }
}

bool EdgeModel::is_forgotten(std::size_t relay, const Credential& credential) const {
  if (!credential.told_at_start.empty() && credential.told_at_start[relay] != relays_[relay]->starts())
    return true;
  if (!set_back_at_) return false;
  // By the time it was back, what it had missed may have been over, and so not told any more.
  const auto in_step_since = interface_->in_step_since(relay);
  return relays_[relay]->starts() > 1 || !in_step_since || *in_step_since > credential.ended_at();
}

void EdgeModel::watch_clock() {
  const Duration clock = world_->moment().wall.time_since_epoch() - instant().time_since_epoch();
  if (clock + seconds{1} < clock_) set_back_at_ = instant();
  clock_ = clock;
}

void EdgeModel::judge() {
  watch_clock();
  let_time_end_sessions();
  ++rounds_;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < relays_.size(); ++i) {
    // What has been refused for a while is asked for again from time to time.
    for (const auto& [name, credential] : credentials_)
      if (is_news(i, credential) || ++number % rarely == rounds_ % rarely) judge_at(i, credential);
    for (const credentials::PushedEntry& entry : relays_[i]->registry().pushed().list())
      if (!credentials_.contains(entry.username)) violate("a relay has a credential that nobody has made");
  }
  check_ends_of_core();
  check_calls();
  check_answers(open_, "a WIC");
  check_answers(core_open_, "the core");
}

bool EdgeModel::is_news(std::size_t relay, const Credential& credential) const {
  const Instant then = instant() - seconds{4};
  const auto in_step_since = interface_->in_step_since(relay);
  return credential.session->ended_at.value_or(Instant::min()) > then ||
         credential.taken_back_at.value_or(Instant::min()) > then ||
         in_step_since.value_or(Instant::min()) > then;
}

// A relay whose deny-list is full of what has not ended takes no more. Who asked is told so; a relay that was
// away since has been told again, and there nobody is. What has ended makes room, and lives again where a
// clock is set back.
bool EdgeModel::may_lack_room(std::size_t relay, const Session& session) const {
  if (relays_[relay]->settings().credentials.revocations_max == credentials::DenyList::entries_max)
    return false;
  if (session.revocations_open > 0 || session.is_left_at_relays) return true;
  if (!session.revoked_at) return false;
  return *session.revoked_at < interface_->in_step_since(relay) ||
         (set_back_at_ && *session.revoked_at < *set_back_at_);
}

void EdgeModel::judge_at(std::size_t relay, const Credential& credential) {
  const Session& session = *credential.session;
  const bool is_over = credential.entry.expires_at + end_tolerance < world_->moment().wall;
  const auto end = credential.ended_at();
  const auto in_step_since = interface_->in_step_since(relay);
  const bool is_taken_back = end && in_step_since &&
                             std::max(*end, *in_step_since) + revoked_within < instant() &&
                             !is_forgotten(relay, credential) && !may_lack_room(relay, session);
  if (!is_over && !is_taken_back) return;
  ++tally_.refusals_at_relays;
  if (ask(*relays_[relay], credential))
    violate("relay " + std::to_string(relay) + " takes a credential of " + session.device.impi +
            (is_over              ? " that is over"
             : session.revoked_at ? " whose registration has ended, and was told to have taken it back"
                                  : " whose registration has ended"));
  // What has ended by itself is not taken back any more from a relay that was away all the time.
  if (!is_taken_back || (is_over && *in_step_since > *end)) return;
  for (const turn::AllocationView& view : relays_[relay]->allocations())
    if (view.grant->username == credential.entry.username)
      violate("an allocation of " + session.device.impi + " lives behind the registration");
}

EdgeModel::Tally& EdgeModel::Tally::operator+=(const Tally& other) {
  registrations += other.registrations;
  refreshes += other.refreshes;
  ends += other.ends;
  credentials += other.credentials;
  pushes += other.pushes;
  revocations += other.revocations;
  refused_registers += other.refused_registers;
  answers += other.answers;
  refusals_at_relays += other.refusals_at_relays;
  ends_by_core += other.ends_by_core;
  calls += other.calls;
  calls_hung_up_for += other.calls_hung_up_for;
  tokens += other.tokens;
  allocations += other.allocations;
  relay_starts += other.relay_starts;
  revocations_undone += other.revocations_undone;
  return *this;
}

EdgeModel::Tally EdgeModel::tally() const {
  Tally tally = tally_;
  for (const RelayHost* relay : relays_) {
    tally.relay_starts += relay->starts();
    for (const turn::Report& report : relay->reports())
      if (std::holds_alternative<turn::AllocationCreated>(report)) ++tally.allocations;
  }
  return tally;
}

// --- the end ----------------------------------------------------------------------------------------------

void EdgeModel::expect_nothing_left() {
  judge();
  const epcscf::Counters counters = edge_->machine().counters();
  const auto expect_none = [&](std::uint64_t count, std::string_view what) {
    if (count != 0) violate("in the end there are " + std::to_string(count) + ' ' + std::string{what});
  };
  expect_none(counters.clients_active, "connections");
  expect_none(counters.registrations_active, "registrations");
  expect_none(counters.calls_active, "calls");
  expect_none(counters.subscriptions_active, "subscriptions");
  expect_none(counters.transactions_active, "transactions");
  expect_none(active_.size(), "registrations that the core has granted");
  expect_none(core_->machine().registrations().size(), "registrations at the core");
  expect_none(core_->machine().subscription_count(), "subscriptions at the core");
  expect_none(core_->machine().transaction_count(), "transactions at the core");
  if (edge_->machine().next_timeout()) violate("in the end the edge wants to be woken");
  for (RelayHost* relay : relays_) expect_none(relay->allocations().size(), "allocations");
}

}  // namespace turnpike::sim
