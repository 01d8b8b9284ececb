#include "sim/edge/wic_host.hpp"

#include <algorithm>
#include <utility>

namespace turnpike::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t heard_max = 20;
constexpr std::string_view session = "v=0\r\no=- 1 1 IN IP4 37.120.0.1\r\ns=-\r\nt=0 0\r\n";

}  // namespace

WicHost::WicHost(World& world, Network& network, EdgeHost& edge, WicSettings settings)
    : world_(&world),
      network_(&network),
      edge_(&edge),
      settings_(std::move(settings)),
      random_(world.fork()),
      agent_(settings_.agent, random_),
      alarm_(world, [this] { turn_agent([this](Now now) { agent_.on_timeout(now); }); }),
      return_(world, [this] { connect(); }) {}

WicHost::~WicHost() {
  if (socket_) socket_->close(WebSocket::End::client);
  drop_turn();
}

void WicHost::connect() {
  if (socket_) lose_connection(seconds{3});
  return_.set(std::nullopt);
  socket_ = std::make_shared<WebSocket>(*world_, settings_.delay);
  socket_->own(WebSocket::End::client, *this);
  edge_->accept(socket_, settings_.agent.is_secure, settings_.local);
  turn_agent([this](Now now) { agent_.on_flow_opened(now); });
}

void WicHost::leave() {
  return_.set(std::nullopt);
  if (!socket_) return;
  std::exchange(socket_, nullptr)->close(WebSocket::End::client);
  turn_agent([this](Now now) { agent_.on_flow_closed(now); });
}

void WicHost::lose_connection(Duration edge_learns) {
  if (!socket_) return;
  const auto lost = std::exchange(socket_, nullptr);
  lost->cut({}, edge_learns);
  return_.set(world_->moment().mono + settings_.comes_back_after);
  turn_agent([this](Now now) { agent_.on_flow_closed(now); });
}

void WicHost::start() {
  if (!socket_) connect();
  turn_agent([this](Now now) { agent_.start(now); });
}

void WicHost::stop() {
  turn_agent([this](Now now) { agent_.stop(now); });
}

void WicHost::reload(client::WicAgentSettings agent) {
  leave();
  settings_.agent = std::move(agent);
  agent_ = client::WicAgent{settings_.agent, random_};
  calls_.clear();
  alarm_.set(std::nullopt);
}

client::CallId WicHost::call(std::string_view callee) {
  client::CallId id{};
  turn_agent([&](Now now) { id = agent_.call(callee, session, now); });
  calls_.push_back(id);
  return id;
}

void WicHost::hang_up() {
  for (const client::CallId id : std::exchange(calls_, {}))
    turn_agent([&](Now now) { agent_.hang_up(id, now); });
}

void WicHost::send_raw(std::string text) {
  if (socket_) socket_->send(WebSocket::End::client, std::move(text));
}

// --- TURN -------------------------------------------------------------------------------------------------

bool WicHost::allocate() {
  if (registered.empty() || !registered.back().credentials) return false;
  const auto access = client::choose_relay(registered.back().credentials->entries);
  if (!access) return false;
  const auto server = SocketAddress::parse(access->uri.host + ':' + std::to_string(access->uri.port));
  if (!server) return false;
  drop_turn();
  ++settings_.local.port;  // a socket of its own
  turn_ = std::make_unique<ClientHost>(*world_, *network_, settings_.local, *server,
                                       turn::ClientSettings{.credential = access->credential});
  turn_->start();
  return true;
}

void WicHost::drop_turn() {
  if (turn_) network_->detach(settings_.local.ip);
  turn_.reset();
}

// --- the agent --------------------------------------------------------------------------------------------

void WicHost::on_web_socket_message(WebSocket& socket, std::string_view text) {
  if (&socket != socket_.get()) return;
  heard.emplace_back(text);
  if (heard.size() > heard_max) heard.erase(heard.begin());
  turn_agent([&](Now now) { agent_.on_message(text, now); });
}

void WicHost::on_web_socket_closed(WebSocket& socket) {
  if (&socket != socket_.get()) return;
  socket_.reset();
  ++closed_by_edge;
  turn_agent([this](Now now) { agent_.on_flow_closed(now); });
  return_.set(world_->moment().mono + settings_.comes_back_after);
}

void WicHost::turn_agent(const std::function<void(Now)>& input) {
  input(world_->moment());
  while (auto effect = agent_.next_effect()) obey(*std::move(effect));
  alarm_.set(agent_.next_timeout());
}

void WicHost::obey(client::WicEffect effect) {
  if (auto* send = std::get_if<client::WicSend>(&effect)) {
    send_raw(std::move(send->bytes));
  } else if (auto* success = std::get_if<client::WicRegistered>(&effect)) {
    registered.push_back(std::move(*success));
  } else if (auto* refusal = std::get_if<client::WicRefused>(&effect)) {
    refused.push_back(std::move(*refusal));
  } else if (std::holds_alternative<client::WicUnregistered>(effect)) {
    ++unregistered;
  } else if (const auto* offer = std::get_if<client::CallOffered>(&effect)) {
    if (!settings_.answers_calls) return;
    calls_.push_back(offer->id);
    world_->plan_after(milliseconds{200},
                       [this, id = offer->id] { turn_agent([&](Now now) { agent_.ring(id, now); }); });
    world_->plan_after(seconds{1}, [this, id = offer->id] {
      turn_agent([&](Now now) { agent_.answer(id, session, now); });
    });
  } else if (std::holds_alternative<client::CallAnswered>(effect)) {
    ++answered;
  } else if (std::holds_alternative<client::CallConfirmed>(effect)) {
    ++confirmed;
  } else if (auto* end = std::get_if<client::CallEnded>(&effect)) {
    std::erase(calls_, end->id);
    ended.push_back(std::move(*end));
  }
}

}  // namespace turnpike::sim
