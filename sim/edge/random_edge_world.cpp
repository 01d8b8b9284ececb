#include "sim/edge/random_edge_world.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "sim/dice.hpp"
#include "sim/edge/edge_stage.hpp"

namespace turnpike::sim {
namespace {

using credentials::Source;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 7> users{"alice", "bob", "carol", "dave", "erin", "guest1", "guest2"};
const SocketAddress stranger_address = at("91.198.174.1:4444");

// --- settings ---------------------------------------------------------------------------------------------

LinkSettings draw_core_link(Dice& dice) {
  LinkSettings link{.delay = milliseconds{dice.between(1, 60)}};
  if (dice.chance(40)) return link;
  link.jitter = milliseconds{dice.below(400)};
  link.loss = dice.below(250);
  link.loss_in_bad = dice.between(300, 1000);
  link.turns_bad = dice.below(20);
  link.turns_good = dice.between(50, 500);
  link.duplicates = dice.below(400);
  link.reorders = dice.below(300);
  link.reorder_delay = milliseconds{dice.between(50, 3000)};
  return link;
}

InterfaceSettings draw_interface(Dice& dice) {
  InterfaceSettings settings{.delay = milliseconds{dice.between(0, 60)},
                             .jitter = milliseconds{dice.between(1, 60)}};
  if (dice.chance(40)) settings.loss = dice.below(200);
  return settings;
}

std::vector<Source> draw_sources(Dice& dice) {
  switch (dice.below(5)) {
    case 0:
      return {Source::computed};
    case 1:
      return {Source::token, Source::computed};
    case 2:
      return {Source::pushed};
    case 3:
      return {Source::pushed, Source::token};
    default:
      return {Source::pushed, Source::computed};
  }
}

void draw_limits(Dice& dice, epcscf::Settings& proxy) {
  proxy.limits.registrations_max = dice.between(3, 12);
  proxy.limits.registrations_per_impi_max = dice.between(1, 4);
  proxy.limits.registrations_per_flow_max = dice.between(1, 3);
  proxy.limits.clients_max = dice.between(4, 20);
  proxy.limits.pushes_max = dice.between(1, 4);
  proxy.limits.token_checks_max = dice.between(1, 4);
  proxy.limits.calls_max = dice.between(1, 6);
  proxy.limits.core_hops_max = dice.between(2, 8);
  proxy.transactions.transactions_max = dice.between(10, 60);
  proxy.transactions.servers_per_flow_max = dice.between(3, 20);
}

EdgeStageSettings draw_settings(Dice& dice, EdgeFault fault) {
  EdgeStageSettings settings = make_edge_settings();
  settings.fault = fault;
  settings.seed = dice.below(UINT32_MAX);
  settings.core_link = draw_core_link(dice);
  settings.interface = draw_interface(dice);
  settings.core.expires_max = seconds{dice.between(60, 900)};
  settings.core.nonce_lifetime = seconds{dice.between(20, 600)};
  epcscf::Settings& proxy = settings.proxy;
  proxy.provisioning->sources = draw_sources(dice);
  proxy.flow_grace = seconds{dice.between(0, 40)};
  proxy.push_patience = milliseconds{dice.between(50, 1000)};
  proxy.has_reg_event = dice.chance(90);
  if (dice.chance(30)) draw_limits(dice, proxy);
  if (dice.chance(30)) {
    settings.relay_revocations_max = dice.between(1, 6);
    if (dice.chance(50)) settings.interface.revocations_max = settings.relay_revocations_max;
  }
  return settings;
}

// --- the players ------------------------------------------------------------------------------------------

class Play {
 public:
  explicit Play(const RandomEdgeWorld& random_world)
      : dice_(random_world.seed),
        stage_(draw_settings(dice_, random_world.fault)),
        stranger_(stage_.network, stranger_address, false) {
    if (random_world.reader) stage_.world.journal().read_by(random_world.reader);
    for (std::uint32_t count = dice_.between(2, 6); count > 0; --count) stage_.add_wic(draw_wish());
  }

  EdgeWorldOutcome play(std::uint32_t steps) {
    for (std::uint32_t step = 0; step < steps; ++step) {
      act();
      let_time_pass();
    }
    for (std::size_t relay = 0; relay < stage_.relays.size(); ++relay) stage_.interface.cut(relay, false);
    stage_.expect_nothing_left();
    return {.violations = stage_.model.violations(),
            .journal_hash = stage_.world.journal().hash(),
            .journal_lines = stage_.world.journal().lines(),
            .tally = stage_.model.tally()};
  }

 private:
  void act();
  void act_as_wic();
  void act_as_core();
  void act_as_relay();
  void act_as_operator();
  void act_as_attacker();
  void act_as_clock();
  void let_time_pass();

  WicWish draw_wish();
  std::string draw_nonsense();
  std::string make_forgery();
  void note(std::string_view what) { stage_.world.journal().note(stage_.world.moment(), what); }
  WicHost& any_wic() { return *dice_.one_of(stage_.wics); }
  // Mostly one whom a WIC is, "alice@ims.example".
  std::string any_user();

  Dice dice_;
  EdgeStage stage_;
  PeerHost stranger_;
  std::uint32_t forgeries_ = 0;
};

WicWish Play::draw_wish() {
  WicWish wish{.user = std::string{dice_.one_of(users)},
               .is_secure = dice_.chance(85),
               .expires = seconds{dice_.between(60, 900)},
               .credentials = static_cast<client::CredentialsAsk>(dice_.below(3)),
               .wants_token = dice_.chance(20),
               .token_life = seconds{dice_.between(10, 1200)}};
  if (dice_.chance(50)) wish.spelling = client::BearerSpelling::bare;
  return wish;
}

std::string Play::any_user() {
  constexpr std::string_view scheme = "sip:";
  if (dice_.chance(80)) return any_wic().settings().agent.identity.substr(scheme.size());
  return std::string{dice_.one_of(users)} + "@ims.example";
}

void Play::act() {
  const std::uint32_t what = dice_.below(100);
  if (what < 60) return act_as_wic();
  if (what < 70) return act_as_core();
  if (what < 80) return act_as_relay();
  if (what < 84) return act_as_operator();
  if (what < 95) return act_as_attacker();
  act_as_clock();
}

void Play::act_as_wic() {
  WicHost& wic = any_wic();
  if (!wic.is_registered() && dice_.chance(50)) {
    note("a WIC registers");
    return wic.start();
  }
  switch (dice_.below(13)) {
    case 0:
      note("a WIC ends its registration");
      return wic.stop();
    case 1:
      note("a WIC leaves");
      return wic.leave();
    case 2:
      note("a WIC loses its connection");
      return wic.lose_connection(milliseconds{dice_.below(40'000)});
    case 3:
      note("a WIC connects anew");
      return wic.connect();
    case 4:
      note("a page is loaded again");
      return wic.reload(stage_.make_agent(draw_wish()));
    case 5:
    case 6:
      note("a WIC calls");
      (void)wic.call("sip:" + any_user());
      return;
    case 7:
      note("a WIC calls, and thinks better of it");
      (void)wic.call("sip:" + any_user());
      stage_.pass(milliseconds{dice_.below(1500)});
      return wic.hang_up();
    case 8:
      note("a WIC hangs up");
      return wic.hang_up();
    default:
      note("a WIC allocates");
      (void)wic.allocate();
  }
}

void Play::act_as_core() {
  switch (dice_.below(8)) {
    case 0:
      note("the core is silent");
      return stage_.core.be(CoreHost::Mood::silent);
    case 1:
      note("the core is down");
      return stage_.core.be(CoreHost::Mood::down);
    case 2:
      stage_.core.be(CoreHost::Mood::well);
      return stage_.core.restart();
    case 3:
    case 4:
      note("the core ends a registration");
      (void)stage_.core.deregister(any_user(), ims::ContactEvent::deactivated);
      return;
    default:
      note("the core is well");
      return stage_.core.be(CoreHost::Mood::well);
  }
}

void Play::act_as_relay() {
  const std::uint32_t relay = dice_.below(2);
  switch (dice_.below(3)) {
    case 0:
      return stage_.relays[relay]->restart();
    case 1:
      note("the way to a relay is cut");
      return stage_.interface.cut(relay);
    default:
      note("the ways to the relays are mended");
      stage_.interface.cut(0, false);
      stage_.interface.cut(1, false);
  }
}

void Play::act_as_operator() {
  switch (dice_.below(4)) {
    case 0:
      return stage_.edge.restart();
    case 1:
      note("an operator ends registrations");
      (void)stage_.edge.deregister(any_user());
      return;
    case 2:
      note("the edge is configured anew");
      return stage_.edge.reconfigure([this](epcscf::Settings& settings) {
        settings.provisioning->sources = draw_sources(dice_);
        if (dice_.chance(50))
          settings.provisioning->opaque_id_key = Secret::from_text("key" + std::to_string(dice_.below(1000)));
      });
    default:
      note("tokens are checked, or not");
      return stage_.edge.ignore_tokens(dice_.chance(30));
  }
}

void Play::act_as_clock() {
  const seconds by{static_cast<std::int64_t>(dice_.below(7200)) - 3600};
  const bool is_small = dice_.chance(50);
  if (dice_.chance(50)) {
    note("the edge's clock is set");
    return stage_.edge.step_clock(is_small ? by / 200 : by / 4);
  }
  note("the clock is set");
  stage_.world.step_wall_clock(is_small ? by / 100 : by);
}

// --- who means no good ------------------------------------------------------------------------------------

std::string Play::draw_nonsense() {
  const auto& heard = any_wic().heard;
  std::string text = dice_.chance(50) || heard.empty() ? make_forgery() : heard.back();
  for (std::uint32_t count = dice_.below(4); count > 0 && !text.empty(); --count)
    text[dice_.below(static_cast<std::uint32_t>(text.size()))] = static_cast<char>(dice_.below(256));
  return text;
}

// In another's name, with what only the core may say.
std::string Play::make_forgery() {
  static constexpr std::array<std::string_view, 4> methods{"REGISTER", "OPTIONS", "MESSAGE", "NOTIFY"};
  static constexpr std::array<std::string_view, 4> rows{
      "Authorization: Digest username=\"alice@ims.example\", realm=\"ims.example\", nonce=\"\", "
      "response=\"\", "
      "integrity-protected=\"auth-done\"\r\n",
      "Turn-Credentials: <turn:198.51.100.1:3478>;username=\"a\";password=\"b\";ttl=600\r\n",
      "P-Asserted-Identity: <sip:bob@ims.example>\r\n", "Event: reg\r\nSubscription-State: terminated\r\n"};
  const std::string method{dice_.one_of(methods)};
  const std::string user{dice_.one_of(users)};
  const std::string number = std::to_string(++forgeries_);
  return method + " sip:ims.example SIP/2.0\r\nVia: SIP/2.0/WSS forged.invalid;branch=z9hG4bKforged" +
         number + "\r\nMax-Forwards: 70\r\nFrom: <sip:" + user +
         "@ims.example>;tag=f\r\nTo: <sip:" + std::string{dice_.one_of(users)} +
         "@ims.example>\r\nCall-ID: forged" + number + "\r\nCSeq: 1 " + method + "\r\nContact: <sip:" + user +
         "@forged.invalid;transport=ws>\r\n" + std::string{dice_.one_of(rows)} +
         std::string{dice_.one_of(rows)} + "Content-Length: 0\r\n\r\n";
}

void Play::act_as_attacker() {
  if (dice_.chance(25)) {
    note("a stranger plays the core");
    const auto& heard = any_wic().heard;
    const std::string text = heard.empty() || dice_.chance(30) ? make_forgery() : heard.back();
    return stage_.network.send({.from = stranger_.address(),
                                .to = *SocketAddress::parse(stage_.edge.settings().own_host),
                                .bytes = to_vector(as_bytes(text))});
  }
  WicHost& wic = any_wic();
  const std::uint32_t count = dice_.chance(20) ? dice_.between(20, 60) : 1;
  note(count == 1 ? "a WIC says what it should not" : "a WIC says too much");
  for (std::uint32_t i = 0; i < count; ++i) wic.send_raw(dice_.chance(70) ? make_forgery() : draw_nonsense());
}

void Play::let_time_pass() {
  const std::uint32_t how = dice_.below(100);
  if (how < 40) return stage_.pass(milliseconds{dice_.below(500)});
  if (how < 80) return stage_.pass(milliseconds{dice_.below(5000)});
  if (how < 97) return stage_.pass(seconds{dice_.below(60)});
  stage_.pass(minutes{dice_.between(1, 10)});
}

}  // namespace

EdgeWorldOutcome run(const RandomEdgeWorld& random_world) {
  return Play{random_world}.play(random_world.steps);
}

}  // namespace turnpike::sim
