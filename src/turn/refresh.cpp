#include "turn/refresh.hpp"

#include "turn/allocate_request.hpp"
#include "turn/lifetime.hpp"

namespace turnpike::turn {

using std::chrono::seconds;
using stun::ErrorCode;

Outcome RefreshMethod::on_request(const Exchange& exchange, const stun::Message& request,
                                  const Authentication& authentication, Allocation& allocation, Now now) {
  if (allocation.refresh.is_for(exchange.id)) {
    answer(exchange, seconds{allocation.refresh.lifetime});
    return {};
  }
  const auto asked = read_lifetime(request);
  if (!asked) return std::unexpected(asked.error());
  // RFC 8656 section 8.2: of an allocation with both families, one may be refreshed alone.
  const auto family = read_requested_family(request, ErrorCode::peer_address_family_mismatch);
  if (!family) return std::unexpected(family.error());
  if (*family && allocation.find_relayed(**family) == nullptr)
    return reject(ErrorCode::peer_address_family_mismatch);

  if (*asked == 0U) {
    end(exchange, allocation, *family, now);
    return {};
  }
  if (const auto extended = extend(allocation, authentication, *family, *asked, now); !extended)
    return extended;
  allocation.refresh.id = exchange.id;
  allocation.refresh.is_any = true;
  answer(exchange, seconds{allocation.refresh.lifetime});
  return {};
}

Outcome RefreshMethod::extend(Allocation& allocation, const Authentication& authentication,
                              std::optional<AddressFamily> family, std::optional<std::uint32_t> asked,
                              Now now) {
  const bool is_own = authentication.grant == allocation.grant;
  const bool is_token = is_own ? allocation.is_token : authentication.is_by_token;
  const auto granted = grant_lifetime(asked, *authentication.grant, is_token, core_->settings, now.wall);
  if (!granted) return std::unexpected(Rejection{ErrorCode::unauthenticated, credentials::Refusal::expired});
  if (!is_own)
    if (const auto adopted = adopt(allocation, authentication); !adopted) return adopted;

  for (const AddressFamily each : {AddressFamily::ipv4, AddressFamily::ipv6}) {
    RelayedAddress* relayed = allocation.find_relayed(each);
    if (relayed != nullptr && family.value_or(each) == each) relayed->ends_at = now.mono + granted->lifetime;
  }
  allocation.ends_with_credential = granted->is_bounded_by_credential;
  allocation.refresh.lifetime = static_cast<std::uint32_t>(granted->lifetime.count());
  core_->allocations.schedule(allocation);
  return {};
}

// The allocation goes over to the credential that was shown now, and counts for its subject.
Outcome RefreshMethod::adopt(Allocation& allocation, const Authentication& authentication) {
  const credentials::Grant& old = *allocation.grant;
  const credentials::Grant& next = *authentication.grant;
  const IpAddress& source = allocation.path.client.ip;
  if (next.subject != old.subject) {
    if (!core_->commons.admit(next.subject, source, core_->allocations_max(next)))
      return reject(ErrorCode::allocation_quota_reached);
    core_->commons.release(old.subject, source);
  }
  if (core_->bytes_per_second(next) != core_->bytes_per_second(old))
    allocation.budget = ByteBudget{core_->bytes_per_second(next)};
  const bool is_narrowed = next.policy.allowed_peers != old.policy.allowed_peers;
  allocation.is_token = authentication.is_by_token;
  allocation.grant = authentication.grant;
  if (is_narrowed)
    core_->counters.permissions_active -=
        allocation.peers.withdraw([&](const IpAddress& peer) { return !core_->allows(allocation, peer); });
  return {};
}

void RefreshMethod::end(const Exchange& exchange, Allocation& allocation, std::optional<AddressFamily> family,
                        Now now) {
  const AddressFamily other = family == AddressFamily::ipv4 ? AddressFamily::ipv6 : AddressFamily::ipv4;
  answer(exchange, seconds{0});
  if (family && allocation.find_relayed(other) != nullptr) {
    allocation.refresh = {exchange.id, 0, true};
    return core_->end_relayed(allocation, *allocation.find_relayed(*family), EndReason::refreshed_to_zero,
                              now);
  }
  core_->deletions.add(allocation.path, exchange.id, now.mono);
  core_->end(allocation, EndReason::refreshed_to_zero, now);
}

void RefreshMethod::answer(const Exchange& exchange, seconds lifetime) {
  core_->answers.succeed(exchange, [&](stun::Writer& writer) {
    writer.add_u32(stun::AttributeType::lifetime, static_cast<std::uint32_t>(lifetime.count()));
  });
}

}  // namespace turnpike::turn
