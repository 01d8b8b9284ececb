#include "sim/edge/edge_host.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/check.hpp"
#include "sim/edge/core_host.hpp"

namespace turnpike::sim {
namespace {

using epcscf::FlowId;

constexpr std::size_t line_max = 120;
constexpr std::string_view credentials_row = "\r\nTurn-Credentials: ";
constexpr std::string_view lost_row = "\r\nReason: SIP;cause=503;text=\"Connection lost\"\r\n";
constexpr std::string_view identities_row = "\r\nP-Associated-URI: ";

bool is_answer_to_register(std::string_view text) {
  return text.starts_with("SIP/2.0 200") && text.find(" REGISTER\r\n") != std::string_view::npos;
}

bool tells_of_an_end(std::string_view text) {
  return text.starts_with("NOTIFY ") && text.find("state=\"terminated\"") != std::string_view::npos;
}

// Of two messages, one after the other: the second one gets the row of the first.
void swap_row(std::string& text, std::string_view row, std::string& of_the_one_before) {
  const std::size_t begin = text.find(row);
  if (begin == std::string::npos) return;
  const std::size_t end = text.find("\r\n", begin + 2);
  std::string own = text.substr(begin, end - begin);
  if (!of_the_one_before.empty()) text.replace(begin, end - begin, of_the_one_before);
  of_the_one_before = std::move(own);
}

}  // namespace

EdgeHost::EdgeHost(World& world, Network& network, RelayInterface& relays, EdgeSettings settings)
    : world_(&world),
      network_(&network),
      relays_(&relays),
      settings_(std::move(settings)),
      random_(world.fork()),
      alarm_(world, [this] { turn([this](Now at) { machine_->on_timeout(at); }); }) {
  network.attach(settings_.address.ip, *this);
  relays.offer_to([this](std::vector<std::string> uris) {
    offered_ = std::move(uris);
    machine_->offer(offered_);
  });
  start();
}

void EdgeHost::start() {
  ++starts_;
  machine_ = std::make_unique<epcscf::Proxy>(settings_.proxy, random_);
  machine_->offer(offered_);
}

Now EdgeHost::moment() const {
  Now at = world_->moment();
  at.wall += clock_error_;
  return at;
}

// Messages by their first line; the network notes their bytes.
void EdgeHost::note(std::string_view way, FlowId flow, std::string_view text) {
  std::string line{way};
  if (flow != FlowId{}) line += std::to_string(static_cast<std::uint64_t>(flow)) + ": ";
  line += text.substr(0, std::min(text.find('\r'), line_max));
  if (const std::size_t at = text.find("CSeq: "); at != std::string_view::npos)
    line += " (" + std::string{text.substr(at, text.find('\r', at) - at)} + ')';
  world_->journal().note(world_->moment(), line);
}

// --- inputs -----------------------------------------------------------------------------------------------

void EdgeHost::turn(const std::function<void(Now)>& input) {
  input(moment());
  while (auto effect = machine_->next_effect()) obey(*std::move(effect));
  alarm_.set(machine_->next_timeout());
  tell([](EdgeObserver& observer) { observer.on_edge_settled(); });
}

void EdgeHost::accept(const std::shared_ptr<WebSocket>& socket, bool is_secure, const SocketAddress& remote) {
  const FlowId flow{++last_flow_};
  socket->own(WebSocket::End::edge, *this);
  sockets_.emplace(flow, socket);
  tell([&](EdgeObserver& observer) { observer.on_client_connected(flow, is_secure); });
  const bool is_taken_for_secure = is_secure || settings_.fault == EdgeFault::ignores_tls;
  turn([&](Now at) {
    machine_->on_client_connected(flow, {.remote = remote, .is_secure = is_taken_for_secure, .origin = {}},
                                  at);
  });
}

void EdgeHost::on_web_socket_message(WebSocket& socket, std::string_view text) {
  const auto found =
      std::ranges::find_if(sockets_, [&](const auto& each) { return each.second.get() == &socket; });
  if (found == sockets_.end()) return;
  const FlowId flow = found->first;
  note("from WIC ", flow, text);
  tell([&](EdgeObserver& observer) { observer.on_from_client(flow, text); });
  turn([&](Now at) { machine_->on_client_message(flow, text, at); });
}

void EdgeHost::on_web_socket_closed(WebSocket& socket) {
  const auto found =
      std::ranges::find_if(sockets_, [&](const auto& each) { return each.second.get() == &socket; });
  if (found != sockets_.end()) let_go(found->first);
}

void EdgeHost::let_go(FlowId flow) {
  if (sockets_.erase(flow) == 0) return;
  note("closed: WIC ", flow, {});
  tell([&](EdgeObserver& observer) { observer.on_client_closed(flow); });
  if (settings_.fault == EdgeFault::outlives_flows) return;
  turn([&](Now at) { machine_->on_client_closed(flow, at); });
}

void EdgeHost::on_datagram(const Datagram& datagram) {
  if (datagram.to != settings_.address) return network_->report_closed_port(datagram);
  note("from core ", {}, as_text(datagram.bytes));
  tell([&](EdgeObserver& observer) { observer.on_from_core(datagram.from, as_text(datagram.bytes)); });
  std::string text{as_text(datagram.bytes)};
  if (settings_.fault == EdgeFault::loses_reg_events && tells_of_an_end(text)) return;
  if (settings_.fault == EdgeFault::mixes_up_users && is_answer_to_register(text))
    swap_row(text, identities_row, last_identities_);
  turn([&](Now at) { machine_->on_core_message(hop_of(datagram.from), text, at); });
}

void EdgeHost::on_icmp(const IcmpError& error) {
  tell([](EdgeObserver& observer) { observer.on_core_unreachable(); });
  turn([&](Now at) { machine_->on_core_failed(hop_of(error.to), at); });
}

std::size_t EdgeHost::deregister(std::string_view impi) {
  tell([&](EdgeObserver& observer) { observer.on_operator_ends(impi); });
  std::size_t ended = 0;
  turn([&](Now at) { ended = machine_->deregister(impi, at); });
  return ended;
}

void EdgeHost::reconfigure(const std::function<void(epcscf::Settings&)>& change) {
  change(settings_.proxy);
  turn([&](Now) { machine_->reconfigure(settings_.proxy); });
}

void EdgeHost::restart() {
  world_->journal().note(world_->moment(), "the edge restarts");
  tell([](EdgeObserver& observer) { observer.on_edge_restarted(); });
  for (const auto& [flow, socket] : std::exchange(sockets_, {})) socket->close(WebSocket::End::edge);
  start();
  relays_->forget();
  alarm_.set(machine_->next_timeout());
}

// --- outputs ----------------------------------------------------------------------------------------------

void EdgeHost::obey(epcscf::Effect effect) {
  std::visit(
      [this](auto& wanted) {
        using Wanted = std::remove_cvref_t<decltype(wanted)>;
        if constexpr (std::is_same_v<Wanted, epcscf::SendToClient>)
          send_to_client(wanted.flow, std::move(wanted.bytes));
        else if constexpr (std::is_same_v<Wanted, epcscf::SendToCore>)
          send_to_core(wanted.to, std::move(wanted.bytes));
        else if constexpr (std::is_same_v<Wanted, epcscf::CloseClient>)
          close(wanted);
        else if constexpr (std::is_same_v<Wanted, epcscf::PushCredential>)
          obey_push(wanted);
        else if constexpr (std::is_same_v<Wanted, epcscf::RevokeCredentials>)
          obey_revoke(wanted);
        else if constexpr (std::is_same_v<Wanted, epcscf::CheckToken>)
          obey_check(wanted);
      },
      effect);
}

void EdgeHost::send_to_client(FlowId flow, std::string text) {
  if (is_answer_to_register(text)) {
    if (settings_.fault == EdgeFault::swallows_answers && ++answers_ % 8 == 0) return;
    if (settings_.fault == EdgeFault::gives_to_another) swap_row(text, credentials_row, last_credentials_);
  }
  const auto socket = sockets_.find(flow);
  if (socket == sockets_.end()) return;
  note("to WIC ", flow, text);
  tell([&](EdgeObserver& observer) { observer.on_to_client(flow, text); });
  socket->second->send(WebSocket::End::edge, std::move(text));
}

void EdgeHost::send_to_core(const sip::Hop& to, std::string text) {
  if (settings_.fault == EdgeFault::forgets_to_hang_up && text.find(lost_row) != std::string::npos) return;
  if (settings_.fault == EdgeFault::tells_the_core && text.starts_with("REGISTER"))
    text.insert(text.find("\r\n"), std::string{credentials_row} + "request");
  note("to core ", {}, text);
  tell([&](EdgeObserver& observer) { observer.on_to_core(text); });
  network_->send({.from = settings_.address, .to = address_of(to), .bytes = to_vector(as_bytes(text))});
}

void EdgeHost::close(const epcscf::CloseClient& close) {
  const auto socket = sockets_.find(close.flow);
  if (socket == sockets_.end()) return;
  socket->second->close(WebSocket::End::edge);
  world_->plan_after({}, [this, flow = close.flow, start = starts_] {
    if (start == starts_) let_go(flow);
  });
}

void EdgeHost::obey_push(epcscf::PushCredential& push) {
  if (settings_.fault == EdgeFault::pushes_for_another) {
    const std::string own = push.credential.subject;
    if (!last_subject_.empty()) push.credential.subject = last_subject_;
    last_subject_ = own;
  }
  note("pushes " + push.credential.username + " of " + push.credential.subject, {}, {});
  tell([&](EdgeObserver& observer) { observer.on_push(push.credential); });
  const auto answer = [this, id = push.id, start = starts_](bool is_done) {
    if (start == starts_) turn([&](Now at) { machine_->on_push_done(id, is_done, at); });
  };
  if (settings_.fault == EdgeFault::hands_out_unpushed)
    world_->plan_after({}, [answer] { answer(true); });
  else
    relays_->put(push.credential, answer);
}

void EdgeHost::obey_revoke(const epcscf::RevokeCredentials& revoke) {
  credentials::Revocation revocation = revoke.revocation;
  note("takes back " + revocation.value + " until " + std::to_string(unix_seconds(revocation.until)), {}, {});
  tell([&](EdgeObserver& observer) { observer.on_revoke(revocation); });
  if (settings_.fault == EdgeFault::forgets_revocations && ++revocations_ % 2 == 0) return;
  if (settings_.fault == EdgeFault::revokes_briefly)
    revocation.until = moment().wall + std::chrono::seconds{2};
  const bool is_believed = settings_.fault == EdgeFault::takes_full_for_done;
  relays_->revoke(revocation, [this, revocation, is_believed, start = starts_](bool is_done) {
    if (start != starts_) return;
    note((is_done ? "has taken back " : "has not taken back ") + revocation.value, {}, {});
    tell([&](EdgeObserver& observer) { observer.on_revoked(revocation, is_done || is_believed); });
  });
}

void EdgeHost::obey_check(const epcscf::CheckToken& check) {
  if (ignores_tokens_) return;
  world_->plan_after(settings_.token_delay, [this, check, start = starts_] {
    if (start != starts_) return;
    const epcscf::TokenAnswer answer =
        judge_ ? judge_(check.token) : std::unexpected(epcscf::TokenRefusal::invalid);
    tell([&](EdgeObserver& observer) { observer.on_token_checked(check.token, answer); });
    turn([&](Now at) { machine_->on_token_checked(check.id, answer, at); });
  });
}

}  // namespace turnpike::sim
