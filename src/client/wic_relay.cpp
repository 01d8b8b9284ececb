#include "client/wic_relay.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace turnpike::client {
namespace {

using Direction = ProbeEvent::Direction;

constexpr int reads_per_turn = 64;
constexpr std::chrono::seconds lifetime_wanted{
    600};  // RFC 8656 section 3.2: what an Allocate without a wish gets

}  // namespace

std::expected<std::unique_ptr<WicRelay>, std::string> WicRelay::open(const RelayAccess& access,
                                                                     Random& random, Timeline& timeline) {
  const auto servers = resolve(access.uri.host, access.uri.port, std::nullopt);
  if (!servers) return std::unexpected(servers.error());
  if (servers->empty()) return std::unexpected("it has no address");
  auto socket = UdpSocket::connect(servers->front());
  if (!socket) return std::unexpected(socket.error().message());
  return std::unique_ptr<WicRelay>{
      new WicRelay{std::move(*socket), servers->front(), access.credential, random, timeline}};
}

WicRelay::WicRelay(UdpSocket socket, const SocketAddress& server, turn::ClientCredential credential,
                   Random& random, Timeline& timeline)
    : socket_(std::move(socket)),
      server_(server),
      timeline_(timeline),
      is_by_token_(std::holds_alternative<turn::TokenCredential>(credential)),
      client_(turn::ClientSettings{.credential = std::move(credential)}, random),
      opened_at_(read_clocks().mono) {}

void WicRelay::refresh(Now now) { client_.refresh(lifetime_wanted, now); }

void WicRelay::renew(turn::TokenCredential credential, Now now) {
  client_.change_credential(std::move(credential));
  if (client_.is_allocated()) refresh(now);
}

void WicRelay::serve(OnPacket on_packet) {
  const Now now = read_clocks();
  for (int i = 0; i < reads_per_turn; ++i) {
    const auto datagram = socket_.receive(buffer_);
    if (!datagram) {  // an ICMP error, told once
      is_port_unreachable_ = is_port_unreachable_ || datagram.error() == std::errc::connection_refused;
      continue;
    }
    if (!*datagram) break;
    client_.on_datagram((*datagram)->bytes, now);
    drain(on_packet);
  }
  if (const auto due = client_.next_timeout(); due && *due <= now.mono) client_.on_timeout(now);
  drain(on_packet);
}

void WicRelay::drain(OnPacket on_packet) {
  while (auto effect = client_.next_effect()) on_effect(*std::move(effect), on_packet);
}

void WicRelay::on_effect(turn::ClientEffect effect, OnPacket on_packet) {
  if (const auto* send = std::get_if<turn::ClientSend>(&effect)) {
    transmit(send->bytes);
  } else if (const auto* received = std::get_if<turn::Received>(&effect)) {
    on_packet(received->peer, received->payload);
  } else if (const auto* traced = std::get_if<turn::Traced>(&effect)) {
    on_traced(*traced);
  } else if (auto* allocated = std::get_if<turn::Allocated>(&effect)) {
    timeline_.note("relay address", fmt::format("{} for {} s", allocated->relayed.front().to_string(),
                                                allocated->lifetime.count()));
    allocated_ = std::move(*allocated);
  } else if (const auto* permitted = std::get_if<turn::Permitted>(&effect)) {
    for (const SocketAddress& peer : permitted->peers) permitted_.insert(peer.ip);
  } else if (const auto* bound = std::get_if<turn::ChannelBound>(&effect)) {
    bound_.insert(bound->peer);
  } else if (const auto* refreshed = std::get_if<turn::Refreshed>(&effect)) {
    ++refreshes_;
    is_deleted_ = is_deleted_ || refreshed->lifetime.count() == 0;
  } else if (auto* failed = std::get_if<turn::Failed>(&effect)) {
    failure_ = std::move(failed->failure);
  }
}

void WicRelay::on_traced(const turn::Traced& step) {
  const bool is_sent = step.direction == turn::Traced::Direction::sent;
  if (is_sent) ++packets_;
  if (!is_sent) has_answered_ = true;
  if (!is_sent && step.code == 401) realms_.push_back(client_.server().realm);
  std::string words = method_name(step.method);
  if (step.message_class == stun::Class::success) words += " success";
  if (step.message_class == stun::Class::error) words += fmt::format(" error {}", step.code);
  if (step.message_class == stun::Class::request) words += " request";
  std::string result;
  if (is_sent && step.transmission > 1) result = fmt::format("again, number {}", step.transmission);
  if (step.code == 401) result = describe_challenge(client_.server());
  if (!step.authentic) result = "with a wrong signature: ignored";
  timeline_.add(is_sent ? Direction::sent : Direction::received, std::move(words), std::move(result));
}

void WicRelay::transmit(Bytes bytes) {
  const std::error_code error = socket_.send(bytes);
  if (!error || error == std::errc::resource_unavailable_try_again) return;
  if (error == std::errc::connection_refused)
    is_port_unreachable_ = true;
  else
    send_error_ = error.message();
}

Diagnosis WicRelay::diagnose(stun::Method method, const turn::ClientCredential& credential) const {
  const turn::ClientFailure failure =
      failure_.value_or(turn::ClientFailure{.kind = turn::ClientFailure::Kind::no_answer, .method = method});
  const auto now = read_clocks();
  return diagnose_failure(
      failure, {.server = server_,
                .wall = now.wall,
                .waited = std::chrono::duration_cast<std::chrono::milliseconds>(now.mono - opened_at_),
                .transmissions = packets_,
                .port_unreachable = is_port_unreachable_ && !has_answered_,
                .send_error = send_error_,
                .has_answered_before = has_answered_,
                .realms = realms_,
                .description = client_.server(),
                .credential = credential});
}

}  // namespace turnpike::client
