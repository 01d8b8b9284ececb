#include "sim/edge/edge_stage.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace turnpike::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view domain = "ims.example";
constexpr std::string_view issuer = "https://waf.example/";
constexpr std::array<std::string_view, 3> password_users{"alice", "bob", "erin"};
const SocketAddress edge_address = at("81.2.69.200:5070");
const SocketAddress core_address = at("81.2.69.210:5060");

bool is_guest(std::string_view user) { return user.starts_with("guest"); }
std::string impi_of(std::string_view user) { return std::string{user} + '@' + std::string{domain}; }
std::string impu_of(std::string_view user) { return "sip:" + impi_of(user); }

ims::AkaSecret make_card() {
  return {.k = Secret{*from_hex("465b5ce8b199b49faa5f0a2ee238a6bc")},
          .opc = Secret{*from_hex("cd63cb71954a9f4e48a5994e37a02baf")}};
}

RelaySettings make_relay(std::string_view address) {
  RelaySettings settings = make_relay_settings();
  const IpAddress ip = at(std::string{address} + ":0").ip;
  settings.turn.listeners = {SocketAddress{ip, 3478}};
  settings.turn.relay_addresses = {{ip, ip}};
  return settings;
}

provisioning::Settings make_provisioning() {
  const credentials::RegistrySettings relay = make_registry_settings();
  return {.realm = relay.realm,
          .uris = {"turn:81.2.69.160:3478?transport=udp", "turn:81.2.69.161:3478?transport=udp"},
          .sources = {credentials::Source::pushed, credentials::Source::computed},
          .computed = relay.computed,
          .token = relay.token,
          .policy = {},
          .opaque_id_key = Secret::from_text("the key of opaque names"),
          .life = {}};
}

}  // namespace

EdgeStageSettings make_edge_settings() {
  EdgeStageSettings settings;
  epcscf::Settings& proxy = settings.proxy;
  proxy.home_domain = domain;
  proxy.own_host = edge_address.to_string();
  proxy.core = hop_of(core_address);
  proxy.visited_network = domain;
  proxy.bearer = {.authorization_server = std::string{issuer},
                  .scope = {},
                  .issuers = {{.name = std::string{issuer}, .is_third_party = false}},
                  .wwsfs = {{.name = "shop", .pool = {"guest*@ims.example"}}}};
  proxy.provisioning = make_provisioning();
  settings.core.domain = domain;
  settings.core.trusted_nodes = {edge_address.ip.to_string()};
  return settings;
}

EdgeStage::EdgeStage(EdgeStageSettings settings)
    : world(settings.seed),
      relays(make_relays(settings.relay_revocations_max)),
      interface(world, relay_pointers(), settings.interface),
      core(world, network, core_address, std::move(settings.core)),
      edge(world, network, interface,
           {.proxy = std::move(settings.proxy), .address = edge_address, .fault = settings.fault}),
      model(world, edge, core, interface, relay_pointers()) {
  network.change_link(core_address.ip, settings.core_link);
  if (settings.core_link.loss == 0 && settings.core_link.turns_bad == 0) model.trust_core_link();
  add_subscribers();
  edge.watch_by(model);
  edge.judge_tokens_by([this](const std::string& token) -> epcscf::TokenAnswer {
    const auto known = tokens_.find(token);
    if (known == tokens_.end()) return std::unexpected(epcscf::TokenRefusal::invalid);
    return known->second;
  });
  world.run_for(milliseconds{100});  // until the relays are in step
}

std::vector<std::unique_ptr<RelayHost>> EdgeStage::make_relays(std::size_t revocations_max) {
  std::vector<std::unique_ptr<RelayHost>> made;
  for (const auto address : {"81.2.69.160", "81.2.69.161"}) {
    RelaySettings relay = make_relay(address);
    relay.credentials.revocations_max = revocations_max;
    made.push_back(std::make_unique<RelayHost>(world, network, std::move(relay)));
  }
  return made;
}

std::vector<RelayHost*> EdgeStage::relay_pointers() const {
  std::vector<RelayHost*> pointers;
  pointers.reserve(relays.size());
  for (const auto& relay : relays) pointers.push_back(relay.get());
  return pointers;
}

void EdgeStage::add_subscribers() {
  for (const auto user : password_users)
    core.subscribers.add_with_password(impi_of(user), domain, std::string{user} + " secret");
  core.subscribers.add({.impi = impi_of("carol"), .impus = {impu_of("carol")}, .aka = make_card()});
  core.subscribers.add({.impi = impi_of("dave"), .impus = {impu_of("dave")}});
  for (const auto user : {"guest1", "guest2"})
    core.subscribers.add({.impi = impi_of(user), .impus = {impu_of(user)}, .pool = "shop"});
}

std::string EdgeStage::issue_token(const std::string& user, seconds lifetime) {
  std::string token = "token" + std::to_string(++tokens_issued_) + '.' + user;
  tokens_[token] = {.impi = impi_of(user),
                    .impus = {impu_of(user)},
                    .wwsf = is_guest(user) ? "shop" : "",
                    .is_pool_identity = is_guest(user),
                    .issuer = std::string{issuer},
                    .expires_at = world.moment().wall + lifetime};
  return token;
}

client::WicAgentSettings EdgeStage::make_agent(const WicWish& wish) {
  client::WicAgentSettings agent;
  agent.identity = impu_of(wish.user);
  agent.is_secure = wish.is_secure;
  agent.expires = wish.expires;
  agent.credentials = wish.credentials;
  if (wish.wants_token) agent.wanted.form = provisioning::Form::oauth;
  if (std::ranges::find(password_users, wish.user) != password_users.end())
    agent.login = client::DigestLogin{impi_of(wish.user), Secret::from_text(wish.user + " secret")};
  else if (wish.user == "carol")
    agent.login = client::AkaLogin{impi_of(wish.user), make_card()};
  else
    agent.login =
        client::BearerLogin{Secret::from_text(issue_token(wish.user, wish.token_life)), wish.spelling};
  return agent;
}

WicHost& EdgeStage::add_wic(const WicWish& wish) {
  const auto number = static_cast<Byte>(wics.size() + 1);
  wics.push_back(std::make_unique<WicHost>(
      world, network, edge,
      WicSettings{.agent = make_agent(wish), .local = {IpAddress::v4({37, 120, 0, number}), 40000}}));
  return *wics.back();
}

bool EdgeStage::enroll(WicHost& wic) {
  const std::size_t registered = wic.registered.size();
  const std::size_t refused = wic.refused.size();
  wic.start();
  (void)wait([&] { return wic.registered.size() > registered || wic.refused.size() > refused; }, minutes{1});
  return wic.is_registered();
}

bool EdgeStage::is_taken(const WicHost& wic, std::size_t relay) {
  if (wic.registered.empty() || !wic.registered.back().credentials) return false;
  const auto& entries = wic.registered.back().credentials->entries;
  return !entries.empty() &&
         relays.at(relay)->registry().explain(entries.front().username, world.moment().wall);
}

bool EdgeStage::allocate(WicHost& wic) {
  if (!wic.allocate()) return false;
  (void)wait([&] { return wic.turn()->is_allocated() || wic.turn()->is_idle(); }, minutes{1});
  return wic.turn()->is_allocated();
}

void EdgeStage::pass(Duration time) {
  (void)wait([] { return false; }, time);
}

bool EdgeStage::wait(FunctionRef<bool()> is_done, Duration at_most) {
  constexpr milliseconds step{500};
  const Instant end = world.moment().mono + at_most;
  while (!is_done()) {
    if (world.moment().mono >= end) return false;
    if (world.run_until(is_done, std::min<Duration>(step, end - world.moment().mono))) break;
    model.judge();
  }
  model.judge();
  return true;
}

void EdgeStage::expect_nothing_left() {
  for (const auto& wic : wics) {
    wic->leave();
    if (wic->turn() != nullptr) wic->turn()->close();
  }
  core.be(CoreHost::Mood::well);
  pass(minutes{5});
  // What nobody has taken back ends by itself.
  world.run_for(core.settings().expires_max + minutes{70});
  model.expect_nothing_left();
}

}  // namespace turnpike::sim
