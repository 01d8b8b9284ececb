#include "sim/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/source_key.hpp"
#include "stun/channel_data.hpp"

namespace turnpike::sim {
namespace {

using std::chrono::seconds;
using stun::AttributeType;
using stun::Class;
using stun::Method;

constexpr seconds token_slack{5};  // RFC 7635 section 7: clocks may differ by so much
constexpr seconds rounding{1};
constexpr std::size_t violations_max = 20;

bool may_lack_integrity(std::uint16_t code) {
  return code == 400 || code == 401 || code == 420 || code == 438;
}

}  // namespace

Model::Model(World& world, const RelaySettings& settings)
    : world_(&world), settings_(settings.turn), realm_(settings.credentials.realm), policy_(settings_) {}

void Model::know(const Credential& credential) { credentials_.push_back(credential); }

void Model::Span::grant(Instant until, bool is_repeated) {
  if (!is_repeated) sure = until;
  latest = is_repeated ? std::max(latest, until) : until;
}

bool Model::Allocation::is_surely_alive(Instant now) const {
  return std::ranges::any_of(relayed, [&](const auto& entry) { return now < entry.second.sure; });
}

bool Model::Allocation::is_possibly_alive(Instant now) const {
  return std::ranges::any_of(relayed, [&](const auto& entry) { return now <= entry.second.latest; });
}

void Model::violate(std::string what) {
  if (violations_.size() >= violations_max) return;
  world_->journal().note(world_->moment(), "VIOLATION " + what);
  violations_.push_back(std::move(what));
}

// --- inputs -----------------------------------------------------------------------------------------------

void Model::on_from_client(const turn::ClientPath& from, Bytes bytes) {
  input_ = {.kind = Input::Kind::client, .path = from, .bind = {}, .peer = {}, .bytes = to_vector(bytes)};
}

void Model::on_from_peer(const SocketAddress& relay_bind, const SocketAddress& from, Bytes payload) {
  input_ = {
      .kind = Input::Kind::peer, .path = {}, .bind = relay_bind, .peer = from, .bytes = to_vector(payload)};
}

void Model::on_revoked(const credentials::Revocation& revocation) {
  revocations_.push_back(revocation);
  std::erase_if(allocations_, [&](const auto& entry) { return entry.second.owner->is_hit_by(revocation); });
}

void Model::on_restarted() {
  allocations_.clear();
  revocations_.clear();
  open_.clear();
  closed_at_.clear();
  strangers_.clear();
  for (const Credential& credential : credentials_)
    if (credential.form == Form::pushed) forgotten_.insert(&credential);
}

// A relay address ends with its socket, and the allocation with its last one.
void Model::on_port_lost(const SocketAddress& bind) {
  for (auto& [key, allocation] : allocations_) allocation.relayed.erase(bind);
  std::erase_if(allocations_, [](const auto& entry) { return entry.second.relayed.empty(); });
}

void Model::on_settled() {
  const bool must_be_relayed = (input_.kind == Input::Kind::client && must_reach_peer()) ||
                               (input_.kind == Input::Kind::peer && must_reach_client());
  if (must_be_relayed && !input_.was_relayed)
    violate(fmt::format("a datagram that must be relayed was dropped, from {}",
                        (input_.kind == Input::Kind::client ? input_.path.client : input_.peer).to_string()));
  if (input_.kind == Input::Kind::peer && !input_.was_relayed) ++tally_.dropped;
  input_ = {};
}

// --- ports ------------------------------------------------------------------------------------------------

void Model::on_port_opened(const SocketAddress& bind) {
  if (open_.contains(bind)) violate("a port was opened twice: " + bind.to_string());
  open_.insert(bind);
  const auto closed = closed_at_.find(bind);
  if (closed != closed_at_.end() &&
      world_->moment().mono < closed->second + settings_.limits.relay_port_reuse_delay)
    violate("a port was opened before it had rested: " + bind.to_string());
}

void Model::on_port_closed(const SocketAddress& bind) {
  const auto found = open_.find(bind);
  if (found != open_.end()) open_.erase(found);
  closed_at_[bind] = world_->moment().mono;
}

// --- answers ----------------------------------------------------------------------------------------------

void Model::on_to_client(const turn::ClientPath& to, Bytes bytes) {
  if (bytes.empty() || stun::looks_like_channel_data(bytes[0])) {
    on_channel_data(to, bytes);
    return;
  }
  const auto message = stun::Message::decode(bytes);
  if (!message) {
    violate("a client got what does not decode");
    return;
  }
  if (message->message_class() != Class::indication) {
    on_answer(to, *message);
    return;
  }
  const auto peer = message->xor_address(AttributeType::xor_peer_address);
  const auto data = message->find(AttributeType::data);
  if (message->method() != Method::data || !peer)
    violate("a client got an indication that it cannot understand");
  else if (data)
    on_data(to, *peer, *data);
}

void Model::on_answer(const turn::ClientPath& to, const stun::Message& answer) {
  const auto request = stun::Message::decode(input_.bytes);
  const bool fits = input_.kind == Input::Kind::client && input_.path == to && request &&
                    request->message_class() == Class::request &&
                    request->transaction_id() == answer.transaction_id() &&
                    request->method() == answer.method();
  if (!fits)
    violate("an answer without a request");
  else if (answer.message_class() == Class::success)
    on_success(to, *request, answer);
  else
    on_error(to, *request, answer);
}

void Model::on_error(const turn::ClientPath& to, const stun::Message& request, const stun::Message& answer) {
  const auto error = answer.error_code();
  if (!error) {
    violate("an error without a code");
    return;
  }
  ++tally_.refusals;
  if (error->code == 401 || error->code == 438) {
    ++tally_.challenges;
    count_answer_to_stranger(to.client.ip);
  }
  const Credential* credential = find_proven(request);
  if (credential != nullptr && !may_lack_integrity(error->code) && !credential->proves(answer))
    violate(fmt::format("the refusal {} does not prove itself", error->code));
}

void Model::count_answer_to_stranger(const IpAddress& source) {
  const Instant now = world_->moment().mono;
  Strangers& strangers = strangers_.try_emplace(source_key(source), Strangers{now, 0}).first->second;
  ++strangers.answers;
  const double seconds_passed = std::chrono::duration<double>(now - strangers.since).count();
  const double most = settings_.limits.unauthorized_per_second_per_source * (seconds_passed + 1) + 1;
  if (static_cast<double>(strangers.answers) > most)
    violate(fmt::format("{} answers to the stranger {} within {} s", strangers.answers, source.to_string(),
                        seconds_passed));
}

void Model::on_success(const turn::ClientPath& to, const stun::Message& request,
                       const stun::Message& answer) {
  if (request.method() == Method::binding) return;
  const Credential* credential = find_proven(request);
  if (credential == nullptr) {
    violate(fmt::format("success without a credential, method {}", std::to_underlying(request.method())));
    return;
  }
  if (!credential->proves(answer)) violate("a successful answer does not prove itself");
  if (is_revoked(*credential)) violate("success for the revoked credential " + credential->username);
  // What was answered once is answered again, and grants nothing more.
  const bool is_repeated = !answered_.insert({key_of(to), request.transaction_id()}).second;
  const auto lifetime = answer.u32(AttributeType::lifetime);
  const bool deletes =
      request.method() == Method::refresh && lifetime && *lifetime == 0;  // anybody may go home
  if (!is_repeated && !deletes) check_expiry(*credential, request.method());
  if (is_repeated && request.method() == Method::allocate && find(to) != nullptr) return;
  if (request.method() == Method::allocate) {
    on_allocated(to, *credential, answer);
    return;
  }
  Allocation* allocation = find(to);
  if (allocation == nullptr) {
    if (!deletes) violate("success without an allocation");
    return;
  }
  const bool is_same_owner =
      allocation->owner->form == credential->form &&
      (allocation->owner->username == credential->username || credential->form == Form::token);
  if (!is_same_owner)
    violate("an allocation of " + allocation->owner->username + " obeyed " + credential->username);
  switch (request.method()) {
    case Method::refresh:
      allocation->owner = credential;
      on_refreshed(to, request, answer, is_repeated);
      return;
    case Method::create_permission:
      on_permitted(*allocation, request, is_repeated);
      return;
    case Method::channel_bind:
      on_channel_bound(*allocation, request, is_repeated);
      return;
    default:
      violate("success of a method that nobody knows");
  }
}

void Model::check_expiry(const Credential& credential, Method method) {
  if (credential.expires_at == WallTime::max()) return;
  // What has an allocation may use it for as long as it lives.
  if (method == Method::create_permission || method == Method::channel_bind) return;
  const WallTime wall = world_->moment().wall;
  WallTime end = credential.expires_at + token_slack;
  if (method == Method::refresh) {
    if (settings_.expiry == turn::ExpiryMode::lenient) return;
    if (settings_.expiry == turn::ExpiryMode::bounded) end += settings_.limits.expiry_slack;
  }
  if (wall > end) violate("success for the expired credential " + credential.username);
}

// No lifetime reaches beyond the credential's own, each mode in its way.
void Model::check_lifetime(const Credential& credential, seconds lifetime) {
  if (lifetime > settings_.limits.allocation_lifetime_max) violate("a lifetime beyond the maximum");
  if (credential.expires_at == WallTime::max() || settings_.expiry == turn::ExpiryMode::lenient) return;
  WallTime end = credential.expires_at + token_slack + rounding;
  if (settings_.expiry == turn::ExpiryMode::bounded) end += settings_.limits.expiry_slack;
  if (world_->moment().wall + lifetime > end) violate("a lifetime beyond that of the credential");
}

void Model::on_allocated(const turn::ClientPath& to, const Credential& owner, const stun::Message& answer) {
  const Allocation* existing = find(to);
  if (existing != nullptr && existing->is_surely_alive(world_->moment().mono))
    violate("a second allocation on one 5-tuple");
  const auto lifetime = answer.u32(AttributeType::lifetime);
  const auto mapped = answer.xor_address(AttributeType::xor_mapped_address);
  if (!lifetime || !mapped || *mapped != to.client) {
    violate("an Allocate answer lacks what it must have");
    return;
  }
  ++tally_.allocations;
  check_lifetime(owner, seconds{*lifetime});
  Allocation allocation;
  allocation.owner = &owner;
  answer.for_each([&](AttributeType type, Bytes value) {
    if (type != AttributeType::xor_relayed_address) return;
    const auto relayed = answer.to_xor_address(value);
    for (const turn::RelayAddress& relay : settings_.relay_addresses)
      if (relayed && relay.advertised == relayed->ip)
        allocation.relayed[{relay.bind, relayed->port}].grant(world_->moment().mono + seconds{*lifetime},
                                                              false);
  });
  if (allocation.relayed.empty()) violate("an allocation without a relay address of ours");
  for (const auto& [bind, span] : allocation.relayed) {
    if (!open_.contains(bind)) violate("an allocation without a socket: " + bind.to_string());
    const Allocation* other = find_owner(bind);
    if (other != nullptr && other != existing) violate("two allocations share the port " + bind.to_string());
  }
  check_quotas(to, owner);
  allocations_[key_of(to)] = std::move(allocation);
}

void Model::check_quotas(const turn::ClientPath& to, const Credential& owner) {
  std::size_t total = 1;
  std::size_t of_subject = 1;
  std::size_t of_source = 1;
  for (const auto& [key, allocation] : allocations_) {
    if (!allocation.is_surely_alive(world_->moment().mono) || key == key_of(to)) continue;
    ++total;
    of_subject += allocation.owner->subject == owner.subject ? 1 : 0;
    of_source += source_key(key.second.ip) == source_key(to.client.ip) ? 1 : 0;
  }
  const turn::Limits& limits = settings_.limits;
  const std::uint32_t subject_max =
      owner.allocations_max > 0 ? owner.allocations_max : limits.allocations_per_subject;
  if (of_subject > subject_max) violate(fmt::format("{} allocations of {}", of_subject, owner.subject));
  if (of_source > limits.allocations_per_source)
    violate(fmt::format("{} allocations of one source", of_source));
  if (total > limits.allocations_total) violate(fmt::format("{} allocations in total", total));
}

void Model::on_refreshed(const turn::ClientPath& to, const stun::Message& request,
                         const stun::Message& answer, bool is_repeated) {
  const auto lifetime = answer.u32(AttributeType::lifetime);
  if (!lifetime) {
    violate("a Refresh answer without a lifetime");
    return;
  }
  Allocation& allocation = *find(to);
  // RFC 8656 section 8.2: of two families, one may be refreshed or deleted alone.
  const auto family = request.address_family(AttributeType::requested_address_family);
  const auto is_meant = [&](const SocketAddress& bind) { return !family || bind.ip.family() == *family; };
  if (*lifetime == 0) {
    std::erase_if(allocation.relayed, [&](const auto& entry) { return is_meant(entry.first); });
    if (allocation.relayed.empty()) allocations_.erase(key_of(to));
    return;
  }
  if (!is_repeated) check_lifetime(*allocation.owner, seconds{*lifetime});
  for (auto& [bind, span] : allocation.relayed)
    if (is_meant(bind)) span.grant(world_->moment().mono + seconds{*lifetime}, is_repeated);
}

void Model::on_permitted(Allocation& allocation, const stun::Message& request, bool is_repeated) {
  request.for_each([&](AttributeType type, Bytes value) {
    if (type != AttributeType::xor_peer_address) return;
    if (const auto peer = request.to_xor_address(value)) permit(allocation, *peer, is_repeated);
  });
}

void Model::on_channel_bound(Allocation& allocation, const stun::Message& request, bool is_repeated) {
  const auto peer = request.xor_address(AttributeType::xor_peer_address);
  const auto number = request.channel_number();
  if (!peer || !number) {
    violate("a channel without a peer or a number");
    return;
  }
  const Instant now = world_->moment().mono;
  for (const auto& [other_number, other] : allocation.channels) {
    if (now >= other.span.sure || (other_number == *number) == (other.peer == *peer)) continue;
    violate("a channel number or a peer is bound twice");
  }
  permit(allocation, *peer, is_repeated);
  Channel& channel = allocation.channels[*number];
  channel.peer = *peer;
  channel.span.grant(now + settings_.limits.channel_lifetime, is_repeated);
  if (!policy_.allows(*peer)) violate("a channel to the forbidden peer " + peer->to_string());
}

void Model::permit(Allocation& allocation, const SocketAddress& peer, bool is_repeated) {
  if (!policy_.allows(peer.ip)) violate("a permission for the forbidden peer " + peer.ip.to_string());
  allocation.permissions[peer.ip.canonical()].grant(
      world_->moment().mono + settings_.limits.permission_lifetime, is_repeated);
}

// --- what is relayed --------------------------------------------------------------------------------------

void Model::on_to_peer(const SocketAddress& relay_bind, const SocketAddress& to, Bytes payload) {
  input_.was_relayed = true;
  ++tally_.to_peers;
  if (input_.kind != Input::Kind::client) {
    violate("a peer got what no client has sent");
    return;
  }
  const Allocation* allocation = find(input_.path);
  if (allocation == nullptr || !allocation->is_possibly_alive(world_->moment().mono)) {
    violate("relayed without an allocation, to " + to.to_string());
    return;
  }
  const auto relayed = allocation->relayed.find(relay_bind);
  if (relayed == allocation->relayed.end() || world_->moment().mono > relayed->second.latest)
    violate("relayed from another's port, " + relay_bind.to_string());
  const auto outgoing = find_outgoing(*allocation, input_.bytes);
  if (!outgoing || outgoing->peer != to || !equal(outgoing->payload, payload))
    violate("a peer got something else than was sent to it");
  if (!is_possibly_permitted(*allocation, to)) violate("relayed without a permission, to " + to.to_string());
  if (!policy_.allows(to)) violate("relayed to the forbidden peer " + to.to_string());
}

void Model::on_data(const turn::ClientPath& to, const SocketAddress& peer, Bytes payload) {
  input_.was_relayed = true;
  ++tally_.to_clients;
  const Allocation* allocation = find(to);
  if (input_.kind != Input::Kind::peer || peer != input_.peer || !equal(payload, input_.bytes)) {
    violate("a client got what no peer has sent");
    return;
  }
  const auto relayed =
      allocation == nullptr ? Relayed::const_iterator{} : allocation->relayed.find(input_.bind);
  if (allocation == nullptr || relayed == allocation->relayed.end() ||
      world_->moment().mono > relayed->second.latest)
    violate("delivered without an allocation, to " + to.client.to_string());
  else if (!is_possibly_permitted(*allocation, peer))
    violate("delivered without a permission, from " + peer.to_string());
}

void Model::on_channel_data(const turn::ClientPath& to, Bytes bytes) {
  const auto data = stun::decode_channel_data(bytes);
  const Allocation* allocation = find(to);
  if (!data || allocation == nullptr) {
    violate("channel data without a channel, to " + to.client.to_string());
    return;
  }
  const auto channel = allocation->channels.find(data->channel);
  if (channel == allocation->channels.end() || world_->moment().mono > channel->second.span.latest) {
    violate("channel data on a channel that is not bound");
    return;
  }
  on_data(to, channel->second.peer, data->payload);
}

std::optional<Model::Outgoing> Model::find_outgoing(const Allocation& allocation, Bytes bytes) const {
  if (bytes.empty()) return std::nullopt;
  if (stun::looks_like_channel_data(bytes[0])) {
    const auto data = stun::decode_channel_data(bytes);
    if (!data) return std::nullopt;
    const auto channel = allocation.channels.find(data->channel);
    if (channel == allocation.channels.end()) return std::nullopt;
    return Outgoing{channel->second.peer, data->payload, data->channel};
  }
  const auto message = stun::Message::decode(bytes);
  if (!message || message->method() != Method::send || message->message_class() != Class::indication)
    return std::nullopt;
  const auto peer = message->xor_address(AttributeType::xor_peer_address);
  const auto data = message->find(AttributeType::data);
  if (!peer || !data) return std::nullopt;
  return Outgoing{*peer, {input_.bytes.data() + (data->data() - bytes.data()), data->size()}, std::nullopt};
}

bool Model::must_reach_peer() const {
  const auto entry = allocations_.find(key_of(input_.path));
  if (entry == allocations_.end() || settings_.limits.bytes_per_second_per_allocation > 0) return false;
  const Allocation& allocation = entry->second;
  const auto outgoing = find_outgoing(allocation, input_.bytes);
  if (!outgoing || is_own(outgoing->peer.ip) || !policy_.allows(outgoing->peer)) return false;
  const Instant now = world_->moment().mono;
  if (outgoing->channel && now >= allocation.channels.at(*outgoing->channel).span.sure) return false;
  const bool has_family = std::ranges::any_of(allocation.relayed, [&](const auto& relayed) {
    return relayed.first.ip.family() == outgoing->peer.ip.family() && now < relayed.second.sure;
  });
  return has_family && is_surely_permitted(allocation, outgoing->peer);
}

bool Model::must_reach_client() const {
  if (settings_.limits.bytes_per_second_per_allocation > 0 || is_own(input_.peer.ip)) return false;
  for (const auto& [key, allocation] : allocations_) {
    const auto relayed = allocation.relayed.find(input_.bind);
    if (relayed == allocation.relayed.end() || world_->moment().mono >= relayed->second.sure) continue;
    return is_surely_permitted(allocation, input_.peer) && policy_.allows(input_.peer);
  }
  return false;
}

bool Model::is_surely_permitted(const Allocation& allocation, const SocketAddress& peer) const {
  const auto permission = allocation.permissions.find(peer.ip.canonical());
  return permission != allocation.permissions.end() && world_->moment().mono < permission->second.sure;
}

bool Model::is_possibly_permitted(const Allocation& allocation, const SocketAddress& peer) const {
  const auto permission = allocation.permissions.find(peer.ip.canonical());
  return permission != allocation.permissions.end() && world_->moment().mono <= permission->second.latest;
}

bool Model::is_own(const IpAddress& address) const {
  return std::ranges::any_of(settings_.relay_addresses, [&](const turn::RelayAddress& relay) {
    return relay.advertised == address || relay.bind == address;
  });
}

// --- look-ups ---------------------------------------------------------------------------------------------

Model::Allocation* Model::find(const turn::ClientPath& path) {
  const auto found = allocations_.find(key_of(path));
  return found == allocations_.end() ? nullptr : &found->second;
}

// The allocation that surely has the port.
Model::Allocation* Model::find_owner(const SocketAddress& bind) {
  for (auto& [key, allocation] : allocations_) {
    const auto relayed = allocation.relayed.find(bind);
    if (relayed != allocation.relayed.end() && world_->moment().mono < relayed->second.sure)
      return &allocation;
  }
  return nullptr;
}

const Credential* Model::find_proven(const stun::Message& request) const {
  for (const Credential& credential : credentials_)
    if (!forgotten_.contains(&credential) && credential.is_claimed_by(request, realm_) &&
        credential.proves(request))
      return &credential;
  return nullptr;
}

bool Model::is_revoked(const Credential& credential) const {
  return std::ranges::any_of(revocations_,
                             [&](const auto& revocation) { return credential.is_hit_by(revocation); });
}

void Model::expect_nothing_left(RelayHost& relay) {
  const turn::Counters& counters = relay.counters();
  if (counters.allocations_active != 0)
    violate(fmt::format("{} allocations are left", counters.allocations_active));
  if (counters.permissions_active != 0)
    violate(fmt::format("{} permissions are left", counters.permissions_active));
  if (counters.channels_active != 0) violate(fmt::format("{} channels are left", counters.channels_active));
  if (counters.allocations_created != counters.allocations_ended)
    violate("more allocations were made than ended");
  if (relay.open_ports() != 0) violate(fmt::format("{} sockets are left", relay.open_ports()));
  if (relay.commons().admitted() != 0 || relay.commons().quota_entries() != 0)
    violate("quotas still count somebody");
  const std::size_t all = static_cast<std::size_t>(settings_.relay_port_max) - settings_.relay_port_min + 1;
  for (const turn::RelayAddress& address : settings_.relay_addresses) {
    const auto ports = relay.commons().count_ports(address.bind, world_->moment());
    if (ports.free != all)
      violate(fmt::format("of {} ports of {} only {} came back", all, address.bind.to_string(), ports.free));
  }
}

Model::Tally& Model::Tally::operator+=(const Tally& other) {
  allocations += other.allocations;
  refusals += other.refusals;
  to_peers += other.to_peers;
  to_clients += other.to_clients;
  dropped += other.dropped;
  challenges += other.challenges;
  return *this;
}

}  // namespace turnpike::sim
