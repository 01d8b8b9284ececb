#include "sim/random_world.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "sim/dice.hpp"
#include "sim/stage.hpp"

namespace turnpike::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint32_t users = 4;

// --- settings ---------------------------------------------------------------------------------------------

RelaySettings draw_settings(Dice& dice, Fault fault) {
  RelaySettings settings = make_relay_settings();
  settings.fault = fault;
  settings.turn.expiry = static_cast<turn::ExpiryMode>(dice.below(3));
  settings.turn.password_algorithms = dice.chance(70);
  settings.turn.relay_port_max =
      static_cast<std::uint16_t>(settings.turn.relay_port_min + dice.between(7, 150));
  settings.turn.limits.allocations_per_subject = dice.between(1, 3);
  settings.turn.limits.allocations_per_source = dice.between(2, 10);
  settings.turn.limits.allocations_total = dice.between(3, 20);
  settings.turn.limits.permissions_per_allocation = dice.between(2, 10);
  settings.turn.limits.channels_per_allocation = dice.between(1, 10);
  settings.turn.limits.unauthorized_per_second_per_source = dice.between(3, 30);
  if (dice.chance(10)) settings.turn.limits.bytes_per_second_per_allocation = dice.between(100, 5000);
  if (dice.chance(20)) settings.port_failures = dice.between(20, 500);
  if (dice.chance(30)) settings.nonce_lifetime = seconds{dice.between(5, 60)};
  if (dice.chance(30)) {  // a realm in which every name may be hidden
    settings.credentials.computed.reset();
    settings.credentials.token.reset();
  }
  return settings;
}

NatSettings draw_nat(Dice& dice) {
  return {.mapping = static_cast<NatBehaviour>(dice.below(3)),
          .filtering = static_cast<NatBehaviour>(dice.below(3)),
          .mapping_timeout = seconds{dice.between(30, 600)}};
}

LinkSettings draw_link(Dice& dice) {
  LinkSettings link{.delay = milliseconds{dice.between(1, 100)}};
  if (dice.chance(50)) return link;
  link.jitter = milliseconds{dice.below(50)};
  link.loss = dice.below(100);
  link.loss_in_bad = dice.between(300, 1000);
  link.turns_bad = dice.below(20);
  link.turns_good = dice.between(50, 500);
  link.duplicates = dice.below(100);
  link.reorders = dice.below(100);
  return link;
}

// --- the players ------------------------------------------------------------------------------------------

class Play {
 public:
  explicit Play(const RandomWorld& random_world)
      : dice_(random_world.seed), stage_(dice_.below(UINT32_MAX), draw_settings(dice_, random_world.fault)) {
    if (random_world.reader) stage_.world.journal().read_by(random_world.reader);
    for (const auto address : {"8.8.4.4:6000", "8.8.4.5:6000", "[2a03:2880::1]:6000"})
      stage_.add_peer(at(address), dice_.chance(60));
    for (std::uint32_t count = dice_.between(2, 5); count > 0; --count) add_client();
  }

  WorldOutcome play(std::uint32_t steps) {
    for (std::uint32_t step = 0; step < steps; ++step) {
      act();
      let_time_pass();
    }
    stage_.expect_nothing_left();
    return {.violations = stage_.model.violations(),
            .journal_hash = stage_.world.journal().hash(),
            .journal_lines = stage_.world.journal().lines(),
            .tally = stage_.model.tally()};
  }

 private:
  void act();
  void act_as_client();
  void talk(ClientHost& client);
  void act_as_peer();
  void act_as_attacker();
  void act_as_operator();
  void act_as_fate();
  void let_time_pass();

  void add_client();
  turn::ClientSettings draw_client_settings();
  const Credential& issue();
  SocketAddress draw_peer();
  void revoke();
  void note(std::string_view what) { stage_.world.journal().note(stage_.world.moment(), what); }
  ClientHost& any_client() { return *dice_.one_of(stage_.clients); }

  Dice dice_;
  Stage stage_;
  std::deque<Credential> issued_;
  std::uint32_t words_ = 0;  // that were said
  std::uint16_t next_port_ = 41000;
};

void Play::act() {
  const std::uint32_t who = dice_.below(100);
  if (who < 62) return act_as_client();
  if (who < 74) return act_as_peer();
  if (who < 88) return act_as_attacker();
  if (who < 94) return act_as_operator();
  act_as_fate();
}

void Play::act_as_client() {
  ClientHost& client = any_client();
  if (!client.is_allocated() && client.is_idle()) {
    if (client.last_refusal() != 0 && dice_.chance(70)) client.begin_anew(draw_client_settings());
    note("a client starts");
    client.start();
    if (dice_.chance(70)) client.permit(draw_peer());
    if (dice_.chance(40)) client.bind_channel(draw_peer());
    return;
  }
  switch (dice_.below(20)) {
    case 0:
      note("a client closes");
      return client.close();
    case 1:
      note("a client refreshes");
      return client.refresh(seconds{dice_.between(1, 4000)});
    case 2:
      note("a client begins anew");
      return client.begin_anew(draw_client_settings());
    case 3:
      note("a client has a new credential");
      return client.change_credential(issue().shown);
    case 4:
    case 5:
    case 6:
      note("a client permits");
      return client.permit(draw_peer());
    case 7:
    case 8:
    case 9:
      note("a client binds a channel");
      client.bind_channel(draw_peer());
      return;
    default:
      return talk(client);
  }
}

// Mostly to whom it may talk.
void Play::talk(ClientHost& client) {
  for (std::uint32_t times = dice_.between(1, 4); times > 0; --times) {
    const bool is_permitted = !client.permitted.empty() && dice_.chance(80);
    client.send(is_permitted ? dice_.one_of(client.permitted) : draw_peer(),
                "word " + std::to_string(words_++));
  }
}

void Play::act_as_peer() {
  const ClientHost& client = any_client();
  if (!client.allocated) return;
  const SocketAddress to = dice_.one_of(client.allocated->relayed);
  for (const auto& peer : stage_.peers)
    if (peer->address().ip.family() == to.ip.family() && dice_.chance(70))
      peer->send(to, "word " + std::to_string(words_++));
}

void Play::act_as_attacker() {
  const SocketAddress relay = stage_.relay.listener(0);
  const std::uint32_t times = dice_.chance(10) ? dice_.between(10, 60) : 1;
  const std::uint32_t what = dice_.below(6);
  for (std::uint32_t i = 0; i < times; ++i) {
    switch (what) {
      case 0:
        stage_.attacker.send_garbage(relay);
        break;
      case 1:
        stage_.attacker.send_request(relay, stun::Method::allocate);
        break;
      case 2:
        stage_.attacker.send_request(relay,
                                     dice_.one_of(std::array{stun::Method::refresh, stun::Method::binding,
                                                             stun::Method::create_permission}));
        break;
      case 3:
        stage_.attacker.replay(true);
        break;
      case 4:
        stage_.attacker.replay(false);
        break;
      default:
        stage_.attacker.replay_altered();
    }
  }
}

void Play::act_as_operator() {
  switch (dice_.below(5)) {
    case 0:
      if (dice_.chance(20)) stage_.relay.restart();
      return;
    case 1:
      stage_.relay.lose_any_port();
      return;
    default:
      revoke();
  }
}

void Play::act_as_fate() {
  ClientHost& client = any_client();
  switch (dice_.below(5)) {
    case 0:
      note("a NAT forgets its mappings");
      return stage_.nat_of(client).forget_mappings();
    case 1:
      note("a client changes its port");
      return client.move_to({client.local().ip, next_port_++});
    case 2:
      note("a link changes");
      return stage_.network.change_link(stage_.nat_of(client).outside(), draw_link(dice_));
    case 3:
      if (!dice_.chance(30)) return;
      note("the wall clock is set");
      return stage_.world.step_wall_clock(dice_.chance(50) ? seconds{dice_.between(1, 7200)}
                                                           : -seconds{dice_.between(1, 7200)});
    default:
      if (stage_.clients.size() < 8) add_client();
  }
}

void Play::let_time_pass() {
  const std::uint32_t how = dice_.below(100);
  if (how < 80)
    stage_.world.run_for(milliseconds{dice_.below(500)});
  else if (how < 92)
    stage_.world.run_for(seconds{dice_.below(30)});
  else if (how < 99)
    stage_.world.run_for(seconds{dice_.below(700)});
  else
    stage_.world.run_for(minutes{dice_.below(90)});
}

void Play::add_client() { stage_.add_client(draw_client_settings(), draw_nat(dice_), draw_link(dice_)); }

turn::ClientSettings Play::draw_client_settings() {
  turn::ClientSettings settings{.credential = issue().shown};
  settings.password_algorithms = dice_.chance(80);
  settings.username_anonymity = dice_.chance(80);
  if (dice_.chance(30)) settings.lifetime = seconds{dice_.between(1, 5000)};
  switch (dice_.below(8)) {
    case 0:
      settings.family = AddressFamily::ipv6;
      break;
    case 1:
    case 2:
      settings.additional_ipv6 = true;
      break;
    case 3:
      settings.even_port = dice_.chance(60);
      break;
    case 4: {
      const ClientHost* other = stage_.clients.empty() ? nullptr : &any_client();
      if (other != nullptr && other->allocated)
        settings.reservation_token = other->allocated->reservation_token;
      break;
    }
    default:
      break;
  }
  return settings;
}

const Credential& Play::issue() {
  if (!issued_.empty() && dice_.chance(25))
    return issued_[dice_.below(static_cast<std::uint32_t>(issued_.size()))];
  const auto& sources = stage_.relay.settings().credentials;
  Form form = dice_.one_of(all_forms);
  if (form == Form::computed && !sources.computed) form = Form::pushed;
  if ((form == Form::token || form == Form::browser_token) && !sources.token) form = Form::static_user;
  credentials::Policy policy;
  if (dice_.chance(20)) policy.allocations_max = dice_.between(1, 4);
  const std::string user = "user" + std::to_string(dice_.below(users));
  issued_.push_back(stage_.issue(form, user, seconds{dice_.between(20, 7200)}, policy));
  return issued_.back();
}

SocketAddress Play::draw_peer() {
  if (dice_.chance(85))
    return stage_.peers[dice_.below(static_cast<std::uint32_t>(stage_.peers.size()))]->address();
  const ClientHost& other = any_client();
  if (other.allocated && dice_.chance(50)) return other.relayed();
  return at(dice_.one_of(std::array{"127.0.0.1:80", "10.0.0.1:22", "81.2.69.160:3478", "10.0.0.5:50001",
                                    "[::ffff:10.0.0.1]:80", "[64:ff9b::7f00:1]:80", "[2a02:db0::5]:3478",
                                    "8.8.4.4:0", "224.0.0.1:5000"}));
}

void Play::revoke() {
  if (issued_.empty()) return;
  const Credential& credential = issued_[dice_.below(static_cast<std::uint32_t>(issued_.size()))];
  using By = credentials::Revocation::By;
  note("a credential is revoked");
  const std::uint32_t how = dice_.below(10);
  if (how < 6 && credential.form != Form::static_user)
    return stage_.revoke(By::username, credential.username);
  if (how < 8 && !credential.token_hash.empty()) return stage_.revoke(By::token_hash, credential.token_hash);
  if (how < 9 && credential.form == Form::token) return stage_.revoke(By::kid, credential.kid);
  if (dice_.chance(30)) stage_.revoke(By::subject, credential.subject);
}

}  // namespace

WorldOutcome run(const RandomWorld& random_world) { return Play{random_world}.play(random_world.steps); }

}  // namespace turnpike::sim
