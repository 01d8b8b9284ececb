#include "turn/engine.hpp"

#include <algorithm>

#include "stun/channel_data.hpp"
#include "turn/allocate.hpp"
#include "turn/core.hpp"
#include "turn/data_path.hpp"
#include "turn/peer_methods.hpp"
#include "turn/refresh.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;
using stun::Method;

std::string_view to_string(EndReason reason) {
  switch (reason) {
    case EndReason::expired:
      return "expired";
    case EndReason::refreshed_to_zero:
      return "refreshed_to_zero";
    case EndReason::revoked:
      return "revoked";
    case EndReason::credential_expired:
      return "credential_expired";
    case EndReason::port_lost:
      return "port_lost";
    case EndReason::shutdown:
      return "shutdown";
  }
  return "unknown";
}

namespace {

// Comprehension-required attributes that the server knows; one that is not expected where it stands is
// ignored (RFC 8489 section 6.3).
bool is_known(AttributeType type) {
  switch (type) {
    case AttributeType::mapped_address:
    case AttributeType::username:
    case AttributeType::message_integrity:
    case AttributeType::error_code:
    case AttributeType::unknown_attributes:
    case AttributeType::channel_number:
    case AttributeType::lifetime:
    case AttributeType::xor_peer_address:
    case AttributeType::data:
    case AttributeType::realm:
    case AttributeType::nonce:
    case AttributeType::xor_relayed_address:
    case AttributeType::requested_address_family:
    case AttributeType::even_port:
    case AttributeType::requested_transport:
    case AttributeType::dont_fragment:
    case AttributeType::message_integrity_sha256:
    case AttributeType::password_algorithm:
    case AttributeType::userhash:
    case AttributeType::xor_mapped_address:
    case AttributeType::reservation_token:
      return true;
    default:
      return false;
  }
}

bool has_wrong_fingerprint(const stun::Message& message) {
  return message.has(AttributeType::fingerprint) && !message.verify_fingerprint();
}

Exchange begin_exchange(const ClientPath& from, const stun::Message& request) {
  return {.from = from,
          .method = request.method(),
          .id = request.transaction_id(),
          .has_fingerprint = request.has(AttributeType::fingerprint)};
}

// RFC 8656 section 5: who created an allocation is the only one to act on it. RFC 7635 section 9: a Refresh
// with a new token passes it on.
bool may_act_on(const Allocation& allocation, const Authentication& authentication, Method method) {
  if (authentication.grant->username == allocation.grant->username) return true;
  return method == Method::refresh && authentication.is_by_token && allocation.is_token;
}

}  // namespace

class Engine::Impl {
 public:
  Impl(const Settings& settings, credentials::Registry& registry, const credentials::NonceMint& nonces,
       Commons& commons, Random& random)
      : core_(settings, registry, nonces, commons, random) {}

  std::optional<Forward> on_client_datagram(const ClientPath& from, Bytes datagram, Now now);
  std::optional<Deliver> on_peer_datagram(RelayPortId at, const SocketAddress& from, Bytes datagram,
                                          Now now) {
    expire_due(now);
    return data_path_.on_peer_datagram(at, from, datagram, now);
  }
  void on_peer_icmp(RelayPortId at, const SocketAddress& peer, const stun::IcmpValue& icmp, Now now) {
    expire_due(now);
    data_path_.on_peer_icmp(at, peer, icmp, now);
  }
  void on_port_opened(RelayPortId port, bool opened, Now now);
  void on_timeout(Now now) { core_.expire_due(now); }
  std::size_t revoke(const credentials::Revocation& revocation, Now now);
  std::size_t end_revoked(Now now);
  void drain() { core_.is_draining = true; }
  void shut_down(Now now);
  std::optional<Effect> next_effect() { return core_.effects.next(); }
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  [[nodiscard]] const Counters& counters() const { return core_.counters; }
  [[nodiscard]] std::vector<AllocationView> list_allocations(std::size_t max, Now now) const;

 private:
  // Keeps what is due out of everybody's sight, however late the shell's timeout comes.
  void expire_due(Now now) {
    if (core_.allocations.is_due(now.mono)) core_.expire_due(now);
  }
  std::optional<Forward> on_message(const ClientPath& from, const stun::Message& message, Now now);
  void on_request(const ClientPath& from, const stun::Message& request, Now now);
  void on_binding(const Exchange& exchange, const stun::Message& request, Now now);
  void on_turn_request(Exchange exchange, const stun::Message& request, Now now);
  Outcome answer(Exchange& exchange, const stun::Message& request, Allocation* allocation, Now now);
  [[nodiscard]] stun::Message::Unknown unknown_of(const stun::Message& message) const;
  std::size_t end_all(FunctionRef<bool(const Allocation&)> matches, EndReason reason, Now now);

  Core core_;
  AllocateMethod allocate_{core_};
  RefreshMethod refresh_{core_};
  PeerMethods peer_methods_{core_};
  DataPath data_path_{core_};
};

// --- what clients send ------------------------------------------------------------------------------------

std::optional<Forward> Engine::Impl::on_client_datagram(const ClientPath& from, Bytes datagram, Now now) {
  expire_due(now);
  if (!datagram.empty() && stun::looks_like_channel_data(datagram.front()))
    return data_path_.on_channel_data(from, datagram, now);
  const auto message = stun::Message::decode(datagram);
  if (!message || has_wrong_fingerprint(*message)) {
    ++core_.counters.dropped_malformed;
    return std::nullopt;
  }
  return on_message(from, *message, now);
}

std::optional<Forward> Engine::Impl::on_message(const ClientPath& from, const stun::Message& message,
                                                Now now) {
  const Method method = message.method();
  if (message.message_class() == Class::request) {
    on_request(from, message, now);
    return std::nullopt;
  }
  // RFC 8489 section 6.3.2: an indication with what we do not understand is dropped, as is an answer to
  // nothing that we asked.
  if (message.message_class() != Class::indication || method != Method::send) {
    if (method != Method::binding) ++core_.counters.dropped_malformed;
    return std::nullopt;
  }
  if (unknown_of(message).count > 0) {
    ++core_.counters.dropped_malformed;
    return std::nullopt;
  }
  return data_path_.on_send_indication(from, message, now);
}

void Engine::Impl::on_request(const ClientPath& from, const stun::Message& request, Now now) {
  const Exchange exchange = begin_exchange(from, request);
  switch (request.method()) {
    case Method::binding:
      return on_binding(exchange, request, now);
    case Method::allocate:
    case Method::refresh:
    case Method::create_permission:
    case Method::channel_bind:
      return on_turn_request(exchange, request, now);
    default:
      ++core_.counters.dropped_malformed;
      return;  // RFC 8489 section 6.3: an unknown method
  }
}

void Engine::Impl::on_binding(const Exchange& exchange, const stun::Message& request, Now now) {
  ++core_.counters.requests;
  const auto unknown = unknown_of(request);
  if (unknown.count > 0)
    return core_.refuse(exchange, {.code = ErrorCode::unknown_attribute, .unknown = unknown}, now);
  core_.answers.succeed(exchange, [&](stun::Writer& writer) {
    writer.add_xor_address(AttributeType::xor_mapped_address, exchange.from.client);
  });
}

void Engine::Impl::on_turn_request(Exchange exchange, const stun::Message& request, Now now) {
  Allocation* allocation = core_.allocations.find(exchange.from);
  if (allocation != nullptr && !allocation->is_open) return;  // the answer to its Allocate is on the way
  ++core_.counters.requests;
  const auto done = answer(exchange, request, allocation, now);
  if (!done) core_.refuse(exchange, done.error(), now);
}

// The order of RFC 8489 sections 6.3 and 9.2.4, then of RFC 8656 section 5. Once it is known who asks, the
// exchange says so, and every answer is protected.
Outcome Engine::Impl::answer(Exchange& exchange, const stun::Message& request, Allocation* allocation,
                             Now now) {
  const Method method = exchange.method;
  const bool is_on_nothing = allocation == nullptr && method != Method::allocate;
  // A challenge could only end in 437 and is much larger (docs/adr/0007).
  if (is_on_nothing && integrity_of(request) == Integrity::none)
    return reject(ErrorCode::allocation_mismatch);
  const auto authentication = core_.authenticator.authenticate(request, exchange.from, allocation, now);
  if (!authentication) {
    Rejection rejection = authentication.error();
    if (rejection.code == ErrorCode::unknown_attribute) rejection.unknown = unknown_of(request);
    return std::unexpected(rejection);
  }
  exchange.grant = authentication->grant;
  exchange.integrity = integrity_of(request);

  const auto unknown = unknown_of(request);
  if (unknown.count > 0)
    return std::unexpected(Rejection{.code = ErrorCode::unknown_attribute, .unknown = unknown});
  if (method == Method::allocate)
    return allocate_.on_request(exchange, request, *authentication, allocation, now);
  if (allocation == nullptr) {
    const bool is_repeated =
        method == Method::refresh && core_.deletions.contains(exchange.from, exchange.id);
    if (!is_repeated) return reject(ErrorCode::allocation_mismatch);
    refresh_.repeat_deletion(exchange);
    return {};
  }
  if (!may_act_on(*allocation, *authentication, method)) return reject(ErrorCode::wrong_credentials);
  if (method == Method::refresh)
    return refresh_.on_request(exchange, request, *authentication, *allocation, now);
  if (method == Method::create_permission)
    return peer_methods_.create_permission(exchange, request, *allocation, now);
  return peer_methods_.bind_channel(exchange, request, *allocation, now);
}

stun::Message::Unknown Engine::Impl::unknown_of(const stun::Message& message) const {
  return message.unknown_required([&](AttributeType type) {
    return is_known(type) || (type == AttributeType::access_token && core_.authenticator.accepts_tokens());
  });
}

// --- what the shell and the operator say ------------------------------------------------------------------

void Engine::Impl::on_port_opened(RelayPortId port, bool opened, Now now) {
  Allocation* allocation = core_.allocations.find(port);
  if (allocation == nullptr) return;
  if (!allocation->is_open) return allocate_.on_port_opened(*allocation, port, opened, now);
  if (opened) return;
  for (RelayedAddress& relayed : allocation->relayed_by_family) {
    if (relayed.number == 0 || relayed.port != port) continue;
    return core_.end_relayed(*allocation, relayed, EndReason::port_lost, now);
  }
}

// Those that are still being opened are looked at again when they are.
std::size_t Engine::Impl::revoke(const credentials::Revocation& revocation, Now now) {
  // A deny-list that is full of what has not ended cannot take one more; what runs ends all the same.
  static_cast<void>(core_.registry.deny_list().add(revocation, now.wall));
  core_.registry.pushed().revoke(revocation);
  return end_all([&](const Allocation& each) { return credentials::matches(revocation, *each.grant); },
                 EndReason::revoked, now);
}

std::size_t Engine::Impl::end_revoked(Now now) {
  return end_all([&](const Allocation& each) { return core_.registry.is_revoked(*each.grant, now.wall); },
                 EndReason::revoked, now);
}

void Engine::Impl::shut_down(Now now) {
  core_.is_shut_down = true;
  end_all([](const Allocation&) { return true; }, EndReason::shutdown, now);
}

std::size_t Engine::Impl::end_all(FunctionRef<bool(const Allocation&)> matches, EndReason reason, Now now) {
  const auto ending =
      core_.allocations.select([&](const Allocation& each) { return each.is_open && matches(each); });
  for (Allocation* allocation : ending) core_.end(*allocation, reason, now);
  return ending.size();
}

std::optional<Instant> Engine::Impl::next_timeout() const {
  const auto allocations = core_.allocations.next_deadline();
  const auto deletions = core_.deletions.next_deadline();
  if (allocations && deletions) return std::min(*allocations, *deletions);
  return allocations ? allocations : deletions;
}

std::vector<AllocationView> Engine::Impl::list_allocations(std::size_t max, Now now) const {
  std::vector<AllocationView> views;
  for (const Allocation* each :
       core_.allocations.select([](const Allocation& allocation) { return allocation.is_open; }, max)) {
    const RelayedAddress& relayed = *each->first_relayed();
    views.push_back({.path = each->path,
                     .grant = each->grant,
                     .relayed = core_.advertised(relayed),
                     .expires_in = relayed.ends_at - now.mono,
                     .bytes_from_client = each->traffic.bytes_from_client,
                     .bytes_to_client = each->traffic.bytes_to_client});
  }
  return views;
}

// --- the engine -------------------------------------------------------------------------------------------

Engine::Engine(const Settings& settings, credentials::Registry& registry,
               const credentials::NonceMint& nonces, Commons& commons, Random& random)
    : impl_(std::make_unique<Impl>(settings, registry, nonces, commons, random)) {}
Engine::~Engine() = default;

std::optional<Forward> Engine::on_client_datagram(const ClientPath& from, Bytes datagram, Now now) {
  return impl_->on_client_datagram(from, datagram, now);
}
std::optional<Deliver> Engine::on_peer_datagram(RelayPortId at, const SocketAddress& from, Bytes datagram,
                                                Now now) {
  return impl_->on_peer_datagram(at, from, datagram, now);
}
void Engine::on_peer_icmp(RelayPortId at, const SocketAddress& peer, const stun::IcmpValue& icmp, Now now) {
  impl_->on_peer_icmp(at, peer, icmp, now);
}
void Engine::on_port_opened(RelayPortId port, bool opened, Now now) {
  impl_->on_port_opened(port, opened, now);
}
void Engine::on_timeout(Now now) { impl_->on_timeout(now); }
std::size_t Engine::revoke(const credentials::Revocation& revocation, Now now) {
  return impl_->revoke(revocation, now);
}
std::size_t Engine::end_revoked(Now now) { return impl_->end_revoked(now); }
void Engine::drain() { impl_->drain(); }
void Engine::shut_down(Now now) { impl_->shut_down(now); }
std::optional<Effect> Engine::next_effect() { return impl_->next_effect(); }
std::optional<Instant> Engine::next_timeout() const { return impl_->next_timeout(); }
const Counters& Engine::counters() const { return impl_->counters(); }
std::vector<AllocationView> Engine::list_allocations(std::size_t max, Now now) const {
  return impl_->list_allocations(max, now);
}

}  // namespace turnpike::turn
