#include "epcscf/switchboard.hpp"

#include <algorithm>
#include <utility>

#include "sip/answers.hpp"
#include "sip/text.hpp"

namespace turnpike::epcscf {
namespace {

// Numbers of core places; those of clients are the shell's and count from 1.
constexpr std::uint64_t first_core_flow = std::uint64_t{1} << 63;

}  // namespace

Switchboard::Switchboard(Settings chosen, Random& generator)
    : settings(std::move(chosen)),
      random(generator),
      tokens(generator),
      layer(settings.transactions, settings.timers),
      forwarder(layer),
      last_flow_(first_core_flow) {}

const ClientInfo* Switchboard::find_client(FlowId flow) const {
  const auto client = clients.find(flow);
  return client == clients.end() ? nullptr : &client->second;
}

sip::Flow Switchboard::flow_to(const sip::Hop& hop) {
  const auto [known, is_new] = flow_of_hop_.try_emplace(hop, last_flow_ + 1);
  const std::uint64_t id = known->second;
  if (is_new) {
    hop_of_flow_.emplace(++last_flow_, hop);
    if (hop_of_flow_.size() > std::max<std::size_t>(settings.limits.core_hops_max, 2)) {
      auto oldest = hop_of_flow_.begin();
      if (oldest->second == settings.core) ++oldest;  // every registration goes there
      flow_of_hop_.erase(oldest->second);
      hop_of_flow_.erase(oldest);
    }
  }
  return {.id = id, .is_reliable = hop.transport == sip::Transport::tcp, .is_shared = true};
}

std::optional<std::uint64_t> Switchboard::find_flow(const sip::Hop& hop) const {
  const auto known = flow_of_hop_.find(hop);
  return known == flow_of_hop_.end() ? std::nullopt : std::optional{known->second};
}

bool Switchboard::is_core(const sip::Hop& from) const {
  return sip::equal_ignoring_case(from.host, settings.core.host) ||
         std::ranges::find(settings.trusted_core, from.host) != settings.trusted_core.end();
}

sip::Hop Switchboard::adjusted(sip::Hop hop) const {
  if (hop.port == settings.core.port && sip::equal_ignoring_case(hop.host, settings.core.host))
    return settings.core;
  return hop;
}

bool Switchboard::is_own_host(const sip::Uri& uri) const {
  if (!uri.is_sip()) return false;
  std::string host{uri.host()};
  if (sip::equal_ignoring_case(host, settings.own_host)) return true;
  if (uri.port()) host += ':' + std::to_string(*uri.port());
  return sip::equal_ignoring_case(host, settings.own_host);
}

std::string Switchboard::via_to(const sip::Hop& hop) const {
  return std::string{sip::to_string(hop.transport)} + ' ' + settings.own_host;
}

// RFC 7118 section 5.2.1: the transport of W2 is WS or WSS.
std::string Switchboard::via_to(FlowId client) const {
  const ClientInfo* info = find_client(client);
  return (info != nullptr && info->is_secure ? "WSS " : "WS ") + settings.own_host;
}

std::string Switchboard::own_uri(std::string_view user, std::string_view params) const {
  std::string uri = "<sip:";
  if (!user.empty()) {
    uri += user;
    uri += '@';
  }
  uri += settings.own_host;
  if (settings.core.transport == sip::Transport::tcp) uri += ";transport=tcp";
  uri += params;
  uri += '>';
  return uri;
}

// RFC 7315 section 4.6: the first proxy makes the charging id, here of 128 random bits.
std::string Switchboard::make_charging_vector() {
  return "icid-value=\"" + to_hex(random.draw<16>()) + "\";icid-generated-at=" + settings.own_host +
         ";orig-ioi=\"" + settings.home_domain + '"';
}

std::string Switchboard::make_tag() { return to_hex(random.draw<8>()); }

void Switchboard::answer(sip::ServerId id, const sip::Message& request, std::uint16_t status_code, Now now,
                         std::string_view reason, sip::HeaderName header, std::string_view row) {
  sip::Writer writer = sip::make_response(request, status_code, make_tag(), reason);
  if (!row.empty()) writer.add(header, row);
  layer.respond(id, writer.finish(), now);
}

void Switchboard::answer_statelessly(std::uint64_t flow, const sip::Message& request,
                                     std::uint16_t status_code) {
  if (request.method() == sip::Method::ack) return;
  transmit({flow, sip::make_response(request, status_code, make_tag()).finish()});
}

void Switchboard::transmit(sip::SendMessage message) {
  if (message.flow < first_core_flow) {
    const FlowId flow{message.flow};
    if (!clients.contains(flow)) return;
    ++counters.messages_to_clients;
    emit(SendToClient{flow, std::move(message.bytes)});
    return;
  }
  const auto hop = hop_of_flow_.find(message.flow);
  if (hop == hop_of_flow_.end()) return;
  ++counters.messages_to_core;
  emit(SendToCore{hop->second, std::move(message.bytes)});
}

SocketAddress Switchboard::address_of(FlowId flow) const {
  const ClientInfo* client = find_client(flow);
  return client == nullptr ? SocketAddress{} : client->remote;
}

void Switchboard::report_stranger(const sip::Hop& from) {
  ++counters.bad_messages[static_cast<std::size_t>(BadMessage::untrusted_source)];
  emit(Report{MessageRefused{
      .client = SocketAddress::parse(from.host + ':' + std::to_string(from.port)).value_or(SocketAddress{}),
      .what = BadMessage::untrusted_source}});
}

void Switchboard::report_bad(FlowId flow, BadMessage what, std::uint16_t status_code) {
  ++counters.bad_messages[static_cast<std::size_t>(what)];
  emit(Report{MessageRefused{flow, address_of(flow), what, status_code}});
}

}  // namespace turnpike::epcscf
