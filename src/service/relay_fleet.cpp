#include "service/relay_fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/http_url.hpp"
#include "base/time.hpp"
#include "credentials/pushed_table.hpp"
#include "service/credential_json.hpp"

namespace turnpike::service {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using credentials::Change;
using credentials::PushOutcome;
using credentials::Revocation;

constexpr std::size_t live_credentials_max = 1'000'000;

bool is_success(const HttpAnswer& answer) { return answer && answer->status == 200; }

bool is_taken(const credentials::ChangeResult& result) {
  return result.outcome == PushOutcome::done || result.outcome == PushOutcome::repeated;
}

// A sentence for the log; repeats nothing of a body.
std::string describe(const HttpAnswer& answer) {
  return answer ? fmt::format("the relay answers {}", answer->status) : answer.error();
}

double fullness(std::uint64_t used, std::uint64_t room) {
  return room == 0 ? 0 : static_cast<double>(used) / static_cast<double>(room);
}

// One change on its way to several relays.
class Tally {
 public:
  enum class Wants : std::uint8_t { one, all };
  Tally(Wants wants, RelayPort::Completion on_done) : wants_(wants), on_done_(std::move(on_done)) {}

  void expect() { ++expected_; }
  void count(bool is_done) {
    --expected_;
    has_one_ |= is_done;
    has_failed_ |= !is_done;
    if (wants_ == Wants::one && has_one_) complete(true);
    if (expected_ == 0) complete(has_one_ && (wants_ == Wants::one || !has_failed_));
  }
  [[nodiscard]] bool expects_nobody() const { return expected_ == 0; }
  void complete(bool is_done) {
    if (auto on_done = std::exchange(on_done_, nullptr)) on_done(is_done);
  }

 private:
  Wants wants_;
  RelayPort::Completion on_done_;
  std::size_t expected_ = 0;
  bool has_one_ = false;
  bool has_failed_ = false;
};

using RevokedThing = std::pair<Revocation::By, std::string>;

struct Waiting {
  Change change;
  std::shared_ptr<Tally> tally;
  bool counts = true;  // a relay that is not handed out does not make a put done
};

bool is_reached_alike(const RelaySettings& a, const RelaySettings& b) {
  return a.url == b.url && a.ca_file == b.ca_file && a.certificate_file == b.certificate_file &&
         a.key_file == b.key_file;
}

struct Link : std::enable_shared_from_this<Link> {
  enum class State : std::uint8_t { down, in_sync, live };  // in_sync: the full state is on its way

  explicit Link(asio::io_context& loop, RelaySettings from) : settings(std::move(from)), timer(loop) {}
  [[nodiscard]] double load() const {
    return std::max(fullness(health.allocations, health.allocations_max),
                    fullness(health.credentials, health.credentials_max));
  }

  RelaySettings settings;
  asio::steady_timer timer;
  std::unique_ptr<HttpClient> quick{};
  std::unique_ptr<HttpClient> patient{};  // of full states
  State state = State::down;
  RelayHealth health{};
  bool is_offered = false;
  std::uint64_t sequence = 0;       // of the last change that was sent or is in the full state
  std::uint64_t turn = 0;           // answers to what was sent before it are not waited for any more
  std::uint64_t acknowledged = 0;   // that the relay has told of
  std::deque<Waiting> waiting{};    // not sent yet
  std::deque<Waiting> in_flight{};  // of the one request that is under way
  // What is in the full state that is under way.
  std::vector<std::string> state_names{};
  std::vector<RevokedThing> state_revocations{};
  std::chrono::milliseconds pause{};
  std::string problem = "not tried yet";
  std::uint64_t failures = 0;
  std::string last_problem{};
  WallTime failed_at{};
};

}  // namespace

class RelayFleet::Core : public std::enable_shared_from_this<RelayFleet::Core> {
 public:
  Core(asio::io_context& loop, RelayFleetSettings settings, Random& random, Offer on_offer)
      : loop_(loop),
        settings_(std::move(settings)),
        random_(random),
        on_offer_(std::move(on_offer)),
        stream_(to_hex(random.draw<12>())),
        held_(settings_.realm, live_credentials_max) {}

  std::expected<void, std::string> reconfigure(std::vector<RelaySettings> relays,
                                               std::vector<std::string> regions);
  void shut_down();
  void put(const credentials::PushedCredential& credential, Completion on_done);
  void revoke(const Revocation& revocation, Completion on_done);
  [[nodiscard]] std::vector<RelayStatus> status() const;
  [[nodiscard]] RelayFleetTables tables() const { return {held_.size(), revoked_.size()}; }

 private:
  using OnAnswer = void (Core::*)(Link&, const HttpAnswer&);

  std::expected<std::shared_ptr<Link>, std::string> make_link(const RelaySettings& relay);
  void let_go(Link& link);
  void send(Link& link, HttpClient& client, HttpRequest request, OnAnswer on_answer);
  bool remember(const Revocation& revocation);
  void spread(const Change& change, const std::shared_ptr<Tally>& tally);
  void flush(Link& link);
  void on_batch_answer(Link& link, const HttpAnswer& answer);
  void settle(std::deque<Waiting> changes, const std::vector<credentials::ChangeResult>& results);
  void poll(Link& link);
  void on_health(Link& link, const HttpAnswer& answer);
  [[nodiscard]] bool knows_our_changes(const Link& link) const;
  void synchronize(Link& link);
  void on_state_answer(Link& link, const HttpAnswer& answer);
  [[nodiscard]] FullState make_state(const Link& link);
  void settle_state(Link& link, const BatchAnswer& answer);
  void forget_ended();
  void fail(Link& link, std::string why);
  void wake(Link& link, std::chrono::milliseconds after);
  void offer();
  [[nodiscard]] std::size_t region_rank(const Link& link) const;

  asio::io_context& loop_;
  RelayFleetSettings settings_;
  Random& random_;
  Offer on_offer_;
  std::string stream_;
  credentials::PushedTable held_;  // what every relay should have
  std::map<RevokedThing, WallTime> revoked_{};
  std::vector<std::shared_ptr<Link>> links_{};
  std::vector<std::string> offered_{};
  Instant forgets_at_ = Instant::min();
};

std::expected<std::shared_ptr<Link>, std::string> RelayFleet::Core::make_link(const RelaySettings& relay) {
  if (!HttpUrl::parse(relay.url)) return std::unexpected(relay.url + ": allowed: an https URL");
  auto link = std::make_shared<Link>(loop_, relay);
  HttpClientSettings client{.ca_file = relay.ca_file,
                            .certificate_file = relay.certificate_file,
                            .key_file = relay.key_file,
                            .deadline = settings_.deadline,
                            .idle_max = std::chrono::milliseconds{90'000},
                            .connections_max = 2};
  auto quick = HttpClient::make(loop_, client);
  if (!quick) return std::unexpected(quick.error());
  client.deadline = settings_.full_deadline;
  client.response_bytes_max = std::size_t{64} * 1024 * 1024;
  auto patient = HttpClient::make(loop_, client);
  if (!patient) return std::unexpected(patient.error());
  link->quick = std::move(*quick);
  link->patient = std::move(*patient);
  link->pause = settings_.pause_min;
  return link;
}

std::expected<void, std::string> RelayFleet::Core::reconfigure(std::vector<RelaySettings> relays,
                                                               std::vector<std::string> regions) {
  std::vector<std::shared_ptr<Link>> links;
  std::vector<std::shared_ptr<Link>> new_links;
  for (RelaySettings& relay : relays) {
    while (relay.url.ends_with('/')) relay.url.pop_back();
    const auto same = std::ranges::find_if(links_, [&](const auto& link) {
      return is_reached_alike(link->settings, relay) && std::ranges::find(links, link) == links.end();
    });
    if (same != links_.end()) {
      links.push_back(*same);
      continue;
    }
    auto made = make_link(relay);
    if (!made) return std::unexpected(made.error());
    links.push_back(*made);
    new_links.push_back(std::move(*made));
  }
  const auto before = std::exchange(links_, std::move(links));
  for (std::size_t i = 0; i < relays.size(); ++i) links_[i]->settings = std::move(relays[i]);
  settings_.regions = std::move(regions);
  for (const auto& link : new_links) poll(*link);
  offer();
  for (const auto& link : before)
    if (std::ranges::find(links_, link) == links_.end()) let_go(*link);
  return {};
}

void RelayFleet::Core::let_go(Link& link) {
  link.timer.cancel();
  link.quick.reset();  // answers nobody any more
  link.patient.reset();
  for (std::deque<Waiting>* changes : {&link.in_flight, &link.waiting})
    for (Waiting& change : std::exchange(*changes, {})) change.tally->count(false);
}

void RelayFleet::Core::shut_down() {
  for (const auto& link : links_) {
    link->timer.cancel();
    link->quick.reset();
    link->patient.reset();
  }
}

void RelayFleet::Core::send(Link& link, HttpClient& client, HttpRequest request, OnAnswer on_answer) {
  request.url = link.settings.url + request.url;
  request.is_repeatable = true;  // numbered: what arrives twice is done once
  if (!request.body.empty()) request.fields.emplace_back("Content-Type", "application/json");
  client.send(std::move(request),
              [weak = weak_from_this(), &link, turn = link.turn, on_answer](const HttpAnswer& answer) {
                const auto self = weak.lock();
                if (!self) return;
                const bool is_late = link.turn != turn && on_answer != &Core::on_health;
                if (!is_late) ((*self).*on_answer)(link, answer);
              });
}

void RelayFleet::Core::put(const credentials::PushedCredential& credential, Completion on_done) {
  const auto outcome = held_.put(credential, read_clocks().wall);
  auto tally = std::make_shared<Tally>(
      Tally::Wants::one,
      [this, username = credential.username, on_done = std::move(on_done)](bool is_done) mutable {
        // Nobody will be told of it.
        if (!is_done) held_.revoke({.by = Revocation::By::username, .value = username});
        on_done(is_done);
      });
  if (outcome == PushOutcome::done) spread(credential, tally);
  if (tally->expects_nobody())
    asio::post(loop_, [self = shared_from_this(), tally] { tally->complete(false); });
}

void RelayFleet::Core::revoke(const Revocation& revocation, Completion on_done) {
  held_.revoke(revocation);
  if (!remember(revocation)) on_done = [on_done = std::move(on_done)](bool) mutable { on_done(false); };
  auto tally = std::make_shared<Tally>(Tally::Wants::all, std::move(on_done));
  spread(revocation, tally);
  if (tally->expects_nobody())
    asio::post(loop_, [self = shared_from_this(), tally] { tally->complete(false); });
}

bool RelayFleet::Core::remember(const Revocation& revocation) {
  const std::pair what{revocation.by, revocation.value};
  if (!revoked_.contains(what) && revoked_.size() >= settings_.revocations_max) {
    forgets_at_ = Instant::min();
    forget_ended();
    if (revoked_.size() >= settings_.revocations_max) return false;
  }
  WallTime& until = revoked_.try_emplace(what, WallTime::min()).first->second;
  until = std::max(until, revocation.until);
  return true;
}

void RelayFleet::Core::spread(const Change& change, const std::shared_ptr<Tally>& tally) {
  const bool is_put = std::holds_alternative<credentials::PushedCredential>(change);
  for (const auto& link : links_) {
    if (link->state == Link::State::down) continue;
    tally->expect();
    link->waiting.push_back({change, tally, link->is_offered || !is_put});
  }
  for (const auto& link : links_) flush(*link);
}

void RelayFleet::Core::flush(Link& link) {
  if (link.state != Link::State::live || !link.in_flight.empty() || link.waiting.empty()) return;
  if (link.waiting.size() > settings_.waiting_max) return synchronize(link);
  ChangeBatch batch{.first = StreamPosition{stream_, link.sequence + 1}};
  while (!link.waiting.empty() && batch.changes.size() < settings_.changes_per_request_max) {
    batch.changes.push_back(link.waiting.front().change);
    link.in_flight.push_back(std::move(link.waiting.front()));
    link.waiting.pop_front();
  }
  link.sequence += batch.changes.size();
  send(link, *link.quick, {.method = "POST", .url = "/v1/credentials:batch", .body = format_batch(batch)},
       &Core::on_batch_answer);
}

void RelayFleet::Core::on_batch_answer(Link& link, const HttpAnswer& answer) {
  if (answer && answer->status == 409) return synchronize(link);
  if (!is_success(answer)) return fail(link, describe(answer));
  const auto read = parse_batch_answer(answer->body);
  if (!read || read->results.size() != link.in_flight.size())
    return fail(link, read ? "the relay answers for other changes" : read.error());
  link.acknowledged = link.sequence;
  settle(std::exchange(link.in_flight, {}), read->results);
  flush(link);
}

void RelayFleet::Core::settle(std::deque<Waiting> changes,
                              const std::vector<credentials::ChangeResult>& results) {
  for (std::size_t i = 0; i < changes.size(); ++i)
    changes[i].tally->count(is_taken(results[i]) && changes[i].counts);
}

void RelayFleet::Core::poll(Link& link) {
  forget_ended();
  send(link, *link.quick, {.method = "GET", .url = "/v1/health"}, &Core::on_health);
}

void RelayFleet::Core::on_health(Link& link, const HttpAnswer& answer) {
  if (!is_success(answer)) return fail(link, describe(answer));
  auto health = parse_health(answer->body);
  if (!health) return fail(link, health.error());
  if (!settings_.realm.empty() && health->realm != settings_.realm)
    return fail(link, fmt::format("the relay serves another realm, \"{}\"", health->realm));
  link.health = std::move(*health);
  wake(link, settings_.health_every);
  if (link.state == Link::State::down || (link.state == Link::State::live && !knows_our_changes(link)))
    return synchronize(link);
  offer();
}

// What is under way may have arrived or not; what was acknowledged has.
bool RelayFleet::Core::knows_our_changes(const Link& link) const {
  const auto& position = link.health.position;
  return position && position->stream == stream_ &&
         (position->sequence >= link.acknowledged || !link.in_flight.empty());
}

void RelayFleet::Core::synchronize(Link& link) {
  link.state = Link::State::in_sync;
  ++link.turn;
  // The full state has what was on its way; its number stands for theirs.
  std::ranges::move(link.waiting, std::back_inserter(link.in_flight));
  link.waiting.clear();
  link.sequence += 1;
  const FullState state = make_state(link);
  link.state_names.clear();
  for (const auto& credential : state.credentials) link.state_names.push_back(credential.username);
  link.state_revocations.clear();
  for (const auto& revocation : state.revocations)
    link.state_revocations.emplace_back(revocation.by, revocation.value);
  send(link, *link.patient, {.method = "PUT", .url = "/v1/credentials", .body = format_state(state)},
       &Core::on_state_answer);
}

// What has ended by itself is in nobody's way but the memory's.
void RelayFleet::Core::forget_ended() {
  const Now now = read_clocks();
  if (now.mono < forgets_at_) return;
  forgets_at_ = now.mono + settings_.forget_every;
  held_.drop_expired(now.wall);
  std::erase_if(revoked_, [wall = now.wall](const auto& entry) { return entry.second <= wall; });
}

FullState RelayFleet::Core::make_state(const Link& link) {
  forgets_at_ = Instant::min();
  forget_ended();
  // What an issuer before us has put there lives on: its users may be talking. What was revoked is named.
  FullState state{.position = {stream_, link.sequence}, .keeps_others = true};
  for (const auto& entry : held_.list()) state.credentials.push_back(*held_.find(entry.username));
  for (const auto& [what, until] : revoked_) state.revocations.push_back({what.first, what.second, until});
  return state;
}

void RelayFleet::Core::on_state_answer(Link& link, const HttpAnswer& answer) {
  if (!is_success(answer)) return fail(link, describe(answer));
  const auto read = parse_batch_answer(answer->body);
  if (!read || read->results.size() != link.state_names.size() ||
      (!read->revocations.empty() && read->revocations.size() != link.state_revocations.size()))
    return fail(link, read ? "the relay answers for other credentials" : read.error());
  link.state = Link::State::live;
  link.acknowledged = link.sequence;
  link.pause = settings_.pause_min;
  link.problem.clear();
  offer();
  settle_state(link, *read);
  flush(link);
}

// What was on its way when the full state was made is as well off as the same in it. A relay that says
// nothing of revocations has taken them all.
void RelayFleet::Core::settle_state(Link& link, const BatchAnswer& answer) {
  std::set<std::string, std::less<>> taken;
  for (std::size_t i = 0; i < answer.results.size(); ++i)
    if (is_taken(answer.results[i])) taken.insert(std::move(link.state_names[i]));
  std::set<RevokedThing> not_revoked;
  for (std::size_t i = 0; i < answer.revocations.size(); ++i)
    if (!is_taken(answer.revocations[i])) not_revoked.insert(std::move(link.state_revocations[i]));
  link.state_names.clear();
  link.state_revocations.clear();
  if (!not_revoked.empty()) {
    link.last_problem = fmt::format("the relay has no room for {} revocations", not_revoked.size());
    link.failed_at = read_clocks().wall;
  }
  for (Waiting& waiting : std::exchange(link.in_flight, {})) {
    bool is_done = waiting.counts;
    if (const auto* put = std::get_if<credentials::PushedCredential>(&waiting.change))
      is_done = is_done && taken.contains(put->username);
    else if (const auto* revocation = std::get_if<Revocation>(&waiting.change))
      is_done = is_done && !not_revoked.contains({revocation->by, revocation->value});
    waiting.tally->count(is_done);
  }
}

void RelayFleet::Core::fail(Link& link, std::string why) {
  link.state = Link::State::down;
  ++link.turn;
  link.problem = std::move(why);
  link.failures += 1;
  link.last_problem = link.problem;
  link.failed_at = read_clocks().wall;
  std::deque<Waiting> lost = std::exchange(link.in_flight, {});
  std::ranges::move(link.waiting, std::back_inserter(lost));
  link.waiting.clear();
  // Not all at the same moment when they come back.
  const auto jitter = random_.below(static_cast<std::uint32_t>(link.pause.count() / 2 + 1));
  wake(link, link.pause / 2 + std::chrono::milliseconds{jitter});
  link.pause = std::min(link.pause * 2, settings_.pause_max);
  offer();
  for (Waiting& change : lost) change.tally->count(false);
}

void RelayFleet::Core::wake(Link& link, std::chrono::milliseconds after) {
  link.timer.expires_after(after);
  link.timer.async_wait([weak = weak_from_this(), weak_link = link.weak_from_this()](error_code error) {
    const auto self = weak.lock();
    const auto woken = weak_link.lock();
    if (!error && self && woken && woken->quick) self->poll(*woken);
  });
}

std::size_t RelayFleet::Core::region_rank(const Link& link) const {
  const auto found = std::ranges::find(settings_.regions, link.settings.region);
  return static_cast<std::size_t>(found - settings_.regions.begin());
}

void RelayFleet::Core::offer() {
  std::vector<Link*> able;
  for (const auto& link : links_) {
    link->is_offered = false;
    if (link->state == Link::State::live && !link->health.is_draining && link->load() < 1)
      able.push_back(link.get());
  }
  // In tenths, so that a little more or less does not send everybody elsewhere.
  const auto rank = [this](const Link* link) {
    return std::pair{region_rank(*link), static_cast<int>(link->load() * 10)};
  };
  std::ranges::stable_sort(able, {}, rank);
  if (able.size() > settings_.offered_max) able.resize(settings_.offered_max);
  std::vector<std::string> uris;
  for (Link* link : able) {
    link->is_offered = true;
    uris.insert(uris.end(), link->settings.uris.begin(), link->settings.uris.end());
  }
  if (uris == offered_) return;
  offered_ = std::move(uris);
  on_offer_(offered_);
}

std::vector<RelayStatus> RelayFleet::Core::status() const {
  std::vector<RelayStatus> all;
  all.reserve(links_.size());
  for (const auto& link : links_)
    all.push_back({.name = link->settings.name,
                   .url = link->settings.url,
                   .region = link->settings.region,
                   .uris = link->settings.uris,
                   .is_live = link->state == Link::State::live,
                   .is_offered = link->is_offered,
                   .is_draining = link->health.is_draining,
                   .load = link->load(),
                   .allocations = link->health.allocations,
                   .credentials = link->health.credentials,
                   .sequence = link->acknowledged,
                   .waiting = link->waiting.size() + link->in_flight.size(),
                   .problem = link->problem,
                   .failures = link->failures,
                   .last_problem = link->last_problem,
                   .failed_at = link->failed_at});
  return all;
}

std::expected<std::unique_ptr<RelayFleet>, std::string> RelayFleet::start(asio::io_context& loop,
                                                                          RelayFleetSettings settings,
                                                                          Random& random, Offer on_offer) {
  auto relays = std::exchange(settings.relays, {});
  auto regions = settings.regions;
  auto core = std::make_shared<Core>(loop, std::move(settings), random, std::move(on_offer));
  if (const auto opened = core->reconfigure(std::move(relays), std::move(regions)); !opened)
    return std::unexpected(opened.error());
  return std::unique_ptr<RelayFleet>{new RelayFleet{std::move(core)}};
}

RelayFleet::RelayFleet(std::shared_ptr<Core> core) : core_(std::move(core)) {}
RelayFleet::~RelayFleet() { core_->shut_down(); }
void RelayFleet::put(const credentials::PushedCredential& credential, Completion on_done) {
  core_->put(credential, std::move(on_done));
}
void RelayFleet::revoke(const credentials::Revocation& revocation, Completion on_done) {
  core_->revoke(revocation, std::move(on_done));
}
std::expected<void, std::string> RelayFleet::reconfigure(std::vector<RelaySettings> relays,
                                                         std::vector<std::string> regions) {
  return core_->reconfigure(std::move(relays), std::move(regions));
}
std::vector<RelayStatus> RelayFleet::status() const { return core_->status(); }
RelayFleetTables RelayFleet::tables() const { return core_->tables(); }

}  // namespace turnpike::service
