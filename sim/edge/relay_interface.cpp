#include "sim/edge/relay_interface.hpp"

#include <algorithm>
#include <utility>

namespace turnpike::sim {

using credentials::PushedCredential;
using credentials::PushedTable;
using credentials::PushOutcome;
using credentials::Revocation;

namespace {

constexpr std::size_t held_max = 100'000;

}  // namespace

RelayInterface::RelayInterface(World& world, std::vector<RelayHost*> relays,
                               const InterfaceSettings& settings)
    : world_(&world),
      settings_(settings),
      random_(world.fork()),
      held_(relays.front()->registry().realm(), held_max) {
  for (RelayHost* relay : relays) {
    auto& link = *links_.emplace_back(std::make_unique<Link>());
    link.relay = relay;
    link.alarm = std::make_unique<Alarm>(world, [this, &link] { poll(link); });
    link.alarm->set(world.moment().mono);
  }
}

std::string RelayInterface::uri_of(const RelayHost& relay) {
  return "turn:" + relay.listener().to_string() + "?transport=udp";
}

void RelayInterface::put(const PushedCredential& credential, Completion on_done) {
  const auto outcome = held_.put(credential, world_->moment().wall);
  auto tally = std::make_shared<Tally>();
  tally->on_done = [this, username = credential.username, on_done = std::move(on_done)](bool is_done) {
    // Nobody will be told of it.
    if (!is_done) held_.revoke({.by = Revocation::By::username, .value = username});
    on_done(is_done);
  };
  if (outcome == PushOutcome::done) spread(credential, tally);
  complete_later(tally);
}

void RelayInterface::revoke(const Revocation& revocation, Completion on_done) {
  held_.revoke(revocation);
  auto tally = std::make_shared<Tally>();
  tally->wants_all = true;
  tally->has_failed = !remember(revocation);
  tally->on_done = std::move(on_done);
  spread(revocation, tally);
  complete_later(tally);
}

bool RelayInterface::remember(const Revocation& revocation) {
  const std::pair what{revocation.by, revocation.value};
  if (!revoked_.contains(what) && revoked_.size() >= settings_.revocations_max)
    std::erase_if(revoked_,
                  [wall = world_->moment().wall](const auto& entry) { return entry.second <= wall; });
  if (!revoked_.contains(what) && revoked_.size() >= settings_.revocations_max) return false;
  WallTime& until = revoked_.try_emplace(what, WallTime::min()).first->second;
  until = std::max(until, revocation.until);
  return true;
}

// What no relay will answer for.
void RelayInterface::complete_later(const TallyPtr& tally) {
  if (tally->expected > 0) return;
  world_->plan_after({}, [tally] {
    if (const auto done = std::exchange(tally->on_done, nullptr)) done(false);
  });
}

void RelayInterface::forget() {
  held_ = PushedTable{links_.front()->relay->registry().realm(), held_max};
  revoked_.clear();
  for (const auto& link : links_) {
    link->state = Link::State::down;
    ++link->turn;
    link->waiting.clear();
    link->in_flight.clear();
    link->alarm->set(world_->moment().mono);
  }
  offer();
}

void RelayInterface::spread(const Change& change, const TallyPtr& tally) {
  for (const auto& link : links_) {
    if (link->state == Link::State::down) continue;
    ++tally->expected;
    link->waiting.push_back({change, tally});
  }
  for (const auto& link : links_) flush(*link);
}

void RelayInterface::flush(Link& link) {
  if (link.state != Link::State::live || !link.in_flight.empty() || link.waiting.empty()) return;
  std::ranges::move(link.waiting, std::back_inserter(link.in_flight));
  link.waiting.clear();
  const auto taken = std::make_shared<std::vector<bool>>();
  const auto is_known = std::make_shared<bool>(true);
  exchange(
      link,
      [this, &link, taken, is_known, changes = link.in_flight] {
        *is_known = link.relay->starts() == link.known_start;  // else it answers "gap"
        if (*is_known)
          for (const Waiting& each : changes) taken->push_back(obey(*link.relay, each.change));
      },
      [this, &link, taken, is_known] {
        if (!*is_known) return synchronize(link);
        count(std::exchange(link.in_flight, {}), *taken);
        flush(link);
      });
}

void RelayInterface::synchronize(Link& link) {
  link.state = Link::State::in_sync;
  ++link.turn;
  std::ranges::move(link.waiting, std::back_inserter(link.in_flight));
  link.waiting.clear();
  held_.drop_expired(world_->moment().wall);
  std::erase_if(revoked_, [wall = world_->moment().wall](const auto& entry) { return entry.second <= wall; });
  std::vector<Change> state;
  for (const auto& entry : held_.list()) state.emplace_back(*held_.find(entry.username));
  for (const auto& [what, until] : revoked_)
    state.emplace_back(Revocation{.by = what.first, .value = what.second, .until = until});
  const auto start = std::make_shared<std::uint64_t>(0);
  const auto taken = std::make_shared<std::set<std::string>>();
  exchange(
      link,
      [this, &link, start, taken, state = std::move(state)] {
        *start = link.relay->starts();
        for (const Change& each : state) {
          const bool is_taken = obey(*link.relay, each);
          if (const auto* put = std::get_if<PushedCredential>(&each); put != nullptr && is_taken)
            taken->insert(put->username);
        }
      },
      [this, &link, start, taken] {
        link.state = Link::State::live;
        link.known_start = *start;
        link.in_step_since = world_->moment().mono;
        offer();
        count_state(std::exchange(link.in_flight, {}), *taken);
        flush(link);
      });
}

void RelayInterface::poll(Link& link) {
  const auto start = std::make_shared<std::uint64_t>(0);
  exchange(
      link, [&link, start] { *start = link.relay->starts(); },
      [this, &link, start] {
        link.alarm->set(world_->moment().mono + settings_.health_every);
        const bool is_known = *start == link.known_start;
        if (link.state == Link::State::down || (link.state == Link::State::live && !is_known))
          synchronize(link);
      },
      true);
}

void RelayInterface::fail(Link& link) {
  link.state = Link::State::down;
  ++link.turn;
  std::vector<Waiting> lost = std::exchange(link.in_flight, {});
  std::ranges::move(link.waiting, std::back_inserter(lost));
  link.waiting.clear();
  link.alarm->set(world_->moment().mono + settings_.pause);
  offer();
  count(lost, std::vector<bool>(lost.size(), false));
}

void RelayInterface::offer() {
  std::vector<std::string> uris;
  for (const auto& link : links_)
    if (link->state == Link::State::live) uris.push_back(uri_of(*link->relay));
  if (uris == offered_) return;
  offered_ = uris;
  if (on_offer_) on_offer_(std::move(uris));
}

void RelayInterface::exchange(Link& link, std::function<void()> at_relay, std::function<void()> on_answer,
                              bool is_health) {
  const Duration there = draw_delay();
  const Duration back = draw_delay();
  const bool is_lost = random_.below(1000) < settings_.loss;
  const bool has_arrived = !is_lost || random_.below(2) == 0;
  const auto is_answered = std::make_shared<bool>(false);
  world_->plan_after(there, [&link, has_arrived, at_relay = std::move(at_relay), is_answered, is_lost] {
    if (link.is_cut || !has_arrived) return;
    at_relay();
    *is_answered = !is_lost;
  });
  const std::uint64_t turn = link.turn;
  const bool is_in_time = there + back < settings_.deadline;
  world_->plan_after(std::min(there + back, settings_.deadline),
                     [=, this, &link, on_answer = std::move(on_answer)] {
                       if (link.turn != turn && !is_health) return;
                       if (*is_answered && is_in_time) return on_answer();
                       // Silence is known when the deadline has passed.
                       const Duration rest = settings_.deadline - std::min(there + back, settings_.deadline);
                       world_->plan_after(rest, [this, &link, turn, is_health] {
                         if (link.turn == turn || is_health) fail(link);
                       });
                     });
}

bool RelayInterface::obey(RelayHost& relay, const Change& change) {
  if (const auto* revocation = std::get_if<Revocation>(&change)) {
    relay.revoke(*revocation);
    return relay.registry().deny_list().holds(*revocation, world_->moment().wall);
  }
  const auto& credential = std::get<PushedCredential>(change);
  const auto outcome = relay.registry().pushed().put(credential, world_->moment().wall);
  if (outcome == PushOutcome::done) put_.insert(credential.username);
  return outcome == PushOutcome::done;
}

void RelayInterface::count(const std::vector<Waiting>& changes, const std::vector<bool>& are_taken) {
  for (std::size_t i = 0; i < changes.size(); ++i) count(*changes[i].tally, are_taken[i]);
}

void RelayInterface::count_state(const std::vector<Waiting>& changes, const std::set<std::string>& taken) {
  for (const Waiting& each : changes) {
    const auto* put = std::get_if<PushedCredential>(&each.change);
    count(*each.tally, put == nullptr || taken.contains(put->username));
  }
}

void RelayInterface::count(Tally& tally, bool is_done) {
  --tally.expected;
  tally.has_one |= is_done;
  tally.has_failed |= !is_done;
  const bool is_decided = tally.wants_all ? tally.expected == 0 : tally.has_one || tally.expected == 0;
  if (!is_decided) return;
  if (const auto on_done = std::exchange(tally.on_done, nullptr))
    on_done(tally.has_one && (!tally.wants_all || !tally.has_failed));
}

std::optional<Instant> RelayInterface::in_step_since(std::size_t relay) const {
  const Link& link = *links_.at(relay);
  const bool is_in_step =
      link.state == Link::State::live && link.known_start == link.relay->starts() && !link.is_cut;
  return is_in_step ? std::optional{link.in_step_since} : std::nullopt;
}

Duration RelayInterface::draw_delay() {
  const auto jitter = static_cast<std::uint32_t>(settings_.jitter.count() / 1000);
  return settings_.delay + Duration{std::chrono::microseconds{jitter == 0 ? 0 : random_.below(jitter)}};
}

}  // namespace turnpike::sim
