#include "service/issuer_ledger.hpp"

#include <algorithm>
#include <set>

namespace turnpike::service {

std::optional<std::size_t> IssuerLedger::count_seen(std::string_view issuer, const StreamPosition& first,
                                                    std::size_t count) const {
  const auto known = issuers_.find(issuer);
  if (known == issuers_.end() || known->second.position.stream != first.stream) return std::nullopt;
  const std::uint64_t last = known->second.position.sequence;
  if (first.sequence == 0 || first.sequence > last + 1) return std::nullopt;
  return static_cast<std::size_t>(std::min<std::uint64_t>(last + 1 - first.sequence, count));
}

void IssuerLedger::advance(std::string_view issuer, const StreamPosition& last) {
  auto& [position, refusals] = issuers_[std::string{issuer}];
  if (position.stream == last.stream) {
    position.sequence = std::max(position.sequence, last.sequence);
    return;
  }
  position = last;
  refusals.clear();
}

std::optional<StreamPosition> IssuerLedger::position(std::string_view issuer) const {
  const auto known = issuers_.find(issuer);
  return known == issuers_.end() ? std::nullopt : std::optional{known->second.position};
}

void IssuerLedger::note_refusal(std::string_view issuer, std::uint64_t sequence,
                                credentials::PushOutcome outcome) {
  constexpr std::size_t refusals_max = 10'000;
  auto& refusals = issuers_[std::string{issuer}].refusals;
  refusals.insert_or_assign(sequence, outcome);
  if (refusals.size() > refusals_max) refusals.erase(refusals.begin());
}

std::optional<credentials::PushOutcome> IssuerLedger::refusal(std::string_view issuer,
                                                              std::uint64_t sequence) const {
  const auto known = issuers_.find(issuer);
  if (known == issuers_.end()) return std::nullopt;
  const auto refused = known->second.refusals.find(sequence);
  return refused == known->second.refusals.end() ? std::nullopt : std::optional{refused->second};
}

void IssuerLedger::note_put(std::string_view issuer, const std::string& username, WallTime expires_at,
                            WallTime wall) {
  owners_.insert_or_assign(username, Owner{std::string{issuer}, expires_at});
  if (owners_.size() < drops_at_) return;
  drop_ended(wall);
  drops_at_ = std::max<std::size_t>(1024, 2 * owners_.size());
}

void IssuerLedger::note_gone(const std::string& username) { owners_.erase(username); }

std::vector<credentials::Revocation> IssuerLedger::find_others(
    std::string_view issuer, const std::vector<credentials::PushedCredential>& kept, WallTime wall) const {
  std::set<std::string_view> names;
  for (const auto& credential : kept) names.insert(credential.username);
  std::vector<credentials::Revocation> others;
  for (const auto& [username, owner] : owners_)
    if (owner.issuer == issuer && owner.expires_at > wall && !names.contains(username))
      others.push_back(
          {.by = credentials::Revocation::By::username, .value = username, .until = owner.expires_at});
  return others;
}

void IssuerLedger::drop_ended(WallTime wall) {
  std::erase_if(owners_, [wall](const auto& entry) { return entry.second.expires_at <= wall; });
}

}  // namespace turnpike::service
