#include "sim/client_host.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace turnpike::sim {

ClientHost::ClientHost(World& world, Gateway& gateway, const SocketAddress& local,
                       const SocketAddress& server, turn::ClientSettings settings)
    : world_(&world),
      gateway_(&gateway),
      local_(local),
      server_(server),
      random_(world.fork()),
      client_(std::move(settings), random_),
      alarm_(world, [this] { on_alarm(); }) {
  gateway.attach(local.ip, *this);
}

void ClientHost::on_datagram(const Datagram& datagram) {
  if (datagram.to != local_ || datagram.from != server_) return;  // a connected socket
  client_.on_datagram(datagram.bytes, world_->moment());
  settle();
}

void ClientHost::start() {
  client_.start(world_->moment());
  settle();
}

void ClientHost::permit(std::vector<SocketAddress> peers) {
  client_.permit(std::move(peers), world_->moment());
  settle();
}

std::uint16_t ClientHost::bind_channel(const SocketAddress& peer) {
  const std::uint16_t number = client_.bind_channel(peer, world_->moment());
  settle();
  return number;
}

void ClientHost::send(const SocketAddress& peer, std::string_view text) {
  client_.send(peer, as_bytes(text), world_->moment());
  settle();
}

void ClientHost::refresh(std::chrono::seconds lifetime) {
  client_.refresh(lifetime, world_->moment());
  settle();
}

void ClientHost::change_credential(turn::ClientCredential credential) {
  client_.change_credential(std::move(credential));
}

void ClientHost::close() {
  client_.close(world_->moment());
  settle();
}

void ClientHost::send_raw(ByteVector bytes) {
  gateway_->send({.from = local_, .to = server_, .bytes = std::move(bytes)});
}

void ClientHost::begin_anew(turn::ClientSettings settings) {
  client_ = turn::Client{std::move(settings), random_};
  alarm_.set(client_.next_timeout());
}

void ClientHost::move_to(const SocketAddress& local) {
  if (local.ip != local_.ip) gateway_->attach(local.ip, *this);
  local_ = local;
}

SocketAddress ClientHost::relayed() const {
  check(allocated.has_value(), "the client has no allocation");
  return allocated->relayed.front();
}

bool ClientHost::has_heard(std::string_view text) const {
  return std::ranges::any_of(received, [&](const auto& each) { return as_text(each.payload) == text; });
}

std::uint16_t ClientHost::last_refusal() const {
  return failures.empty() ? std::uint16_t{0} : failures.back().code;
}

void ClientHost::settle() {
  while (auto effect = client_.next_effect()) obey(std::move(*effect));
  alarm_.set(client_.next_timeout());
}

void ClientHost::obey(turn::ClientEffect effect) {
  if (auto* send = std::get_if<turn::ClientSend>(&effect))
    send_raw(std::move(send->bytes));
  else if (auto* success = std::get_if<turn::Allocated>(&effect))
    allocated = std::move(*success);
  else if (auto* message = std::get_if<turn::Received>(&effect))
    received.push_back(std::move(*message));
  else if (auto* failed = std::get_if<turn::Failed>(&effect))
    failures.push_back(std::move(failed->failure));
  else if (auto* permission = std::get_if<turn::Permitted>(&effect))
    permitted.insert(permitted.end(), permission->peers.begin(), permission->peers.end());
  else if (auto* channel = std::get_if<turn::ChannelBound>(&effect))
    channels.push_back(*channel);
  else if (auto* lost = std::get_if<turn::PeerUnreachable>(&effect))
    unreachable.push_back(*lost);
  else if (auto* refresh = std::get_if<turn::Refreshed>(&effect))
    refreshed.push_back(*refresh);
  else if (const auto* trace = std::get_if<turn::Traced>(&effect)) {
    unauthentic_answers += trace->authentic ? 0 : 1;
    requests_sent += trace->direction == turn::Traced::Direction::sent ? 1 : 0;
  }
}

void ClientHost::on_alarm() {
  client_.on_timeout(world_->moment());
  settle();
}

}  // namespace turnpike::sim
