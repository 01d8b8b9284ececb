#include "sip/forwarder.hpp"

#include <array>

#include "base/bytes.hpp"
#include "sip/answers.hpp"
#include "sip/headers.hpp"

namespace turnpike::sip {
namespace {

std::string make_via(std::string_view via, std::string_view branch) {
  std::string value = "SIP/2.0/";
  value += via;
  value += ";branch=";
  value += branch;
  return value;
}

}  // namespace

std::expected<ClientId, SendRefusal> Forwarder::forward(ServerId server, const Message& request,
                                                        Editor& edited, const Flow& to, std::string_view via,
                                                        std::uint64_t tag, Now now, Random& random) {
  const auto id = layer_.send_request(stamped(edited, via, random), request.method_text(), to, now);
  if (!id) return id;
  Leg& leg = legs_[*id];
  leg = {.server = server,
         .client = *id,
         .method = request.method(),
         .tag = tag,
         .request = std::string{request.text()}};
  by_server_[server] = *id;
  if (leg.method == Method::invite) set_timer(leg, now.mono + timer_c);
  return id;
}

OwnRequest Forwarder::stamped(Editor& edited, std::string_view via, Random& random) {
  std::string branch{branch_cookie};
  branch += to_hex(random.draw<12>());
  edited.push_via(make_via(via, branch));
  return {.text = edited.text(), .branch = std::move(branch)};
}

const Leg* Forwarder::find(ClientId id) const {
  const auto leg = legs_.find(id);
  return leg == legs_.end() ? nullptr : &leg->second;
}

const Leg* Forwarder::find(ServerId id) const {
  const auto client = by_server_.find(id);
  return client == by_server_.end() ? nullptr : find(client->second);
}

void Forwarder::pass_back(ClientId id, std::uint16_t status_code, std::string response, Now now) {
  const auto found = legs_.find(id);
  if (found == legs_.end()) return;
  Leg& leg = found->second;
  if (!is_sendable(response)) {
    const auto request = Message::parse(leg.request);
    if (!request || status_code < 200) return;
    status_code = 500;
    const std::string to_tag = "t" + std::to_string(static_cast<std::uint64_t>(id));
    response = make_response(*request, status_code, to_tag, "Response Too Large").finish();
  }
  layer_.respond(leg.server, std::move(response), now);
  if (status_code >= 200) {
    leg.has_final = true;
    set_timer(leg, std::nullopt);
  } else if (leg.gives_up_at && status_code > 100) {
    set_timer(leg, now.mono + timer_c);  // section 16.7 step 2
  }
}

void Forwarder::refuse(ClientId id, std::uint16_t status_code, std::string_view reason,
                       std::string_view to_tag, Now now) {
  const auto found = legs_.find(id);
  if (found == legs_.end() || found->second.has_final) return;
  const auto request = Message::parse(found->second.request);
  if (!request) return;
  pass_back(id, status_code, make_response(*request, status_code, to_tag, reason).finish(), now);
}

void Forwarder::cancel(ServerId invite, Now now) {
  const auto client = by_server_.find(invite);
  if (client != by_server_.end()) layer_.cancel(client->second, now);
}

void Forwarder::on_ended(ClientId id) {
  const auto leg = legs_.find(id);
  if (leg == legs_.end()) return;
  set_timer(leg->second, std::nullopt);
  const auto server = by_server_.find(leg->second.server);
  if (server != by_server_.end() && server->second == id) by_server_.erase(server);
  legs_.erase(leg);
}

void Forwarder::on_ended(ServerId id) { by_server_.erase(id); }

void Forwarder::on_timeout(Now now) {
  while (!timers_.empty() && timers_.begin()->first <= now.mono) {
    const ClientId id = timers_.begin()->second;
    set_timer(legs_.at(id), std::nullopt);
    layer_.cancel(id, now);
  }
}

std::optional<Instant> Forwarder::next_timeout() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

void Forwarder::set_timer(Leg& leg, std::optional<Instant> at) {
  if (leg.gives_up_at) timers_.erase({*leg.gives_up_at, leg.client});
  leg.gives_up_at = at;
  if (at) timers_.emplace(*at, leg.client);
}

}  // namespace turnpike::sip
